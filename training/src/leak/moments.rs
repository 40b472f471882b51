//! Moments after the row's own. What is planned goes beyond the end of the data; what was recorded ends with it.

use scorehouse_features::time::Timestamp;

use crate::dataset::{ColumnData, Dataset};
use crate::leak::odds::percent;
use crate::leak::view::Views;
use crate::leak::{Found, LeakSign};

/// Share of the values that must lie after their row.
const LATER: f64 = 0.05;
/// Rows needed near the end of the data of which a plan would have reached beyond it.
const REACHING: f64 = 20.0;
/// Share of what a plan would have put beyond the end of the data that may be there by mistake.
const MISTAKEN: f64 = 0.05;

/// A row's own moment, and the one in its column.
type Moments = (Timestamp, Option<Timestamp>);

pub(super) fn find(data: &Dataset, views: &Views<'_>, found: &mut Found) {
    let Some(known_at) = &data.known_at else { return };
    let ends = known_at.iter().chain(&data.as_of).max().copied().unwrap_or_default();
    for (at, view) in views.columns.iter().enumerate() {
        let ColumnData::Time(values) = &view.column.data else { continue };
        let moments: Vec<Moments> =
            views.rows.iter().map(|row| (data.as_of[*row as usize], values[*row as usize])).collect();
        if let Some(later) = recorded_later(&moments, ends) {
            let detail = format!(
                "{} of its moments are after the row's own, and none far after the end of the data: they were recorded, not planned",
                percent(later)
            );
            found.entry(at).or_default().push(LeakSign::Later { detail });
        }
    }
}

/// Share of moments after their rows, when they are no plans.
fn recorded_later(moments: &[Moments], ends: Timestamp) -> Option<f64> {
    let later = |(as_of, value): &Moments| value.filter(|value| value > as_of).map(|value| value.0 - as_of.0);
    let present = moments.iter().filter(|row| row.1.is_some()).count() as f64;
    let mut leads: Vec<i64> = moments.iter().filter_map(later).collect();
    let share = leads.len() as f64 / present.max(1.0);
    if share < LATER {
        return None;
    }
    leads.sort_unstable();
    // A data set is exported some time after its last row: what was recorded until then is within this.
    let slack = leads[leads.len() / 2] / 4;
    let last = moments.iter().filter(|row| row.0.0 > ends.0 - slack).count() as f64;
    let with_plan = last * leads.len() as f64 / moments.len() as f64;
    let beyond =
        moments.iter().filter(|row| row.1.is_some_and(|value| value.0 > ends.0 + slack)).count() as f64;
    // At least half of the last rows' plans would end beyond.
    (with_plan >= REACHING && beyond <= MISTAKEN * with_plan / 2.0).then_some(share)
}
