//! What a caller asks to have scored.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::timing::TimingAsked;
use super::what_if::WhatIfAsked;
use crate::service::scalar::{Fields, OneOrMany, Scalar, Text};

/// A request for scores.
///
/// Give `entity` or `entities` for a model over an entity: its features come from the store, as of `as_of`,
/// and any of them may be given in `features` instead. Give `inputs` for a model over a plain table.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"entities": ["D-1001", {"key": "D-1002", "features": {"deal.amount": 1200}}], "reasons": 3}))]
pub struct ScoreRequest<'a> {
    /// One entity: its key, or an object with `key` and `features`.
    #[serde(borrow, default, alias = "key")]
    #[schema(value_type = Option<EntityRow>)]
    pub entity: Option<EntityAsked<'a>>,
    /// Several entities, at most 10 000.
    #[serde(borrow, default, alias = "keys")]
    #[schema(value_type = Option<Vec<EntityRow>>)]
    pub entities: Option<Vec<EntityAsked<'a>>>,
    /// Values that take the place of stored ones for every entity of the request, and request fields; by
    /// feature name (`view.feature`, `request.field`). null means missing.
    #[serde(borrow, default)]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    pub features: Fields<'a>,
    /// Rows for a model over a plain table: one object or a list, by column name. A column not given is
    /// missing.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<std::collections::HashMap<String, serde_json::Value>>>)]
    pub inputs: Option<OneOrMany<Fields<'a>>>,
    /// The moment whose knowledge counts, RFC 3339 or a date; now if not given. Not in the future.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    pub as_of: Option<Text<'a>>,
    /// How many reasons each score carries at most (0 to 100), the weightiest first.
    #[serde(default)]
    #[schema(maximum = 100)]
    pub reasons: u32,
    /// When a deal is going to end: true, or `{"dates": [...]}` for how likely it is won by each. Models of pipeline
    /// `win` only.
    #[serde(borrow, default)]
    #[schema(value_type = Option<TimingAsked<'static>>)]
    pub timing: Option<TimingAsked<'a>>,
    /// The smallest plausible change of features that people can change, declared as `actionable`, that takes each
    /// score across a threshold.
    #[serde(default)]
    pub what_if: Option<WhatIfAsked>,
    /// The alias that answers; `champion` if neither this nor `version` is given.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    pub alias: Option<Text<'a>>,
    /// The version that answers, in place of an alias.
    #[serde(default)]
    pub version: Option<u32>,
    /// True: an entity that cannot be scored carries its own `error` and the others are answered. False: the
    /// first such entity fails the request.
    #[serde(default)]
    pub partial: bool,
}

/// One entity to score.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntityAsked<'a> {
    /// Its key; none for one that the store does not know, described by `features` alone.
    pub key: Option<Cow<'a, str>>,
    /// Values in place of stored ones, for this entity only.
    pub features: Fields<'a>,
    /// The moment for this entity, in place of the request's.
    pub as_of: Option<Text<'a>>,
}

/// One entity to score: its key, or an object. Without `key` it is described by `features` alone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "stands only in the OpenAPI document; EntityAsked is what is read")]
pub enum EntityRow {
    /// The key.
    Key(String),
    /// Key and values in place of stored ones.
    Row {
        /// The key.
        key: Option<String>,
        /// Values in place of stored ones, for this entity only.
        features: Option<std::collections::HashMap<String, serde_json::Value>>,
        /// The moment for this entity, in place of the request's.
        as_of: Option<String>,
    },
}

struct EntityVisitor;

impl<'de> Visitor<'de> for EntityVisitor {
    type Value = EntityAsked<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key, or an object with `key`, `features` and `as_of`")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(EntityAsked { key: Some(Cow::Borrowed(key)), ..EntityAsked::default() })
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(EntityAsked { key: Some(Cow::Owned(key.to_owned())), ..EntityAsked::default() })
    }

    fn visit_i64<E: Error>(self, key: i64) -> Result<Self::Value, E> {
        Ok(EntityAsked { key: Some(Cow::Owned(key.to_string())), ..EntityAsked::default() })
    }

    fn visit_u64<E: Error>(self, key: u64) -> Result<Self::Value, E> {
        Ok(EntityAsked { key: Some(Cow::Owned(key.to_string())), ..EntityAsked::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let row = RowAsked::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(EntityAsked { key: row.key.and_then(|key| key.0), features: row.features, as_of: row.as_of })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for EntityAsked<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(EntityVisitor)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowAsked<'a> {
    #[serde(borrow, default)]
    key: Option<KeyAsked<'a>>,
    #[serde(borrow, default)]
    features: Fields<'a>,
    #[serde(borrow, default)]
    as_of: Option<Text<'a>>,
}

/// A key as text or as a whole number.
struct KeyAsked<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for KeyAsked<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(from)? {
            Scalar::Null => Ok(Self(None)),
            Scalar::Text(text) => Ok(Self(Some(text))),
            Scalar::Int(number) => Ok(Self(Some(Cow::Owned(number.to_string())))),
            _ => Err(D::Error::custom("a key must be text or a whole number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_stand_alone_in_an_object_or_as_a_number() {
        let text = r#"{"entities": ["D-1", {"key": "D-2", "features": {"deal.amount": 3}}, 13085]}"#;
        let request: ScoreRequest<'_> = serde_json::from_str(text).unwrap();
        let entities = request.entities.unwrap();
        let keys: Vec<_> = entities.iter().map(|e| e.key.as_deref().unwrap()).collect();
        assert_eq!(keys, ["D-1", "D-2", "13085"]);
        assert_eq!(entities[1].features.0.len(), 1);
    }

    #[test]
    fn an_unknown_field_of_the_request_is_refused() {
        for text in [r#"{"entity": "D-1", "reason": 3}"#, r#"{"entity": {"id": "D-1"}}"#] {
            let error = serde_json::from_str::<ScoreRequest<'_>>(text).unwrap_err().to_string();
            assert!(error.contains("unknown field"), "{error}");
        }
    }
}
