//! Scoring a plain file with a model that was trained on one.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value};
use scorehouse_models::{Artifact, Interval, ModelError, Score, ScoringModel, Scratch};
use serde::{Deserialize, Serialize};

use crate::dataset::{ColumnData, Layout, RawTable, TableLayout, read_table};
use crate::error::TrainingError;
use crate::pipeline::table::LAYOUT;

/// Rows scored together.
const BATCH: usize = 1024;

/// What came of scoring a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoredTable {
    /// Rows scored and written.
    pub rows: usize,
    /// Columns of the model that the file does not have; they were read as missing.
    pub absent: Vec<String>,
}

/// Reads `input` (a delimited file with the columns the model was trained on, by header, in any order, the
/// label not needed), scores every row and writes `output`: the id column if the model knows one, else the
/// row's number from 1 as `row`, then `probability` and, in `low` and `high`, its 95 % interval (empty when the
/// model does not know how many outcomes stand behind it).
///
/// # Errors
/// [`TrainingError::File`] when a file cannot be read or written, [`TrainingError::Artifact`] when the model
/// was not trained on a table, [`TrainingError::NoColumn`] when the id column or every input is absent.
pub fn score_table(artifact: &Artifact, input: &Path, output: &Path) -> Result<ScoredTable, TrainingError> {
    let layout = layout_of(artifact)?;
    let model = ScoringModel::load(artifact).map_err(broken)?;
    let table = read_table(input)?;
    let id = layout.id.as_deref().map(|id| table.position(id)).transpose()?;
    let (columns, absent) = columns_of(&table, &layout)?;
    let as_of = moments_of(&table, &layout)?;
    let batches = (0..table.rows().div_ceil(BATCH)).into_par_iter().map(|batch| {
        let rows = batch * BATCH..((batch + 1) * BATCH).min(table.rows());
        let scores = score_rows(&model, &table, &columns, (rows.clone(), &as_of[rows.clone()]))?;
        lines(&table, id, rows, &scores).map_err(|error| TrainingError::file(output, error))
    });
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    let name = id.map_or("row", |id| table.headers[id].as_str());
    write(output, name, &batches).map_err(|error| TrainingError::file(output, error))?;
    Ok(ScoredTable { rows: table.rows(), absent })
}

fn broken(error: ModelError) -> TrainingError {
    TrainingError::Artifact(error.to_string())
}

fn layout_of(artifact: &Artifact) -> Result<TableLayout, TrainingError> {
    let layout = artifact.details.get(LAYOUT).cloned().ok_or_else(|| {
        TrainingError::Artifact("this model was not trained on a table, so it cannot score one".to_owned())
    })?;
    serde_json::from_value(layout)
        .map_err(|e| TrainingError::Artifact(format!("how the model reads a table cannot be read: {e}")))
}

/// Where each input stands in the file, and how it is read.
type Place<'a> = Option<(usize, &'a Layout)>;

fn columns_of<'a>(
    table: &RawTable,
    layout: &'a TableLayout,
) -> Result<(Vec<Place<'a>>, Vec<String>), TrainingError> {
    let mut absent = Vec::new();
    let mut missing = None;
    let mut columns = Vec::with_capacity(layout.inputs.len());
    for (name, form) in &layout.inputs {
        match table.position(name) {
            Ok(at) => columns.push(Some((at, form))),
            Err(error) => {
                absent.push(name.clone());
                columns.push(None);
                missing = Some(error);
            }
        }
    }
    match missing {
        // Not one column of the model: this is another file altogether.
        Some(error) if absent.len() == layout.inputs.len() => Err(error),
        _ => Ok((columns, absent)),
    }
}

/// The moment of each row: its time column, or the moment that ages were counted from in training.
fn moments_of(table: &RawTable, layout: &TableLayout) -> Result<Vec<Timestamp>, TrainingError> {
    let mut moments = vec![layout.as_of; table.rows()];
    if let Some((name, form)) = &layout.time
        && let ColumnData::Time(values) = table.column(table.position(name)?, form).data
    {
        moments.iter_mut().zip(values).for_each(|(moment, value)| *moment = value.unwrap_or(*moment));
    }
    Ok(moments)
}

/// Scores of a batch of rows. Only the batch's own values are held, which stay in the processor's cache.
fn score_rows(
    model: &ScoringModel,
    table: &RawTable,
    columns: &[Place<'_>],
    (rows, as_of): (Range<usize>, &[Timestamp]),
) -> Result<Vec<Score>, TrainingError> {
    let width = columns.len();
    let mut values = vec![Value::Missing(Missing::NotGiven); rows.len() * width];
    for (at, place) in columns.iter().enumerate() {
        let Some((column, form)) = place else { continue };
        let column = table.part(*column, form, rows.clone());
        (0..rows.len()).for_each(|row| values[row * width + at] = column.value(row));
    }
    let given = (0..rows.len()).map(|row| (&values[row * width..(row + 1) * width], as_of[row]));
    let (mut scratch, mut scores) = (Scratch::default(), Vec::new());
    model.score_batch(given, 0, &mut scratch, &mut scores).map_err(broken)?;
    Ok(scores)
}

fn lines(
    table: &RawTable,
    id: Option<usize>,
    rows: Range<usize>,
    scores: &[Score],
) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (row, score) in rows.zip(scores) {
        let number = (row + 1).to_string();
        let key = id.map_or(number.as_str(), |id| table.raw(row, id));
        let end = |of: fn(&Interval) -> f64| {
            score.interval.as_ref().map_or_else(String::new, |i| of(i).to_string())
        };
        let (low, high) = (end(|interval| interval.low), end(|interval| interval.high));
        writer.write_record([key, &score.output.to_string(), &low, &high])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn write(output: &Path, id: &str, batches: &[Vec<u8>]) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_path(output)?;
    writer.write_record([id, "probability", "low", "high"])?;
    let mut file = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    batches.iter().try_for_each(|batch| file.write_all(batch))?;
    Ok(file.flush()?)
}
