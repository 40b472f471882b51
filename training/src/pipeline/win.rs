//! Deals: looked at when they open and at several ages while they are open, labelled by how they ended.

use scorehouse_features::definition::WinSpec;
use scorehouse_features::time::{Span, Timestamp};
use serde_json::json;

use crate::error::TrainingError;
use crate::pipeline::events::{Event, Events, read_events};
use crate::pipeline::snapshot::{Look, Looks, feature_set};
use crate::pipeline::timing::{self, Course};
use crate::trained::{TrainRequest, Trained};

/// Trains a model of the probability that an open deal is won.
///
/// A deal opens with its first row in `opened`, as soon as that row is known, and ends with its first row in
/// `closed`. It is looked at when it opens and at each age of `at` that it reaches before it ends. Deals that are
/// still open do not teach yet whether deals are won; that they are still open teaches when deals end, which the
/// artifact then knows too.
///
/// # Errors
/// What is wrong with the definition or the history; [`TrainingError::OneClass`] when many deals all ended alike.
pub fn train(request: &TrainRequest<'_>, spec: &WinSpec) -> Result<Trained, TrainingError> {
    let set = feature_set(request, &spec.fit)?;
    let entity = &set.entity;
    request.progress.stage("reading deals", 0);
    let opened = read_events(request, entity, &spec.opened, None)?;
    let closed = read_events(request, entity, &spec.closed, Some(&spec.won))?;
    let open = opened.keys().filter(|key| !closed.contains_key(*key)).count();
    request.progress.message(&format!("{} deals opened, {open} of them are still open", opened.len()));
    let courses = courses(&opened, &closed, spec, request.now);
    let (looks, open) = looks(&opened, &closed, spec, request.now);
    let settles = settles(&looks, &open, request.now);
    request.progress.message(&format!("nine of ten deals looked at end within {settles}"));
    let looks = Looks {
        looks,
        fit: &spec.fit,
        pipeline: "win",
        outcome: format!("won ({})", spec.won.text()),
        whole_entities: true,
        settles,
    };
    let mut trained = looks.learn(request)?;
    if let Some(timing) = timing::learn(request, set, courses)? {
        trained.params["timing"] = json!({ "days": timing.edges() });
        let broken = |error: scorehouse_models::ModelError| TrainingError::Artifact(error.to_string());
        trained.artifact = trained.artifact.with_timing(timing).map_err(broken)?;
    }
    Ok(trained)
}

/// What was seen of every deal after each look at it.
fn courses(opened: &Events, closed: &Events, spec: &WinSpec, now: Timestamp) -> Vec<Course> {
    let mut courses = Vec::new();
    for (key, rows) in opened {
        let Some(open) = rows.first() else { continue };
        let end = closed.get(key).and_then(|rows| rows.first());
        let until = end.map_or(now, |end| end.at);
        courses.extend(ages(open, until, spec).map(|as_of| Course {
            as_of,
            key: key.clone(),
            seen: Span(until.0.saturating_sub(as_of.0)),
            won: end.map(|end| end.holds),
        }));
    }
    courses
}

/// The looks at deals that ended, and the moments at which deals that are still open would have been looked at.
fn looks(opened: &Events, closed: &Events, spec: &WinSpec, now: Timestamp) -> (Vec<Look>, Vec<Timestamp>) {
    let (mut looks, mut still_open) = (Vec::new(), Vec::new());
    for (key, rows) in opened {
        let Some(open) = rows.first() else { continue };
        let Some(end) = closed.get(key).and_then(|rows| rows.first()) else {
            still_open.extend(ages(open, now, spec));
            continue;
        };
        looks.extend(ages(open, end.at, spec).map(|as_of| Look {
            as_of,
            key: key.clone(),
            outcome: end.holds,
            known_at: end.known,
        }));
    }
    (looks, still_open)
}

fn ages(open: &Event, end: Timestamp, spec: &WinSpec) -> impl Iterator<Item = Timestamp> {
    let start = open.known;
    let later = spec.at.iter().map(move |age| start.after(*age));
    std::iter::once(start).chain(later).filter(move |as_of| *as_of < end)
}

/// Share of the looks whose outcome must be known, and the share of looks that may be too young for it.
const SETTLED: f64 = 0.9;
const TOO_YOUNG: f64 = 0.3;

/// The time after which the outcomes of nine of ten looks are known, deals that are still open counted for as long
/// as they were seen (Kaplan, Meier 1958). In a short history less, so that most looks are older than this.
fn settles(looks: &[Look], still_open: &[Timestamp], now: Timestamp) -> Span {
    let age = |as_of: Timestamp| now.0.saturating_sub(as_of.0).max(0);
    let ended = looks.iter().map(|look| (look.known_at.0.saturating_sub(look.as_of.0).max(0), true));
    // Of equal times ends come first: who was seen open that long was still there.
    let mut times: Vec<(i64, bool)> = ended.chain(still_open.iter().map(|at| (age(*at), false))).collect();
    times.sort_unstable_by_key(|(time, ended)| (*time, !ended));
    let (mut open, mut settled) = (1.0, 0);
    for (at, (time, ended)) in times.iter().enumerate() {
        if *ended {
            open *= 1.0 - 1.0 / (times.len() - at) as f64;
            settled = *time;
        }
        // A hair more, for what rounding leaves of the product.
        if open <= 1.0 - SETTLED + 1e-9 {
            break;
        }
    }
    let latest = looks.iter().map(|look| look.known_at).max().unwrap_or(now);
    let mut ages: Vec<i64> = looks.iter().map(|look| latest.0.saturating_sub(look.as_of.0).max(0)).collect();
    ages.sort_unstable();
    let most = ages.get((ages.len() as f64 * TOO_YOUNG) as usize).copied().unwrap_or(0);
    Span(settled.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scorehouse_features::ids::EntityKey;
    use scorehouse_features::time::DAY;

    fn look(as_of: i64, known_at: i64) -> Look {
        let key = EntityKey::new("d").unwrap();
        Look { as_of: Timestamp(as_of * DAY), key, outcome: true, known_at: Timestamp(known_at * DAY) }
    }

    #[test]
    fn open_deals_count_for_as_long_as_they_were_seen() {
        let looks: Vec<Look> = (0..100).map(|day| look(day, day + 1 + day % 10)).collect();
        let now = Timestamp(1000 * DAY);
        assert_eq!(settles(&looks, &[], now), Span(9 * DAY));
        // Deals open ever since day 0 say that nine of ten are never known: the last end that was seen counts.
        let open = vec![Timestamp(0); 50];
        assert_eq!(settles(&looks, &open, now), Span(10 * DAY));
        // Deals opened just now say nothing against it.
        assert_eq!(settles(&looks, &vec![now; 50], now), Span(9 * DAY));
    }

    #[test]
    fn in_a_short_history_most_looks_are_still_asked() {
        let dealt = |day: i64| (day, day + day * 37 % 100 + 1);
        let (ended, open): (Vec<_>, Vec<_>) = (0..100).map(dealt).partition(|(_, end)| *end <= 100);
        let looks: Vec<Look> = ended.iter().map(|(day, end)| look(*day, *end)).collect();
        let open: Vec<Timestamp> = open.iter().map(|(day, _)| Timestamp(day * DAY)).collect();
        let settled = settles(&looks, &open, Timestamp(100 * DAY));
        let asked = looks.iter().filter(|look| look.as_of.after(settled) <= Timestamp(100 * DAY)).count();
        assert!(asked * 10 >= looks.len() * 6 && asked < looks.len(), "{asked} of {}", looks.len());
        assert_eq!(settles(&[], &[], Timestamp(0)), Span(0));
    }
}
