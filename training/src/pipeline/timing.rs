//! When deals end: from looks at deals, ended or still open, to hazards by stretches of days.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_features::definition::FeatureSet;
use scorehouse_features::ids::EntityKey;
use scorehouse_features::time::{DAY, Span, Timestamp};
use scorehouse_models::{Signature, Timing};

use crate::dataset::{Column, Dataset, Treatment, screen};
use crate::error::TrainingError;
use crate::fit::Periods;
use crate::history::Snapshots;
use crate::pipeline::snapshot::read_features;
use crate::trained::TrainRequest;

/// Looks learnt from at most, whole deals: hazards need fewer than probabilities do.
const LOOKS: usize = 12_000;
/// Ends of either kind below which nothing is told of time.
const FEWEST: usize = 20;
/// Ends of either kind below which all deals are taken to end at the same pace.
const ENOUGH: usize = 100;
/// Shares of the ends that were seen by the end of each stretch. What comes after the last goes on as in the last.
const SHARES: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975];
/// Days that a stretch has at least.
const SHORTEST: f64 = 0.25;

/// One look at a deal and what was seen of it afterwards.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Course {
    /// When it was looked at.
    pub as_of: Timestamp,
    /// Which deal.
    pub key: EntityKey,
    /// How long it was seen from then on: until it ended, or until now.
    pub seen: Span,
    /// How it ended; none while it is open.
    pub won: Option<bool>,
}

impl Course {
    fn days(&self) -> f64 {
        self.seen.0 as f64 / DAY as f64
    }
}

/// Learns when deals end; none where too few have ended.
///
/// # Errors
/// What the history reports.
pub(super) fn learn(
    request: &TrainRequest<'_>,
    set: &FeatureSet,
    courses: Vec<Course>,
) -> Result<Option<Timing>, TrainingError> {
    let ends = |won: bool| courses.iter().filter(|course| course.won == Some(won)).count();
    let rarer = ends(true).min(ends(false));
    if rarer < FEWEST {
        return Ok(None);
    }
    let courses = sampled(courses, request.seed);
    let edges = edges(&courses);
    request.progress.stage("when deals end", 0);
    let snapshots = Snapshots {
        keys: courses.iter().map(|course| course.key.clone()).collect(),
        as_of: courses.iter().map(|course| course.as_of).collect(),
    };
    let columns = read_features(request, set, &snapshots)?;
    let periods = periods(&courses, &columns, (edges, request.now), (rarer, request.seed));
    request.progress.message(&format!(
        "when deals end: {} looks in {} stretches of up to {:.0} days",
        courses.len(),
        periods.edges.len(),
        periods.edges.last().copied().unwrap_or(0.0)
    ));
    periods.fit(&Signature::of_feature_set(set)).map(Some)
}

/// At most about [`LOOKS`] of them, deals whole, in the order of moments and keys.
fn sampled(mut courses: Vec<Course>, seed: u64) -> Vec<Course> {
    courses.sort_unstable_by(|a, b| (a.as_of, &a.key).cmp(&(b.as_of, &b.key)));
    let share = LOOKS as f64 / courses.len().max(1) as f64;
    if share >= 1.0 {
        return courses;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x71e);
    let keys: BTreeSet<EntityKey> = courses.iter().map(|course| course.key.clone()).collect();
    let drawn: BTreeSet<EntityKey> = keys.into_iter().filter(|_| rng.random::<f64>() < share).collect();
    courses.retain(|course| drawn.contains(&course.key));
    courses
}

/// The days at which stretches end, so that about as many deals end in each.
fn edges(courses: &[Course]) -> Vec<f64> {
    let mut days: Vec<f64> = courses.iter().filter(|c| c.won.is_some()).map(Course::days).collect();
    days.sort_unstable_by(f64::total_cmp);
    let mut edges: Vec<f64> = Vec::new();
    for share in SHARES {
        let at = ((days.len() as f64 * share) as usize).min(days.len().saturating_sub(1));
        let day = days.get(at).copied().unwrap_or(SHORTEST);
        if day >= edges.last().copied().unwrap_or(0.0) + SHORTEST {
            edges.push(day);
        }
    }
    if edges.is_empty() { vec![SHORTEST] } else { edges }
}

/// A row for every stretch that a deal was open at the beginning of and that is over. A stretch that is not over yet
/// tells of the deals that have ended in it and not of the others, so it would say that all of them end.
fn periods(
    courses: &[Course],
    columns: &[Column],
    (edges, now): (Vec<f64>, Timestamp),
    (rarer, seed): (usize, u64),
) -> Periods {
    let (mut of, mut stretch, mut won, mut lost, mut known) = (vec![], vec![], vec![], vec![], vec![]);
    for (look, course) in courses.iter().enumerate() {
        let mut from = 0.0;
        let over = now.days_since(course.as_of);
        for (number, to) in edges.iter().enumerate() {
            let ends_here = course.won.filter(|_| course.days() <= *to);
            if course.days() <= from || over < *to {
                break;
            }
            of.push(look as u32);
            stretch.push(number as f64);
            won.push(f64::from(u8::from(ends_here == Some(true))));
            lost.push(f64::from(u8::from(ends_here == Some(false))));
            known.push(course.as_of.after(Span((to.min(course.days()) * DAY as f64) as i64)));
            from = *to;
        }
    }
    let mut taken: Vec<Column> = columns.iter().map(|column| column.take(&of)).collect();
    let mut notes = screen(&taken, of.len());
    if rarer < ENOUGH {
        notes.iter_mut().for_each(|note| note.treatment = Treatment::SetAside);
    }
    let number = Column::float("stretch ahead", stretch);
    notes.extend(screen(std::slice::from_ref(&number), of.len()));
    if let Some(note) = notes.last_mut() {
        note.treatment = Treatment::Number;
    }
    taken.push(number);
    let data = Dataset {
        rows: of.len(),
        columns: taken,
        label: won,
        as_of: of.iter().map(|look| courses[*look as usize].as_of).collect(),
        known_at: Some(known),
        group: Some(groups(courses, &of)),
        ..Dataset::default()
    };
    Periods { data, notes, lost, edges, seed }
}

fn groups(courses: &[Course], of: &[u32]) -> Vec<u32> {
    let mut keys: Vec<&EntityKey> = courses.iter().map(|course| &course.key).collect();
    keys.sort_unstable();
    keys.dedup();
    of.iter().map(|look| keys.partition_point(|key| *key < &courses[*look as usize].key) as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(as_of: i64, days: f64, won: Option<bool>) -> Course {
        let key = EntityKey::new(format!("d{as_of}")).unwrap();
        Course { as_of: Timestamp(as_of * DAY), key, seen: Span((days * DAY as f64) as i64), won }
    }

    #[test]
    fn a_deal_is_at_risk_in_every_stretch_until_it_ends_or_is_out_of_sight() {
        let courses = [
            course(0, 7.0, Some(true)),
            course(1, 12.0, None),
            course(2, 5.0, Some(false)),
            course(-90, 103.0, None),
        ];
        let periods = periods(&courses, &[], (vec![5.0, 10.0, 20.0], Timestamp(13 * DAY)), (500, 1));
        let stretch = periods.data.columns[0].numbers().unwrap();
        assert_eq!(periods.data.group, Some(vec![1, 1, 2, 2, 3, 0, 0, 0]));
        assert_eq!(stretch, [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 2.0]);
        assert_eq!(periods.data.label, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(periods.lost, [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_stretch_that_is_not_over_tells_nothing_even_of_deals_that_have_ended_in_it() {
        let courses = [course(0, 7.0, Some(true)), course(4, 7.0, Some(true)), course(9, 1.0, Some(false))];
        let periods = periods(&courses, &[], (vec![5.0, 10.0], Timestamp(12 * DAY)), (500, 1));
        let stretch = periods.data.columns[0].numbers().unwrap();
        assert_eq!((stretch, periods.data.label), (vec![0.0, 1.0, 0.0], vec![0.0, 1.0, 0.0]));
    }

    #[test]
    fn stretches_hold_about_as_many_ends_each_and_are_never_empty() {
        let courses: Vec<Course> =
            (0..1000).map(|day| course(day, 1.0 + day as f64 / 10.0, Some(true))).collect();
        let found = edges(&courses);
        assert_eq!(found.len(), 10);
        assert!((found[4] - 51.0).abs() < 0.2 && (found[9] - 98.5).abs() < 0.2, "{found:?}");
        let same: Vec<Course> = (0..50).map(|day| course(day, 3.0, Some(true))).collect();
        assert_eq!(edges(&same), [3.0]);
    }

    #[test]
    fn of_too_many_looks_whole_deals_are_drawn() {
        let courses: Vec<Course> =
            (0..30_000).map(|at| course(at / 3, 1.0 + (at % 3) as f64, None)).collect();
        let drawn = sampled(courses, 7);
        assert!((11_000..13_000).contains(&drawn.len()), "{}", drawn.len());
        assert!(drawn.chunks(3).all(|looks| looks.iter().all(|look| look.key == looks[0].key)));
    }
}
