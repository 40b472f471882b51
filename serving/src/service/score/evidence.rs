//! Scores handed over to the score log, and to a shadow.

use super::answer::Scored;
use crate::challenger::{Arms, Variant};
use crate::score_log::{Answer, Asker, Given};
use crate::state::AppState;

/// Hands scores over as they were answered, each under its place in the request; rows without a score have nothing to
/// show.
pub fn keep<'a>(
    state: &AppState,
    arms: &Arms<'_>,
    asker: &Asker,
    scored: impl Iterator<Item = &'a Scored<'a>> + Clone,
) {
    if !state.score_log.keeps() {
        return;
    }
    let at = state.clock.now();
    let keep_of = |variant: Option<Variant>| {
        let rows = scored.clone().zip(0..).filter(|(row, _)| row.variant == variant);
        let answers = rows.filter_map(|(row, number)| {
            Some(Answer { row: number, key: row.key.as_deref(), body: row.kept.as_deref()? })
        });
        state.score_log.keep(Given { at, selected: arms.of(variant), asker, variant }, answers);
    };
    keep_of(arms.undecided());
    if arms.challenger().is_some() {
        keep_of(Some(Variant::Challenger));
    }
    if let Some(challenger) = arms.shadow() {
        let rows = scored.clone().zip(0..);
        let followed = rows.filter_map(|(row, number)| Some((number, (**row.followed.as_ref()?).clone())));
        state.shadows.follow(challenger, (at, asker), followed.collect());
    }
}
