//! Scores handed over to the score log.

use super::answer::Scored;
use crate::live_model::Selected;
use crate::score_log::{Answered, Answers, Asker, ScoreGiven};
use crate::state::AppState;

/// Hands scores over as they were answered; rows without a score have nothing to show.
pub fn keep<'a>(
    state: &AppState,
    selected: &Selected,
    asker: Asker,
    scored: impl Iterator<Item = Scored<'a>>,
) {
    if !state.score_log.keeps() {
        return;
    }
    let rows: Vec<ScoreGiven> = scored.filter_map(given).collect();
    if rows.is_empty() {
        return;
    }
    let (at, selected) = (state.clock.now(), selected.clone());
    state.score_log.keep(Answered { at, selected, asker, answers: Answers::Scores(rows) });
}

fn given(scored: Scored<'_>) -> Option<ScoreGiven> {
    let kept = scored.kept?;
    Some(ScoreGiven {
        key: scored.key.map(Box::from),
        as_of: kept.as_of,
        stored: kept.stored,
        inputs: kept.inputs,
        given: kept.given,
        score: scored.result.ok()?,
    })
}
