//! Changes of scores: where a listener begins, and what is still to be delivered.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::changes::{ChangeStore, Delivery, DeliveryState};
use crate::error::{Noun, ServeError};
use crate::state::AppState;

/// Most deliveries of one answer.
const MOST: usize = 1_000;

/// Which changes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangesAsked {
    /// Only those of this model.
    pub model: Option<String>,
    /// The number of the last change heard of; 0 for all that are remembered.
    pub after: Option<u64>,
}

/// The number of the change after which a listener begins: what it asks for, else now.
///
/// # Errors
/// [`ServeError::InvalidField`] where nothing is watched, [`ServeError::Unknown`] for a model, [`ServeError::Forbidden`] for one that the caller may not use,
/// [`ServeError::InvalidParameter`] for a `Last-Event-ID` that is no number.
pub fn start(
    state: &AppState,
    caller: &Caller,
    asked: &ChangesAsked,
    last: Option<&str>,
) -> Result<u64, ServeError> {
    if state.changes.store().is_none() {
        let message = "the project watches no model: declare [model.X.watch] or [model.X.monitor]".into();
        return Err(ServeError::InvalidField { message, nearest: None });
    }
    if let Some(model) = &asked.model {
        if !state.project.models.contains_key(model.as_str()) {
            let known = state.project.models.keys().map(|name| name.as_str());
            return Err(ServeError::unknown(Noun::Model, model, known));
        }
        caller.check_model(model)?;
    }
    let newest = state.changes.newest();
    let number = |text: &str| {
        let invalid = || ServeError::InvalidParameter { message: "Last-Event-ID takes a number".into() };
        text.trim().parse::<u64>().map_err(|_| invalid())
    };
    let from = last.map(number).transpose()?.or(asked.after);
    // A number that was never given belongs to a state that is gone.
    Ok(from.filter(|from| *from <= newest).unwrap_or(newest))
}

/// Which deliveries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesAsked {
    /// Only those of this webhook.
    pub webhook: Option<String>,
    /// `dead` for those that were given up, `waiting` for those that will be tried; both if not given.
    pub state: Option<String>,
    /// Deliveries, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

/// Deliveries, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveriesAnswer {
    /// What is not delivered yet, or was given up.
    pub deliveries: Vec<Delivery>,
}

/// What is to be delivered again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeliverRequest {
    /// The numbers of deliveries that were given up; all of the webhook's if not given.
    #[serde(default)]
    pub deliveries: Option<Vec<u64>>,
}

/// What will be delivered again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RedeliverAnswer {
    /// How many.
    pub redelivered: usize,
}

/// What is not delivered; nothing where nothing is watched.
///
/// # Errors
/// [`ServeError::InvalidParameter`], and what the store reports.
pub fn deliveries(state: &AppState, asked: &DeliveriesAsked) -> Result<DeliveriesAnswer, ServeError> {
    let store = state.changes.store();
    store.map_or_else(|| Ok(DeliveriesAnswer { deliveries: Vec::new() }), |store| list(store, asked))
}

/// The same from the store alone.
///
/// # Errors
/// As for [`deliveries`].
pub fn list(store: &ChangeStore, asked: &DeliveriesAsked) -> Result<DeliveriesAnswer, ServeError> {
    let invalid = |message: String| ServeError::InvalidParameter { message };
    let wanted = match asked.state.as_deref() {
        None => None,
        Some("dead") => Some(DeliveryState::Dead),
        Some("waiting") => Some(DeliveryState::Waiting),
        Some(_) => return Err(invalid("state takes `dead` or `waiting`".into())),
    };
    let limit = asked.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(invalid(format!("limit takes 1 to {MOST}")));
    }
    Ok(DeliveriesAnswer { deliveries: store.deliveries(asked.webhook.as_deref(), wanted, limit)? })
}

/// Brings deliveries of a webhook back that were given up.
///
/// # Errors
/// [`ServeError::InvalidField`] for a webhook that is not declared, and what the store reports.
pub fn redeliver(
    state: &AppState,
    caller: &Caller,
    webhook: &str,
    request: &RedeliverRequest,
) -> Result<RedeliverAnswer, ServeError> {
    check_webhook(&state.project, webhook)?;
    let ids = request.deliveries.as_deref();
    let act = (caller.name(), state.clock.now());
    let redelivered = state.changes.store().map_or(Ok(0), |store| store.redeliver(webhook, ids, act))?;
    state.changes.ring();
    Ok(RedeliverAnswer { redelivered })
}

/// Refuses a webhook that the project does not declare.
///
/// # Errors
/// [`ServeError::InvalidField`] with the nearest one.
pub fn check_webhook(
    project: &scorehouse_features::definition::Project,
    webhook: &str,
) -> Result<(), ServeError> {
    if project.webhooks.contains_key(webhook) {
        return Ok(());
    }
    let known = project.webhooks.keys().map(|name| name.as_str());
    let nearest = scorehouse_features::nearest::nearest(webhook, known).map(str::to_owned);
    Err(ServeError::InvalidField { message: format!("there is no webhook {webhook:?}"), nearest })
}
