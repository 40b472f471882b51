//! Names and keys, checked once where they enter.
//!
//! Inside Scorehouse nothing is identified by a bare `String`: a name has been parsed by one of these
//! types, so that code further in need not ask again whether it is well formed. One of up to 23 bytes, as nearly all are,
//! stands where it is used: keys come with every request, and memory for each would cost more than checking it.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use smol_str::SmolStr;

/// Why a name or key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is not of the allowed form.
    #[error("{what} {given:?} is not a valid name: {rule}")]
    Form {
        /// What kind of name was expected.
        what: &'static str,
        /// The text as given, cut to 80 characters.
        given: String,
        /// The rule it breaks.
        rule: &'static str,
    },
}

const NAME_RULE: &str = "use 1 to 100 lower-case letters, digits and _, beginning with a letter or _";
const KEY_RULE: &str = "use 1 to 256 bytes without control characters";

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    first && text.len() <= 100 && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// True when `text` can name an entity: 1 to 256 bytes without control characters.
#[must_use]
pub fn is_key(text: &str) -> bool {
    // All bytes of ordinary keys are printable ASCII; only others need the slower look.
    !text.is_empty()
        && text.len() <= 256
        && (text.bytes().all(|b| (0x20..0x7f).contains(&b)) || !text.chars().any(char::is_control))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:ident, $rule:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks `text` and takes it over.
            ///
            /// # Errors
            /// [`InvalidId::Form`] with the rule that `text` breaks.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                let text = text.as_ref();
                if $check(text) {
                    return Ok(Self(SmolStr::new(text)));
                }
                let given = text.chars().take(80).collect();
                Err(InvalidId::Form { what: $what, given, rule: $rule })
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A kind of thing that features describe: `customer`, `opportunity`, `product`.
    EntityName, "entity", is_name, NAME_RULE
);
id!(
    /// A role in which one entity points to another: an opportunity's `account`.
    ReferenceName, "reference", is_name, NAME_RULE
);
id!(
    /// A stream of raw rows: `order_lines`.
    SourceName, "source", is_name, NAME_RULE
);
id!(
    /// A column of a source, after renaming: `unit_price`.
    ColumnName, "column", is_name, NAME_RULE
);
id!(
    /// A group of features of one entity computed from one source.
    ViewName, "view", is_name, NAME_RULE
);
id!(
    /// A feature's name inside its view: `revenue_90d`.
    LocalName, "feature", is_name, NAME_RULE
);
id!(
    /// An ordered list of features that a model reads.
    FeatureSetName, "feature set", is_name, NAME_RULE
);
id!(
    /// A registered model: `win`.
    ModelName, "model", is_name, NAME_RULE
);
id!(
    /// The value that tells one instance of an entity from another: customer `13085`.
    EntityKey, "entity key", is_key, KEY_RULE
);

/// A feature as a feature set, an expression or a request names it.
///
/// Written `view.feature` for the entity at hand, `reference.view.feature` for a feature of an entity it
/// refers to, and `request.field` for a value that only the request can give.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeatureName {
    /// The reference to follow first, if the feature belongs to another entity.
    pub through: Option<ReferenceName>,
    /// The view, or `request`.
    pub view: ViewName,
    /// The name inside the view.
    pub name: LocalName,
}

impl FeatureName {
    /// True for a field that the request brings rather than the store.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.through.is_none() && self.view.as_str() == "request"
    }
}

impl fmt::Display for FeatureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(through) = &self.through {
            write!(f, "{through}.")?;
        }
        write!(f, "{}.{}", self.view, self.name)
    }
}

impl std::str::FromStr for FeatureName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let parts: Vec<&str> = text.split('.').collect();
        let (through, view, name) = match parts[..] {
            [view, name] => (None, view, name),
            [through, view, name] => (Some(ReferenceName::new(through)?), view, name),
            _ => {
                return Err(InvalidId::Form {
                    what: "feature",
                    given: text.chars().take(80).collect(),
                    rule: "write view.feature or reference.view.feature",
                });
            }
        };
        Ok(Self { through, view: ViewName::new(view)?, name: LocalName::new(name)? })
    }
}

impl Serialize for FeatureName {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FeatureName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
