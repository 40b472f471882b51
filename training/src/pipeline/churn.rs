//! Customers: looked at every so often, labelled by what they did within the horizon.

use std::collections::BTreeMap;

use scorehouse_features::definition::{ChurnDefinition, ChurnSpec};
use scorehouse_features::ids::{EntityKey, EntityName};
use scorehouse_features::time::{Span, Timestamp};

use crate::error::TrainingError;
use crate::pipeline::events::{Event, Events, read_events};
use crate::pipeline::snapshot::{Look, Looks, feature_set};
use crate::trained::{TrainRequest, Trained};

/// Trains a model of the probability that a customer leaves within the horizon.
///
/// A look whose horizon ends after the last known row teaches nothing: what is not observed in full is not a
/// customer who stayed away.
///
/// # Errors
/// What is wrong with the definition or the history; [`TrainingError::OneClass`] when many looks all ended alike.
pub fn train(request: &TrainRequest<'_>, spec: &ChurnSpec) -> Result<Trained, TrainingError> {
    let set = feature_set(request, &spec.fit)?;
    let entity = &set.entity;
    for name in spec.margin.iter().flat_map(|margin| &margin.inputs) {
        if !set.features.iter().any(|field| field.name == *name) {
            let why = format!("`margin` reads {name}, which the feature set {} does not hold", set.name);
            return Err(TrainingError::Definition(why));
        }
    }
    request.progress.stage("reading customers", 0);
    let (customers, observed) = read(request, entity, &spec.definition)?;
    request.progress.message(&format!("{} customers", customers.len()));
    let moments = moments(spec, &customers, observed);
    let mut looks = Vec::new();
    for (key, customer) in &customers {
        for as_of in &moments {
            if let Some(left) = customer.leaves(*as_of, spec) {
                let known_at = as_of.after(spec.horizon);
                looks.push(Look { as_of: *as_of, key: key.clone(), outcome: left, known_at });
            }
        }
    }
    let outcome = match &spec.definition {
        ChurnDefinition::NonContractual { activity, .. } => {
            format!("no row of {activity} within {}", spec.horizon)
        }
        ChurnDefinition::Contractual { .. } => format!("contract ends within {}", spec.horizon),
    };
    let (fit, settles) = (&spec.fit, Span(0));
    Looks { looks, fit, pipeline: "churn", outcome, whole_entities: false, settles }.learn(request)
}

/// What a customer did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Customer {
    /// Purchases, or starts of contracts.
    came: Vec<Event>,
    /// Ends of contracts.
    went: Vec<Event>,
}

type Customers = BTreeMap<EntityKey, Customer>;

/// The customers, and the moment up to which everything is observed.
fn read(
    request: &TrainRequest<'_>,
    entity: &EntityName,
    definition: &ChurnDefinition,
) -> Result<(Customers, Timestamp), TrainingError> {
    let (came, went) = match definition {
        ChurnDefinition::NonContractual { activity, filter, .. } => {
            (read_events(request, entity, activity, filter.as_ref())?, Events::new())
        }
        ChurnDefinition::Contractual { started, ended, filter } => {
            let started = read_events(request, entity, started, None)?;
            (started, read_events(request, entity, ended, filter.as_ref())?)
        }
    };
    let all = came.values().chain(went.values()).flatten();
    let observed = all.map(|event| event.at).max().unwrap_or(Timestamp::MIN).min(request.now);
    let mut customers = Customers::new();
    for (key, events) in came {
        customers.entry(key).or_default().came = events.into_iter().filter(|event| event.holds).collect();
    }
    for (key, events) in went {
        customers.entry(key).or_default().went = events.into_iter().filter(|event| event.holds).collect();
    }
    Ok((customers, observed))
}

/// The moments of looking: from the first one in steps, while the horizon is observed in full.
fn moments(spec: &ChurnSpec, customers: &Customers, observed: Timestamp) -> Vec<Timestamp> {
    let first = customers.values().filter_map(|customer| customer.came.first()).map(|event| event.at).min();
    let Some(first) = first else { return Vec::new() };
    let mut moment = spec.from.unwrap_or_else(|| first.after(spec.horizon));
    let mut moments = Vec::new();
    while moment.after(spec.horizon) <= observed && spec.every.0 > 0 {
        moments.push(moment);
        moment = moment.after(spec.every);
    }
    moments
}

impl Customer {
    /// Whether a customer who is there at `as_of` leaves within the horizon; none for one who is not there.
    fn leaves(&self, as_of: Timestamp, spec: &ChurnSpec) -> Option<bool> {
        let horizon = as_of.after(spec.horizon);
        let within = |event: &&Event| event.at > as_of && event.at <= horizon;
        let seen = |event: &&Event| event.known <= as_of;
        match &spec.definition {
            ChurnDefinition::NonContractual { active_within, .. } => {
                let since = as_of.before(*active_within);
                let active = self.came.iter().filter(seen).any(|event| event.at > since);
                active.then(|| !self.came.iter().any(|event| within(&event)))
            }
            ChurnDefinition::Contractual { .. } => {
                let running = self.came.iter().filter(seen).count();
                let over = self.went.iter().filter(seen).count();
                (running > over).then(|| self.went.iter().any(|event| within(&event)))
            }
        }
    }
}
