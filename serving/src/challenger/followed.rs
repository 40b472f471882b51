//! What a shadow is asked as well, held until its turn comes.

use scorehouse_features::ids::EntityKey;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_features::view::RequestFields;
use serde_json::value::RawValue;

/// One row, or one list of products.
#[derive(Debug, Clone)]
pub enum Followed {
    /// An entity.
    Entity {
        /// Its key.
        key: EntityKey,
        /// The moment whose knowledge counts.
        as_of: Timestamp,
        /// What the request gave in place of stored values, by the challenger's slots.
        given: Vec<(usize, Value)>,
    },
    /// A row of plain values.
    Inputs {
        /// What names the row, if anything does.
        key: Option<String>,
        /// The moment of the score.
        as_of: Timestamp,
        /// Its values, by the challenger's inputs.
        values: Vec<Value>,
    },
    /// A list of products.
    List(Box<ListFollowed>),
}

/// A request for products.
#[derive(Debug, Clone)]
pub struct ListFollowed {
    /// The customer as the request named it.
    pub key: Option<String>,
    /// The customer; none for a stranger, and for one that the caller may not see.
    pub customer: Option<EntityKey>,
    /// Products in the basket.
    pub basket: Vec<String>,
    /// Products asked for.
    pub n: usize,
    /// The moment whose knowledge counts.
    pub as_of: Timestamp,
    /// Fields that the request brought.
    pub fields: RequestFields,
    /// The same as it wrote them.
    pub request: Box<RawValue>,
}

impl Followed {
    /// What the answer is kept under.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Entity { key, .. } => Some(key.as_str()),
            Self::Inputs { key, .. } => key.as_deref(),
            Self::List(list) => list.key.as_deref(),
        }
    }
}
