//! Rows become Parquet files, each holding one stretch of time in canonical order.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;
use rayon::slice::ParallelSliceMut;

use scorehouse_features::ids::SourceName;
use scorehouse_features::source::{ARRIVAL, AVAILABLE_TIME, EVENT_TIME};
use scorehouse_features::time::{DAY, Timestamp};

use crate::error::OfflineError;
use crate::manifest::HistoryFile;
use crate::storage::Storage;

/// Fewer rows than this a month on average, and a stretch is a year; fewer a year, and it is all time. Files
/// of a few rows cost more to open than to read.
const ROWS_PER_FILE: usize = 10_000;
/// Rows per row group: small enough that two workers share a file, large enough to compress.
const ROWS_PER_GROUP: usize = 262_144;

/// How much time one file covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stretch {
    /// A month.
    Month,
    /// A year.
    Year,
    /// All time.
    All,
}

impl Stretch {
    /// The folder of a moment's stretch.
    pub(crate) fn folder(self, moment: Timestamp) -> String {
        let (year, month) = year_month(moment.0);
        match self {
            Self::Month => format!("month={year:04}-{month:02}"),
            Self::Year => format!("year={year:04}"),
            Self::All => "all".to_owned(),
        }
    }

    fn number(self, moment: i64) -> i64 {
        let (year, month) = year_month(moment);
        match self {
            Self::Month => year * 12 + i64::from(month),
            Self::Year => year,
            Self::All => 0,
        }
    }
}

/// Year and month (1 to 12) of a moment in UTC, by days since 0000-03-01 (Hinnant, "chrono-compatible
/// low-level date algorithms", 2013).
fn year_month(moment: i64) -> (i64, u8) {
    let days = moment.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u8)
}

/// The three columns that order rows.
pub(crate) struct OrderColumns<'a> {
    pub(crate) event: &'a [i64],
    pub(crate) available: &'a [i64],
    pub(crate) arrival: &'a [i64],
}

impl<'a> OrderColumns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self, OfflineError> {
        let missing = |name: &str| OfflineError::Internal(format!("rows without {name}"));
        let moment = |name: &'static str| {
            let column = batch.column_by_name(name).ok_or_else(|| missing(name))?;
            let column =
                column.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| missing(name))?;
            Ok::<_, OfflineError>(column.values().as_ref())
        };
        let arrival = batch.column_by_name(ARRIVAL).and_then(|c| c.as_primitive_opt::<Int64Type>());
        Ok(Self {
            event: moment(EVENT_TIME)?,
            available: moment(AVAILABLE_TIME)?,
            arrival: arrival.ok_or_else(|| missing(ARRIVAL))?.values().as_ref(),
        })
    }

    fn key(&self, row: usize) -> (i64, i64, i64) {
        (self.event[row], self.available[row], self.arrival[row])
    }
}

/// Puts rows into canonical order: event time, availability time, arrival.
pub(crate) fn sorted(batch: RecordBatch) -> Result<RecordBatch, OfflineError> {
    let order = OrderColumns::of(&batch)?;
    if (1..batch.num_rows()).all(|row| order.key(row - 1) <= order.key(row)) {
        return Ok(batch);
    }
    let mut keyed: Vec<((i64, i64, i64), u32)> =
        (0..batch.num_rows()).map(|row| (order.key(row), row as u32)).collect();
    keyed.par_sort_unstable();
    let indices = UInt32Array::from_iter_values(keyed.into_iter().map(|(_, row)| row));
    Ok(take_record_batch(&batch, &indices)?)
}

/// Names, order and stretches of files to be written for one source in one commit.
pub(crate) struct FileWriter<'a> {
    pub(crate) storage: &'a Storage,
    pub(crate) source: &'a SourceName,
    pub(crate) schema: SchemaRef,
    /// The revision that will name these files.
    pub(crate) revision: u64,
}

impl FileWriter<'_> {
    /// Sorts rows, cuts them into stretches of time and writes a file for each.
    pub(crate) async fn write(&self, batches: &[RecordBatch]) -> Result<Vec<HistoryFile>, OfflineError> {
        let rows = concat_batches(&self.schema, batches)?;
        if rows.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let rows = sorted(rows)?;
        let stretch = choose_stretch(OrderColumns::of(&rows)?.event);
        self.write_stretches(&rows, stretch).await
    }

    /// Writes sorted rows, a file for each stretch of time.
    pub(crate) async fn write_stretches(
        &self,
        rows: &RecordBatch,
        stretch: Stretch,
    ) -> Result<Vec<HistoryFile>, OfflineError> {
        let event = OrderColumns::of(rows)?.event;
        let parts = stretches(event, stretch);
        let encoded: Vec<(HistoryFile, Bytes)> = parts
            .into_par_iter()
            .map(|(start, end)| self.encode(&rows.slice(start, end - start), stretch))
            .collect::<Result<_, OfflineError>>()?;
        let mut files = Vec::with_capacity(encoded.len());
        for (file, bytes) in encoded {
            self.storage.put(&file.path, bytes).await?;
            files.push(file);
        }
        Ok(files)
    }

    fn encode(&self, rows: &RecordBatch, stretch: Stretch) -> Result<(HistoryFile, Bytes), OfflineError> {
        let order = OrderColumns::of(rows)?;
        let last = rows.num_rows() - 1;
        let low = order.arrival.iter().copied().min().unwrap_or_default();
        let high = order.arrival.iter().copied().max().unwrap_or_default();
        let events = (Timestamp(order.event[0]), Timestamp(order.event[last]));
        let folder = stretch.folder(events.0);
        let path = format!("{}/{folder}/{:08}-{low}.parquet", self.source, self.revision);
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties()))?;
        writer.write(rows)?;
        let bytes = Bytes::from(writer.into_inner()?);
        let memory = rows.columns().iter().map(|c| sliced_size(c.as_ref())).sum::<usize>() as u64;
        let file = HistoryFile {
            path,
            bytes: bytes.len() as u64,
            rows: rows.num_rows() as u64,
            memory,
            events,
            arrivals: (low, high),
        };
        Ok((file, bytes))
    }
}

/// Bytes of a column's rows, without what its buffers hold besides them.
fn sliced_size(column: &dyn Array) -> usize {
    column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
}

/// Where each stretch begins and ends among ascending event times.
fn stretches(event: &[i64], stretch: Stretch) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < event.len() {
        let number = stretch.number(event[start]);
        let end = start + event[start..].partition_point(|moment| stretch.number(*moment) == number);
        parts.push((start, end));
        start = end;
    }
    parts
}

/// The shortest stretch that gives files of a useful size.
pub(crate) fn choose_stretch(event: &[i64]) -> Stretch {
    let fits = |stretch: &Stretch| event.len() >= stretches(event, *stretch).len() * ROWS_PER_FILE;
    [Stretch::Month, Stretch::Year].into_iter().find(fits).unwrap_or(Stretch::All)
}

/// Snappy rather than zstd: a training set reads many columns of many small files, and a zstd context for each
/// takes longer than the bytes it saves.
fn properties() -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("scorehouse".to_owned());
    for name in [EVENT_TIME, AVAILABLE_TIME, ARRIVAL] {
        let column = ColumnPath::from(name);
        builder = builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    builder.build()
}

/// Reads a Parquet file of the history back, whole.
pub(crate) async fn read_file(
    storage: &Storage,
    path: &str,
    schema: &SchemaRef,
) -> Result<RecordBatch, OfflineError> {
    let bytes = storage.get(path).await?;
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes)?
        .with_batch_size(65_536)
        .build()?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let batches: Vec<RecordBatch> =
        batches.into_iter().map(|b| conform(&b, schema)).collect::<Result<_, OfflineError>>()?;
    Ok(concat_batches(schema, &batches)?)
}

/// The same columns under `schema`, which must be theirs.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, OfflineError> {
    Ok(RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        for text in [
            "1970-01-01",
            "1969-12-31",
            "2000-02-29",
            "2011-12-31T23:59:59Z",
            "2012-01-01",
            "1899-03-01",
            "2100-02-28",
        ] {
            let moment = Timestamp::parse(text).unwrap();
            assert_eq!(Stretch::Month.folder(moment), format!("month={}", &text[..7]), "{text}");
        }
    }

    #[test]
    fn few_rows_stay_in_one_file() {
        let months: Vec<i64> = (0..24).map(|m| m * 31 * DAY).collect();
        assert_eq!(choose_stretch(&months), Stretch::All);
        let dense: Vec<i64> = (0..25_000).map(|m| m * DAY / 500).collect();
        assert_eq!(choose_stretch(&dense), Stretch::Month);
    }
}
