//! Scores handed over to the score log.

use super::answer::Scored;
use crate::live_model::Selected;
use crate::score_log::{Answer, Asker, Given};
use crate::state::AppState;

/// Hands scores over as they were answered; rows without a score have nothing to show and no number.
pub fn keep<'a>(
    state: &AppState,
    selected: &Selected,
    asker: &Asker,
    scored: impl Iterator<Item = &'a Scored<'a>>,
) {
    if !state.score_log.keeps() {
        return;
    }
    let kept = scored.filter_map(|scored| Some((scored.key, scored.kept.as_deref()?)));
    let answers = kept.zip(0..).map(|((key, body), row)| Answer { row, key, body });
    state.score_log.keep(Given { at: state.clock.now(), selected, asker }, answers);
}
