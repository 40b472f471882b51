//! Values as a request writes them, and as an answer does, without a JSON tree in between.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use scorehouse_features::time::Timestamp;
use scorehouse_features::value::{Missing, Value, ValueType};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ServeError;

/// Text that stays in the request's body unless it holds an escape.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(TextVisitor)
    }
}

/// One value in a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// `null`: known to be missing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without a fraction that fits 64 bits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text, or a moment.
    Text(Cow<'a, str>),
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, text, true, false or null")
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

/// Doubles hold every whole number up to this one.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Scalar<'_> {
    /// The text by which a key is found; none for null.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Self::Int(value) => Some(Cow::Owned(value.to_string())),
            Self::Float(value) => Some(Cow::Owned(value.to_string())),
            Self::Text(value) => Some(Cow::Borrowed(value)),
        }
    }

    /// The value of a field of type `wanted`.
    ///
    /// Nothing is guessed: a whole number may stand for a float, `3.0` for a whole number, and text in the
    /// form of a moment for a moment; all else is of the wrong type.
    ///
    /// # Errors
    /// [`ServeError::WrongType`] naming `field`.
    pub fn to_value(&self, field: &str, wanted: ValueType) -> Result<Value, ServeError> {
        Ok(match (self, wanted) {
            (Self::Null, _) => Value::Missing(Missing::NotGiven),
            (Self::Bool(value), ValueType::Bool) => Value::Bool(*value),
            (Self::Int(value), ValueType::Int) => Value::Int(*value),
            (Self::Int(value), ValueType::Float) => Value::Float(*value as f64),
            (Self::Float(value), ValueType::Float) if value.is_finite() => Value::Float(*value),
            (Self::Float(value), ValueType::Int) if value.fract() == 0.0 && value.abs() <= EXACT => {
                Value::Int(*value as i64)
            }
            (Self::Text(text), ValueType::Text) => Value::Text(text.as_ref().into()),
            (Self::Text(text), ValueType::Time) => {
                Timestamp::parse(text).map(Value::Time).map_err(|_| self.refusal(field, wanted))?
            }
            _ => return Err(self.refusal(field, wanted)),
        })
    }

    /// The same value, independent of the request's body.
    #[must_use]
    pub fn into_owned(self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(value) => Scalar::Bool(value),
            Self::Int(value) => Scalar::Int(value),
            Self::Float(value) => Scalar::Float(value),
            Self::Text(text) => Scalar::Text(Cow::Owned(text.into_owned())),
        }
    }

    fn refusal(&self, field: &str, wanted: ValueType) -> ServeError {
        let expected = match wanted {
            ValueType::Bool => "true or false",
            ValueType::Int => "a whole number",
            ValueType::Float => "a finite number",
            ValueType::Text => "text",
            ValueType::Time => "a moment such as \"2011-12-09T08:00:00Z\"",
        };
        ServeError::WrongType { field: field.to_owned(), expected: expected.to_owned(), given: self.told() }
    }

    /// The value as a refusal tells it.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => format!("the number {value}"),
            Self::Float(value) => format!("the number {value}"),
            Self::Text(text) => format!("the text {:?}", text.chars().take(60).collect::<String>()),
        }
    }
}

/// Named values in the order of the request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields<'a>(pub Vec<(Text<'a>, Scalar<'a>)>);

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of named values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            fields.push((name, map.next_value()?));
        }
        Ok(Fields(fields))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(FieldsVisitor)
    }
}

/// An object with the fields of `T`. Derived types also read their fields from a list without names; nobody who
/// sends one means it.
#[derive(Debug, Clone, PartialEq)]
pub struct Object<T>(pub T);

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// One object, or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOrMany<T>(pub Vec<T>);

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany<T>, A::Error> {
        let mut many = Vec::with_capacity(list.size_hint().unwrap_or(0).min(4096));
        while let Some(Object(one)) = list.next_element()? {
            many.push(one);
        }
        Ok(OneOrMany(many))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

/// A value as an answer writes it: numbers, booleans and text as themselves, moments as RFC 3339, missing as
/// null.
#[derive(Debug)]
pub struct Shown<'a>(pub &'a Value);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Missing(_) => to.serialize_unit(),
            Value::Bool(value) => to.serialize_bool(*value),
            Value::Int(value) => to.serialize_i64(*value),
            Value::Float(value) => to.serialize_f64(*value),
            Value::Text(value) => to.serialize_str(value),
            Value::Time(value) => to.collect_str(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields<'_> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn texts_stay_in_the_body_unless_escaped() {
        let given = fields(r#"{"a":"plain","b":"tab\there"}"#);
        assert!(matches!(&given.0[0].1, Scalar::Text(Cow::Borrowed("plain"))));
        assert!(matches!(&given.0[1].1, Scalar::Text(Cow::Owned(text)) if text == "tab\there"));
    }

    #[test]
    fn numbers_keep_their_kind_and_never_overflow() {
        let given = fields(r#"{"a":3,"b":3.5,"c":18446744073709551615}"#);
        let kinds: Vec<_> = given.0.iter().map(|(_, value)| value.clone()).collect();
        assert_eq!(kinds, [Scalar::Int(3), Scalar::Float(3.5), Scalar::Float(18_446_744_073_709_551_615.0)]);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_by_name() {
        let error = Scalar::Text(Cow::Borrowed("NaN")).to_value("deal.amount", ValueType::Float).unwrap_err();
        assert_eq!(error.to_string(), "deal.amount must be a finite number, not the text \"NaN\"");
        assert!(Scalar::Int(1).to_value("a", ValueType::Text).is_err());
        assert!(Scalar::Float(1.5).to_value("a", ValueType::Int).is_err());
        assert!(Scalar::Float(f64::INFINITY).to_value("a", ValueType::Float).is_err());
    }

    #[test]
    fn whole_floats_and_dates_are_taken_as_what_the_field_is() {
        assert_eq!(Scalar::Float(3.0).to_value("a", ValueType::Int).unwrap(), Value::Int(3));
        assert_eq!(Scalar::Int(3).to_value("a", ValueType::Float).unwrap(), Value::Float(3.0));
        let day = Scalar::Text(Cow::Borrowed("1970-01-02")).to_value("a", ValueType::Time).unwrap();
        assert_eq!(day, Value::Time(Timestamp(86_400_000_000)));
    }

    #[test]
    fn a_list_of_values_is_not_taken_for_an_object() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Two {
            a: u32,
            b: u32,
        }
        assert_eq!(serde_json::from_str::<Object<Two>>(r#"{"b":2,"a":1}"#).unwrap().0, Two { a: 1, b: 2 });
        assert!(serde_json::from_str::<Object<Two>>("[1,2]").is_err());
        assert!(serde_json::from_str::<OneOrMany<Two>>("[[1,2]]").is_err());
    }

    #[test]
    fn one_object_reads_as_a_list_of_one() {
        let one: OneOrMany<Fields<'_>> = serde_json::from_str(r#"{"a":1}"#).unwrap();
        let many: OneOrMany<Fields<'_>> = serde_json::from_str(r#"[{"a":1}]"#).unwrap();
        assert_eq!(one, many);
    }
}
