//! Deals: looked at when they open and at several ages while they are open, labelled by how they ended.

use scorehouse_features::definition::WinSpec;

use crate::error::TrainingError;
use crate::pipeline::events::{Event, Events, read_events};
use crate::pipeline::snapshot::{Look, Looks, feature_set};
use crate::trained::{TrainRequest, Trained};

/// Trains a model of the probability that an open deal is won.
///
/// A deal opens with its first row in `opened`, as soon as that row is known, and ends with its first row in
/// `closed`. It is looked at when it opens and at each age of `at` that it reaches before it ends. Deals that are
/// still open teach nothing yet.
///
/// # Errors
/// What is wrong with the definition or the history; [`TrainingError::OneClass`] when many deals all ended alike.
pub fn train(request: &TrainRequest<'_>, spec: &WinSpec) -> Result<Trained, TrainingError> {
    let entity = &feature_set(request, &spec.fit)?.entity;
    request.progress.stage("reading deals", 0);
    let opened = read_events(request, entity, &spec.opened, None)?;
    let closed = read_events(request, entity, &spec.closed, Some(&spec.won))?;
    let open = opened.keys().filter(|key| !closed.contains_key(*key)).count();
    request.progress.message(&format!("{} deals opened, {open} of them are still open", opened.len()));
    let looks = Looks {
        looks: looks(&opened, &closed, spec),
        fit: &spec.fit,
        pipeline: "win",
        outcome: format!("won ({})", spec.won.text()),
        whole_entities: true,
    };
    looks.learn(request)
}

fn looks(opened: &Events, closed: &Events, spec: &WinSpec) -> Vec<Look> {
    let mut looks = Vec::new();
    for (key, rows) in opened {
        let (Some(open), Some(end)) = (rows.first(), closed.get(key).and_then(|rows| rows.first())) else {
            continue;
        };
        looks.extend(ages(open, end, spec).map(|as_of| Look {
            as_of,
            key: key.clone(),
            outcome: end.holds,
            known_at: end.known,
        }));
    }
    looks
}

fn ages(
    open: &Event,
    end: &Event,
    spec: &WinSpec,
) -> impl Iterator<Item = scorehouse_features::time::Timestamp> {
    let (start, end) = (open.known, end.at);
    let later = spec.at.iter().map(move |age| start.after(*age));
    std::iter::once(start).chain(later).filter(move |as_of| *as_of < end)
}
