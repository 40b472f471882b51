//! Scores as an answer, written without a JSON tree in between.

use std::borrow::Cow;
use std::sync::Arc;

use scorehouse_features::time::Timestamp;
use scorehouse_models::{Output, Score};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::challenger::{Arms, Followed, Variant};
use crate::error::ServeError;
use crate::policy::Decision;
use crate::problem::ErrorBody;
use crate::service::score::more::More;
use crate::service::score::row::Evidence;
use crate::service::score::timing::TimingShown;
use crate::service::score::what_if::WhatIfShown;

/// Scores of one version of a model.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreAnswer<'a> {
    /// The model.
    model: &'a str,
    /// The version that answered every row; none when a split gave rows to both variants.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    /// The alias it was found by; none when the request named the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<&'a str>,
    /// In a split, the version of each variant that answered rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, u32>>)]
    variants: Option<Variants>,
    /// The moment whose knowledge counted.
    #[schema(value_type = String, format = DateTime)]
    as_of: Timestamp,
    /// One score per row of the request, in its order.
    #[schema(value_type = Vec<ScoreShown>)]
    scores: Rows<'a>,
}

/// One row's score.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "stands only in the OpenAPI document; ScoredRow is what is written")]
pub struct ScoreShown {
    /// The entity's key, where the row has one.
    key: Option<String>,
    /// In a split, who answered: `champion` or `challenger`.
    variant: Option<String>,
    /// The calibrated probability, 0 to 1, of a model that answers with one.
    probability: Option<f64>,
    /// With a probability, where the model knows how many outcomes stand behind it: the lower end of its 95 %
    /// interval.
    low: Option<f64>,
    /// The upper end.
    high: Option<f64>,
    /// The value, of a model that answers with a value.
    value: Option<f64>,
    /// The predictor's own score; for probability models of most kinds, log-odds before calibration.
    raw: f64,
    /// With reasons: what the raw score would be if nothing were known. `base`, all contributions and `rest`
    /// add up to `raw`.
    base: Option<f64>,
    /// With reasons: what the inputs not listed contributed together.
    rest: Option<f64>,
    /// The inputs that moved the score most.
    reasons: Option<Vec<ReasonShown>>,
    /// Of a churn model whose section declares a `margin`: that times the probability.
    value_at_stake: Option<f64>,
    /// With `timing`: when the deal is going to end.
    timing: Option<TimingShown>,
    /// With `what_if`: what would have to change.
    what_if: Option<WhatIfShown>,
    /// What the model's policy decides; null when no rule holds. Absent without a policy.
    decision: Option<Decision>,
    /// With `partial`: why this row has no score.
    error: Option<ErrorBody>,
}

/// What one input contributed, or a group of inputs that say the same thing.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "stands only in the OpenAPI document")]
pub struct ReasonShown {
    /// The input; of a group, the strongest of those that point the way of its sum.
    feature: String,
    /// Its value; null when missing.
    value: serde_json::Value,
    /// What it added to the raw score; of a group, the sum.
    contribution: f64,
    /// `for` or `against`.
    effect: String,
    /// The fact in words.
    words: String,
    /// Of a group: what each of its inputs contributed, the one named above first. Absent where one alone did.
    parts: Option<Vec<PartShown>>,
}

/// What one input of a group contributed.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "stands only in the OpenAPI document")]
pub struct PartShown {
    /// The input.
    feature: String,
    /// Its value; null when missing.
    value: serde_json::Value,
    /// What it added to the raw score.
    contribution: f64,
}

/// A row and what became of it.
#[derive(Debug)]
pub struct Scored<'a> {
    /// The entity's key, or what names a row of plain values, where it has one.
    pub key: Option<Cow<'a, str>>,
    /// In a split, who answered.
    pub variant: Option<Variant>,
    /// Its score, or why there is none.
    pub result: Result<Score, ServeError>,
    /// What was asked beside the score.
    pub more: More,
    /// What is to be done about it, where the model has a policy.
    pub decision: Option<Arc<Decision>>,
    /// What it was computed from, where that is kept.
    pub kept: Option<Evidence>,
    /// What a shadow is to score as well.
    pub followed: Option<Box<Followed>>,
}

/// The versions of champion and challenger, of those that answered rows.
#[derive(Debug)]
struct Variants([Option<u32>; 2]);

impl Variants {
    const BOTH: [Variant; 2] = [Variant::Champion, Variant::Challenger];

    fn of(arms: &Arms<'_>, scores: &[Scored<'_>]) -> Self {
        Self(Self::BOTH.map(|variant| {
            let answered = scores.iter().any(|scored| scored.variant == Some(variant));
            answered.then(|| arms.of(Some(variant)).model.version().0)
        }))
    }
}

impl Serialize for Variants {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (variant, version) in Self::BOTH.iter().zip(self.0) {
            if let Some(version) = version {
                map.serialize_entry(variant.as_str(), &version)?;
            }
        }
        map.end()
    }
}

/// All rows, with the versions that answered them.
#[derive(Debug)]
struct Rows<'a> {
    arms: &'a Arms<'a>,
    scored: Vec<Scored<'a>>,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.scored.iter().map(|scored| ScoredRow::new(self.arms, scored)))
    }
}

#[derive(Debug)]
struct ScoredRow<'a> {
    scored: &'a Scored<'a>,
    output: Output,
    explained: bool,
    decided: bool,
}

impl<'a> ScoreAnswer<'a> {
    /// Wraps the scores of `arms`.
    #[must_use]
    pub fn new(arms: &'a Arms<'a>, as_of: Timestamp, scores: Vec<Scored<'a>>) -> Self {
        let variants = arms.undecided().map(|_| Variants::of(arms, &scores));
        let alone = match &variants {
            Some(Variants([Some(_), Some(_)])) => None,
            Some(Variants([None, Some(_)])) => Some(arms.of(Some(Variant::Challenger))),
            _ => Some(arms.first()),
        };
        Self {
            model: arms.first().model.name(),
            version: alone.map(|selected| selected.model.version().0),
            alias: alone.and_then(|selected| selected.alias.as_ref()).map(|alias| alias.as_str()),
            variants,
            as_of,
            scores: Rows { arms, scored: scores },
        }
    }

    /// The rows, for the evidence.
    pub fn rows(&self) -> impl Iterator<Item = &Scored<'a>> + Clone {
        self.scores.scored.iter()
    }

    /// The answer's bytes.
    ///
    /// # Errors
    /// [`ServeError::Bug`] when a number cannot be written.
    pub fn to_json(&self) -> Result<Vec<u8>, ServeError> {
        let mut bytes = Vec::with_capacity(128 + self.scores.scored.len() * 160);
        serde_json::to_writer(&mut bytes, self).map_err(|e| ServeError::Bug { message: e.to_string() })?;
        Ok(bytes)
    }
}

impl<'a> ScoredRow<'a> {
    fn new(arms: &Arms<'_>, scored: &'a Scored<'a>) -> Self {
        let explained = scored.result.as_ref().is_ok_and(|score| !score.explanation.reasons.is_empty());
        let model = &arms.of(scored.variant).model;
        let (output, decided) = (model.scoring().signature().output, model.policy().is_some());
        Self { scored, output, explained, decided }
    }
}

impl Serialize for ScoredRow<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        if let Some(key) = &self.scored.key {
            map.serialize_entry("key", key)?;
        }
        if let Some(variant) = self.scored.variant {
            map.serialize_entry("variant", variant.as_str())?;
        }
        match &self.scored.result {
            Ok(score) => self.score(score, &mut map)?,
            Err(error) => map.serialize_entry("error", &ErrorBody::of(error))?,
        }
        map.end()
    }
}

impl ScoredRow<'_> {
    fn score<M: SerializeMap>(&self, score: &Score, map: &mut M) -> Result<(), M::Error> {
        match self.output {
            Output::Probability => map.serialize_entry("probability", &score.output)?,
            Output::Value | Output::Items => map.serialize_entry("value", &score.output)?,
        }
        if let Some(interval) = score.interval {
            map.serialize_entry("low", &interval.low)?;
            map.serialize_entry("high", &interval.high)?;
        }
        map.serialize_entry("raw", &score.raw)?;
        if self.explained {
            map.serialize_entry("base", &score.explanation.base)?;
            map.serialize_entry("rest", &score.explanation.rest)?;
            map.serialize_entry("reasons", &score.explanation.reasons)?;
        }
        if let Some(value) = self.scored.more.value_at_stake {
            map.serialize_entry("value_at_stake", &value)?;
        }
        if let Some(timing) = &self.scored.more.timing {
            map.serialize_entry("timing", timing)?;
        }
        if let Some(what_if) = &self.scored.more.what_if {
            map.serialize_entry("what_if", what_if)?;
        }
        if self.decided {
            map.serialize_entry("decision", &self.scored.decision.as_deref())?;
        }
        Ok(())
    }
}
