//! Settings of a boosted fit, checked once.

use serde::{Deserialize, Serialize};

/// Settings of a boosted fit.
///
/// | setting | range | default |
/// | --- | --- | --- |
/// | trees | 1..=10 000 | 100 |
/// | learning_rate | (0, 1] | 0.1 |
/// | leaves | 2..=1024 | 31 |
/// | max_depth | 0 (no limit)..=64 | 0 |
/// | min_rows | ≥ 1 | 20 |
/// | min_weight | ≥ 0 | 0.001 |
/// | l2 | ≥ 0 | 0 |
/// | row_share, feature_share | (0, 1] | 1 |
/// | patience | 0 (off) or more | 0 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoostingParams {
    /// Most trees that are grown.
    pub trees: usize,
    /// Factor on every tree's leaf values.
    pub learning_rate: f64,
    /// Most leaves of a tree.
    pub leaves: usize,
    /// Most splits between root and leaf; 0 means no limit.
    pub max_depth: usize,
    /// Fewest rows in a leaf (estimated from the leaf's hessian while searching).
    pub min_rows: usize,
    /// Least sum of hessians in a leaf.
    pub min_weight: f64,
    /// L2 penalty on leaf values.
    pub l2: f64,
    /// Share of rows drawn, without replacement, for each tree.
    pub row_share: f64,
    /// Share of features drawn for each tree.
    pub feature_share: f64,
    /// Trees without a better loss on the watched rows after which growing ends; 0 means never.
    pub patience: usize,
    /// How categorical features are split.
    pub category: CategoryParams,
    /// For each feature +1 when the score may only rise with it, -1 when it may only fall, 0 when free;
    /// empty means all free. Only for numbers.
    pub monotone: Vec<i8>,
    /// Seed of row and feature draws.
    pub seed: u64,
}

/// How categorical features are split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CategoryParams {
    /// Up to this many levels, one level is set against all others.
    pub one_against_rest: usize,
    /// Hessian added to a level's when levels are ordered by gradient over hessian; levels with fewer rows
    /// than this do not take part.
    pub smooth: f64,
    /// L2 penalty added in many-against-many splits.
    pub l2: f64,
    /// Most levels on the smaller side of a split.
    pub max_levels: usize,
    /// Fewest rows between two cuts that are tried.
    pub min_rows: usize,
}

impl Default for CategoryParams {
    fn default() -> Self {
        Self { one_against_rest: 4, smooth: 10.0, l2: 10.0, max_levels: 32, min_rows: 100 }
    }
}

impl Default for BoostingParams {
    fn default() -> Self {
        Self {
            trees: 100,
            learning_rate: 0.1,
            leaves: 31,
            max_depth: 0,
            min_rows: 20,
            min_weight: 1e-3,
            l2: 0.0,
            row_share: 1.0,
            feature_share: 1.0,
            patience: 0,
            category: CategoryParams::default(),
            monotone: Vec::new(),
            seed: 0,
        }
    }
}

/// A setting out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("boosting setting {setting} is {given}; it must be {range}")]
pub struct InvalidBoosting {
    /// Which setting.
    pub setting: &'static str,
    /// Its value.
    pub given: f64,
    /// What is allowed.
    pub range: &'static str,
}

impl BoostingParams {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`InvalidBoosting`] for the first one that is out of range.
    pub fn check(&self) -> Result<(), InvalidBoosting> {
        let share = |x: f64| x > 0.0 && x <= 1.0;
        let rules: [(&'static str, f64, bool, &'static str); 10] = [
            ("trees", self.trees as f64, (1..=10_000).contains(&self.trees), "1 to 10000"),
            ("learning_rate", self.learning_rate, share(self.learning_rate), "above 0, at most 1"),
            ("leaves", self.leaves as f64, (2..=1024).contains(&self.leaves), "2 to 1024"),
            ("max_depth", self.max_depth as f64, self.max_depth <= 64, "0 to 64"),
            ("min_rows", self.min_rows as f64, self.min_rows >= 1, "at least 1"),
            ("min_weight", self.min_weight, self.min_weight >= 0.0, "at least 0"),
            ("l2", self.l2, self.l2 >= 0.0, "at least 0"),
            ("row_share", self.row_share, share(self.row_share), "above 0, at most 1"),
            ("feature_share", self.feature_share, share(self.feature_share), "above 0, at most 1"),
            (
                "monotone",
                self.monotone.len() as f64,
                self.monotone.iter().all(|m| (-1..=1).contains(m)),
                "-1, 0 or 1 for each feature",
            ),
        ];
        match rules.into_iter().find(|rule| !rule.2) {
            Some((setting, given, _, range)) => Err(InvalidBoosting { setting, given, range }),
            None => Ok(()),
        }
    }
}
