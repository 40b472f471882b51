//! Rows leave the history, when their file has changed or their source means something else.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

use scorehouse_features::definition::{Origin, Source};
use scorehouse_features::online::PushedRow;
use scorehouse_features::source::column::TypedColumn;
use scorehouse_features::source::{ARRIVAL, Assembler, Outcome};
use scorehouse_features::value::{Missing, Value};

use super::Run;
use crate::drain::batch_of;
use crate::error::OfflineError;
use crate::manifest::{self, HistoryFile};
use crate::scan::schema_of;
use crate::write::{FileWriter, read_file};

/// Takes out the rows whose arrival numbers lie in `ranges`.
pub(super) fn take_out(
    run: &mut Run<'_>,
    source: &Source,
    ranges: &[(i64, i64)],
) -> Result<(), OfflineError> {
    let schema = schema_of(&run.history(source).columns);
    let touched = split_off(run, source, |file| ranges.iter().any(|range| overlap(*range, file.arrivals)));
    for file in touched {
        let rows = read_rows(run, &file, &schema, ranges)?;
        let writer = FileWriter {
            storage: run.store.storage(),
            source: &source.name,
            schema: schema.clone(),
            revision: run.manifest.revision + 1,
        };
        let written = run.store.block_on(writer.write(&[rows]))?;
        run.history(source).files.extend(written);
        run.retired.push(file.path);
    }
    Ok(())
}

/// Takes out the rows in `ranges` and gives the others the source's present columns; tells how many of them
/// do not fit those.
pub(super) fn rebuild(
    run: &mut Run<'_>,
    source: &Source,
    ranges: &[(i64, i64)],
) -> Result<u64, OfflineError> {
    let old = schema_of(&run.history(source).columns);
    let assembler = Assembler::new(source)?;
    let mut lost = 0;
    let mut kept = Vec::new();
    for file in split_off(run, source, |_| true) {
        let rows = read_rows(run, &file, &old, ranges)?;
        for row in 0..rows.num_rows() {
            match recast(source, &assembler, &rows, row) {
                Some(row) => kept.push(row),
                None => lost += 1,
            }
        }
        run.retired.push(file.path);
    }
    let batch = batch_of(source, &kept)?;
    let schema = batch.schema();
    let revision = run.manifest.revision + 1;
    let writer = FileWriter { storage: run.store.storage(), source: &source.name, schema, revision };
    let written = run.store.block_on(writer.write(&[batch]))?;
    let history = run.history(source);
    history.files = written;
    history.columns = manifest::columns(source);
    history.definition = manifest::definition(source);
    Ok(lost)
}

/// Removes the files that `chosen` tells from the source's history.
fn split_off(run: &mut Run<'_>, source: &Source, chosen: impl Fn(&HistoryFile) -> bool) -> Vec<HistoryFile> {
    let files = std::mem::take(&mut run.history(source).files);
    let (touched, left) = files.into_iter().partition(|file| chosen(file));
    run.history(source).files = left;
    touched
}

fn overlap(a: (i64, i64), b: (i64, i64)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

/// A file's rows without those in `ranges`.
fn read_rows(
    run: &Run<'_>,
    file: &HistoryFile,
    schema: &arrow_schema::SchemaRef,
    ranges: &[(i64, i64)],
) -> Result<RecordBatch, OfflineError> {
    let rows = run.store.block_on(read_file(run.store.storage(), &file.path, schema))?;
    let arrivals = rows.column_by_name(ARRIVAL).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let arrivals =
        arrivals.ok_or_else(|| OfflineError::Internal("rows without arrival numbers".to_owned()))?;
    let stays = |arrival: &i64| !ranges.iter().any(|(first, last)| (first..=last).contains(&arrival));
    let mask: BooleanArray = arrivals.values().iter().map(|arrival| Some(stays(arrival))).collect();
    Ok(filter_record_batch(&rows, &mask)?)
}

fn recast(source: &Source, assembler: &Assembler, rows: &RecordBatch, row: usize) -> Option<PushedRow> {
    let values = source.columns.iter().map(|column| {
        let null = Value::Missing(Missing::NullAtSource);
        match (&column.origin, rows.column_by_name(column.name.as_str())) {
            (Origin::Read { .. }, Some(old)) => {
                let value = TypedColumn::of(old).map_or(null.clone(), |old| old.value(row));
                if value.value_type().is_none_or(|found| found == column.value_type) { value } else { null }
            }
            _ => null,
        }
    });
    let arrival = rows.column_by_name(ARRIVAL)?.as_primitive_opt::<Int64Type>()?.value(row);
    match assembler.complete(values.collect()) {
        Ok(Outcome::Kept(whole)) => Some(PushedRow {
            event_time: whole.event_time,
            available: whole.available,
            arrival,
            values: whole.values,
            id: None,
        }),
        Ok(Outcome::Filtered) | Err(_) => None,
    }
}
