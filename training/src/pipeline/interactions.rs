//! Items for users from a plain file of interactions.

use scorehouse_features::definition::InteractionsSpec;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_models::predictor::recommender::Repeat;

use super::recommend::{Naming, train_on, weight_of};
use crate::dataset::{Column, RawTable, read_table};
use crate::error::TrainingError;
use crate::fit::recommender::{FitSettings, InteractionLog, LogBuilder, Named};
use crate::trained::{TrainRequest, Trained};

/// Trains a recommender on the rows of a delimited file: user, item and, if the definition names them, time and
/// weight. Rows without a user or an item, with a time or a weight that cannot be read, are set aside and
/// counted; repeated rows add up.
///
/// # Errors
/// [`TrainingError::File`] when the file cannot be read or holds no interaction, [`TrainingError::NoColumn`]
/// when it lacks a column, and what the fit reports.
pub fn train(request: &TrainRequest<'_>, spec: &InteractionsSpec) -> Result<Trained, TrainingError> {
    let path = request.project.root.join(&spec.table);
    request.progress.stage("read interactions", 0);
    let table = read_table(&path)?;
    let log = read(&table, spec, request.now)?;
    let naming = Naming { entity: None, user: &spec.user, item: &spec.item, origin: &table.file };
    let repeat = if spec.repeat { Repeat::Always } else { Repeat::Never };
    let settings = FitSettings { half_life: spec.half_life, repeat, seed: request.seed };
    train_on(request, &log, naming, (settings, None))
}

fn read(table: &RawTable, spec: &InteractionsSpec, now: Timestamp) -> Result<InteractionLog, TrainingError> {
    let (user, item) = (table.position(&spec.user)?, table.position(&spec.item)?);
    let column = |name: &Option<String>| -> Result<Option<Column>, TrainingError> {
        let position = name.as_deref().map(|name| table.position(name)).transpose()?;
        Ok(position.map(|at| table.column(at, &table.infer(at))))
    };
    let (time, weight) = (column(&spec.time)?, column(&spec.weight)?);
    let mut log = LogBuilder::new(time.is_some());
    for row in 0..table.rows() {
        let moment = time.as_ref().and_then(|time| moment(&time.value(row)));
        if moment.is_some_and(|moment| moment > now) {
            log.set_aside.future += 1;
            continue;
        }
        log.add(Named {
            user: table.field(row, user).unwrap_or(""),
            item: table.field(row, item).unwrap_or(""),
            weight: weight.as_ref().map_or(1.0, |weight| weight_of(&weight.value(row))),
            time: moment,
            basket: None,
        });
    }
    Ok(log.finish())
}

/// A moment as such, or as a number: a day as `20111209`, or a count of seconds, milliseconds or microseconds
/// since 1970, told apart by their size.
fn moment(value: &Value) -> Option<Timestamp> {
    let number = match value {
        Value::Time(moment) => return Some(*moment),
        Value::Int(v) => *v as f64,
        Value::Float(v) => *v,
        _ => return None,
    };
    if !number.is_finite() {
        return None;
    }
    if number.fract() == 0.0 && (19_000_101.0..=22_001_231.0).contains(&number) {
        let text = format!("{number}");
        return Timestamp::parse(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..])).ok();
    }
    let scale = match number.abs() {
        size if size >= 1e14 => 1.0,
        size if size >= 1e11 => 1e3,
        _ => 1e6,
    };
    Some(Timestamp((number * scale) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_from_numbers_by_their_size() {
        let day = Timestamp::parse("2011-12-09").unwrap();
        assert_eq!(moment(&Value::Int(20_111_209)), Some(day));
        assert_eq!(moment(&Value::Int(1_323_388_800)), Some(day));
        assert_eq!(moment(&Value::Float(1_323_388_800_000.0)), Some(day));
        assert_eq!(moment(&Value::Int(1_323_388_800_000_000)), Some(day));
        assert_eq!(moment(&Value::Float(f64::NAN)), None);
        assert_eq!(moment(&Value::Text("soon".into())), None);
    }
}
