//! Training sets: entity rows from a file, their features beside them.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_features::ids::LocalName;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::ValueType;
use scorehouse_features::view::Column;

use crate::error::OfflineError;
use crate::point_in_time::EntityRows;
use crate::store::OfflineStore;

/// The column that says at which moment a row is looked at.
pub const AS_OF: &str = "as_of";
/// What a column of reasons is called after its feature.
pub const REASON_SUFFIX: &str = "__missing";

/// Reads entity rows from a `.csv` or `.parquet` file; the columns of a CSV file are text.
///
/// # Errors
/// [`OfflineError::Io`] or [`OfflineError::EntityRows`] when the file cannot be read.
pub fn read_rows(path: &Path) -> Result<RecordBatch, OfflineError> {
    let file = File::open(path).map_err(OfflineError::io(path))?;
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
        let schema = reader.schema().clone();
        let batches = reader.build()?.collect::<Result<Vec<_>, _>>()?;
        return Ok(arrow_select::concat::concat_batches(&schema, &batches)?);
    }
    read_csv(file, path)
}

fn read_csv(file: File, path: &Path) -> Result<RecordBatch, OfflineError> {
    let wrong = |error: csv::Error| OfflineError::EntityRows(format!("{}: {error}", path.display()));
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().map_err(wrong)?.clone();
    let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); header.len()];
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        for (column, cell) in columns.iter_mut().zip(record.iter()) {
            column.push(Some(cell.trim()).filter(|cell| !cell.is_empty()).map(str::to_owned));
        }
    }
    let fields: Vec<Field> = header
        .iter()
        .map(|name| Field::new(name.trim_start_matches('\u{feff}'), DataType::Utf8, true))
        .collect();
    let arrays = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect())?)
}

/// Writes rows to a `.csv` or `.parquet` file: moments as RFC 3339, missing values as empty fields or nulls.
///
/// # Errors
/// [`OfflineError::Io`], [`OfflineError::Parquet`] or [`OfflineError::EntityRows`] when it cannot be written.
pub fn write_rows(path: &Path, rows: &RecordBatch) -> Result<(), OfflineError> {
    let file = File::create(path).map_err(OfflineError::io(path))?;
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
        let mut writer = ArrowWriter::try_new(file, rows.schema(), None)?;
        writer.write(rows)?;
        writer.close()?;
        return Ok(());
    }
    write_csv(file, path, rows)
}

/// Rows as CSV: what [`write_rows`] writes into a `.csv` file.
///
/// # Errors
/// [`OfflineError::EntityRows`] when `to` cannot be written to.
pub fn write_csv(to: impl std::io::Write, path: &Path, rows: &RecordBatch) -> Result<(), OfflineError> {
    let wrong = |error: csv::Error| OfflineError::EntityRows(format!("{}: {error}", path.display()));
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(rows.schema().fields().iter().map(|field| field.name())).map_err(wrong)?;
    let options = FormatOptions::default().with_null("");
    let shown = rows.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let shown = shown.collect::<Result<Vec<_>, _>>()?;
    for row in 0..rows.num_rows() {
        writer.write_record(shown.iter().map(|column| column.value(row).to_string())).map_err(wrong)?;
    }
    writer.flush().map_err(OfflineError::io(path))
}

impl OfflineStore {
    /// The columns of `rows` as they came, then the features of `set` as of each row's moment, and with
    /// `reasons` after each feature a column that says why a value is missing.
    ///
    /// The entity's key stands in the column of the entity's key, or in `key`; the moment in `as_of`. A request
    /// field that a feature reads stands in the column `request.field`, if there is one; one of the set itself may
    /// stand in `field` as well. A column named as a feature is given up for the feature.
    ///
    /// # Errors
    /// [`OfflineError::EntityRows`] when a column is missing or cannot be read, and as for
    /// [`OfflineStore::history`].
    pub fn training_set(
        &self,
        project: &Project,
        set: &FeatureSet,
        rows: &RecordBatch,
        reasons: bool,
    ) -> Result<RecordBatch, OfflineError> {
        let asked = entity_rows(project, set, rows)?;
        let names: Vec<_> = set.features.iter().map(|field| field.name.clone()).collect();
        let found = self.history(project, &set.entity, &names, &asked)?;
        let (mut fields, mut arrays): (Vec<Field>, Vec<ArrayRef>) = carried(set, rows).unzip();
        for (field, column) in set.features.iter().zip(found) {
            fields.push(Field::new(field.name.to_string(), column.values.data_type().clone(), true));
            arrays.push(column.values.clone());
            if reasons {
                fields.push(Field::new(format!("{}{REASON_SUFFIX}", field.name), DataType::Utf8, true));
                arrays.push(Arc::new(column.reasons()));
            }
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }
}

/// The columns of the rows that go with them into the training set.
fn carried<'a>(
    set: &'a FeatureSet,
    rows: &'a RecordBatch,
) -> impl Iterator<Item = (Field, ArrayRef)> + use<'a> {
    let features: HashSet<String> = set.features.iter().map(|field| field.name.to_string()).collect();
    let columns = rows.schema_ref().fields().iter().zip(rows.columns());
    let own = columns.filter(move |(field, _)| !features.contains(field.name()));
    own.map(|(field, array)| (field.as_ref().clone(), array.clone()))
}

/// Whom and when the rows ask about.
fn entity_rows(project: &Project, set: &FeatureSet, rows: &RecordBatch) -> Result<EntityRows, OfflineError> {
    let wanted = project.entities.get(&set.entity).map_or("key", |entity| entity.key.as_str());
    let lacking = |what: &str| {
        let there: Vec<String> = rows.schema().fields().iter().map(|f| f.name().clone()).collect();
        OfflineError::EntityRows(format!("no column {what}; there are {}", there.join(", ")))
    };
    let keys = rows.column_by_name(wanted).or_else(|| rows.column_by_name("key"));
    let keys = texts(keys.ok_or_else(|| lacking(&format!("`{wanted}` or `key`")))?)?;
    let as_of = moments(rows.column_by_name(AS_OF).ok_or_else(|| lacking("`as_of`"))?)?;
    let mut request = Vec::new();
    for (name, value_type) in &project.request_fields {
        let own = set.features.iter().any(|field| field.name.is_request() && field.name.name == *name);
        let given = rows.column_by_name(&format!("request.{name}"));
        if let Some(array) = given.or_else(|| rows.column_by_name(name.as_str()).filter(|_| own)) {
            request.push((name.clone(), request_column(array, *value_type, name)?));
        }
    }
    Ok(EntityRows { keys, as_of, request })
}

fn texts(array: &ArrayRef) -> Result<StringArray, OfflineError> {
    let cast = arrow_cast::cast(array, &DataType::Utf8)?;
    Ok(cast.as_string::<i32>().clone())
}

fn moments(array: &ArrayRef) -> Result<Int64Array, OfflineError> {
    if matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        let read = |(row, text): (usize, Option<&str>)| {
            let wrong = |why: &str| OfflineError::EntityRows(format!("row {}: as_of {why}", row + 1));
            let text = text.ok_or_else(|| wrong("is empty"))?;
            Timestamp::parse(text).map(|moment| Some(moment.0)).map_err(|error| wrong(&error.to_string()))
        };
        return texts(array)?.iter().enumerate().map(read).collect();
    }
    let cast = arrow_cast::cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    let cast = cast.as_primitive::<TimestampMicrosecondType>();
    if cast.null_count() > 0 {
        return Err(OfflineError::EntityRows("as_of is empty in some rows".to_owned()));
    }
    Ok(cast.values().iter().map(|moment| Some(*moment)).collect())
}

fn request_column(array: &ArrayRef, kind: ValueType, name: &LocalName) -> Result<Column, OfflineError> {
    let wanted = crate::point_in_time::arrow_type(kind);
    let strict = arrow_cast::CastOptions { safe: false, ..Default::default() };
    let cast = arrow_cast::cast_with_options(array, &wanted, &strict)
        .map_err(|error| OfflineError::EntityRows(format!("request field {name}: {error}")))?;
    Ok(Column::from_arrow(&cast, kind)?)
}
