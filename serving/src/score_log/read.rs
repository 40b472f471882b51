//! Reading the log: what is Parquet already, and what still lies in segments.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scorehouse_features::source::column::TypedColumn;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;

use super::columns::INPUT;
use super::roll::{self, Name, OPEN, day};
use super::segment;
use crate::error::ServeError;

/// From when until when, by the moment at which an answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first moment.
    pub since: Timestamp,
    /// The first moment that is too late.
    pub until: Timestamp,
}

impl Range {
    /// Everything.
    pub const ALL: Self = Self { since: Timestamp::MIN, until: Timestamp::MAX };

    fn holds(&self, at: Timestamp) -> bool {
        self.since <= at && at < self.until
    }

    /// True when the day may hold moments of the range.
    fn touches(&self, name: &str) -> bool {
        let not_before = self.since == Timestamp::MIN || name >= day(self.since).as_str();
        not_before && (self.until == Timestamp::MAX || name <= day(self.until).as_str())
    }
}

/// One score as it was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedScore {
    /// When it was given.
    pub at: Timestamp,
    /// The moment whose knowledge counted.
    pub as_of: Timestamp,
    /// The entity's key, where the row has one.
    pub key: Option<String>,
    /// The version that answered.
    pub version: u32,
    /// The alias it was found by.
    pub alias: Option<String>,
    /// In which part it answered, where a challenger was tried out: `champion`, `challenger`, `shadow`.
    pub variant: Option<String>,
    /// True when the inputs came from the store, save what the request gave.
    pub stored: bool,
    /// What the request gave in place of stored values, a JSON object by name.
    pub given: Option<String>,
    /// The answer.
    pub output: f64,
    /// The raw score.
    pub raw: f64,
    /// The inputs by name, in the order of the signature.
    pub inputs: Vec<(String, Value)>,
}

/// The models of which there are answers, in the order of their names.
///
/// # Errors
/// [`ServeError::Io`].
pub fn models(folder: &Path) -> Result<Vec<String>, ServeError> {
    let failed = |source| ServeError::Io { what: folder.display().to_string(), source };
    let folders = roll::list(folder).map_err(failed)?.into_iter();
    let rolled = folders.filter(|path| path.is_dir() && !path.ends_with(OPEN));
    let rolled = rolled.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    let open = roll::segments(folder).map_err(failed)?.into_iter();
    let mut models: Vec<String> =
        rolled.chain(open.filter_map(|path| Some(Name::of(&path)?.model))).collect();
    models.sort();
    models.dedup();
    Ok(models)
}

/// Shows `see` every score of a model that was answered within `range`, in the order of days and versions.
///
/// # Errors
/// [`ServeError::Io`] and [`ServeError::Unavailable`] when a file cannot be read; what `see` reports.
pub fn scores(
    folder: &Path,
    model: &str,
    range: Range,
    see: &mut dyn FnMut(LoggedScore) -> Result<(), ServeError>,
) -> Result<(), ServeError> {
    batches(folder, model, range, &mut |batch| {
        let Some(rows) = Rows::of(batch) else { return Ok(()) };
        (0..batch.num_rows()).filter(|row| range.holds(rows.at(*row))).try_for_each(|row| see(rows.row(row)))
    })
}

/// Shows `see` every batch of a model that may hold answers within `range`.
///
/// # Errors
/// As for [`scores`].
pub fn batches(
    folder: &Path,
    model: &str,
    range: Range,
    see: &mut dyn FnMut(&RecordBatch) -> Result<(), ServeError>,
) -> Result<(), ServeError> {
    // Segments first: one that is rolled meanwhile is still found, as Parquet.
    let failed = |source| ServeError::Io { what: folder.display().to_string(), source };
    let mut open = Vec::new();
    for path in roll::segments(folder).map_err(failed)? {
        let name = Name::of(&path).filter(|name| name.model == model && range.touches(&name.day));
        if let Some(name) = name {
            open.push((name.parquet(folder), path));
        }
    }
    let mut files = parquet_files(folder, model, range).map_err(failed)?;
    for (rolled, path) in open {
        if files.contains(&rolled) {
            continue;
        }
        match segment::batches(&path) {
            Ok(mut batches) => batches.try_for_each(|batch| see(&batch))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => files.push(rolled),
            Err(source) => return Err(ServeError::Io { what: path.display().to_string(), source }),
        }
    }
    files.iter().filter(|path| path.exists()).try_for_each(|path| parquet(path, see))
}

fn parquet_files(folder: &Path, model: &str, range: Range) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in roll::list(&folder.join(model))? {
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| range.touches(name)) {
            let of_day = roll::list(&path)?.into_iter();
            files.extend(of_day.filter(|path| path.extension().is_some_and(|ending| ending == "parquet")));
        }
    }
    Ok(files)
}

fn parquet(
    path: &Path,
    see: &mut dyn FnMut(&RecordBatch) -> Result<(), ServeError>,
) -> Result<(), ServeError> {
    let unreadable = |reason: String| ServeError::Unavailable {
        what: "the score log",
        reason: format!("{}: {reason}", path.display()),
    };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|reader| reader.build());
    for batch in reader.map_err(|error| unreadable(error.to_string()))? {
        see(&batch.map_err(|error| unreadable(error.to_string()))?)?;
    }
    Ok(())
}

/// The columns of a batch of scores.
struct Rows<'a> {
    at: &'a [i64],
    as_of: &'a [i64],
    version: &'a [u32],
    alias: &'a arrow_array::StringArray,
    /// None in files of earlier versions.
    variant: Option<&'a arrow_array::StringArray>,
    key: &'a arrow_array::StringArray,
    given: &'a arrow_array::StringArray,
    stored: &'a arrow_array::BooleanArray,
    output: &'a [f64],
    raw: &'a [f64],
    inputs: Vec<(String, TypedColumn<'a>)>,
}

impl<'a> Rows<'a> {
    /// None for a batch of recommendations.
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let column = |name: &str| batch.column_by_name(name);
        let moments =
            |name: &str| Some(&**column(name)?.as_primitive_opt::<TimestampMicrosecondType>()?.values());
        let numbers = |name: &str| Some(&**column(name)?.as_primitive_opt::<Float64Type>()?.values());
        let schema = batch.schema_ref().fields().iter().zip(batch.columns());
        let inputs = schema.filter_map(|(field, array)| {
            Some((field.name().strip_prefix(INPUT)?.to_owned(), TypedColumn::of(array)?))
        });
        Some(Self {
            at: moments("at")?,
            as_of: moments("as_of")?,
            version: column("version")?.as_primitive_opt::<UInt32Type>()?.values(),
            alias: column("alias")?.as_string_opt::<i32>()?,
            variant: column("variant").and_then(|column| column.as_string_opt::<i32>()),
            key: column("key")?.as_string_opt::<i32>()?,
            given: column("given")?.as_string_opt::<i32>()?,
            stored: column("stored")?.as_boolean_opt()?,
            output: numbers("output")?,
            raw: numbers("raw")?,
            inputs: inputs.collect(),
        })
    }

    fn at(&self, row: usize) -> Timestamp {
        Timestamp(self.at[row])
    }

    fn row(&self, row: usize) -> LoggedScore {
        let text = |of: &arrow_array::StringArray| of.is_valid(row).then(|| of.value(row).to_owned());
        LoggedScore {
            at: self.at(row),
            as_of: Timestamp(self.as_of[row]),
            key: text(self.key),
            version: self.version[row],
            alias: text(self.alias),
            variant: self.variant.and_then(text),
            stored: self.stored.value(row),
            given: text(self.given),
            output: self.output[row],
            raw: self.raw[row],
            inputs: self.inputs.iter().map(|(name, column)| (name.clone(), column.value(row))).collect(),
        }
    }
}
