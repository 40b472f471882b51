//! How the products of an answer are arranged beyond their relevance, as a project declares it.

use crate::definition::model::RuleInput;
use crate::expression::Expression;

/// How a recommender's answers are arranged; by default by relevance alone.
#[derive(Debug, Clone, Default)]
pub struct Arrangement {
    /// How much the products of one answer shall differ; none: not at all.
    pub diversity: Option<DiversitySpec>,
    /// How much an answer leans to what earns more; none: not at all.
    pub margin: Option<MarginSpec>,
}

impl Arrangement {
    /// True when nothing is declared, so that relevance alone decides.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.diversity.is_none() && self.margin.is_none()
    }
}

/// How much the products of one answer shall differ.
#[derive(Debug, Clone)]
pub struct DiversitySpec {
    /// What makes two products alike; never empty. A value that is missing is like no other.
    pub by: Vec<OverProduct>,
    /// How much it counts against relevance: 0 changes nothing, 1 makes it all that counts.
    pub weight: f64,
}

/// How much an answer leans to what earns more.
#[derive(Debug, Clone)]
pub struct MarginSpec {
    /// What selling the product earns (Float); a missing value counts as the median.
    pub value: OverProduct,
    /// How much it counts: 0 changes nothing, 1 ranks by the expected margin.
    pub weight: f64,
}

/// An expression over what a storefront's rule can read.
#[derive(Debug, Clone)]
pub struct OverProduct {
    /// The expression; its input i is `inputs[i]`.
    pub expression: Expression,
    /// What it reads.
    pub inputs: Vec<RuleInput>,
}
