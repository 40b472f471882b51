//! Logged recommendations beside those that history gives now.

use scorehouse_features::definition::Project;
use scorehouse_features::ids::{EntityKey, ModelName};
use scorehouse_features::online::OnlineStore;
use scorehouse_models::{ModelVersion, Registry};
use serde_json::{Value as Json, json};

use super::report::{Example, SkewReport};
use crate::error::ServeError;
use crate::live_model::LiveModel;
use crate::score_log::read::LoggedList;
use crate::service::recommend::{Found, Logged, Question, Seen, find, request_fields};
use crate::telemetry::Metrics;

/// Computes the lists of one model again.
pub struct Lists<'a> {
    /// The project, whose rules count as they are declared now.
    pub project: &'a Project,
    /// Where versions come from.
    pub registry: &'a dyn Registry,
    /// The store as history makes it.
    pub online: &'a dyn OnlineStore,
    /// The model.
    pub name: &'a ModelName,
    /// The version loaded last, or why it cannot be.
    loaded: Option<(u32, Result<LiveModel, String>)>,
    metrics: Metrics,
}

impl<'a> Lists<'a> {
    /// For one model.
    ///
    /// # Errors
    /// [`ServeError::Bug`] only.
    pub fn new(
        (project, registry): (&'a Project, &'a dyn Registry),
        online: &'a dyn OnlineStore,
        name: &'a ModelName,
    ) -> Result<Self, ServeError> {
        Ok(Self { project, registry, online, name, loaded: None, metrics: Metrics::new()? })
    }

    /// Computes one list again and adds every difference to `report`.
    ///
    /// # Errors
    /// What reading the store reports.
    pub fn compare(&mut self, list: &LoggedList, report: &mut SkewReport) -> Result<(), ServeError> {
        self.load(list.head.version);
        let model = match &self.loaded {
            Some((_, Ok(model))) => model,
            Some((_, Err(reason))) => {
                report.skip(self.name.as_str(), list.head.version, 1, reason.clone());
                return Ok(());
            }
            None => return Ok(()),
        };
        let unreadable = |reason: String| ServeError::Unavailable { what: "the score log", reason };
        let asked: Logged<'_> =
            serde_json::from_str(&list.asked).map_err(|error| unreadable(error.to_string()))?;
        let fields = match request_fields(self.project, &asked.request) {
            Ok(fields) => fields,
            Err(error) => {
                report.skip(self.name.as_str(), list.head.version, 1, error.to_string());
                return Ok(());
            }
        };
        let stranger = asked.seen.as_ref().is_some_and(|seen| seen.stranger);
        let key = list.head.key.as_deref().filter(|_| !stranger).map(EntityKey::new).transpose();
        let key = key.map_err(|error| unreadable(error.to_string()))?;
        let question = Question {
            customer: key.as_ref(),
            basket: asked.basket.iter().map(|item| &**item).collect(),
            because: 0,
            n: asked.n,
            as_of: list.head.as_of,
            fields: &fields,
        };
        let found = find(self.online, model, &question)?;
        Beside { name: self.name.as_str(), list, found: &found }.compare(asked.seen.as_ref(), report);
        Ok(())
    }

    fn load(&mut self, version: u32) {
        if self.loaded.as_ref().is_some_and(|(loaded, _)| *loaded == version) {
            return;
        }
        let which = (self.name, ModelVersion(version));
        let model = LiveModel::load(self.project, self.registry, &self.metrics, which);
        self.loaded = Some((version, model.map_err(|error| error.to_string())));
    }
}

/// A list as it was served, and as it comes out now.
struct Beside<'a> {
    name: &'a str,
    list: &'a LoggedList,
    found: &'a Found,
}

impl Beside<'_> {
    fn compare(&self, seen: Option<&Seen>, report: &mut SkewReport) {
        let moved = seen.is_some_and(|seen| self.inputs(seen, report));
        let Self { name, list, found } = self;
        let (served, now) = (list.items.iter(), found.items.iter());
        let names = |items: Vec<&str>| json!(items);
        let same_items = list.items.len() == found.items.len()
            && served.clone().zip(now.clone()).all(|((item, _), now)| *item == now.item);
        if !same_items {
            let served = names(served.clone().map(|(item, _)| item.as_str()).collect());
            let now = names(now.clone().map(|item| item.item.as_str()).collect());
            self.differs("items", (served, now), report);
        }
        let apart = served
            .zip(now)
            .filter(|((item, score), now)| *item == now.item && score.to_bits() != now.score.to_bits());
        let apart = apart.map(|((_, score), now)| f64::from((score - now.score).abs()));
        let largest = apart.reduce(f64::max);
        if let Some(largest) = largest {
            report.score(name, list.head.version, largest);
        }
        report.row(!moved && same_items && largest.is_none());
    }

    /// True when something that the list was made from differs.
    fn inputs(&self, seen: &Seen, report: &mut SkewReport) -> bool {
        let now = &self.found.seen;
        let mut differs = false;
        let mut look = |what: &str, served: Json, now: Json| {
            if served != now {
                differs = true;
                self.differs(what, (served, now), report);
            }
        };
        look("rules", json!(seen.rules), json!(now.rules));
        look("past", json!(seen.past), json!(now.past));
        look("reranked", json!(seen.reranked), json!(now.reranked));
        look("arranged", json!(seen.arranged), json!(now.arranged));
        look("just_bought", json!(seen.just_bought), json!(now.just_bought));
        for feature in
            seen.customer.keys().chain(now.customer.keys().filter(|f| !seen.customer.contains_key(*f)))
        {
            let value = |of: &Seen| of.customer.get(feature).cloned().unwrap_or_default();
            look(&format!("customer.{feature}"), value(seen), value(now));
        }
        for rule in seen.held.keys().chain(now.held.keys().filter(|rule| !seen.held.contains_key(*rule))) {
            let held = |of: &Seen| json!(of.held.get(rule).copied().unwrap_or(0));
            look(&format!("kept back by {rule}"), held(seen), held(now));
        }
        differs
    }

    fn differs(&self, what: &str, (served, now): (Json, Json), report: &mut SkewReport) {
        let Self { name, list, .. } = self;
        report.feature(name, what, || Example {
            key: list.head.key.clone(),
            as_of: list.head.as_of,
            version: list.head.version,
            served,
            now,
        });
    }
}
