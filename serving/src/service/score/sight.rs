//! Which entities a caller may have scored.

use scorehouse_features::ids::FeatureName;

use super::request::EntityAsked;
use crate::access::Caller;
use crate::error::ServeError;
use crate::live_model::LiveModel;
use crate::service::entities::{hidden, key_of};
use crate::service::scalar::Fields;
use crate::state::AppState;

/// Refuses an entity that the caller may not see, as if it were not there.
///
/// # Errors
/// [`ServeError::Unknown`] for its key, [`ServeError::Forbidden`] for features that lead to other entities.
pub fn check_row(
    state: &AppState,
    caller: &Caller,
    model: &LiveModel,
    asked: &EntityAsked<'_>,
) -> Result<(), ServeError> {
    if !caller.is_narrowed() {
        return Ok(());
    }
    check_references(state, caller, &asked.features)?;
    let Some(key) = asked.key.as_deref() else { return Ok(()) };
    let (_, entity) = model.plan()?;
    let key = key_of(key)?;
    match caller.sees(state.online.as_ref(), entity, &key, state.clock.now())? {
        true => Ok(()),
        false => Err(hidden(&key)),
    }
}

/// Refuses given values that hold the key of another entity: through such a value a caller who sees few
/// entities would read the features of any.
///
/// # Errors
/// [`ServeError::Forbidden`] with the feature.
pub fn check_references(state: &AppState, caller: &Caller, given: &Fields<'_>) -> Result<(), ServeError> {
    if !caller.is_narrowed() {
        return Ok(());
    }
    let leads_elsewhere = |name: &FeatureName| {
        let mut references = state.project.entities.values().flat_map(|entity| entity.references.values());
        references.any(|to| to.key.view == name.view && to.key.name == name.name)
    };
    for (name, _) in &given.0 {
        if name.parse().is_ok_and(|name| leads_elsewhere(&name)) {
            let message =
                format!("the role {} may not say which entity `{}` points to", caller.role(), &**name);
            return Err(ServeError::Forbidden { message });
        }
    }
    Ok(())
}
