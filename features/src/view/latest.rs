//! The newest row that was known.

use crate::time::{Span, Timestamp};
use crate::value::Missing;
use crate::view::rows::Rows;

/// Finds the newest row, by (event time, availability time, arrival), that had happened and was known at
/// `as_of` and for which the Bool column `filter` is true.
///
/// # Errors
/// [`Missing::NeverSeen`] when there is none; [`Missing::Expired`] when it happened more than `ttl` before
/// `as_of`.
pub fn select<R: Rows + ?Sized>(
    rows: &R,
    filter: Option<usize>,
    ttl: Option<Span>,
    as_of: Timestamp,
) -> Result<usize, Missing> {
    let known =
        |row: &usize| rows.available(*row) <= as_of && filter.is_none_or(|column| rows.is_true(*row, column));
    let newest = (0..rows.happened_by(as_of)).rev().find(known).ok_or(Missing::NeverSeen)?;
    match ttl {
        Some(ttl) if rows.event_time(newest) < as_of.before(ttl) => Err(Missing::Expired),
        _ => Ok(newest),
    }
}
