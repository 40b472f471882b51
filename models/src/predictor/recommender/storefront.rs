//! Who decides what of the candidates is shown, and in which order.

use scorehouse_features::value::Value;

/// The candidates that were allowed, by relevance.
#[derive(Debug, Clone, PartialEq)]
pub struct ByRelevance {
    /// Their numbers, the most relevant first.
    pub order: Vec<usize>,
    /// What a second look made of the first of them, by number; empty where scores decided.
    pub values: Vec<f64>,
}

/// What stands between a recommender's order and an answer: rules, and how the products are arranged.
pub trait Storefront {
    /// How many candidates to find.
    fn pool(&self) -> usize;

    /// Whether each of `items` may be shown. Asked about the candidates in the order of their scores, some at a time and
    /// never more than are still needed, until there are enough or none is left; those allowed are numbered from 0 on.
    fn allowed(&mut self, items: &[&str]) -> Vec<bool>;

    /// Appends what a second look reads of the customer, then of candidate number `candidate`, in the order in which
    /// the model reads it; false where there is nobody to ask, so that scores decide.
    fn facts(&mut self, _candidate: usize, _facts: &mut Vec<Value>) -> bool {
        false
    }

    /// The numbers of the candidates to show, the first one first.
    fn arrange(&mut self, found: ByRelevance) -> Vec<usize> {
        found.order
    }
}

/// A rule and nothing else.
pub(super) struct Plain<'a> {
    pub allowed: &'a mut dyn FnMut(&str) -> bool,
    pub n: usize,
}

impl Storefront for Plain<'_> {
    fn pool(&self) -> usize {
        self.n
    }

    fn allowed(&mut self, items: &[&str]) -> Vec<bool> {
        items.iter().map(|item| (self.allowed)(item)).collect()
    }
}
