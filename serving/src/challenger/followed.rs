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
    /// Bytes that it holds while it waits, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let text = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
        size_of::<Self>()
            + match self {
                Self::Entity { key, given, .. } => {
                    let values = given.iter().map(|(_, value)| text(value)).sum::<usize>();
                    key.as_str().len() + size_of_val(given.as_slice()) + values
                }
                Self::Inputs { key, values, .. } => {
                    let texts = values.iter().map(text).sum::<usize>();
                    key.as_ref().map_or(0, String::len) + size_of_val(values.as_slice()) + texts
                }
                Self::List(list) => {
                    let basket = list.basket.iter().map(|product| size_of_val(product) + product.len());
                    // The fields of the request are there as written and as read.
                    size_of::<ListFollowed>() + basket.sum::<usize>() + 2 * list.request.get().len()
                }
            }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_weigh_what_they_hold() {
        let of = |length: usize| {
            let values = vec![Value::Int(1), Value::Text("x".repeat(length).into())];
            Followed::Inputs { key: Some("row".into()), as_of: Timestamp(0), values }
        };
        assert_eq!(of(50_000).bytes() - of(0).bytes(), 50_000);
        assert!(of(0).bytes() < 1_000);
        let basket = vec!["P".repeat(10_000); 3];
        let (fields, request) = (RequestFields::new(), RawValue::from_string("{}".into()).unwrap());
        let (as_of, n) = (Timestamp(0), 5);
        let list = ListFollowed { key: None, customer: None, basket, n, as_of, fields, request };
        assert!((30_000..32_000).contains(&Followed::List(Box::new(list)).bytes()));
    }
}
