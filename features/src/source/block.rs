//! A chunk of records becomes typed columns.

use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef, StringArray};

use super::column::ColumnBuilder;
use super::delimited::{Chunk, was_replaced};
use super::field::{USUAL_NULLS, parse_bool, parse_float, parse_int};
use super::layout::{FieldPlan, Layout};
use super::reject::{RejectReason, cut};
use crate::ids::ColumnName;
use crate::value::{Missing, Value, ValueType};

/// Rows of a block that cannot be taken, with the first reason found for each.
#[derive(Debug, Clone, Default)]
pub struct BadRows {
    reasons: BTreeMap<usize, RejectReason>,
}

impl BadRows {
    /// Marks `row`; the first reason given for a row stays.
    pub fn mark(&mut self, row: usize, reason: RejectReason) {
        self.reasons.entry(row).or_insert(reason);
    }

    /// True when `row` cannot be taken.
    #[must_use]
    pub fn contains(&self, row: usize) -> bool {
        !self.reasons.is_empty() && self.reasons.contains_key(&row)
    }

    /// True when every row can be taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The rows and their reasons, by row.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &RejectReason)> {
        self.reasons.iter().map(|(row, reason)| (*row, reason))
    }
}

/// The read columns of consecutive rows of a file, before anything is computed from them.
#[derive(Debug)]
pub struct Block {
    /// One column for each read column of the source; null in rows that are bad.
    pub columns: Vec<ArrayRef>,
    /// Number of rows, bad ones included.
    pub rows: usize,
    /// Rows that cannot be taken.
    pub bad: BadRows,
    /// Fields taken as missing because of what they say: column, text, how often.
    pub nulls: BTreeMap<(ColumnName, String), u64>,
}

/// Types a chunk of records, column by column.
#[must_use]
pub fn read_chunk(layout: &Layout, chunk: &Chunk) -> Block {
    let mut bad = BadRows::default();
    for row in 0..chunk.len() {
        let found = chunk.width(row);
        if found != layout.width {
            let last_line = chunk.last_line(row);
            bad.mark(row, RejectReason::Width { expected: layout.width, found, last_line });
        }
    }
    let mut nulls = BTreeMap::new();
    let columns = layout.fields.iter().map(|field| read_column(layout, field, chunk, &mut bad, &mut nulls));
    let columns = columns.collect();
    Block { columns, rows: chunk.len(), bad, nulls }
}

fn read_column(
    layout: &Layout,
    field: &FieldPlan,
    chunk: &Chunk,
    bad: &mut BadRows,
    nulls: &mut BTreeMap<(ColumnName, String), u64>,
) -> ArrayRef {
    let mut out = ColumnBuilder::new(field.value_type, chunk.len());
    for row in 0..chunk.len() {
        push_field(&mut out, row, chunk.field(row, field.position), (layout, field), (bad, nulls));
    }
    out.finish()
}

/// Adds one field to a column; notes why it has no value, if that is worth noting.
fn push_field(
    out: &mut ColumnBuilder,
    row: usize,
    text: &[u8],
    (layout, field): (&Layout, &FieldPlan),
    (bad, nulls): (&mut BadRows, &mut BTreeMap<(ColumnName, String), u64>),
) {
    if push_fast(out, text, layout, field) {
        return;
    }
    // What is left is rare: a missing value, or one that is not of the type.
    out.push_null();
    if bad.contains(row) {
        return;
    }
    match classify(layout, field, text) {
        Ok(None) => {}
        Ok(Some(token)) => *nulls.entry((field.name.clone(), token)).or_default() += 1,
        Err(reason) => bad.mark(row, reason),
    }
}

/// Adds the field's value; false when it has none.
fn push_fast(out: &mut ColumnBuilder, text: &[u8], layout: &Layout, field: &FieldPlan) -> bool {
    if text.is_empty() || is_declared_null(layout, text) {
        return false;
    }
    match out {
        ColumnBuilder::Int(to) => parse_int(text, layout.decimal).map(|v| to.append_value(v)).is_some(),
        ColumnBuilder::Float(to) => parse_float(text, layout.decimal).map(|v| to.append_value(v)).is_some(),
        ColumnBuilder::Bool(to) => parse_bool(text).map(|v| to.append_value(v)).is_some(),
        ColumnBuilder::Time(to) => field.moment.read(text).map(|v| to.append_value(v.0)).is_some(),
        ColumnBuilder::Text(to) => text_of(layout, text).map(|v| to.append_value(v)).is_some(),
    }
}

fn is_declared_null(layout: &Layout, text: &[u8]) -> bool {
    !layout.nulls.is_empty() && layout.nulls.iter().any(|n| n == text)
}

fn text_of<'a>(layout: &Layout, text: &'a [u8]) -> Option<&'a str> {
    let text = std::str::from_utf8(text).ok()?;
    (!layout.decoded || !was_replaced(text)).then_some(text)
}

/// Says why a field has no value: `Ok` when it is missing, with the text that stands for it unless empty.
fn classify(layout: &Layout, field: &FieldPlan, text: &[u8]) -> Result<Option<String>, RejectReason> {
    let column = || field.name.clone();
    let trimmed = text.trim_ascii();
    let usual = field.value_type != ValueType::Text && USUAL_NULLS.iter().any(|n| n.as_bytes() == trimmed);
    let blank = text.is_empty() || (field.value_type != ValueType::Text && trimmed.is_empty());
    if blank || usual || is_declared_null(layout, text) {
        if field.required {
            return Err(RejectReason::Required { column: column() });
        }
        return Ok((!blank).then(|| String::from_utf8_lossy(text).into_owned()));
    }
    if field.value_type == ValueType::Text {
        return Err(RejectReason::Encoding { column: column(), encoding: layout.encoding });
    }
    let given = cut(&String::from_utf8_lossy(text), 80).to_owned();
    Err(RejectReason::WrongType { column: column(), expected: expected(field), given })
}

fn expected(field: &FieldPlan) -> String {
    match field.value_type {
        ValueType::Time => field.moment.name().to_owned(),
        ValueType::Int => "a whole number".to_owned(),
        ValueType::Float => "a number".to_owned(),
        ValueType::Bool => "true or false".to_owned(),
        ValueType::Text => "text".to_owned(),
    }
}

/// Reads one text as a value of the field's type, as [`read_chunk`] does.
///
/// # Errors
/// The reason for which a row with this text is rejected.
pub(super) fn read_text(layout: &Layout, field: &FieldPlan, text: &str) -> Result<Value, RejectReason> {
    let bytes = text.as_bytes();
    let value = match field.value_type {
        _ if bytes.is_empty() => None,
        ValueType::Int => parse_int(bytes, layout.decimal).map(Value::Int),
        ValueType::Float => parse_float(bytes, layout.decimal).map(Value::Float),
        ValueType::Bool => parse_bool(bytes).map(Value::Bool),
        ValueType::Time => field.moment.read(bytes).map(Value::Time),
        ValueType::Text => Some(Value::Text(text.into())),
    };
    match value {
        Some(value) => Ok(value),
        None => classify(layout, field, bytes).map(|_| Value::Missing(Missing::NullAtSource)),
    }
}

/// Types a column of texts, as [`read_chunk`] does; nulls are missing.
pub fn read_texts(
    layout: &Layout,
    field: &FieldPlan,
    texts: &StringArray,
    bad: &mut BadRows,
    nulls: &mut BTreeMap<(ColumnName, String), u64>,
) -> ArrayRef {
    let mut out = ColumnBuilder::new(field.value_type, texts.len());
    for row in 0..texts.len() {
        let text = if texts.is_null(row) { "" } else { texts.value(row) };
        push_field(&mut out, row, text.as_bytes(), (layout, field), (bad, nulls));
    }
    out.finish()
}
