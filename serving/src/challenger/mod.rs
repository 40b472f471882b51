//! What would another version have said, and would it have been better?
//!
//! A project declares per model how the version behind the alias `challenger` is tried out: as a `shadow`, asked
//! beside the champion without anyone hearing it, or in a `split`, where a hash of a chosen key decides who answers
//! (`split`). Either way its answers are in the score log under their variant, and the monitor lays both side by side.

mod followed;
mod shadow;
mod split;

use rustc_hash::FxHashMap;
use scorehouse_features::definition::{ChallengerMode, ChallengerSpec, Project, SplitBy};
use scorehouse_features::ids::FeatureName;
use scorehouse_features::view::FeaturePlan;

pub use followed::{Followed, ListFollowed};
pub use shadow::Shadows;
pub use split::Arms;

use crate::error::ServeError;

/// In which part a version answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// As the champion of a split.
    Champion,
    /// As the challenger of a split.
    Challenger,
    /// As a shadow: its answer was not given.
    Shadow,
}

impl Variant {
    /// The variant as it stands in answers and in the score log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Champion => "champion",
            Self::Challenger => "challenger",
            Self::Shadow => "shadow",
        }
    }
}

/// The declared challenges by model.
#[derive(Debug, Default)]
pub struct Challenges(FxHashMap<String, Challenge>);

/// How one model's challenger is tried out.
#[derive(Debug)]
pub struct Challenge {
    model: String,
    mode: ChallengerMode,
    share: f64,
    by: By,
}

/// Whose key decides.
#[derive(Debug)]
enum By {
    Own,
    /// The value of a column, of rows of a plain table.
    Column(String),
    /// The key that this feature holds, read by this plan.
    Reference(FeatureName, Box<FeaturePlan>),
}

impl Challenges {
    /// Binds what the project declares.
    ///
    /// # Errors
    /// What compiling the features that hold keys reports.
    pub fn compile(project: &Project) -> Result<Self, ServeError> {
        let mut all = FxHashMap::default();
        for (name, model) in &project.models {
            let set = model.pipeline.feature_set().and_then(|set| project.feature_sets.get(set));
            let Some(ChallengerSpec { mode, share, by }) = &model.serving.challenger else { continue };
            let by = match (by, set) {
                (SplitBy::Column(column), _) => By::Column(column.clone()),
                (SplitBy::Reference { key, .. }, Some(set)) => {
                    let plan = FeaturePlan::compile(project, &set.entity, std::slice::from_ref(key))?;
                    By::Reference(key.clone(), Box::new(plan))
                }
                // Only a model over the feature store has references.
                (SplitBy::Own | SplitBy::Reference { .. }, _) => By::Own,
            };
            let model = name.to_string();
            all.insert(model.clone(), Challenge { model, mode: *mode, share: *share, by });
        }
        Ok(Self(all))
    }

    /// The split of a model, if one is declared.
    #[must_use]
    pub fn split(&self, model: &str) -> Option<&Challenge> {
        self.0.get(model).filter(|challenge| challenge.mode == ChallengerMode::Split)
    }

    /// The shadow of a model, if one is declared.
    #[must_use]
    pub fn shadow(&self, model: &str) -> Option<&Challenge> {
        self.0.get(model).filter(|challenge| challenge.mode == ChallengerMode::Shadow)
    }

    /// True when a model has a shadow, so that somebody must ask it.
    #[must_use]
    pub fn has_shadows(&self) -> bool {
        self.0.values().any(|challenge| challenge.mode == ChallengerMode::Shadow)
    }
}

impl Challenge {
    /// True for a key that is the challenger's. One key always is, or never, in every process; a larger share keeps
    /// the keys of a smaller one.
    #[must_use]
    pub fn takes(&self, key: &str) -> bool {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.model.as_bytes()).update(&[0]).update(key.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        // 53 bits: every such fraction is a float of its own.
        let place = (u64::from_le_bytes(first) >> 11) as f64 / (1_u64 << 53) as f64;
        place < self.share
    }

    /// True for what a shadow is asked about; without a key only when it is asked about all.
    #[must_use]
    pub fn follows(&self, key: Option<&str>) -> bool {
        key.map_or(self.share >= 1.0, |key| self.takes(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(share: f64) -> Challenge {
        Challenge { model: "win".into(), mode: ChallengerMode::Split, share, by: By::Own }
    }

    #[test]
    fn a_share_of_the_keys_is_the_challengers_and_a_larger_share_keeps_them() {
        let keys: Vec<String> = (0..10_000).map(|i| format!("A-{i}")).collect();
        let taken = |share: f64| keys.iter().filter(|key| challenge(share).takes(key)).collect::<Vec<_>>();
        let (fifth, half) = (taken(0.2), taken(0.5));
        assert!((1_850..2_150).contains(&fifth.len()), "{}", fifth.len());
        assert!((4_800..5_200).contains(&half.len()), "{}", half.len());
        assert!(fifth.iter().all(|key| half.contains(key)));
        assert_eq!(taken(1.0).len(), keys.len());
    }

    #[test]
    fn two_models_split_the_same_keys_independently() {
        let other = Challenge { model: "churn".into(), ..challenge(0.5) };
        let both = (0..10_000).map(|i| format!("A-{i}"));
        let both = both.filter(|key| challenge(0.5).takes(key) && other.takes(key)).count();
        assert!((2_300..2_700).contains(&both), "{both}");
    }
}
