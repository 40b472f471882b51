//! The columns of a Parquet file become a source's read columns.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_schema::{DataType, Schema};

use scorehouse_features::definition::{CsvOptions, Source};
use scorehouse_features::source::block::{BadRows, Block, read_texts};
use scorehouse_features::source::layout::{FieldPlan, Layout};
use scorehouse_features::source::reject::cut;
use scorehouse_features::source::schema::arrow_type;
use scorehouse_features::source::{RejectReason, SourceError};
use scorehouse_features::value::ValueType;

use crate::error::OfflineError;

/// Where a source's read columns stand among the columns of a Parquet file.
pub(super) struct ColumnarLayout {
    layout: Layout,
    roots: Vec<usize>,
}

impl ColumnarLayout {
    pub(super) fn new(source: &Source, path: &Path, schema: &Schema) -> Result<Self, OfflineError> {
        let headers: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        let layout = Layout::new(source, &CsvOptions::default(), path, &headers)?;
        let mut roots: Vec<usize> = layout.fields.iter().map(|f| f.position).collect();
        roots.sort_unstable();
        roots.dedup();
        let this = Self { layout, roots };
        for field in &this.layout.fields {
            let found = schema.field(field.position).data_type();
            if !fits(found, field.value_type) {
                let problem = format!(
                    "{}: column {} holds {found}, not {}",
                    path.display(),
                    field.name,
                    field.value_type
                );
                return Err(SourceError::Definition { source_name: source.name.clone(), problem }.into());
            }
        }
        Ok(this)
    }

    /// The file's columns that are read, ascending.
    pub(super) fn roots(&self) -> Vec<usize> {
        self.roots.clone()
    }

    pub(super) fn ignored(&self) -> &[String] {
        &self.layout.ignored
    }

    /// Types a batch of the columns that are read.
    pub(super) fn block(&self, batch: &RecordBatch) -> Result<Block, OfflineError> {
        let mut bad = BadRows::default();
        let mut nulls = std::collections::BTreeMap::new();
        let mut columns = Vec::with_capacity(self.layout.fields.len());
        for field in &self.layout.fields {
            let at = self.roots.binary_search(&field.position).unwrap_or_default();
            let array = batch.column(at);
            let typed = match (is_text(array.data_type()), field.value_type) {
                (true, value_type) if value_type != ValueType::Text => {
                    let texts = cast_with_options(array, &DataType::Utf8, &CastOptions::default())?;
                    read_texts(&self.layout, field, texts.as_string::<i32>(), &mut bad, &mut nulls)
                }
                _ => convert(field, array, &mut bad)?,
            };
            columns.push(typed);
        }
        Ok(Block { columns, rows: batch.num_rows(), bad, nulls })
    }
}

fn is_text(found: &DataType) -> bool {
    match found {
        DataType::Dictionary(_, values) => is_text(values),
        _ => matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

fn fits(found: &DataType, wanted: ValueType) -> bool {
    let number = found.is_numeric();
    let moment = matches!(found, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
    let own = match wanted {
        ValueType::Bool => *found == DataType::Boolean,
        ValueType::Int | ValueType::Float => number || *found == DataType::Boolean,
        ValueType::Text => number,
        ValueType::Time => moment,
    };
    own || is_text(found) || *found == DataType::Null
}

/// Casts a column; a value that the type cannot hold makes its row bad.
fn convert(field: &FieldPlan, array: &ArrayRef, bad: &mut BadRows) -> Result<ArrayRef, OfflineError> {
    let wanted = arrow_type(field.value_type);
    let whole = as_whole_text(field, array);
    let array = whole.as_ref().unwrap_or(array);
    if !can_cast_types(array.data_type(), &wanted) {
        let text = format!("column {}: {} cannot become {wanted}", field.name, array.data_type());
        return Err(OfflineError::Internal(text));
    }
    let lenient = CastOptions { safe: true, ..CastOptions::default() };
    let cast = finite(cast_with_options(array, &wanted, &lenient)?);
    let cast = exact(field, array, cast)?;
    for row in 0..array.len() {
        if !cast.is_null(row) {
            continue;
        }
        if !array.is_null(row) && !is_nan(array, row) {
            bad.mark(row, wrong(field, array, row));
        } else if field.required {
            bad.mark(row, RejectReason::Required { column: field.name.clone() });
        }
    }
    Ok(cast)
}

/// Whole numbers that pandas keeps as floats because of gaps read as whole numbers in a text column too.
fn as_whole_text(field: &FieldPlan, array: &ArrayRef) -> Option<ArrayRef> {
    if field.value_type != ValueType::Text || !array.data_type().is_floating() {
        return None;
    }
    let floats = arrow_cast::cast(array, &DataType::Float64).ok()?;
    let all_whole = floats
        .as_primitive::<arrow_array::types::Float64Type>()
        .iter()
        .flatten()
        .all(|v| v.fract() == 0.0 || v.is_nan());
    if !all_whole {
        return None;
    }
    arrow_cast::cast(&floats, &DataType::Int64).ok()
}

/// A fraction must not become a whole number.
fn exact(field: &FieldPlan, array: &ArrayRef, cast: ArrayRef) -> Result<ArrayRef, OfflineError> {
    if field.value_type != ValueType::Int || !array.data_type().is_floating() {
        return Ok(cast);
    }
    let given = arrow_cast::cast(array, &DataType::Float64)?;
    let given = given.as_primitive::<arrow_array::types::Float64Type>();
    let whole = cast.as_primitive::<arrow_array::types::Int64Type>();
    let kept = whole.iter().zip(given.iter()).map(|(w, g)| w.filter(|w| Some(*w as f64) == g));
    Ok(Arc::new(kept.collect::<arrow_array::Int64Array>()))
}

/// NaN and infinities are not values.
fn finite(array: ArrayRef) -> ArrayRef {
    match array.as_primitive_opt::<arrow_array::types::Float64Type>() {
        Some(floats) if floats.values().iter().any(|v| !v.is_finite()) => Arc::new(
            floats.iter().map(|v| v.filter(|v| v.is_finite())).collect::<arrow_array::Float64Array>(),
        ),
        _ => array,
    }
}

fn is_nan(array: &ArrayRef, row: usize) -> bool {
    match array.data_type() {
        DataType::Float64 => array.as_primitive::<arrow_array::types::Float64Type>().value(row).is_nan(),
        DataType::Float32 => array.as_primitive::<arrow_array::types::Float32Type>().value(row).is_nan(),
        _ => false,
    }
}

fn wrong(field: &FieldPlan, array: &ArrayRef, row: usize) -> RejectReason {
    let given = text_of(array, row);
    RejectReason::WrongType {
        column: field.name.clone(),
        expected: field.value_type.to_string(),
        given: cut(&given, 80).to_owned(),
    }
}

fn text_of(array: &ArrayRef, row: usize) -> String {
    let format = ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default());
    format.map(|f| f.value(row).to_string()).unwrap_or_default()
}

/// A row as text for a reader.
pub(super) fn raw_row(batch: &RecordBatch, row: usize) -> String {
    batch.columns().iter().map(|c| text_of(c, row)).collect::<Vec<_>>().join(",")
}
