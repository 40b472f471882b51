//! Any outcome in a plain file, without the feature store.

use std::path::PathBuf;

use rustc_hash::FxHashMap;
use scorehouse_features::definition::TableSpec;
use scorehouse_features::time::Timestamp;
use scorehouse_models::signature::{InputField, Output, Signature};
use serde_json::json;

use crate::dataset::{
    Column, ColumnData, ColumnNote, Dataset, LabelRule, Layout, RawTable, TableLayout, Treatment, directions,
    read_label, read_table, screen,
};
use crate::error::TrainingError;
use crate::pipeline::probability::Task;
use crate::trained::{TrainRequest, Trained};

/// Where a table model keeps how its file is read, among the artifact's details.
pub(crate) const LAYOUT: &str = "table";

/// Trains a model for the label column of a delimited file.
///
/// # Errors
/// [`TrainingError::File`], [`TrainingError::NoColumn`], [`TrainingError::Label`] and
/// [`TrainingError::OneClass`] for what is wrong with the file.
pub fn train(request: &TrainRequest<'_>, spec: &TableSpec) -> Result<Trained, TrainingError> {
    let path: PathBuf = request.project.root.join(&spec.table);
    request.progress.stage("reading the table", 0);
    let table = read_table(&path)?;
    let special = Special::find(&table, spec)?;
    let values = (0..table.rows()).map(|row| table.field(row, special.label));
    let (label, rule) = read_label(&spec.label, values, spec.positive.as_deref())?;
    let read = Read::columns(&table, spec, &special);
    let (data, as_of) = dataset(&table, &special, &read, label);
    let layout = layout(&table, spec, &special, &read, &data, as_of);
    task(request, spec, data, rule, read.notes, &layout)?.learn()
}

/// Positions of the columns that are not features.
struct Special {
    label: usize,
    id: Option<usize>,
    time: Option<(usize, Layout)>,
    group: Option<usize>,
}

impl Special {
    fn find(table: &RawTable, spec: &TableSpec) -> Result<Self, TrainingError> {
        let named = |column: &Option<String>| column.as_deref().map(|name| table.position(name)).transpose();
        let time = match named(&spec.time)? {
            None => None,
            Some(at) => match table.infer(at) {
                layout @ Layout::Time(_) => Some((at, layout)),
                _ => {
                    let name = &table.headers[at];
                    let reason =
                        format!("{}: column {name} is named as the time but holds no dates", table.file);
                    return Err(TrainingError::Definition(reason));
                }
            },
        };
        for name in &spec.ignore {
            table.position(name)?;
        }
        let label = table.position(&spec.label)?;
        Ok(Self { label, id: named(&spec.id)?, time, group: named(&spec.group)? })
    }

    fn holds(&self, column: usize) -> bool {
        let time = self.time.as_ref().map(|time| time.0);
        [Some(self.label), self.id, time, self.group].contains(&Some(column))
    }
}

/// The feature columns with what is done to each.
struct Read {
    columns: Vec<(usize, Layout)>,
    notes: Vec<ColumnNote>,
}

impl Read {
    fn columns(table: &RawTable, spec: &TableSpec, special: &Special) -> Self {
        let ignored = |at: &usize| spec.ignore.contains(&table.headers[*at]);
        let mut seen = FxHashMap::default();
        let columns: Vec<(usize, Layout)> = (0..table.headers.len())
            .filter(|at| !special.holds(*at) && !ignored(at))
            // Of columns with the same header the first is read.
            .filter(|at| seen.insert(table.headers[*at].clone(), ()).is_none())
            .map(|at| (at, table.infer(at)))
            .collect();
        let notes = spec.ignore.iter().map(|column| ColumnNote {
            column: column.clone(),
            treatment: Treatment::SetAside,
            note: "the project file says to ignore it".to_owned(),
        });
        Self { columns, notes: notes.collect() }
    }
}

fn dataset(
    table: &RawTable,
    special: &Special,
    read: &Read,
    label: Vec<Option<f64>>,
) -> (Dataset, Timestamp) {
    let keep: Vec<usize> = (0..table.rows()).filter(|row| label[*row].is_some()).collect();
    let columns: Vec<Column> =
        read.columns.iter().map(|(at, layout)| only(table.column(*at, layout), &keep)).collect();
    let moments = special.time.as_ref().map(|(at, layout)| only(table.column(*at, layout), &keep));
    let as_of = latest(columns.iter().chain(&moments));
    let known_at = moments.as_ref().map(|column| times(column, as_of));
    let group = special.group.map(|at| groups(table, at, &keep));
    let label = keep.iter().filter_map(|row| label[*row]).collect();
    let as_of_rows = known_at.clone().unwrap_or_else(|| vec![as_of; keep.len()]);
    let data = Dataset {
        rows: keep.len(),
        columns,
        label,
        as_of: as_of_rows,
        known_at,
        group,
        ..Dataset::default()
    };
    (data, as_of)
}

/// The column's values in `rows`.
fn only(column: Column, rows: &[usize]) -> Column {
    let data = match column.data {
        ColumnData::Bool(values) => ColumnData::Bool(rows.iter().map(|row| values[*row]).collect()),
        ColumnData::Int(values) => ColumnData::Int(rows.iter().map(|row| values[*row]).collect()),
        ColumnData::Float(values) => ColumnData::Float(rows.iter().map(|row| values[*row]).collect()),
        ColumnData::Text { codes, levels } => {
            ColumnData::Text { codes: rows.iter().map(|row| codes[*row]).collect(), levels }
        }
        ColumnData::Time(values) => ColumnData::Time(rows.iter().map(|row| values[*row]).collect()),
    };
    Column { data, ..column }
}

/// The latest moment in any date column; ages in a table without time are counted back from it.
fn latest<'a>(columns: impl Iterator<Item = &'a Column>) -> Timestamp {
    let moments = columns.filter_map(|column| match &column.data {
        ColumnData::Time(values) => values.iter().flatten().max().copied(),
        _ => None,
    });
    moments.max().unwrap_or_default()
}

/// Rows without a time count as the latest: they are rather held out than learnt from too early.
fn times(column: &Column, latest: Timestamp) -> Vec<Timestamp> {
    match &column.data {
        ColumnData::Time(values) => values.iter().map(|value| value.unwrap_or(latest)).collect(),
        _ => Vec::new(),
    }
}

/// Rows with the same text share a number; rows without one stand alone.
fn groups(table: &RawTable, column: usize, rows: &[usize]) -> Vec<u32> {
    let mut index: FxHashMap<&str, u32> = FxHashMap::default();
    let mut numbers = Vec::with_capacity(rows.len());
    let mut next = 0;
    for row in rows {
        let number = match table.field(*row, column) {
            Some(text) => *index.entry(text).or_insert(next),
            None => next,
        };
        next = next.max(number + 1);
        numbers.push(number);
    }
    numbers
}

fn layout(
    table: &RawTable,
    spec: &TableSpec,
    special: &Special,
    read: &Read,
    data: &Dataset,
    as_of: Timestamp,
) -> TableLayout {
    let notes = screen(&data.columns, data.rows);
    let kept = read.columns.iter().zip(notes).filter(|(_, note)| note.treatment != Treatment::SetAside);
    TableLayout {
        inputs: kept.map(|((at, layout), _)| (table.headers[*at].clone(), layout.clone())).collect(),
        id: spec.id.clone(),
        time: special.time.as_ref().map(|(at, layout)| (table.headers[*at].clone(), layout.clone())),
        as_of,
        label: spec.label.clone(),
    }
}

fn task<'a>(
    request: &TrainRequest<'a>,
    spec: &TableSpec,
    mut data: Dataset,
    rule: LabelRule,
    mut left_out: Vec<ColumnNote>,
    layout: &TableLayout,
) -> Result<Task<'a>, TrainingError> {
    let mut notes = screen(&data.columns, data.rows);
    for note in &notes {
        if note.treatment == Treatment::SetAside {
            request.progress.message(&format!("column {} is set aside: {}", note.column, note.note));
        }
    }
    if let Some(value) = rule.only() {
        request.progress.message(&format!(
            "label {} is {value:?} on every one of {} rows: everybody gets the prior, drawn towards it",
            spec.label, data.rows
        ));
    }
    if rule.unlabelled > 0 {
        request.progress.message(&format!("{} rows without a label are left out", rule.unlabelled));
    }
    let mut kept = notes.iter().map(|note| note.treatment != Treatment::SetAside);
    data.columns.retain(|_| kept.next().unwrap_or(false));
    left_out.extend(notes.extract_if(.., |note| note.treatment == Treatment::SetAside));
    let input = |column: &Column| InputField::new(column.name.clone(), column.value_type());
    let signature = Signature {
        entity: None,
        feature_set: None,
        inputs: data.columns.iter().map(input).collect(),
        output: Output::Probability,
    };
    let positive = rule.positive.clone().unwrap_or_default();
    let details = json!({
        "pipeline": "table",
        LAYOUT: layout,
        "label": rule,
        "seed": request.seed,
    });
    data.monotone = directions(&data.columns, &spec.monotone)?;
    Ok(Task {
        title: request.model.to_string(),
        outcome: format!("{} = {positive}", spec.label),
        data,
        notes,
        left_out,
        signature,
        candidates: spec.candidates.clone(),
        holdout: spec.holdout,
        prior: spec.prior,
        whole_groups: true,
        actionable: spec.actionable.clone(),
        details,
        seed: request.seed,
        champion: request.champion,
        progress: request.progress,
    })
}
