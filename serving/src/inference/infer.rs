//! One request for inference, from checked tensors to tensors.

use scorehouse_models::Score;

use super::answer::{self, InferAnswer};
use super::request::InferRequest;
use super::{rows, shelf};
use crate::challenger::{Arms, Variant};
use crate::error::ServeError;
use crate::live_model::{LiveModels, Selected};
use crate::score_log::Asker;
use crate::service::score;
use crate::state::AppState;

/// Answers a request with one version of a model; in a split, each row with that of its variant, unless the path names
/// one.
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
    let arms = match version.filter(|version| !version.is_empty()) {
        None => Arms::select(state, model, (None, None))?,
        named => Arms::one(state, select(&state.live, model, named)?),
    };
    asker.note(arms.first());
    let (mut made, variants) = if arms.first().model.shelf().is_ok() {
        shelf::recommend(state, &arms, asker, request)?
    } else {
        scores(state, &arms, asker, request)?
    };
    let first = variants.first().copied().flatten();
    if arms.undecided().is_some() {
        made.push(answer::variants(&variants));
    }
    let binary = request.parameters.flag("binary_data_output")?;
    Ok(InferAnswer {
        model: arms.first().model.name().to_owned(),
        version: arms.of(first).model.version().0,
        mixed: variants.iter().any(|variant| *variant != first),
        id: request.id.as_deref().map(str::to_owned),
        outputs: answer::chosen(made, &request.outputs, binary)?,
    })
}

/// Outputs, and who answered each row.
pub type Made = (Vec<answer::OutputTensor>, Vec<Option<Variant>>);

fn scores(
    state: &AppState,
    arms: &Arms<'_>,
    asker: Asker,
    request: &InferRequest<'_>,
) -> Result<Made, ServeError> {
    let asked = rows::score_request(&arms.first().model, request)?;
    let scored = score::score_rows(state, &asker.caller, arms, &asked)?;
    // Without `partial` a row that cannot be scored has refused the request already.
    let scores: Vec<&Score> = scored.iter().filter_map(|scored| scored.result.as_ref().ok()).collect();
    let signature = arms.first().model.scoring().signature();
    let outputs = answer::scores(signature, &scores, asked.reasons as usize);
    score::keep(state, arms, &asker, scored.iter());
    Ok((outputs, scored.iter().map(|scored| scored.variant).collect()))
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
