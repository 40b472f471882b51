//! `scorehouse features`: what is known about one entity, and training sets for many.

use arrow_array::{Int64Array, StringArray};
use scorehouse_features::definition::{FeatureField, FeatureSet};
use scorehouse_features::ids::{EntityKey, EntityName, FeatureName, FeatureSetName};
use scorehouse_features::nearest::nearest;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::Column;
use scorehouse_offline::EntityRows;
use serde::Serialize;

use crate::cli::args::{FeaturesCommand, HistoryArgs, ShowArgs};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::history::{StoreHistory, open_store};
use crate::cli::ingest::materialize;
use crate::cli::output::{Report, count, show, table};
use crate::cli::session::Session;

/// Runs `scorehouse features`.
///
/// # Errors
/// A failure with its fault.
pub fn run(session: &Session, command: &FeaturesCommand) -> Outcome<()> {
    match command {
        FeaturesCommand::Show(args) => show_entity(session, args),
        FeaturesCommand::History(args) => history(session, args),
        FeaturesCommand::List => Ok(show(&Declared::of(session), session.json)?),
        FeaturesCommand::Materialize => {
            let store = open_store(&session.project)?;
            materialize(session, &store)?;
            Ok(show(
                &Built { snapshot: crate::stores::base_path(&session.project).display().to_string() },
                session.json,
            )?)
        }
    }
}

#[derive(Serialize)]
struct Built {
    snapshot: String,
}

impl Report for Built {
    fn human(&self) -> String {
        format!("the online store starts from {}", self.snapshot)
    }
}

#[derive(Serialize)]
struct Declared {
    features: Vec<DeclaredFeature>,
}

#[derive(Serialize)]
struct DeclaredFeature {
    name: String,
    entity: String,
    #[serde(rename = "type")]
    value_type: String,
    words: Option<String>,
}

impl Declared {
    fn of(session: &Session) -> Self {
        let views = session.project.views.values();
        let features = views.flat_map(|view| {
            view.features.iter().map(|feature| DeclaredFeature {
                name: format!("{}.{}", view.name, feature.name),
                entity: view.entity.to_string(),
                value_type: feature.value_type.to_string(),
                words: feature.words.clone(),
            })
        });
        Self { features: features.collect() }
    }
}

impl Report for Declared {
    fn human(&self) -> String {
        let rows = self.features.iter().map(|f| {
            vec![f.name.clone(), f.entity.clone(), f.value_type.clone(), f.words.clone().unwrap_or_default()]
        });
        table(&["feature", "entity", "type", "in words"], &[], rows)
    }
}

#[derive(Serialize)]
struct Facts {
    entity: String,
    key: String,
    as_of: Timestamp,
    features: Vec<Fact>,
}

#[derive(Serialize)]
struct Fact {
    name: String,
    value: serde_json::Value,
    missing: Option<&'static str>,
}

impl Report for Facts {
    fn human(&self) -> String {
        let rows = self.features.iter().map(|fact| {
            let value = match (&fact.value, fact.missing) {
                (_, Some(reason)) => format!("– ({reason})"),
                (serde_json::Value::String(text), None) => text.clone(),
                (other, None) => other.to_string(),
            };
            vec![fact.name.clone(), value]
        });
        format!(
            "{} {} as of {}\n{}",
            self.entity,
            self.key,
            self.as_of,
            table(&["feature", "value"], &[], rows)
        )
    }
}

/// All features of an entity as a set of their own.
fn everything_about(session: &Session, entity: &str) -> Outcome<FeatureSet> {
    let project = &session.project;
    let Some(declared) = project.entities.get(entity) else {
        let known: Vec<&str> = project.entities.keys().map(EntityName::as_str).collect();
        let near = nearest(entity, known.iter().copied()).map(|n| format!("; did you mean `{n}`?"));
        return Err(Failure::caller(format!(
            "the project declares no entity `{entity}`{}",
            near.unwrap_or_else(|| format!("; it declares {}", known.join(", ")))
        )));
    };
    let views = project.views.values().filter(|view| view.entity == declared.name);
    let features = views.flat_map(|view| {
        view.features.iter().map(|feature| FeatureField {
            name: FeatureName { through: None, view: view.name.clone(), name: feature.name.clone() },
            value_type: feature.value_type,
            words: feature.words.clone(),
            group: None,
        })
    });
    let name = FeatureSetName::new("everything").map_err(Failure::caller)?;
    Ok(FeatureSet {
        name,
        entity: declared.name.clone(),
        features: features.collect(),
        hash: String::new(),
        views: Vec::new(),
    })
}

fn show_entity(session: &Session, args: &ShowArgs) -> Outcome<()> {
    let moment = session.moment(args.as_of.as_deref())?;
    let set = everything_about(session, &args.entity)?;
    let key = EntityKey::new(&args.key).map_err(Failure::caller)?;
    let history = StoreHistory::open(session, session.clock.now())?;
    let rows = EntityRows {
        keys: StringArray::from(vec![key.as_str()]),
        as_of: Int64Array::from(vec![moment.0]),
        request: Vec::new(),
    };
    let columns = history.columns(&set, &rows)?;
    let mut features = Vec::with_capacity(columns.len());
    for (slot, field) in columns.iter().zip(&set.features) {
        let value = slot.value(&Column::from_arrow(&slot.values, field.value_type)?, 0);
        let missing = match &value {
            Value::Missing(reason) => Some(reason.as_str()),
            _ => None,
        };
        features.push(Fact { name: field.name.to_string(), value: value.to_json(), missing });
    }
    let facts = Facts { entity: args.entity.clone(), key: args.key.clone(), as_of: moment, features };
    Ok(show(&facts, session.json)?)
}

#[derive(Serialize)]
struct Written {
    file: String,
    rows: usize,
    features: usize,
}

impl Report for Written {
    fn human(&self) -> String {
        format!("{} rows × {} features → {}", count(self.rows as u64), self.features, self.file)
    }
}

fn history(session: &Session, args: &HistoryArgs) -> Outcome<()> {
    let sets = &session.project.feature_sets;
    let set = sets.get(args.set.as_str()).ok_or_else(|| {
        let known: Vec<&str> = sets.keys().map(FeatureSetName::as_str).collect();
        Failure::caller(format!(
            "the project declares no feature set `{}`; it declares {}",
            args.set,
            known.join(", ")
        ))
    })?;
    let history = StoreHistory::open(session, session.clock.now())?;
    let rows = scorehouse_offline::training_set::read_rows(&args.rows)?;
    let built = history.store().training_set(&session.project, set, &rows, args.reasons)?;
    scorehouse_offline::training_set::write_rows(&args.output, &built)?;
    let written = Written {
        file: args.output.display().to_string(),
        rows: built.num_rows(),
        features: set.features.len(),
    };
    Ok(show(&written, session.json)?)
}
