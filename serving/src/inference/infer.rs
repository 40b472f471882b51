//! One request for inference, from checked tensors to tensors.

use scorehouse_models::Score;

use super::answer::{self, InferAnswer};
use super::request::InferRequest;
use super::{rows, shelf};
use crate::challenger::Arms;
use crate::error::ServeError;
use crate::live_model::{LiveModels, Selected};
use crate::score_log::Asker;
use crate::service::score;
use crate::state::AppState;

/// Answers a request with one version of a model.
///
/// # Errors
/// What is wrong with the request: an unknown model, version, tensor or output, shapes that do not fit, values of
/// the wrong type.
pub fn infer(
    state: &AppState,
    model: &str,
    version: Option<&str>,
    (asker, request): (Asker, &InferRequest<'_>),
) -> Result<InferAnswer, ServeError> {
    let selected = select(&state.live, model, version)?;
    asker.note(&selected);
    let made = if selected.model.shelf().is_ok() {
        shelf::recommend(state, &selected, asker, request)?
    } else {
        scores(state, &selected, asker, request)?
    };
    let binary = request.parameters.flag("binary_data_output")?;
    Ok(InferAnswer {
        model: selected.model.name().to_owned(),
        version: selected.model.version().0,
        id: request.id.as_deref().map(str::to_owned),
        outputs: answer::chosen(made, &request.outputs, binary)?,
    })
}

fn scores(
    state: &AppState,
    selected: &Selected,
    asker: Asker,
    request: &InferRequest<'_>,
) -> Result<Vec<answer::OutputTensor>, ServeError> {
    let asked = rows::score_request(&selected.model, request)?;
    let arms = Arms::one(state, selected.clone());
    let scored = score::score_rows(state, &asker.caller, &arms, &asked)?;
    // Without `partial` a row that cannot be scored has refused the request already.
    let scores: Vec<&Score> = scored.iter().filter_map(|scored| scored.result.as_ref().ok()).collect();
    let signature = selected.model.scoring().signature();
    let outputs = answer::scores(signature, &scores, asked.reasons as usize);
    score::keep(state, &arms, &asker, scored.iter());
    Ok(outputs)
}

/// The version that a path names: none for the champion, a number, or an alias.
///
/// # Errors
/// As for [`LiveModels::select`].
pub fn select(live: &LiveModels, model: &str, version: Option<&str>) -> Result<Selected, ServeError> {
    match version.filter(|version| !version.is_empty()) {
        None => live.select(model, None, None),
        Some(text) => match number(text) {
            Some(number) => live.select(model, None, Some(number)),
            None => live.select(model, Some(text), None),
        },
    }
}

/// The version's number, when it is one.
#[must_use]
pub fn number(version: &str) -> Option<u32> {
    version.parse().ok()
}
