//! Too good against its own past: what tells the outcome at an entity's last look, and told nothing at the look
//! before. Facts grow on the way; what is written at the end is there at once.

use rustc_hash::FxHashMap;

use crate::dataset::{ColumnNote, Dataset};
use crate::leak::odds::percent;
use crate::leak::view::Views;
use crate::leak::{Found, LeakSign};

/// Entities looked at.
const ENTITIES: usize = 20_000;
/// Share of the outcome that a column must tell at the last look.
const NOW: f64 = 0.15;
/// Of that, the part that it may have told before and still be sudden.
const BEFORE: f64 = 0.1;

pub(super) fn find(data: &Dataset, notes: &[ColumnNote], found: &mut Found, views: &Views<'_>) {
    let (before, last) = looks(data);
    if last.is_empty() {
        return;
    }
    let (before, last) = (Views::over(data, notes, before), Views::over(data, notes, last));
    if !last.tells() {
        return;
    }
    for (at, view) in views.columns.iter().enumerate() {
        let (old, new) = (before.alone(&before.columns[at]), last.alone(&last.columns[at]));
        if new.surely_told < NOW || old.told > BEFORE * new.told {
            continue;
        }
        debug_assert_eq!(view.at, last.columns[at].at);
        let detail = format!(
            "at the last look at each entity it tells {} of the outcome, at the look before {}",
            percent(new.told),
            percent(old.told.max(0.0))
        );
        found.entry(at).or_default().push(LeakSign::Sudden { detail });
    }
}

/// The last two looks at each entity that had the same outcome: those before, and the last.
fn looks(data: &Dataset) -> (Vec<u32>, Vec<u32>) {
    let (Some(group), Some(_)) = (&data.group, &data.known_at) else { return Default::default() };
    let mut rows: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    for row in 0..data.rows as u32 {
        rows.entry(group[row as usize]).or_default().push(row);
    }
    let moment = |row: &u32| (data.as_of[*row as usize], *row);
    let mut pairs: Vec<(u32, u32)> = rows
        .into_values()
        .filter_map(|mut rows| {
            rows.sort_by_key(moment);
            let [.., before, last] = rows[..] else { return None };
            let apart = data.as_of[before as usize] < data.as_of[last as usize];
            (apart && data.label[before as usize] == data.label[last as usize]).then_some((before, last))
        })
        .collect();
    pairs.sort_unstable();
    let step = pairs.len().div_ceil(ENTITIES).max(1);
    pairs.into_iter().step_by(step).unzip()
}
