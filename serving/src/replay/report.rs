//! What a replay found.

use scorehouse_features::time::Timestamp;
use serde::Serialize;

/// Rows shown per feature.
const EXAMPLES: usize = 3;

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SkewReport {
    /// Answers computed again: scores, and lists of products.
    pub rows: usize,
    /// Those that are the same, inputs and answer, to the last bit.
    pub same: usize,
    /// Those that are not.
    pub different: usize,
    /// Inputs that differ, those of most rows first; of lists also `items`, `past`, `rules` and what each rule kept back.
    pub features: Vec<FeatureSkew>,
    /// Versions whose scores differ.
    pub scores: Vec<ScoreSkew>,
    /// Answers that could not be computed again.
    pub skipped: Vec<Skipped>,
}

/// An input that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureSkew {
    /// The model.
    pub model: String,
    /// The input.
    pub feature: String,
    /// Rows in which it differs.
    pub rows: usize,
    /// Some of them.
    pub examples: Vec<Example>,
}

/// A row in which an input differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// The entity's key.
    pub key: Option<String>,
    /// The moment whose knowledge counted.
    pub as_of: Timestamp,
    /// The version that answered.
    pub version: u32,
    /// The value that was served; null when missing.
    pub served: serde_json::Value,
    /// The value that history gives now.
    pub now: serde_json::Value,
}

/// A version whose scores differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreSkew {
    /// The model.
    pub model: String,
    /// The version.
    pub version: u32,
    /// Rows whose score differs.
    pub rows: usize,
    /// The largest difference between two answers.
    pub largest: f64,
}

/// Answers that could not be computed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The model.
    pub model: String,
    /// The version that answered.
    pub version: u32,
    /// How many.
    pub rows: usize,
    /// Why.
    pub reason: String,
}

impl SkewReport {
    /// A row was compared.
    pub fn row(&mut self, same: bool) {
        self.rows += 1;
        *(if same { &mut self.same } else { &mut self.different }) += 1;
    }

    /// An input differs.
    pub fn feature(&mut self, model: &str, feature: &str, example: impl FnOnce() -> Example) {
        let known = self.features.iter().position(|skew| skew.model == model && skew.feature == feature);
        let at = known.unwrap_or_else(|| {
            let (model, feature) = (model.to_owned(), feature.to_owned());
            self.features.push(FeatureSkew { model, feature, rows: 0, examples: Vec::new() });
            self.features.len() - 1
        });
        let skew = &mut self.features[at];
        skew.rows += 1;
        if skew.examples.len() < EXAMPLES {
            skew.examples.push(example());
        }
    }

    /// A score differs.
    pub fn score(&mut self, model: &str, version: u32, difference: f64) {
        let known = self.scores.iter_mut().find(|skew| skew.model == model && skew.version == version);
        match known {
            Some(skew) => {
                skew.rows += 1;
                skew.largest = skew.largest.max(difference);
            }
            None => {
                self.scores.push(ScoreSkew {
                    model: model.to_owned(),
                    version,
                    rows: 1,
                    largest: difference,
                });
            }
        }
    }

    /// Rows could not be computed again.
    pub fn skip(&mut self, model: &str, version: u32, rows: usize, reason: String) {
        let same = |skipped: &&mut Skipped| {
            skipped.model == model && skipped.version == version && skipped.reason == reason
        };
        match self.skipped.iter_mut().find(same) {
            Some(skipped) => skipped.rows += rows,
            None => self.skipped.push(Skipped { model: model.to_owned(), version, rows, reason }),
        }
    }

    /// Puts what concerns most rows first.
    pub fn sort(&mut self) {
        self.features.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.feature.cmp(&b.feature)));
    }
}
