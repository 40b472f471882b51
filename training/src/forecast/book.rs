//! Every deal as it was known at a moment, with what it is worth and when it is going to end.

use indexmap::IndexSet;
use scorehouse_features::definition::{FeatureField, FeatureSet, ForecastSpec, WinSpec};
use scorehouse_features::ids::{EntityKey, FeatureName};
use scorehouse_features::time::{DAY, Span, Timestamp};
use scorehouse_features::value::{Value, ValueType};
use scorehouse_features::view::key::key_text;
use scorehouse_models::{ScoringModel, Scratch};

use crate::dataset::Column;
use crate::error::TrainingError;
use crate::forecast::ForecastRequest;
use crate::history::Snapshots;
use crate::pipeline::{feature_set, read_events, read_features};
use crate::trained::TrainRequest;

/// How far back deals teach what deals yet to come are like.
pub(super) const PAST: Span = Span(730 * DAY);

/// A deal that is open.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OpenDeal {
    /// The probability that it is won at all.
    pub probability: f64,
    /// If it is won: the probabilities that this happens before the period, and before its end.
    pub before: [f64; 2],
    pub amount: f64,
    pub group: usize,
}

/// A deal that ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PastDeal {
    /// When it became known.
    pub appeared: Timestamp,
    pub ended: Timestamp,
    pub won: bool,
    pub amount: f64,
    pub group: usize,
}

/// Every deal that was known at a moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub open: Vec<OpenDeal>,
    /// When each open deal became known.
    pub open_since: Vec<Timestamp>,
    pub past: Vec<PastDeal>,
    /// Already won in the period, by group.
    pub won: Vec<f64>,
    /// Values of the feature asked for, in the order in which they were met; one group without it.
    pub groups: Vec<Option<String>>,
    /// Keys of those whom deals belong to, each with the groups of the deals.
    pub owners: IndexSet<(String, usize)>,
    pub without_amount: usize,
}

/// A deal from its rows.
struct Met {
    key: EntityKey,
    appeared: Timestamp,
    /// When it ended, when that was known, and whether it was won.
    end: Option<(Timestamp, Timestamp, bool)>,
}

/// What is read of deals: the model's features first, then what else is needed.
struct Sheet {
    set: FeatureSet,
    /// Where what is needed stands.
    amount: Vec<usize>,
    by: Option<usize>,
    owner: Option<usize>,
}

impl Book {
    /// Reads and judges every deal.
    pub fn read(
        request: &ForecastRequest<'_>,
        win: &WinSpec,
        spec: &ForecastSpec,
    ) -> Result<Self, TrainingError> {
        let training = request.training();
        let set = feature_set(&training, &win.fit)?;
        let (open, past): (Vec<Met>, Vec<Met>) =
            met(request, win, &set.entity)?.into_iter().partition(|deal| deal.end.is_none());
        let mut book = Self::default();
        let whole = Sheet::of(request, spec, set, true)?;
        let columns = whole.read(&training, &open, |_| request.as_of)?;
        book.judge(request, spec, (&whole, &columns), &open, set.features.len())?;
        book.remember(request, spec, set, &past)?;
        Ok(book)
    }

    /// As [`Book::read`], of deals that ended only.
    pub fn read_past(
        request: &ForecastRequest<'_>,
        win: &WinSpec,
        spec: &ForecastSpec,
    ) -> Result<Self, TrainingError> {
        let training = request.training();
        let set = feature_set(&training, &win.fit)?;
        let mut past = met(request, win, &set.entity)?;
        past.retain(|deal| deal.end.is_some_and(|(at, _, won)| won && request.period.contains(at)));
        let mut book = Self::default();
        book.remember(request, spec, set, &past)?;
        Ok(book)
    }

    fn remember(
        &mut self,
        request: &ForecastRequest<'_>,
        spec: &ForecastSpec,
        set: &FeatureSet,
        past: &[Met],
    ) -> Result<(), TrainingError> {
        let worth = Sheet::of(request, spec, set, false)?;
        let known = |deal: &Met| deal.end.map_or(request.as_of, |(at, known, _)| known.max(at));
        let columns = worth.read(&request.training(), past, known)?;
        for (row, deal) in past.iter().enumerate() {
            let Some((ended, known, won)) = deal.end else { continue };
            let group = self.group(&worth, &columns, row);
            let amount = worth.amount(spec, &columns, row, known).unwrap_or(0.0);
            if won && request.period.contains(ended) {
                self.won[group] += amount;
            }
            self.own(&worth, &columns, row, group);
            self.past.push(PastDeal { appeared: deal.appeared, ended, won, amount, group });
        }
        if self.groups.is_empty() {
            self.groups.push(None);
            self.won.push(0.0);
        }
        Ok(())
    }

    fn judge(
        &mut self,
        request: &ForecastRequest<'_>,
        spec: &ForecastSpec,
        (sheet, columns): (&Sheet, &[Column]),
        open: &[Met],
        inputs: usize,
    ) -> Result<(), TrainingError> {
        let broken = |error: scorehouse_models::ModelError| TrainingError::Artifact(error.to_string());
        let model = ScoringModel::load(request.artifact).map_err(broken)?;
        let mut scratch = Scratch::default();
        let days = [request.period.from, request.period.to].map(|end| end.days_since(request.as_of));
        for (row, deal) in open.iter().enumerate() {
            let values: Vec<Value> = columns[..inputs].iter().map(|column| column.value(row)).collect();
            let score = model.score(&values, request.as_of, 0, &mut scratch).map_err(broken)?;
            let curve = model.curve(&values, request.as_of, 1.0).map_err(broken)?;
            let curve = curve.ok_or_else(|| {
                TrainingError::Definition(format!(
                    "this version of {} does not know when deals end; train it again, once enough have ended",
                    request.model
                ))
            })?;
            let amount = sheet.amount(spec, columns, row, request.as_of);
            self.without_amount += usize::from(amount.is_none());
            let group = self.group(sheet, columns, row);
            self.own(sheet, columns, row, group);
            self.open_since.push(deal.appeared);
            self.open.push(OpenDeal {
                probability: score.output,
                before: days.map(|days| curve.won_by(days)),
                amount: amount.unwrap_or(0.0),
                group,
            });
        }
        Ok(())
    }

    /// The number of the group of a row.
    fn group(&mut self, sheet: &Sheet, columns: &[Column], row: usize) -> usize {
        let name = sheet.by.and_then(|at| shown(&columns[at].value(row)));
        let found = self.groups.iter().position(|group| *group == name);
        found.unwrap_or_else(|| {
            self.groups.push(name);
            self.won.push(0.0);
            self.groups.len() - 1
        })
    }

    fn own(&mut self, sheet: &Sheet, columns: &[Column], row: usize, group: usize) {
        if let Some(owner) =
            sheet.owner.and_then(|at| key_text(&columns[at].value(row)).map(|k| k.to_string()))
        {
            self.owners.insert((owner, group));
        }
    }
}

/// Every deal seen by whoever asks, that is open or ended in the past that teaches.
fn met(
    request: &ForecastRequest<'_>,
    win: &WinSpec,
    entity: &scorehouse_features::ids::EntityName,
) -> Result<Vec<Met>, TrainingError> {
    let training = request.training();
    let opened = read_events(&training, entity, &win.opened, None)?;
    let closed = read_events(&training, entity, &win.closed, Some(&win.won))?;
    let since = request.as_of.before(PAST).min(request.period.from);
    let mut deals = Vec::new();
    for (key, rows) in opened {
        let Some(first) = rows.first() else { continue };
        let end = closed.get(&key).and_then(|rows| rows.first()).map(|end| (end.at, end.known, end.holds));
        if end.is_none_or(|(at, _, _)| at >= since) && (request.seen)(&key) {
            deals.push(Met { key, appeared: first.known, end });
        }
    }
    Ok(deals)
}

impl ForecastRequest<'_> {
    /// The same as a training run would be asked for at that moment.
    pub(super) fn training(&self) -> TrainRequest<'_> {
        TrainRequest {
            project: self.project,
            model: self.model,
            history: self.history,
            seed: self.seed,
            threads: 0,
            now: self.as_of,
            champion: None,
            progress: self.progress,
        }
    }

    /// The type of a feature of the project.
    pub(super) fn type_of(&self, name: &FeatureName) -> Result<ValueType, TrainingError> {
        let view = self.project.views.get(&name.view);
        let feature = view.and_then(|view| view.features.iter().find(|feature| feature.name == name.name));
        let unknown = || TrainingError::Definition(format!("the project has no feature {name}"));
        feature.map(|feature| feature.value_type).ok_or_else(unknown)
    }

    /// A feature set of these features.
    pub(super) fn set_of(
        &self,
        like: &FeatureSet,
        names: impl Iterator<Item = FeatureName>,
    ) -> Result<FeatureSet, TrainingError> {
        let field = |name: FeatureName| {
            let value_type = self.type_of(&name)?;
            Ok(FeatureField { name, value_type, words: None, group: None })
        };
        let features = names.map(field).collect::<Result<Vec<_>, TrainingError>>()?;
        Ok(FeatureSet { features, hash: String::new(), ..like.clone() })
    }
}

impl Sheet {
    /// What is read of deals that are open (`judged`), or of those that ended.
    fn of(
        request: &ForecastRequest<'_>,
        spec: &ForecastSpec,
        set: &FeatureSet,
        judged: bool,
    ) -> Result<Self, TrainingError> {
        let owner = spec.plan.as_ref().and_then(|plan| {
            let entity = request.project.entities.get(&set.entity)?;
            entity.references.get(&plan.role).map(|reference| reference.key.clone())
        });
        let more = spec.amount.inputs.iter().chain(request.by).chain(owner.as_ref()).cloned();
        // A feature that is read twice over stands there twice: inputs keep their places.
        let more: IndexSet<FeatureName> = more.collect();
        let extra = request.set_of(set, more.iter().cloned())?;
        let begin = if judged { set.features.len() } else { 0 };
        let at = |name: &FeatureName| begin + more.get_index_of(name).unwrap_or(0);
        let (amount, by) = (spec.amount.inputs.iter().map(at).collect(), request.by.map(at));
        let owner = owner.as_ref().map(at);
        let own = if judged { set.features.clone() } else { Vec::new() };
        let features = own.into_iter().chain(extra.features).collect();
        Ok(Self { set: FeatureSet { features, ..set.clone() }, amount, by, owner })
    }

    fn read(
        &self,
        training: &TrainRequest<'_>,
        deals: &[Met],
        at: impl Fn(&Met) -> Timestamp,
    ) -> Result<Vec<Column>, TrainingError> {
        // Each feature is asked for once; what stands in the sheet twice is the same column.
        let mut names: IndexSet<FeatureName> = IndexSet::new();
        let places: Vec<usize> =
            self.set.features.iter().map(|field| names.insert_full(field.name.clone()).0).collect();
        let mut asked = self.set.clone();
        let mut met = IndexSet::new();
        asked.features.retain(|field| met.insert(field.name.clone()));
        let snapshots = Snapshots {
            keys: deals.iter().map(|deal| deal.key.clone()).collect(),
            as_of: deals.iter().map(at).collect(),
        };
        let columns = read_features(training, &asked, &snapshots)?;
        Ok(places.into_iter().map(|place| columns[place].clone()).collect())
    }

    fn amount(&self, spec: &ForecastSpec, columns: &[Column], row: usize, at: Timestamp) -> Option<f64> {
        let inputs: Vec<Value> = self.amount.iter().map(|place| columns[*place].value(row)).collect();
        match spec.amount.expression.evaluate(&inputs, at) {
            Value::Float(amount) => Some(amount),
            Value::Int(amount) => Some(amount as f64),
            _ => None,
        }
    }
}

/// A value as the name of a group; none when missing.
pub(super) fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Missing(_) => None,
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Text(value) => Some(value.to_string()),
        Value::Time(value) => Some(value.to_string()),
    }
}
