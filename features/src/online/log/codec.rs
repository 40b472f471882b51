//! Payloads of frames: columns, ids and rows as bytes.

use std::path::Path;

use rustc_hash::FxHashMap;

use crate::ids::{ColumnName, SourceName};
use crate::online::error::OnlineError;
use crate::online::event_id::{EventId, Fingerprint};
use crate::online::interface::PushedRow;
use crate::online::log::frame::Head;
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};
use crate::view::{Layout, SourceLayout};

/// Appends one row's bytes.
pub(crate) fn encode_row(out: &mut Vec<u8>, row: &PushedRow) {
    out.extend_from_slice(&row.event_time.0.to_le_bytes());
    out.extend_from_slice(&row.available.0.to_le_bytes());
    let id = row.id.as_ref().map_or("", EventId::as_str);
    out.extend_from_slice(&(id.len() as u16).to_le_bytes());
    out.extend_from_slice(id.as_bytes());
    row.values.iter().for_each(|value| encode_value(out, value));
}

fn encode_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Missing(_) => out.push(0),
        Value::Bool(v) => out.extend_from_slice(&[1, u8::from(*v)]),
        Value::Int(v) => tagged(out, 2, v.to_le_bytes()),
        Value::Float(v) => tagged(out, 3, v.to_le_bytes()),
        Value::Time(v) => tagged(out, 4, v.0.to_le_bytes()),
        Value::Text(v) => {
            out.push(5);
            out.extend_from_slice(&(v.len() as u32).to_le_bytes());
            out.extend_from_slice(v.as_bytes());
        }
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, bytes: [u8; 8]) {
    out.push(tag);
    out.extend_from_slice(&bytes);
}

/// Names and types of a source's columns, for a columns frame.
pub(super) fn encode_columns(source: &SourceLayout) -> Vec<u8> {
    let names = source.columns.iter().map(|(name, _)| name.as_str());
    let lines: Vec<&str> = std::iter::once(source.name.as_str()).chain(names).collect();
    // Names hold neither line breaks nor anything else that would need escaping.
    lines.join("\n").into_bytes()
}

/// Ids for an ids frame.
pub(super) fn encode_ids(ids: &[Fingerprint]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.0.to_le_bytes()).collect()
}

/// The ids of an ids frame.
pub(super) fn decode_ids(payload: &[u8]) -> impl Iterator<Item = Fingerprint> + '_ {
    payload.chunks_exact(16).filter_map(|id| Some(Fingerprint(u128::from_le_bytes(id.try_into().ok()?))))
}

/// How rows written under one columns frame become rows of the source as it is now.
#[derive(Debug)]
struct Schema {
    source: SourceName,
    /// For each written column, its number and type now; none when it is gone.
    places: Vec<Option<(usize, ValueType)>>,
    width: usize,
}

/// Turns the frames of one segment into rows of the project as it is now.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    layout: &'a Layout,
    path: &'a Path,
    /// None for a source that is no longer declared.
    schemas: FxHashMap<u16, Option<Schema>>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(layout: &'a Layout, path: &'a Path) -> Self {
        Self { layout, path, schemas: FxHashMap::default() }
    }

    fn damaged(&self, what: &str) -> OnlineError {
        OnlineError::corrupt(
            self.path,
            format!("a sound frame holds {what}; was it written by a newer version?"),
        )
    }

    /// Takes a columns frame in. Returns the source when it is declared with just these columns, so that more
    /// rows can be written under this number.
    pub(super) fn columns(&mut self, number: u16, payload: &[u8]) -> Result<Option<SourceName>, OnlineError> {
        let text = std::str::from_utf8(payload).map_err(|_| self.damaged("unreadable column names"))?;
        let mut lines = text.split('\n');
        let name = lines.next().and_then(|name| SourceName::new(name).ok());
        let name = name.ok_or_else(|| self.damaged("no source name"))?;
        let schema = self.layout.source(&name).map(|source| {
            let place = |column: &str| source.column(&ColumnName::new(column).ok()?);
            Schema { source: name, places: lines.map(place).collect(), width: source.columns.len() }
        });
        let same =
            schema.as_ref().filter(|schema| self.is_current(schema)).map(|schema| schema.source.clone());
        self.schemas.insert(number, schema);
        Ok(same)
    }

    fn is_current(&self, schema: &Schema) -> bool {
        let in_place =
            schema.places.iter().enumerate().all(|(at, place)| place.is_some_and(|(to, _)| to == at));
        in_place && schema.places.len() == schema.width
    }

    /// The rows of a rows frame with their source; none when the source is no longer declared.
    pub(super) fn rows(
        &self,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<(SourceName, Vec<PushedRow>)>, OnlineError> {
        let schema = self.schemas.get(&head.schema).ok_or_else(|| self.damaged("rows without columns"))?;
        let Some(schema) = schema else { return Ok(None) };
        let rows = decode_rows(schema, head.first, payload).ok_or_else(|| self.damaged("unreadable rows"))?;
        Ok(Some((schema.source.clone(), rows)))
    }
}

fn decode_rows(schema: &Schema, first: i64, payload: &[u8]) -> Option<Vec<PushedRow>> {
    let mut from = Cursor { bytes: payload };
    let count = from.number::<4>().map(u32::from_le_bytes)?;
    // A row takes at least 18 bytes, so a count beyond that is not believed.
    let mut rows = Vec::with_capacity((count as usize).min(payload.len() / 18));
    for number in 0..i64::from(count) {
        rows.push(from.row(schema, first.checked_add(number)?)?);
    }
    from.bytes.is_empty().then_some(rows)
}

/// Number of rows in a rows frame.
pub(super) fn count(payload: &[u8]) -> u32 {
    payload.get(..4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn text(&mut self, len: usize) -> Option<&'a str> {
        std::str::from_utf8(self.take(len)?).ok()
    }

    fn row(&mut self, schema: &Schema, arrival: i64) -> Option<PushedRow> {
        let event_time = Timestamp(i64::from_le_bytes(self.number()?));
        let available = Timestamp(i64::from_le_bytes(self.number()?));
        let id_len = u16::from_le_bytes(self.number()?);
        let id = EventId::new(self.text(usize::from(id_len))?);
        let mut values = vec![Value::Missing(Missing::NullAtSource); schema.width];
        for place in &schema.places {
            let value = self.value()?;
            if let Some((number, value_type)) = place {
                values[*number] = fit(value, *value_type);
            }
        }
        Some(PushedRow { event_time, available, arrival, values, id })
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.number::<1>()?[0] {
            0 => Value::Missing(Missing::NullAtSource),
            1 => Value::Bool(self.number::<1>()?[0] == 1),
            2 => Value::Int(i64::from_le_bytes(self.number()?)),
            3 => Value::Float(f64::from_le_bytes(self.number()?)),
            4 => Value::Time(Timestamp(i64::from_le_bytes(self.number()?))),
            5 => {
                let len = u32::from_le_bytes(self.number()?);
                Value::Text(self.text(len as usize)?.into())
            }
            _ => return None,
        })
    }
}

/// A value written before its column changed type: whole numbers become floats, anything else is no longer a
/// value of the column.
fn fit(value: Value, wanted: ValueType) -> Value {
    match (&value, wanted) {
        (Value::Int(number), ValueType::Float) => Value::Float(*number as f64),
        _ if value.value_type().is_none_or(|found| found == wanted) => value,
        _ => Value::Missing(Missing::NullAtSource),
    }
}
