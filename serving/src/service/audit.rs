//! The trail of changes: models and aliases from the registry, keys from the store of keys, and what was delivered again.

use std::cmp::Reverse;

use scorehouse_features::time::Timestamp;
use scorehouse_models::registry::{AuditAction, AuditEntry};
use scorehouse_models::{AliasName, ModelVersion};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::store::AccessChange;
use crate::changes::Redelivery;
use crate::error::ServeError;
use crate::state::AppState;

/// Most changes of one answer.
const MOST: usize = 1_000;

/// How much of the trail.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditAsked {
    /// Changes, 1 to 1000; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only changes before this moment, RFC 3339 or a date.
    before: Option<String>,
}

/// The trail, the newest change first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditAnswer {
    /// The changes.
    pub changes: Vec<AccessChange>,
}

/// The newest changes to models, aliases and keys.
///
/// # Errors
/// [`ServeError::InvalidParameter`], a moment that is none, and what registry and store report.
pub fn trail(state: &AppState, asked: &AuditAsked) -> Result<AuditAnswer, ServeError> {
    let limit = asked.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(ServeError::InvalidParameter { message: format!("limit takes 1 to {MOST}") });
    }
    let before = asked.before.as_deref().map(Timestamp::parse).transpose();
    let before = before.map_err(|error| ServeError::InvalidParameter { message: error.to_string() })?;
    let mut changes = state.access.audit(usize::MAX)?;
    for model in state.registry.list()? {
        changes.extend(state.registry.audit(&model.name)?.into_iter().map(change));
    }
    if let Some(store) = state.changes.store() {
        changes.extend(store.redeliveries()?.into_iter().map(redelivered));
    }
    changes.retain(|change| before.is_none_or(|end| change.when < end));
    // A stable order: what happened in the same moment stays as each store tells it.
    changes.sort_by_key(|change| Reverse(change.when));
    changes.truncate(limit);
    Ok(AuditAnswer { changes })
}

fn change(entry: AuditEntry) -> AccessChange {
    let version = |v: Option<ModelVersion>| v.map_or_else(|| "none".to_owned(), |v| v.to_string());
    let (action, subject) = match entry.action {
        AuditAction::Register => {
            ("register_version", format!("version {} of {}", version(entry.to), entry.model))
        }
        AuditAction::MoveAlias => {
            let alias = entry.alias.as_ref().map_or("alias", AliasName::as_str);
            let moved = format!("from {} to {}", version(entry.from), version(entry.to));
            ("move_alias", format!("{alias} of {} {moved}", entry.model))
        }
    };
    AccessChange { when: entry.when, who: entry.who, action: action.to_owned(), subject, why: entry.why }
}

fn redelivered(act: Redelivery) -> AccessChange {
    let Redelivery { at, who, webhook, count } = act;
    let subject = format!("{count} to {webhook}");
    let why = "asked to deliver again what was given up".to_owned();
    AccessChange { when: at, who, action: "redeliver".to_owned(), subject, why }
}
