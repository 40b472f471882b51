//! Who learns and who is asked: holdouts and folds that respect time and entities.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;
use scorehouse_features::time::Timestamp;

use crate::dataset::Dataset;

/// Rows learnt from, and rows asked of what was learnt from these; both ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Rows learnt from.
    pub learn: Vec<u32>,
    /// Rows to be scored.
    pub asked: Vec<u32>,
}

/// Rows learnt from and rows held out; both ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Split {
    /// Rows learnt from.
    pub train: Vec<u32>,
    /// Rows on which candidates are compared.
    pub holdout: Vec<u32>,
    /// Where the holdout begins, when it was split by time.
    pub from: Option<Timestamp>,
}

/// Fewest rows of either kind on each side for a holdout to say anything.
const FEW: usize = 20;

impl Split {
    fn everything(rows: usize) -> Self {
        Self { train: (0..rows as u32).collect(), holdout: Vec::new(), from: None }
    }
}

impl Part {
    fn speaks(&self, label: &[f64]) -> bool {
        let enough = |rows: &[u32]| {
            let with = rows.iter().filter(|row| label[**row as usize] > 0.5).count();
            with >= FEW && rows.len() - with >= FEW
        };
        enough(&self.learn) && enough(&self.asked)
    }
}

/// Holds out `share` of the rows: the latest when the data has time, else drawn by `seed`, equally among rows
/// with and without the outcome. Without enough rows of either kind nothing is held out.
///
/// By time: a row is held out when it is looked at on or after the cut, and learnt from when its outcome was
/// known before it. A row that is neither is in neither part, so that no outcome from the holdout's time
/// leaks into learning. With `whole_groups` an entity with a row in the holdout is not learnt from at all.
#[must_use]
pub fn hold_out(data: &Dataset, share: f64, whole_groups: bool, seed: u64) -> Split {
    if share <= 0.0 || data.rows < 4 * FEW {
        return Split::everything(data.rows);
    }
    let all: Vec<u32> = (0..data.rows as u32).collect();
    let (part, from) = match &data.known_at {
        Some(_) => {
            let course = Course::of(data, &all, whole_groups);
            let Some(cut) = course.moment(1.0 - share) else { return Split::everything(data.rows) };
            (course.part(cut, None), Some(cut))
        }
        None => (at_random(data, share, seed), None),
    };
    if !part.speaks(&data.label) {
        return Split::everything(data.rows);
    }
    Split { train: part.learn, holdout: part.asked, from }
}

/// Share of the rows, the earliest, that forward folds only learn from.
const FIRST: f64 = 0.4;

/// Cuts the time of `rows` into `blocks` of about as many rows each, every one asked of what was known before
/// it began; the first 40 % of the rows are only learnt from. None when the data has no time, or a block would
/// have too few rows of either kind.
#[must_use]
pub fn forward_parts(data: &Dataset, rows: &[u32], blocks: usize, whole_groups: bool) -> Option<Vec<Part>> {
    data.known_at.as_ref()?;
    let course = Course::of(data, rows, whole_groups);
    let share = |block: usize| FIRST + (1.0 - FIRST) * block as f64 / blocks as f64;
    let mut cuts: Vec<Timestamp> = (0..blocks).filter_map(|block| course.moment(share(block))).collect();
    cuts.dedup();
    let ends = cuts.iter().skip(1).map(|end| Some(*end)).chain([None]);
    let parts: Vec<Part> = cuts.iter().zip(ends).map(|(from, until)| course.part(*from, until)).collect();
    (parts.len() >= 2 && parts.iter().all(|part| part.speaks(&data.label))).then_some(parts)
}

/// Rows in the order of their moments.
struct Course<'a> {
    data: &'a Dataset,
    rows: &'a [u32],
    /// Moments of the rows that may be asked, ascending.
    moments: Vec<Timestamp>,
    /// Rows looked at after this are not asked, since mostly what was decided quickly is known of them.
    settled: Timestamp,
    whole_groups: bool,
}

impl<'a> Course<'a> {
    fn of(data: &'a Dataset, rows: &'a [u32], whole_groups: bool) -> Self {
        let last = rows.iter().map(|row| data.known_at(*row)).max().unwrap_or(Timestamp::MAX);
        let settled = if data.settles.0 > 0 { last.before(data.settles) } else { Timestamp::MAX };
        let moments = rows.iter().map(|row| data.as_of[*row as usize]);
        let mut moments: Vec<Timestamp> = moments.filter(|moment| *moment <= settled).collect();
        moments.sort_unstable();
        Self { data, rows, moments, settled, whole_groups }
    }

    /// The moment before which `share` of the rows lie.
    fn moment(&self, share: f64) -> Option<Timestamp> {
        let at = (self.moments.len() as f64 * share).round() as usize;
        self.moments.get(at.min(self.moments.len().saturating_sub(1))).copied()
    }

    /// Rows looked at from `from` until before `until`, and the rows whose outcome was known before `from`.
    fn part(&self, from: Timestamp, until: Option<Timestamp>) -> Part {
        let moment = |row: &&u32| self.data.as_of[**row as usize];
        let within = |row: &&u32| {
            let at = moment(row);
            at >= from && at <= self.settled && until.is_none_or(|until| at < until)
        };
        let asked: Vec<u32> = self.rows.iter().filter(within).copied().collect();
        let before = |row: &&u32| self.data.known_at(**row) < from && moment(row) < from;
        let mut learn: Vec<u32> = self.rows.iter().filter(before).copied().collect();
        if self.whole_groups
            && let Some(group) = &self.data.group
        {
            let held: rustc_hash::FxHashSet<u32> = asked.iter().map(|row| group[*row as usize]).collect();
            learn.retain(|row| !held.contains(&group[*row as usize]));
        }
        Part { learn, asked }
    }
}

fn at_random(data: &Dataset, share: f64, seed: u64) -> Part {
    let folds = (1.0 / share).round().max(2.0) as usize;
    let fold = folds_of(data, &(0..data.rows as u32).collect::<Vec<_>>(), folds, seed);
    let (asked, learn) = (0..data.rows as u32).partition(|row| fold[*row as usize] == 0);
    Part { learn, asked }
}

/// Deals `rows` into `folds` folds by `seed`, rows of one entity together, rows with and without the outcome
/// evenly. Entry i is the fold of row i of the data; rows not dealt are in fold `u8::MAX`.
#[must_use]
pub fn folds_of(data: &Dataset, rows: &[u32], folds: usize, seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut units = units_of(data, rows);
    units.shuffle(&mut rng);
    // Entities with the outcome first, so that both kinds are dealt evenly.
    units.sort_by_key(|unit| !unit.iter().any(|row| data.label[*row as usize] > 0.5));
    let mut fold = vec![u8::MAX; data.rows];
    let mut next = rng.random_range(0..folds.max(1));
    for unit in units {
        unit.iter().for_each(|row| fold[*row as usize] = next as u8);
        next = (next + 1) % folds.max(1);
    }
    fold
}

fn units_of(data: &Dataset, rows: &[u32]) -> Vec<Vec<u32>> {
    let Some(group) = &data.group else { return rows.iter().map(|row| vec![*row]).collect() };
    let mut index: FxHashMap<u32, usize> = FxHashMap::default();
    let mut units: Vec<Vec<u32>> = Vec::new();
    for row in rows {
        let at = *index.entry(group[*row as usize]).or_insert_with(|| {
            units.push(Vec::new());
            units.len() - 1
        });
        units[at].push(*row);
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use scorehouse_features::time::Span;

    fn data(rows: usize) -> Dataset {
        let as_of: Vec<Timestamp> = (0..rows as i64).map(|i| Timestamp(i * 37 % 1000)).collect();
        Dataset {
            rows,
            label: (0..rows).map(|i| f64::from(u8::from(i % 3 == 0))).collect(),
            known_at: Some(as_of.iter().map(|t| Timestamp(t.0 + 50)).collect()),
            group: Some((0..rows as u32).map(|i| i % (rows as u32 / 3).max(1)).collect()),
            as_of,
            ..Dataset::default()
        }
    }

    #[test]
    fn nothing_known_after_the_cut_is_learnt_from() {
        let data = data(600);
        let split = hold_out(&data, 0.25, false, 1);
        let cut = split.from.unwrap();
        let known = data.known_at.as_ref().unwrap();
        assert!(split.train.iter().all(|row| known[*row as usize] < cut));
        assert!(split.holdout.iter().all(|row| data.as_of[*row as usize] >= cut));
        assert!((140..=160).contains(&split.holdout.len()), "{}", split.holdout.len());
        assert!(split.train.len() > 350 && split.train.len() + split.holdout.len() < 600);
    }

    #[test]
    fn an_entity_in_the_holdout_is_not_learnt_from_when_groups_stay_whole() {
        let data = data(600);
        let split = hold_out(&data, 0.1, true, 1);
        let group = data.group.as_ref().unwrap();
        for row in &split.train {
            assert!(!split.holdout.iter().any(|held| group[*held as usize] == group[*row as usize]));
        }
        assert!(!split.train.is_empty());
    }

    #[test]
    fn too_little_data_is_not_split() {
        let data = data(60);
        let split = hold_out(&data, 0.25, false, 1);
        assert_eq!((split.train.len(), split.holdout.len()), (60, 0));
    }

    #[test]
    fn forward_blocks_ask_every_later_row_once_of_what_was_known_before() {
        let data = data(900);
        let all: Vec<u32> = (0..900).collect();
        let parts = forward_parts(&data, &all, 4, true).unwrap();
        assert_eq!(parts.len(), 4);
        let group = data.group.as_ref().unwrap();
        for part in &parts {
            let from = part.asked.iter().map(|row| data.as_of[*row as usize]).min().unwrap();
            assert!(part.learn.iter().all(|row| data.known_at(*row) < from));
            let asked: rustc_hash::FxHashSet<u32> = part.asked.iter().map(|r| group[*r as usize]).collect();
            assert!(part.learn.iter().all(|row| !asked.contains(&group[*row as usize])));
        }
        let mut asked: Vec<u32> = parts.iter().flat_map(|part| part.asked.clone()).collect();
        asked.sort_unstable();
        let later = asked.len();
        asked.dedup();
        assert_eq!(asked.len(), later);
        assert!((500..=580).contains(&later), "{later}");
    }

    #[test]
    fn rows_that_have_not_settled_are_not_asked() {
        let data = Dataset { settles: Span(300), ..data(900) };
        let split = hold_out(&data, 0.25, false, 1);
        let last = data.known_at.as_ref().unwrap().iter().max().unwrap();
        assert!(split.holdout.iter().all(|row| data.as_of[*row as usize].0 + 300 <= last.0));
        assert!(split.holdout.len() > 100);
    }

    #[test]
    fn data_without_time_or_with_too_little_in_a_block_has_no_forward_blocks() {
        let all: Vec<u32> = (0..900).collect();
        assert_eq!(forward_parts(&Dataset { known_at: None, ..data(900) }, &all, 3, false), None);
        let few: Vec<u32> = (0..90).collect();
        assert_eq!(forward_parts(&data(90), &few, 3, false), None);
    }

    proptest! {
        #[test]
        fn folds_keep_entities_together_and_share_outcomes(rows in 30_usize..300, folds in 2_usize..8, seed: u64) {
            let data = data(rows);
            let all: Vec<u32> = (0..rows as u32).collect();
            let fold = folds_of(&data, &all, folds, seed);
            let group = data.group.as_ref().unwrap();
            for a in 0..rows {
                prop_assert!((fold[a] as usize) < folds);
                for b in 0..a {
                    prop_assert!(group[a] != group[b] || fold[a] == fold[b]);
                }
            }
            let single = Dataset { group: None, ..data };
            let fold = folds_of(&single, &all, folds, seed);
            let with = |f: usize| (0..rows).filter(|r| fold[*r] as usize == f && single.label[*r] > 0.5).count();
            let counts: Vec<usize> = (0..folds).map(with).collect();
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
        }
    }
}
