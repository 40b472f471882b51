//! A training set as JSON, CSV or Arrow.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::error::ServeError;

/// How a training set is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `{"rows": n, "columns": {name: [values]}}`; moments in RFC 3339.
    Json,
    /// Comma-separated with a header line; an empty field is missing.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

impl Format {
    /// The format that an Accept header asks for; JSON when it does not say.
    #[must_use]
    pub fn of_accept(accept: Option<&str>) -> Self {
        match accept {
            Some(text) if text.contains("text/csv") => Self::Csv,
            Some(text) if text.contains("application/vnd.apache.arrow.stream") => Self::Arrow,
            _ => Self::Json,
        }
    }

    /// Its content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

fn bug(error: impl std::fmt::Display) -> ServeError {
    ServeError::Bug { message: format!("a training set could not be written: {error}") }
}

/// Writes a training set.
///
/// # Errors
/// [`ServeError::Bug`] for a column that cannot be written.
pub fn write(set: &RecordBatch, format: Format) -> Result<Vec<u8>, ServeError> {
    match format {
        Format::Json => serde_json::to_vec(&JsonSet(set)).map_err(bug),
        Format::Csv => csv(set).map_err(bug),
        Format::Arrow => arrow(set).map_err(bug),
    }
}

fn arrow(set: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), set.schema_ref())?;
    writer.write(set)?;
    writer.into_inner()
}

/// Moments with a `Z`, and nothing for a null.
const OPTIONS: FormatOptions<'static> = FormatOptions::new();

fn csv(set: &RecordBatch) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(set.schema_ref().fields().iter().map(|field| field.name()))?;
    let columns = set.columns().iter().map(|column| ArrayFormatter::try_new(column, &OPTIONS));
    let columns: Vec<ArrayFormatter<'_>> = columns.collect::<Result<_, _>>()?;
    for row in 0..set.num_rows() {
        for column in &columns {
            writer.write_field(column.value(row).to_string())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    Ok(writer.into_inner()?)
}

struct JsonSet<'a>(&'a RecordBatch);

impl Serialize for JsonSet<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry("rows", &self.0.num_rows())?;
        map.serialize_entry("columns", &JsonColumns(self.0))?;
        map.end()
    }
}

struct JsonColumns<'a>(&'a RecordBatch);

impl Serialize for JsonColumns<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.num_columns()))?;
        for (field, column) in self.0.schema_ref().fields().iter().zip(self.0.columns()) {
            map.serialize_entry(field.name(), &JsonColumn(column.as_ref()))?;
        }
        map.end()
    }
}

struct JsonColumn<'a>(&'a dyn Array);

impl Serialize for JsonColumn<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(self.0.len()))?;
        match self.0.data_type() {
            DataType::Boolean => self.0.as_boolean().iter().try_for_each(|v| list.serialize_element(&v))?,
            DataType::Int64 => {
                self.0.as_primitive::<Int64Type>().iter().try_for_each(|v| list.serialize_element(&v))?;
            }
            DataType::Float64 => {
                self.0.as_primitive::<Float64Type>().iter().try_for_each(|v| list.serialize_element(&v))?;
            }
            _ => {
                let shown = ArrayFormatter::try_new(self.0, &OPTIONS).map_err(serde::ser::Error::custom)?;
                for row in 0..self.0.len() {
                    let text = self.0.is_valid(row).then(|| shown.value(row).to_string());
                    list.serialize_element(&text)?;
                }
            }
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn set() -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("deal_id", Arc::new(StringArray::from(vec![Some("D,1"), None]))),
            ("as_of", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000]).with_timezone("UTC"))),
            ("deal.amount", Arc::new(Float64Array::from(vec![Some(1.5), None]))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap()
    }

    #[test]
    fn csv_leaves_what_is_missing_empty() {
        let text = String::from_utf8(write(&set(), Format::Csv).unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "deal_id,as_of,deal.amount");
        assert_eq!(lines[1], "\"D,1\",1970-01-01T00:00:00Z,1.5");
        assert_eq!(lines[2], ",1970-01-01T00:00:01.500Z,");
    }

    #[test]
    fn json_writes_columns_and_null_for_what_is_missing() {
        let json: serde_json::Value = serde_json::from_slice(&write(&set(), Format::Json).unwrap()).unwrap();
        assert_eq!(json["rows"], 2);
        assert_eq!(json["columns"]["deal.amount"], serde_json::json!([1.5, null]));
        assert_eq!(json["columns"]["deal_id"], serde_json::json!(["D,1", null]));
    }

    #[test]
    fn arrow_reads_back_as_it_was() {
        let bytes = write(&set(), Format::Arrow).unwrap();
        let mut reader = arrow_ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), set());
    }
}
