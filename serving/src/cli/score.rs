//! `scorehouse score`: entities by key, or the rows of a file.

use std::path::Path;

use arrow_array::{Int64Array, StringArray};
use scorehouse_features::definition::FeatureSet;
use scorehouse_features::ids::{EntityKey, ModelName};
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::Column;
use scorehouse_models::{Artifact, Interval, Reason, Registry, Score, ScoringModel, Scratch};
use scorehouse_offline::EntityRows;
use scorehouse_training::{ScoredTable, score_table};
use serde::Serialize;

use crate::cli::args::ScoreArgs;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::history::StoreHistory;
use crate::cli::output::{Report, show};
use crate::cli::session::{Session, model_name};
use crate::live_model::Margin;
use crate::service::score::{Moments, TimingShown};

/// Runs `scorehouse score`.
///
/// # Errors
/// A failure with its fault.
pub fn run(session: &Session, args: &ScoreArgs) -> Outcome<()> {
    let registry = session.registry()?;
    let record = session.version(&registry, &model_name(&args.model)?, &args.version)?;
    let artifact = registry.artifact(&record.model, record.version)?;
    match artifact.signature.feature_set.clone() {
        None => score_file(session, args, &artifact),
        Some(wanted) => {
            let set = session.project.feature_sets.get(&wanted.name).filter(|set| set.hash == wanted.hash);
            let set = set.ok_or_else(|| {
                Failure::data(format!(
                    "{} version {} was trained on another definition of the feature set {}; train it again",
                    record.model, record.version, wanted.name
                ))
            })?;
            score_entities(session, args, (&record.model, &artifact), set)
        }
    }
}

/// A model over a plain table scores a plain table.
fn score_file(session: &Session, args: &ScoreArgs, artifact: &Artifact) -> Outcome<()> {
    let (Some(input), Some(output)) = (&args.input, &args.output) else {
        return Err(Failure::caller(format!("{} scores files: give --input and --output", args.model)));
    };
    let done = score_table(artifact, input, output)?;
    Ok(show(&Written { file: output.display().to_string(), done }, session.json)?)
}

#[derive(Serialize)]
struct Written {
    file: String,
    #[serde(flatten)]
    done: ScoredTable,
}

impl Report for Written {
    fn human(&self) -> String {
        let mut text = format!("{} rows scored → {}", self.done.rows, self.file);
        if !self.done.absent.is_empty() {
            text.push_str(&format!("\nnot in the file, read as missing: {}", self.done.absent.join(", ")));
        }
        text
    }
}

/// One entity's score.
#[derive(Serialize)]
struct Line {
    key: String,
    as_of: Timestamp,
    #[serde(flatten)]
    score: Score,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<TimingShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_at_stake: Option<f64>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Lines(Vec<Line>);

fn score_entities(
    session: &Session,
    args: &ScoreArgs,
    model: (&ModelName, &Artifact),
    set: &FeatureSet,
) -> Outcome<()> {
    let now = session.moment(args.as_of.as_deref())?;
    let asked = match &args.input {
        Some(file) => read_entities(session, file, set, now)?,
        None => args
            .keys
            .iter()
            .map(|key| EntityKey::new(key).map(|key| (key, now)).map_err(Failure::caller))
            .collect::<Outcome<Vec<_>>>()?,
    };
    if asked.is_empty() {
        return Err(Failure::caller(format!("name {} keys, or give a file with --input", set.entity)));
    }
    let by = args.by.iter().map(|text| Timestamp::parse(text).map_err(Failure::caller));
    let by = by.collect::<Outcome<Vec<_>>>()?;
    let moments = args.timing.then(|| Moments::by(by));
    let mut lines = Lines(score_rows(session, model, set, asked, (args.reasons, moments))?);
    if args.rank {
        // What is at stake where a margin is declared, else how likely it is; the first of equals stays first.
        let weight = |line: &Line| line.value_at_stake.unwrap_or(line.score.output);
        lines.0.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    }
    match &args.output {
        Some(output) => lines.write(output),
        None => Ok(show(&lines, session.json)?),
    }
}

fn score_rows(
    session: &Session,
    (name, artifact): (&ModelName, &Artifact),
    set: &FeatureSet,
    asked: Vec<(EntityKey, Timestamp)>,
    (reasons, moments): (usize, Option<Moments>),
) -> Outcome<Vec<Line>> {
    let model = ScoringModel::load(artifact)?;
    let margin = Margin::of(&session.project, name, &artifact.signature);
    let history = StoreHistory::open(session, session.clock.now())?;
    let keys: StringArray = asked.iter().map(|(key, _)| Some(key.as_str())).collect();
    let as_of: Int64Array = asked.iter().map(|(_, moment)| Some(moment.0)).collect();
    let columns = history.columns(set, &EntityRows { keys, as_of, request: Vec::new() })?;
    let mut typed = Vec::with_capacity(columns.len());
    for (column, field) in columns.iter().zip(&set.features) {
        typed.push((column, Column::from_arrow(&column.values, field.value_type)?));
    }
    let mut scratch = Scratch::default();
    let wanted = if model.explains() { reasons } else { 0 };
    let mut lines = Vec::with_capacity(asked.len());
    for (row, (key, moment)) in asked.into_iter().enumerate() {
        let values: Vec<Value> = typed.iter().map(|(slot, column)| slot.value(column, row)).collect();
        let score = model.score(&values, moment, wanted, &mut scratch)?;
        let timing = match &moments {
            None => None,
            Some(moments) => {
                let curve = model.curve(&values, moment, score.output)?.ok_or_else(|| {
                    Failure::caller(
                        "this model does not know when deals end; train a model of pipeline \"win\"",
                    )
                })?;
                Some(moments.shown(&curve, moment))
            }
        };
        let value_at_stake = margin.as_ref().and_then(|m| m.at_stake(&values, moment, score.output));
        lines.push(Line { key: key.to_string(), as_of: moment, score, timing, value_at_stake });
    }
    Ok(lines)
}

/// Rows of a CSV file with the entity's key (its key column, or `key`) and, if it has one, `as_of`.
fn read_entities(
    session: &Session,
    file: &Path,
    set: &FeatureSet,
    now: Timestamp,
) -> Outcome<Vec<(EntityKey, Timestamp)>> {
    let name = session.project.entities.get(&set.entity).map(|entity| entity.key.to_string());
    let mut reader =
        csv::Reader::from_path(file).map_err(|e| Failure::caller(format!("{}: {e}", file.display())))?;
    let header = reader.headers().map_err(Failure::data)?.clone();
    let place = |wanted: &str| header.iter().position(|h| h == wanted);
    let key = name.as_deref().and_then(place).or_else(|| place("key")).ok_or_else(|| {
        let wanted = name.as_deref().unwrap_or("key");
        Failure::data(format!("{} has no column `{wanted}` or `key`", file.display()))
    })?;
    let moment = place("as_of");
    let mut rows = Vec::new();
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(Failure::data)?;
        let at = |error: &dyn std::fmt::Display| {
            Failure::data(format!("{} row {}: {error}", file.display(), number + 1))
        };
        let key = EntityKey::new(record.get(key).unwrap_or_default()).map_err(|e| at(&e))?;
        let when = match moment.and_then(|place| record.get(place)).filter(|text| !text.is_empty()) {
            Some(text) => Timestamp::parse(text).map_err(|e| at(&e))?,
            None => now,
        };
        rows.push((key, when));
    }
    Ok(rows)
}

impl Lines {
    fn write(&self, output: &Path) -> Outcome<()> {
        let failed = |e: csv::Error| Failure::caller(format!("{}: {e}", output.display()));
        let mut writer = csv::Writer::from_path(output).map_err(failed)?;
        let mut header = vec!["key", "as_of", "probability", "low", "high", "reasons"];
        if self.0.iter().any(|line| line.timing.is_some()) {
            header.extend(["likely_close", "earliest_close", "latest_close", "won_by"]);
        }
        let stakes = self.0.iter().any(|line| line.value_at_stake.is_some());
        header.extend(stakes.then_some("value_at_stake"));
        writer.write_record(&header).map_err(failed)?;
        for line in &self.0 {
            let reasons: Vec<String> = line.score.reasons().iter().map(said).collect();
            let probability = line.score.output.to_string();
            let end = |of: fn(Interval) -> f64| {
                line.score.interval.map(of).map_or_else(String::new, |x| x.to_string())
            };
            let (low, high) = (end(|interval| interval.low), end(|interval| interval.high));
            let mut cells = vec![line.key.clone(), line.as_of.to_string(), probability, low, high];
            cells.push(reasons.join("; "));
            cells.extend(line.timing.iter().flat_map(timing_cells));
            cells.extend(
                stakes.then(|| line.value_at_stake.map_or_else(String::new, |value| value.to_string())),
            );
            writer.write_record(&cells).map_err(failed)?;
        }
        writer.flush()?;
        Ok(())
    }
}

fn timing_cells(timing: &TimingShown) -> [String; 4] {
    let won_by = timing.won_by.iter().map(|by| format!("{} {:.4}", by.date, by.probability));
    let days = [timing.likely_close, timing.earliest_close, timing.latest_close].map(|day| day.to_string());
    let [likely, earliest, latest] = days;
    [likely, earliest, latest, won_by.collect::<Vec<_>>().join("; ")]
}

/// The date alone.
fn day(moment: Timestamp) -> String {
    moment.to_string().chars().take(10).collect()
}

/// A reason as people read it; of a group, with how many others of it count along.
fn said(reason: &Reason) -> String {
    match reason.parts.len().saturating_sub(1) {
        0 => reason.words.clone(),
        others => format!("{} (with {others} of its group)", reason.words),
    }
}

impl Report for Lines {
    fn human(&self) -> String {
        let one = |line: &Line| {
            let mut text = format!("{}  {:.1} %", line.key, line.score.output * 100.0);
            if let Some(Interval { low, high }) = line.score.interval {
                text.push_str(&format!(" [{:.1} to {:.1} %]", low * 100.0, high * 100.0));
            }
            if let Some(value) = line.value_at_stake {
                text.push_str(&format!("  {value:.0} at stake"));
            }
            text.push_str(&format!("  as of {}", line.as_of));
            if let Some(timing) = &line.timing {
                let (likely, from) = (day(timing.likely_close), day(timing.earliest_close));
                text.push_str(&format!(
                    "\n  if won, likely on {likely} ({from} to {})",
                    day(timing.latest_close)
                ));
                for by in &timing.won_by {
                    text.push_str(&format!("\n  won by {}: {:.1} %", day(by.date), by.probability * 100.0));
                }
            }
            for reason in line.score.reasons() {
                let sign = if reason.contribution >= 0.0 { '+' } else { '−' };
                text.push_str(&format!("\n  {sign} {:.2}  {}", reason.contribution.abs(), said(reason)));
            }
            text
        };
        self.0.iter().map(one).collect::<Vec<_>>().join("\n")
    }
}
