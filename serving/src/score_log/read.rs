//! Reading the log: what is Parquet already, and what still lies in segments.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array, ListArray, RecordBatch, StringArray};
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

/// What every answer has.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedHead {
    /// When it was given.
    pub at: Timestamp,
    /// The moment whose knowledge counted.
    pub as_of: Timestamp,
    /// The key of the entity or customer, where the request named one.
    pub key: Option<String>,
    /// The version that answered.
    pub version: u32,
    /// The alias it was found by.
    pub alias: Option<String>,
    /// In which part it answered, where a challenger was tried out: `champion`, `challenger`, `shadow`.
    pub variant: Option<String>,
}

/// One score as it was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedScore {
    /// What every answer has.
    pub head: LoggedHead,
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

/// One list of products as it was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedList {
    /// What every answer has.
    pub head: LoggedHead,
    /// What was asked and what the answer was made from, a JSON object.
    pub asked: String,
    /// Item and score, the best first.
    pub items: Vec<(String, f32)>,
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

/// Shows `see` every list of products of a model that was answered within `range`, in the order of days and versions.
///
/// # Errors
/// As for [`scores`].
pub fn lists(
    folder: &Path,
    model: &str,
    range: Range,
    see: &mut dyn FnMut(LoggedList) -> Result<(), ServeError>,
) -> Result<(), ServeError> {
    batches(folder, model, range, &mut |batch| {
        let Some(rows) = ListRows::of(batch) else { return Ok(()) };
        let within = (0..batch.num_rows()).filter(|row| range.holds(Timestamp(rows.head.at[*row])));
        within.map(|row| rows.row(row)).try_for_each(&mut *see)
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
            Ok(mut batches) => {
                batches.by_ref().try_for_each(|batch| see(&batch))?;
                if !batches.is_whole() {
                    tracing::warn!(segment = %path.display(), "parts of the score log cannot be read");
                }
            }
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

/// The columns that every answer has.
struct Heads<'a> {
    at: &'a [i64],
    as_of: &'a [i64],
    version: &'a [u32],
    alias: &'a StringArray,
    /// None in files of earlier versions.
    variant: Option<&'a StringArray>,
    key: &'a StringArray,
    given: &'a StringArray,
}

impl<'a> Heads<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let column = |name: &str| batch.column_by_name(name);
        let moments =
            |name: &str| Some(&**column(name)?.as_primitive_opt::<TimestampMicrosecondType>()?.values());
        let texts = |name: &str| column(name)?.as_string_opt::<i32>();
        Some(Self {
            at: moments("at")?,
            as_of: moments("as_of")?,
            version: column("version")?.as_primitive_opt::<UInt32Type>()?.values(),
            alias: texts("alias")?,
            variant: texts("variant"),
            key: texts("key")?,
            given: texts("given")?,
        })
    }
}

impl Heads<'_> {
    fn row(&self, row: usize) -> LoggedHead {
        LoggedHead {
            at: Timestamp(self.at[row]),
            as_of: Timestamp(self.as_of[row]),
            key: text(self.key, row),
            version: self.version[row],
            alias: text(self.alias, row),
            variant: self.variant.and_then(|of| text(of, row)),
        }
    }
}

fn text(of: &StringArray, row: usize) -> Option<String> {
    of.is_valid(row).then(|| of.value(row).to_owned())
}

/// The columns of a batch of scores.
struct Rows<'a> {
    head: Heads<'a>,
    stored: &'a arrow_array::BooleanArray,
    output: &'a [f64],
    raw: &'a [f64],
    inputs: Vec<(String, TypedColumn<'a>)>,
}

impl<'a> Rows<'a> {
    /// None for a batch of recommendations.
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let column = |name: &str| batch.column_by_name(name);
        let numbers = |name: &str| Some(&**column(name)?.as_primitive_opt::<Float64Type>()?.values());
        let schema = batch.schema_ref().fields().iter().zip(batch.columns());
        let inputs = schema.filter_map(|(field, array)| {
            Some((field.name().strip_prefix(INPUT)?.to_owned(), TypedColumn::of(array)?))
        });
        Some(Self {
            head: Heads::of(batch)?,
            stored: column("stored")?.as_boolean_opt()?,
            output: numbers("output")?,
            raw: numbers("raw")?,
            inputs: inputs.collect(),
        })
    }

    fn at(&self, row: usize) -> Timestamp {
        Timestamp(self.head.at[row])
    }

    fn row(&self, row: usize) -> LoggedScore {
        let head = &self.head;
        LoggedScore {
            head: head.row(row),
            stored: self.stored.value(row),
            given: text(head.given, row),
            output: self.output[row],
            raw: self.raw[row],
            inputs: self.inputs.iter().map(|(name, column)| (name.clone(), column.value(row))).collect(),
        }
    }
}

/// The columns of a batch of recommendations.
struct ListRows<'a> {
    head: Heads<'a>,
    items: &'a ListArray,
}

impl<'a> ListRows<'a> {
    /// None for a batch of scores.
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let items = batch.column_by_name("items")?.as_list_opt::<i32>()?;
        Some(Self { head: Heads::of(batch)?, items })
    }

    fn row(&self, row: usize) -> LoggedList {
        let head = &self.head;
        LoggedList {
            head: head.row(row),
            asked: text(head.given, row).unwrap_or_default(),
            items: self.items(row).unwrap_or_default(),
        }
    }

    fn items(&self, row: usize) -> Option<Vec<(String, f32)>> {
        let pairs = self.items.value(row);
        let pairs = pairs.as_struct_opt()?;
        let names = pairs.column(0).as_string_opt::<i32>()?;
        let scores = pairs.column(1).as_primitive_opt::<Float32Type>()?;
        Some((0..pairs.len()).map(|at| (names.value(at).to_owned(), scores.value(at))).collect())
    }
}
