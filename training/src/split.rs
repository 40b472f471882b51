//! Who learns and who is asked: holdouts and folds that respect time and entities.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;
use scorehouse_features::time::Timestamp;

use crate::dataset::Dataset;

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

    fn speaks(&self, label: &[f64]) -> bool {
        let enough = |rows: &[u32]| {
            let with = rows.iter().filter(|row| label[**row as usize] > 0.5).count();
            with >= FEW && rows.len() - with >= FEW
        };
        enough(&self.train) && enough(&self.holdout)
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
    let split = match &data.known_at {
        Some(known_at) => by_time(data, known_at, share, whole_groups),
        None => at_random(data, share, seed),
    };
    if split.speaks(&data.label) { split } else { Split::everything(data.rows) }
}

fn by_time(data: &Dataset, known_at: &[Timestamp], share: f64, whole_groups: bool) -> Split {
    let mut moments = data.as_of.clone();
    moments.sort_unstable();
    let first = ((moments.len() as f64) * (1.0 - share)).round() as usize;
    let cut = moments[first.min(moments.len() - 1)];
    let rows = 0..data.rows as u32;
    let holdout: Vec<u32> = rows.clone().filter(|row| data.as_of[*row as usize] >= cut).collect();
    let mut train: Vec<u32> = rows.filter(|row| known_at[*row as usize] < cut).collect();
    if whole_groups && let Some(group) = &data.group {
        let held: rustc_hash::FxHashSet<u32> = holdout.iter().map(|row| group[*row as usize]).collect();
        train.retain(|row| !held.contains(&group[*row as usize]));
    }
    train.retain(|row| data.as_of[*row as usize] < cut);
    Split { train, holdout, from: Some(cut) }
}

fn at_random(data: &Dataset, share: f64, seed: u64) -> Split {
    let folds = (1.0 / share).round().max(2.0) as usize;
    let fold = folds_of(data, &(0..data.rows as u32).collect::<Vec<_>>(), folds, seed);
    let mut split = Split::default();
    for row in 0..data.rows as u32 {
        if fold[row as usize] == 0 { split.holdout.push(row) } else { split.train.push(row) }
    }
    split
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
