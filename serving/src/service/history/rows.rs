//! Entity rows as they come in, made into columns.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use indexmap::IndexMap;
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Value, ValueType};

use crate::error::{Noun, ServeError};
use crate::service::scalar::{Fields, Scalar};

/// Most rows of one request.
const MOST_ROWS: usize = 1_000_000;
/// Most columns of one request.
const MOST_COLUMNS: usize = 1_000;
/// The column of the moment.
const AS_OF: &str = "as_of";
/// The name that every entity's key may go by.
const KEY: &str = "key";

/// Rows by column, in the order in which columns were first met.
#[derive(Debug, Default)]
pub struct GivenRows {
    columns: IndexMap<String, Vec<Scalar<'static>>>,
    rows: usize,
}

fn invalid(message: String) -> ServeError {
    ServeError::InvalidField { message, nearest: None }
}

impl GivenRows {
    /// Takes rows of named values.
    ///
    /// # Errors
    /// [`ServeError::TooMany`] rows or columns.
    pub fn of_fields(rows: Vec<Fields<'_>>) -> Result<Self, ServeError> {
        let mut given = Self::default();
        let total = rows.len();
        given.check_rows(total)?;
        for fields in rows {
            for (name, value) in fields.0 {
                let column = given.columns.entry(name.0.into_owned()).or_default();
                column.resize(given.rows, Scalar::Null);
                column.push(value.into_owned());
            }
            given.rows += 1;
            given.check_columns()?;
        }
        for column in given.columns.values_mut() {
            column.resize(total, Scalar::Null);
        }
        Ok(given)
    }

    /// Reads delimited text with a header line. A column whose every value is a number is one of numbers.
    ///
    /// # Errors
    /// [`ServeError::InvalidField`] for text that is no such table.
    pub fn of_csv(text: &str) -> Result<Self, ServeError> {
        let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
        let bad = |error: csv::Error| invalid(format!("the CSV cannot be read: {error}"));
        let headers = reader.headers().map_err(bad)?.clone();
        let mut cells: Vec<Vec<String>> = vec![Vec::new(); headers.len()];
        let mut rows = 0;
        for record in reader.records() {
            for (column, cell) in cells.iter_mut().zip(&record.map_err(bad)?) {
                column.push(cell.to_owned());
            }
            rows += 1;
        }
        let mut given = Self { rows, columns: IndexMap::new() };
        given.check_rows(rows)?;
        for (name, column) in headers.iter().zip(cells) {
            let text = name == AS_OF || name == KEY;
            let column = if text { texts(column) } else { guessed(column) };
            if given.columns.insert(name.trim_start_matches('\u{feff}').to_owned(), column).is_some() {
                return Err(invalid(format!("the CSV has two columns {name:?}")));
            }
        }
        given.check_columns()?;
        Ok(given)
    }

    fn check_rows(&self, rows: usize) -> Result<(), ServeError> {
        if rows > MOST_ROWS {
            return Err(ServeError::TooMany { what: "rows", limit: MOST_ROWS, given: rows });
        }
        Ok(())
    }

    fn check_columns(&self) -> Result<(), ServeError> {
        let given = self.columns.len();
        if given > MOST_COLUMNS {
            return Err(ServeError::TooMany { what: "columns", limit: MOST_COLUMNS, given });
        }
        Ok(())
    }

    /// The rows as columns: the entity's key first, then the moment, then the others in their order.
    ///
    /// # Errors
    /// [`ServeError::InvalidField`] without a key column, [`ServeError::FutureAsOf`] for a moment yet to come,
    /// [`ServeError::WrongType`] for a value that is not of its field's type.
    pub fn to_batch(
        &self,
        project: &Project,
        set: &FeatureSet,
        now: Timestamp,
    ) -> Result<RecordBatch, ServeError> {
        let unknown = || ServeError::unknown(Noun::Entity, set.entity.as_str(), []);
        let key_column = project.entities.get(&set.entity).ok_or_else(unknown)?.key.as_str();
        let named = if self.columns.contains_key(key_column) { key_column } else { KEY };
        let keys = self.columns.get(named).ok_or_else(|| {
            invalid(format!("the rows have no column `{key_column}` (or `{KEY}`) with the entity's key"))
        })?;
        let mut arrays =
            vec![(key_column.to_owned(), keys_of(keys)?), (AS_OF.to_owned(), self.moments(now)?)];
        for (name, column) in self.columns.iter().filter(|(name, _)| *name != named && *name != AS_OF) {
            arrays.push((name.clone(), self.other(project, name, column)?));
        }
        RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, array)| (name, array, true)))
            .map_err(|error| invalid(error.to_string()))
    }

    fn moments(&self, now: Timestamp) -> Result<ArrayRef, ServeError> {
        let mut moments = vec![now.0; self.rows];
        let given = self.columns.get(AS_OF).map_or(&[][..], Vec::as_slice);
        for (row, (moment, given)) in moments.iter_mut().zip(given).enumerate() {
            if *given == Scalar::Null {
                continue;
            }
            let Value::Time(as_of) = given.to_value(&format!("rows[{row}].as_of"), ValueType::Time)? else {
                continue;
            };
            if as_of > now {
                return Err(ServeError::FutureAsOf { as_of, now });
            }
            *moment = as_of.0;
        }
        Ok(Arc::new(TimestampMicrosecondArray::from(moments).with_timezone("UTC")))
    }

    fn other(&self, project: &Project, name: &str, column: &[Scalar<'_>]) -> Result<ArrayRef, ServeError> {
        let Some(field) = name.strip_prefix("request.") else { return Ok(carried(column)) };
        let known = || project.request_fields.keys().map(|field| field.as_str());
        let value_type = project.request_fields.get(field);
        let value_type = value_type.ok_or_else(|| ServeError::unknown(Noun::Feature, name, known()))?;
        typed(name, column, *value_type)
    }
}

fn keys_of(column: &[Scalar<'_>]) -> Result<ArrayRef, ServeError> {
    let key = |(row, value): (usize, &Scalar<'_>)| match value {
        Scalar::Null => Ok(None),
        Scalar::Text(text) => Ok(Some(text.to_string())),
        Scalar::Int(number) => Ok(Some(number.to_string())),
        _ => Err(invalid(format!("rows[{row}]: a key must be text or a whole number"))),
    };
    let keys: Vec<Option<String>> = column.iter().enumerate().map(key).collect::<Result<_, _>>()?;
    Ok(Arc::new(StringArray::from(keys)))
}

/// A request field's column, of the field's type.
fn typed(name: &str, column: &[Scalar<'_>], value_type: ValueType) -> Result<ArrayRef, ServeError> {
    let values = column.iter().map(|value| value.to_value(name, value_type));
    let values: Vec<Value> = values.collect::<Result<_, _>>()?;
    Ok(match value_type {
        ValueType::Bool => Arc::new(values.iter().map(as_bool).collect::<BooleanArray>()),
        ValueType::Int => Arc::new(values.iter().map(as_int).collect::<Int64Array>()),
        ValueType::Float => Arc::new(values.iter().map(as_float).collect::<Float64Array>()),
        ValueType::Text => Arc::new(values.iter().map(as_text).collect::<StringArray>()),
        ValueType::Time => {
            let moments: TimestampMicrosecondArray = values.iter().map(as_time).collect();
            Arc::new(moments.with_timezone("UTC"))
        }
    })
}

const fn as_bool(value: &Value) -> Option<bool> {
    if let Value::Bool(value) = value { Some(*value) } else { None }
}

const fn as_int(value: &Value) -> Option<i64> {
    if let Value::Int(value) = value { Some(*value) } else { None }
}

const fn as_float(value: &Value) -> Option<f64> {
    if let Value::Float(value) = value { Some(*value) } else { None }
}

fn as_text(value: &Value) -> Option<&str> {
    if let Value::Text(value) = value { Some(value) } else { None }
}

const fn as_time(value: &Value) -> Option<i64> {
    if let Value::Time(value) = value { Some(value.0) } else { None }
}

/// A column that is carried through: of the narrowest type that holds every value.
fn carried(column: &[Scalar<'_>]) -> ArrayRef {
    let all = |fits: fn(&Scalar<'_>) -> bool| column.iter().all(|v| *v == Scalar::Null || fits(v));
    if all(|v| matches!(v, Scalar::Bool(_))) {
        let bools = column.iter().map(|v| if let Scalar::Bool(v) = v { Some(*v) } else { None });
        return Arc::new(bools.collect::<BooleanArray>());
    }
    if all(|v| matches!(v, Scalar::Int(_))) {
        let ints = column.iter().map(|v| if let Scalar::Int(v) = v { Some(*v) } else { None });
        return Arc::new(ints.collect::<Int64Array>());
    }
    if all(|v| matches!(v, Scalar::Int(_) | Scalar::Float(_))) {
        return Arc::new(column.iter().map(number).collect::<Float64Array>());
    }
    Arc::new(column.iter().map(told).collect::<StringArray>())
}

const fn number(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Int(value) => Some(*value as f64),
        Scalar::Float(value) => Some(*value),
        _ => None,
    }
}

fn told(value: &Scalar<'_>) -> Option<String> {
    match value {
        Scalar::Null => None,
        Scalar::Bool(value) => Some(value.to_string()),
        Scalar::Int(value) => Some(value.to_string()),
        Scalar::Float(value) => Some(value.to_string()),
        Scalar::Text(text) => Some(text.to_string()),
    }
}

fn texts(column: Vec<String>) -> Vec<Scalar<'static>> {
    let one = |text: String| if text.is_empty() { Scalar::Null } else { Scalar::Text(text.into()) };
    column.into_iter().map(one).collect()
}

/// Texts as numbers when all of them are; a number with a leading zero or plus is text.
fn guessed(column: Vec<String>) -> Vec<Scalar<'static>> {
    let whole = |text: &str| text.parse::<i64>().ok().filter(|n| n.to_string() == text).map(Scalar::Int);
    let decimal = |text: &str| {
        let padded = text.len() > 1 && text.starts_with('0') && !text.starts_with("0.");
        let plain = !padded && !text.starts_with('+');
        text.parse::<f64>().ok().filter(|n| plain && n.is_finite()).map(Scalar::Float)
    };
    let read = |text: &String| {
        if text.is_empty() { Some(Scalar::Null) } else { whole(text).or_else(|| decimal(text)) }
    };
    let numbers: Option<Vec<Scalar<'static>>> = column.iter().map(read).collect();
    numbers.unwrap_or_else(|| texts(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_only_some_rows_have_is_null_in_the_others() {
        let rows: Vec<Fields<'_>> =
            serde_json::from_str(r#"[{"key":"a"},{"key":"b","label":1},{"key":"c"}]"#).unwrap();
        let given = GivenRows::of_fields(rows).unwrap();
        assert_eq!(given.columns["label"], [Scalar::Null, Scalar::Int(1), Scalar::Null]);
        assert_eq!(given.rows, 3);
    }

    #[test]
    fn csv_numbers_are_told_from_codes_with_leading_zeros() {
        let given = GivenRows::of_csv("key,label,zip,share\n1,0,01234,0.5\n2,1,99999,\n").unwrap();
        assert_eq!(given.columns["key"][0], Scalar::Text("1".into()), "keys stay text");
        assert_eq!(given.columns["label"], [Scalar::Int(0), Scalar::Int(1)]);
        assert!(matches!(given.columns["zip"][0], Scalar::Text(_)));
        assert_eq!(given.columns["share"], [Scalar::Float(0.5), Scalar::Null]);
    }
}
