//! Where the expressions of a shelf find what they read.

use scorehouse_features::definition::RuleInput;
use scorehouse_features::expression::Expression;
use scorehouse_features::ids::{FeatureName, LocalName};

/// Where the inputs of all expressions stand: the product's features, the customer's, fields of the request, the product's
/// key. So a product is read once, and nothing is looked up or copied for one rule after the other.
#[derive(Debug, Default)]
pub struct Places {
    /// Features of the product.
    pub product: Vec<FeatureName>,
    /// Features of the customer.
    pub customer: Vec<FeatureName>,
    /// Fields of the request.
    pub request: Vec<LocalName>,
    /// True when a place is the product's key.
    pub item: bool,
}

impl Places {
    /// Notes what `inputs` ask for.
    pub fn note(&mut self, inputs: &[RuleInput]) {
        for input in inputs {
            match input {
                RuleInput::Customer(feature) => _ = place(&mut self.customer, feature),
                RuleInput::Product(feature) => _ = place(&mut self.product, feature),
                RuleInput::Request(field) => _ = place(&mut self.request, field),
                RuleInput::Item => self.item = true,
            }
        }
    }

    /// `expression` over the places, once all of them are noted.
    pub fn bind(&self, expression: &Expression, inputs: &[RuleInput]) -> Expression {
        expression.with_slots(|slot| inputs.get(slot).map_or(usize::MAX, |input| self.of(input)))
    }

    fn of(&self, input: &RuleInput) -> usize {
        let found = match input {
            RuleInput::Product(feature) => self.product.iter().position(|known| known == feature),
            RuleInput::Customer(feature) => {
                self.customer.iter().position(|known| known == feature).map(|at| self.customer_at() + at)
            }
            RuleInput::Request(field) => {
                self.request.iter().position(|known| known == field).map(|at| self.request_at() + at)
            }
            RuleInput::Item => Some(self.item_at()),
        };
        // No expression reads what was not noted; there it would find nothing.
        found.unwrap_or(usize::MAX)
    }

    /// Where the customer's features begin.
    pub const fn customer_at(&self) -> usize {
        self.product.len()
    }

    /// Where the fields of the request begin.
    pub const fn request_at(&self) -> usize {
        self.customer_at() + self.customer.len()
    }

    /// Where the product's key stands, if it has a place.
    pub const fn item_at(&self) -> usize {
        self.request_at() + self.request.len()
    }

    /// How many places there are.
    pub fn len(&self) -> usize {
        self.item_at() + usize::from(self.item)
    }
}

/// The position of `one` in `all`, added if it is not there yet.
pub fn place<T: Clone + PartialEq>(all: &mut Vec<T>, one: &T) -> usize {
    all.iter().position(|known| known == one).unwrap_or_else(|| {
        all.push(one.clone());
        all.len() - 1
    })
}
