//! Pushed facts: taken in all or none, acknowledged when durable.

use std::ops::Range;

use scorehouse_features::ids::{ColumnName, EntityKey, SourceName};
use scorehouse_features::online::{EventId, PushedRow, Receipt};
use scorehouse_features::source::event::EventReader;
use scorehouse_features::source::{Outcome, RejectReason};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::Layout;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::changes;
use crate::error::{Noun, RejectedRow, ServeError};
use crate::state::AppState;

/// Most rows of one request.
pub const MOST_ROWS: usize = 100_000;
/// Most refused rows that an answer lists.
const MOST_LISTED: usize = 100;

/// Rows as they stand in a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Pushed {
    /// One JSON value per row, or why a line is none.
    rows: Vec<Result<Json, String>>,
}

/// What became of pushed rows. They are on the disk, and every later read sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct EventAnswer {
    /// Rows stored.
    pub accepted: usize,
    /// Rows stored before under the same idempotency key, and not again.
    pub duplicates: usize,
    /// Rows that the source's `keep` leaves out.
    pub filtered: usize,
}

impl Pushed {
    /// Reads one JSON object, or a list of them.
    ///
    /// # Errors
    /// [`ServeError::InvalidJson`], or [`ServeError::TooMany`].
    pub fn json(text: &str) -> Result<Self, ServeError> {
        let value: Json = serde_json::from_str(text).map_err(|error| ServeError::InvalidJson {
            message: error.to_string(),
            line: error.line(),
            column: error.column(),
        })?;
        let rows = match value {
            Json::Array(rows) => rows,
            one => vec![one],
        };
        Self::bounded(rows.into_iter().map(Ok).collect())
    }

    /// Reads one JSON object a line; empty lines do not count.
    ///
    /// # Errors
    /// [`ServeError::TooMany`]. A line that is not JSON is a refused row.
    pub fn lines(text: &str) -> Result<Self, ServeError> {
        let lines = text.lines().filter(|line| !line.trim().is_empty()).take(MOST_ROWS + 1);
        let read =
            |line: &str| serde_json::from_str(line).map_err(|error| format!("not valid JSON: {error}"));
        Self::bounded(lines.map(read).collect())
    }

    fn bounded(rows: Vec<Result<Json, String>>) -> Result<Self, ServeError> {
        if rows.len() > MOST_ROWS {
            return Err(ServeError::TooMany { what: "rows", limit: MOST_ROWS, given: rows.len() });
        }
        Ok(Self { rows })
    }
}

/// Stores rows in a source: all of them, or none with a reason per refused row.
///
/// With `idempotency`, row `i` is known as `idempotency#i`; sent again under the same key it is acknowledged
/// but not stored twice.
///
/// # Errors
/// [`ServeError::Unknown`] for a source, [`ServeError::RowsRejected`], and what the store reports.
pub fn push(
    state: &AppState,
    source: &str,
    pushed: &Pushed,
    idempotency: Option<&str>,
) -> Result<EventAnswer, ServeError> {
    let reader = reader(state, source)?;
    let now = state.clock.now();
    let keys = KeyColumns::of(state.online.layout(), reader.source());
    let (rows, filtered) = read_all((reader, &keys), pushed, now, idempotency).inspect_err(|_| {
        state.metrics.event_rows(reader.source().as_str(), "rejected", pushed.rows.len());
    })?;
    let receipt = store(state, reader.source(), rows)?;
    Ok(EventAnswer { accepted: receipt.accepted, duplicates: receipt.duplicates, filtered })
}

/// The reader of a source by its name.
///
/// # Errors
/// [`ServeError::Unknown`] with the nearest source.
pub fn reader<'a>(state: &'a AppState, source: &str) -> Result<&'a EventReader, ServeError> {
    let known = || ServeError::unknown(Noun::Source, source, state.readers.keys().map(SourceName::as_str));
    state.readers.get(source).ok_or_else(known)
}

/// Appends rows and waits until they are durable.
///
/// # Errors
/// What the store reports.
pub fn store(state: &AppState, source: &SourceName, rows: Vec<PushedRow>) -> Result<Receipt, ServeError> {
    // Marked before it is stored, so that what it moves is told whatever happens after it is acknowledged.
    let touched = changes::touched(state, source, &rows)?;
    let receipt = state.online.append(source, rows)?;
    drop(touched);
    state.metrics.event_rows(source.as_str(), "stored", receipt.accepted);
    state.metrics.event_rows(source.as_str(), "repeated", receipt.duplicates);
    Ok(receipt)
}

/// The columns of a source by which its rows are found.
struct KeyColumns(Vec<(usize, ColumnName)>);

impl KeyColumns {
    fn of(layout: &Layout, source: &SourceName) -> Self {
        let tables = layout.tables().iter().filter(|table| table.source == *source);
        Self(tables.map(|table| (table.key_column, table.key.clone())).collect())
    }

    /// Refuses text by which nobody could ask for the row again. A row whose key is missing or empty belongs to nobody.
    fn check(&self, row: &PushedRow) -> Result<(), RejectedRow> {
        for (at, name) in &self.0 {
            if let Some(Value::Text(text)) = row.values.get(*at)
                && !text.is_empty()
                && let Err(error) = EntityKey::new(text)
            {
                let (field, message) = (Some(name.to_string()), error.to_string());
                return Err(RejectedRow { row: 0, field, message, nearest: None });
            }
        }
        Ok(())
    }
}

fn read_all(
    (reader, keys): (&EventReader, &KeyColumns),
    pushed: &Pushed,
    now: Timestamp,
    idempotency: Option<&str>,
) -> Result<(Vec<PushedRow>, usize), ServeError> {
    let mut rows = Vec::with_capacity(pushed.rows.len());
    let mut rejected = Vec::new();
    let mut filtered = 0;
    for (number, given) in pushed.rows.iter().enumerate() {
        let read = read_one(reader, given, now);
        match read.and_then(|row| row.map(|row| keys.check(&row).map(|()| row)).transpose()) {
            Ok(Some(row)) => rows.push(PushedRow { id: event_id(idempotency, number)?, ..row }),
            Ok(None) => filtered += 1,
            Err(reason) => rejected.push(RejectedRow { row: number, ..reason }),
        }
        if rejected.len() == MOST_LISTED {
            break;
        }
    }
    if rejected.is_empty() {
        return Ok((rows, filtered));
    }
    Err(ServeError::RowsRejected { rows: rejected, total: pushed.rows.len() })
}

fn read_one(
    reader: &EventReader,
    given: &Result<Json, String>,
    now: Timestamp,
) -> Result<Option<PushedRow>, RejectedRow> {
    let event = given.as_ref().map_err(|message| RejectedRow {
        row: 0,
        field: None,
        message: message.clone(),
        nearest: None,
    })?;
    match reader.read(event, now).map_err(|reason| rejected(&reason))? {
        Outcome::Filtered => Ok(None),
        Outcome::Kept(row) => Ok(Some(PushedRow {
            event_time: row.event_time,
            available: row.available,
            arrival: 0,
            values: row.values,
            id: None,
        })),
    }
}

/// A refused row, without its number.
pub fn rejected(reason: &RejectReason) -> RejectedRow {
    let (field, nearest) = match reason {
        RejectReason::Required { column }
        | RejectReason::WrongType { column, .. }
        | RejectReason::Encoding { column, .. } => (Some(column.to_string()), None),
        RejectReason::UnknownField { field, nearest } => (Some(field.clone()), nearest.clone()),
        _ => (None, None),
    };
    RejectedRow { row: 0, field, message: reason.to_string(), nearest }
}

/// Lengths that an idempotency key may have; the row's number is appended to it.
const KEY_BYTES: Range<usize> = 1..201;

/// The id of a request's row, when the request has one.
///
/// # Errors
/// [`ServeError::InvalidParameter`] when the key is empty or too long.
pub fn event_id(idempotency: Option<&str>, row: usize) -> Result<Option<EventId>, ServeError> {
    let Some(key) = idempotency else { return Ok(None) };
    if !KEY_BYTES.contains(&key.len()) {
        return Err(ServeError::InvalidParameter { message: "Idempotency-Key takes 1 to 200 bytes".into() });
    }
    Ok(EventId::new(&format!("{key}#{row}")))
}
