//! Which entities a push touches, marked before it is stored.
//!
//! A mark is on its way to the disk before the push is: whatever ends the process after the push was acknowledged, the
//! mark is there when it starts again. A mark whose push is not stored yet is left alone until it is, or the score of
//! before would be taken for the one after.

use std::borrow::Cow;
use std::collections::BTreeSet;

use scorehouse_features::definition::Project;
use scorehouse_features::ids::{EntityKey, FeatureName, SourceName};
use scorehouse_features::online::PushedRow;
use scorehouse_features::view::key::key_text;
use scorehouse_features::view::{FeaturePlan, Layout};

use super::band::Bands;
use super::store::Told;
use super::{Changes, Watched, rescore};
use crate::error::ServeError;
use crate::state::AppState;

/// Entities of one push that are scored before it is stored, so that there is something to compare with. Of those
/// beyond, what the push did to their first score is not told.
const MOST_BEGUN: usize = 10_000;

/// Marks of a push that is being stored; dropped when it is, or was refused.
pub struct Touched<'s> {
    changes: &'s Changes,
    turn: i64,
}

impl Drop for Touched<'_> {
    fn drop(&mut self) {
        self.changes.pending.lock().remove(&self.turn);
        self.changes.wake.ring();
    }
}

/// Watched model, role (empty for the entity scored) and key.
type Found<'w, 'r> = (&'w Watched, &'w str, Cow<'r, str>);

/// Marks what rows of a source touch; none when nobody watches it.
///
/// # Errors
/// [`ServeError::Unavailable`] when the marks cannot be written.
pub fn touched<'s>(
    state: &'s AppState,
    source: &SourceName,
    rows: &[PushedRow],
) -> Result<Option<Touched<'s>>, ServeError> {
    let changes = &*state.changes;
    let Some(store) = changes.store() else { return Ok(None) };
    let found = found(changes, source, rows);
    if found.is_empty() {
        return Ok(None);
    }
    begin(state, &found)?;
    let marks: Vec<(&str, &str, &str)> =
        found.iter().map(|(watched, role, key)| (watched.model.as_str(), *role, &**key)).collect();
    let pending = |turn| {
        changes.pending.lock().insert(turn);
    };
    let turn = store.mark(&marks, pending)?;
    Ok(Some(Touched { changes, turn }))
}

fn found<'w, 'r>(changes: &'w Changes, source: &SourceName, rows: &'r [PushedRow]) -> Vec<Found<'w, 'r>> {
    let mut found = Vec::new();
    for watched in &changes.watched {
        let own = std::iter::once(("", &watched.own));
        for (role, tables) in own.chain(watched.through.iter().map(|(role, tables)| (role.as_str(), tables)))
        {
            let columns = tables.iter().filter(|(name, _)| name == source.as_str());
            let keys: BTreeSet<Cow<'_, str>> = columns
                .flat_map(|(_, column)| rows.iter().filter_map(|row| key_text(row.values.get(*column)?)))
                .collect();
            found.extend(keys.into_iter().map(|key| (watched, role, key)));
        }
    }
    found
}

/// Writes down where entities stand of which nothing was told yet. One that cannot be scored stands nowhere: that is no
/// reason to refuse the push.
fn begin(state: &AppState, found: &[Found<'_, '_>]) -> Result<(), ServeError> {
    let changes = &*state.changes;
    let Some(store) = changes.store() else { return Ok(()) };
    let (mut begun, mut warned) = (0, false);
    for watched in &changes.watched {
        let mut first: Vec<(String, Told)> = Vec::new();
        for (_, role, key) in found.iter().filter(|(other, ..)| other.model == watched.model) {
            let keys = match *role {
                "" => vec![key.to_string()],
                role => changes.referrers.read().of(&watched.model, role, key),
            };
            for key in keys {
                if begun >= MOST_BEGUN || store.told(&watched.model, &key)?.is_some() {
                    continue;
                }
                begun += 1;
                match rescore::guarded(state, watched, || stands(state, watched, &key)) {
                    Ok(told) => first.extend(told.map(|told| (key, told))),
                    Err(error) if !warned => {
                        tracing::warn!(model = %watched.model, %error, "an entity could not be scored before a push");
                        warned = true;
                    }
                    Err(_) => {}
                }
            }
        }
        if !first.is_empty() {
            store.begin(&watched.model, &first)?;
        }
    }
    Ok(())
}

/// Where an entity stands now; none for one of which nothing is known, or while no version answers.
fn stands(state: &AppState, watched: &Watched, key: &str) -> Result<Option<Told>, ServeError> {
    let Ok(key) = EntityKey::new(key) else { return Ok(None) };
    let Some(scored) = rescore::score(state, watched, &key, 0)? else { return Ok(None) };
    let band = watched.bands.of(scored.score.output);
    Ok(Some(Told { band, output: scored.score.output, version: scored.version, at: state.clock.now() }))
}

/// The models that a project watches, with the sources whose rows touch what they score.
///
/// # Errors
/// What compiling their features reports.
pub(super) fn watched(project: &Project) -> Result<Vec<Watched>, ServeError> {
    let mut all = Vec::new();
    for (name, model) in &project.models {
        let set = model.pipeline.feature_set().and_then(|set| project.feature_sets.get(set));
        let (Some(spec), Some(set)) = (&model.serving.watch, set) else { continue };
        let features: Vec<FeatureName> = set.features.iter().map(|field| field.name.clone()).collect();
        let plan = FeaturePlan::compile(project, &set.entity, &features)?;
        let (own, through) = tables(&plan, &Layout::of(project)?);
        all.push(Watched {
            model: name.to_string(),
            entity: set.entity.clone(),
            bands: Bands::new(spec.bands.clone(), spec.margin),
            reasons: spec.reasons,
            own,
            through,
        });
    }
    Ok(all)
}

/// Sources with the positions of their keys, of one holder.
type Tables = Vec<(String, usize)>;

fn tables(plan: &FeaturePlan, layout: &Layout) -> (Tables, Vec<(String, Tables)>) {
    let (mut own, mut through) = (Vec::new(), Vec::<(String, Tables)>::new());
    for gather in plan.steps().iter().filter_map(|step| step.gather()) {
        let table = &layout.tables()[gather.table.0];
        let place = (table.source.to_string(), table.key_column);
        // References are followed one deep.
        match plan.holders().get(gather.holder).and_then(|holder| holder.from.as_ref()) {
            None => own.push(place),
            Some((_, role)) => match through.iter_mut().find(|(known, _)| known == role.as_str()) {
                Some((_, tables)) => tables.push(place),
                None => through.push((role.to_string(), vec![place])),
            },
        }
    }
    (own, through)
}
