//! Names and numbers of models: versions, aliases, digests, probabilities.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::ModelError;

/// The number of a registered model: 1 for the first, then counting up without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelVersion(pub u32);

impl fmt::Display for ModelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for ModelVersion {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let number = text.parse().ok().filter(|n| *n > 0);
        number.map(Self).ok_or_else(|| ModelError::InvalidId {
            what: "version",
            given: text.chars().take(80).collect(),
            rule: "use a whole number from 1",
        })
    }
}

const ALIAS_RULE: &str = "use 1 to 100 lower-case letters, digits, - and _, beginning with a letter, \
                          and neither `latest` nor v followed by digits";

/// A name that points to one version of a model: `champion`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct AliasName(Arc<str>);

impl AliasName {
    /// Checks `text` and takes it over. As in MLflow, `latest` and `v1` are refused, since they read like
    /// versions.
    ///
    /// # Errors
    /// [`ModelError::InvalidId`] with the rule that `text` breaks.
    pub fn new(text: impl AsRef<str>) -> Result<Self, ModelError> {
        let text = text.as_ref();
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let like_version =
            text.strip_prefix('v').is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
        if first && text.len() <= 100 && text.bytes().all(letters) && text != "latest" && !like_version {
            return Ok(Self(Arc::from(text)));
        }
        let given = text.chars().take(80).collect();
        Err(ModelError::InvalidId { what: "alias", given, rule: ALIAS_RULE })
    }

    /// The alias of the version that answers.
    #[must_use]
    pub fn champion() -> Self {
        Self(Arc::from("champion"))
    }

    /// The alias of the version that is tried out.
    #[must_use]
    pub fn challenger() -> Self {
        Self(Arc::from("challenger"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AliasName {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for AliasName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// The BLAKE3 digest of an artifact, as 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ArtifactDigest(Arc<str>);

impl ArtifactDigest {
    pub(crate) fn of(hash: blake3::Hash) -> Self {
        Self(Arc::from(hash.to_hex().as_str()))
    }

    /// Reads 64 lower-case hex digits.
    ///
    /// # Errors
    /// [`ModelError::InvalidId`] when the text is anything else.
    pub fn new(text: &str) -> Result<Self, ModelError> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(hex) {
            return Ok(Self(Arc::from(text)));
        }
        let given = text.chars().take(80).collect();
        Err(ModelError::InvalidId { what: "digest", given, rule: "use 64 lower-case hex digits" })
    }

    /// The hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ArtifactDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A probability, 0 to 1, never NaN.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Probability(f64);

impl Probability {
    /// Takes a number from 0 to 1.
    ///
    /// # Errors
    /// [`ModelError::InvalidId`] outside that range, or for NaN.
    pub fn new(p: f64) -> Result<Self, ModelError> {
        if (0.0..=1.0).contains(&p) {
            return Ok(Self(p));
        }
        Err(ModelError::InvalidId { what: "probability", given: p.to_string(), rule: "use 0 to 1" })
    }

    /// The nearest probability; NaN becomes one half, which says as little.
    #[must_use]
    pub fn nearest(p: f64) -> Self {
        if p.is_nan() { Self(0.5) } else { Self(p.clamp(0.0, 1.0)) }
    }

    /// The number, 0 to 1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}
