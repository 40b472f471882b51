//! From a fitted recommender to a trained model: what the upsell and the interactions pipeline share.

use blake3::Hasher;
use scorehouse_features::ids::EntityName;
use scorehouse_features::value::Value;
use scorehouse_models::predictor::{Predictor, Recommender};
use scorehouse_models::{Artifact, Calibration, Encoder, Output, Signature};
use serde_json::json;

use crate::dataset::ColumnNote;
use crate::error::TrainingError;
use crate::fit::recommender::{Facts, FitSettings, Fitted, InteractionLog, SecondLook, fit_with};
use crate::gate::{Check, Gate};
use crate::metric::Evaluation;
use crate::report::{ListReport, list_html};
use crate::trained::{CandidateResult, TrainRequest, Trained, TrainingWindow};

/// What to call things, for messages and for reading files later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Naming<'a> {
    /// The entity suggested to; none for a plain file.
    pub entity: Option<&'a EntityName>,
    /// The user column.
    pub user: &'a str,
    /// The item column.
    pub item: &'a str,
    /// Where the rows came from, for messages.
    pub origin: &'a str,
}

/// Fits a recommender to `log` and freezes it.
pub(super) fn train_on(
    request: &TrainRequest<'_>,
    log: &InteractionLog,
    naming: Naming<'_>,
    (settings, facts): (FitSettings, Option<&dyn Facts>),
) -> Result<Trained, TrainingError> {
    tell_set_aside(request, log);
    if log.rows.is_empty() {
        let reason = "no row names a user and an item, so there is nothing to learn from".to_owned();
        return Err(TrainingError::File { path: naming.origin.to_owned(), reason });
    }
    let fitted = fit_with(log, settings, facts, request.progress)?;
    let params = params(&fitted);
    let metrics = fitted.showings.last().map_or_else(Evaluation::default, |s| s.evaluation.clone());
    let (gate, candidates, window) = (gate(&fitted), candidates(&fitted, &params), window(log, &fitted));
    let (data_digest, notes) = (digest(log), notes(log, naming));
    let page = list_html(&ListReport {
        title: request.model.as_str(),
        told: &format!("suggests {} for {}", naming.item, naming.user),
        gate: &gate,
        candidates: &candidates,
        window: &window,
        notes: &notes,
        asked: &fitted.asked,
        counts: &counts(log),
        data_digest: &data_digest,
        seed: settings.seed,
    });
    Ok(Trained {
        gate,
        candidates,
        window,
        data_digest,
        notes,
        artifact: freeze(fitted.recommender, naming)?,
        report_html: Some(page),
        leaks: Vec::new(),
        drift: None,
        metrics,
        params,
    })
}

/// A value as the weight of an interaction; NaN when it is none.
pub(super) fn weight_of(value: &Value) -> f32 {
    match value {
        Value::Float(v) => *v as f32,
        Value::Int(v) => *v as f32,
        Value::Bool(v) => f32::from(u8::from(*v)),
        _ => f32::NAN,
    }
}

fn freeze(recommender: Recommender, naming: Naming<'_>) -> Result<Artifact, TrainingError> {
    let signature = Signature {
        entity: naming.entity.cloned(),
        feature_set: None,
        inputs: Vec::new(),
        output: Output::Items,
    };
    let encoder = Encoder::new(Vec::new(), &signature)?;
    let predictor = Predictor::Recommender(Box::new(recommender));
    let artifact = Artifact::new(signature, encoder, predictor, Calibration::Identity);
    let details = json!({ "user": naming.user, "item": naming.item });
    Ok(artifact?.with_details(details))
}

fn tell_set_aside(request: &TrainRequest<'_>, log: &InteractionLog) {
    let counts = log.set_aside;
    let reasons = [
        (counts.no_user, "no user"),
        (counts.no_item, "no item"),
        (counts.no_time, "no readable time"),
        (counts.no_weight, "no weight"),
        (counts.future, "a time still to come"),
    ];
    for (count, reason) in reasons.into_iter().filter(|(count, _)| *count > 0) {
        request.progress.message(&format!("{count} rows set aside: {reason}"));
    }
}

fn params(fitted: &Fitted) -> serde_json::Value {
    let parts = fitted.recommender.parts();
    let components: Vec<_> =
        parts.components.iter().map(|c| json!({ "name": c.name, "weight": c.weight })).collect();
    json!({
        "components": components,
        "strength": parts.strength,
        "repeat": parts.repeat,
        "popularity_half_life": fitted.popularity_half_life,
        "popularity_weight": fitted.blend.popularity_weight,
        "lift_exponent": fitted.blend.lift_exponent,
        "second_look": fitted.second_look,
    })
}

fn candidates(fitted: &Fitted, params: &serde_json::Value) -> Vec<CandidateResult> {
    let result = |showing: &crate::fit::recommender::Showing| CandidateResult {
        name: showing.name.clone(),
        settings: json!({ "weight": showing.weight }),
        metrics: showing.evaluation.clone(),
        chosen: false,
    };
    // What answers are made by was measured last and stands first.
    let mut results: Vec<CandidateResult> = fitted.showings.iter().rev().map(result).collect();
    if let Some(first) = results.first_mut() {
        (first.chosen, first.settings) = (true, params.clone());
    }
    results
}

const QUALITY: &str = "ndcg@20";

/// Better than showing everybody what sells: that is what a recommender must be to be worth its place.
fn gate(fitted: &Fitted) -> Gate {
    let named = |name: &str| fitted.showings.iter().find(|s| s.name == name);
    let figure = |name: &str| named(name).and_then(|s| s.evaluation.metrics.get(QUALITY));
    let (Some(blend), Some(popularity)) = (figure("blend"), figure("popularity")) else {
        let detail = format!("{} users could be held back, too few to measure on", fitted.held);
        let check =
            Check { name: "measured on held-back users".to_owned(), passed: false, decisive: false, detail };
        let why = "too few users to compare candidates: item-to-item weights and popularity as they are";
        return Gate::new("item_to_item", why, vec![check]);
    };
    let detail = format!(
        "{QUALITY} {:.4} ({:.4} to {:.4}) against {:.4} for popularity",
        blend.value, blend.low, blend.high, popularity.value
    );
    let better = blend.value > popularity.value;
    let check = Check { name: "better than popularity".to_owned(), passed: better, decisive: true, detail };
    let components = &fitted.recommender.parts().components;
    let parts: Vec<String> = components.iter().map(|c| format!("{} {:.2}", c.name, c.weight)).collect();
    let why =
        format!("the blend with the best lists of {} held-back users: {}", fitted.held, parts.join(", "));
    let chosen = fitted.showings.last().map_or("blend", |showing| showing.name.as_str());
    Gate::new(chosen, why, vec![check]).with(fitted.second_look.as_ref().map(check_of), None)
}

/// What was found of a second look; that it is left out is no fault of the model.
fn check_of(look: &SecondLook) -> Check {
    let figures = look.quality.map(|[without, with]| {
        format!("mean of ndcg@20 and recall@20 {with:.4} with it against {without:.4}: ")
    });
    let verdict = if look.adopted { "adopted" } else { "left out" };
    let detail = format!("{verdict}: {}{}", figures.unwrap_or_default(), look.why);
    Check { name: "better for a second look".to_owned(), passed: look.adopted, decisive: false, detail }
}

fn window(log: &InteractionLog, fitted: &Fitted) -> TrainingWindow {
    let from = log.rows.first().filter(|_| log.timed).map(|row| row.time);
    let held = fitted.held_from.map_or(0, |at| log.rows.iter().filter(|row| row.time >= at).count());
    TrainingWindow {
        from,
        to: log.timed.then(|| log.until()),
        holdout_from: fitted.held_from,
        rows: log.rows.len(),
        holdout_rows: held,
    }
}

fn notes(log: &InteractionLog, naming: Naming<'_>) -> Vec<ColumnNote> {
    use crate::dataset::Treatment::ManyLevels;
    let note = |column: &str, count: usize, what: &str| ColumnNote {
        column: column.to_owned(),
        treatment: ManyLevels,
        note: format!("{count} {what}"),
    };
    vec![note(naming.user, log.users.len(), "users"), note(naming.item, log.items.len(), "items")]
}

/// How often each item was taken.
fn counts(log: &InteractionLog) -> Vec<u32> {
    let mut counts = vec![0; log.items.len()];
    log.rows.iter().filter(|row| row.weight > 0.0).for_each(|row| counts[row.item as usize] += 1);
    counts
}

/// BLAKE3 over names and rows, 64 hex digits.
fn digest(log: &InteractionLog) -> String {
    let mut hasher = Hasher::new();
    for names in [&log.users, &log.items] {
        hasher.update(&(names.len() as u64).to_le_bytes());
        for name in names.iter() {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
        }
    }
    for row in &log.rows {
        hasher.update(&row.user.to_le_bytes());
        hasher.update(&row.item.to_le_bytes());
        hasher.update(&row.weight.to_bits().to_le_bytes());
        hasher.update(&row.time.0.to_le_bytes());
        hasher.update(&row.basket.map_or(u64::MAX, u64::from).to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
