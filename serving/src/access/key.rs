//! API keys: a public id, and a secret that only its holder and a hash know.

use std::fmt;

use crate::error::ServeError;

/// What every key begins with, so that a leaked one is found by whoever scans for it.
const PREFIX: &str = "sh_";
/// Lower-case letters and digits without those that are taken for one another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters of the id: 40 bits.
const ID: usize = 8;
/// Characters of the secret: 160 bits, so that a plain hash of it cannot be searched.
const SECRET: usize = 32;

/// An API key in the clear: `sh_` id `_` secret. Never printed but where it is made.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A new key from the system's source of randomness.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] when the system has none.
    pub fn generate() -> Result<Self, ServeError> {
        let mut bytes = [0; ID + SECRET];
        getrandom::fill(&mut bytes).map_err(|error| ServeError::Unavailable {
            what: "the system's randomness",
            reason: error.to_string(),
        })?;
        let text: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
        let (id, secret) = text.split_at(ID);
        Ok(Self(format!("{PREFIX}{id}_{secret}")))
    }

    /// The key itself, for the one moment at which it is shown.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0[PREFIX.len()..PREFIX.len() + ID]
    }

    /// The hash that is kept.
    #[must_use]
    pub fn hash(&self) -> blake3::Hash {
        parts(&self.0).map_or_else(|| blake3::hash(b""), |(_, secret)| hash(secret))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_***", self.id())
    }
}

/// Id and secret of a text that has the form of a key.
pub fn parts(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let formed = |part: &str, length| part.len() == length && part.bytes().all(|b| ALPHABET.contains(&b));
    (formed(id, ID) && formed(secret, SECRET)).then_some((id, secret))
}

/// The hash of a secret. `blake3::Hash` compares in constant time.
pub fn hash(secret: &str) -> blake3::Hash {
    blake3::hash(secret.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_id_and_proved_by_its_secret() {
        let key = ApiKey::generate().unwrap();
        let (id, secret) = parts(key.reveal()).unwrap();
        assert_eq!((id, hash(secret)), (key.id(), key.hash()));
        assert_ne!(ApiKey::generate().unwrap(), key);
    }

    #[test]
    fn a_key_prints_its_id_and_not_its_secret() {
        let key = ApiKey::generate().unwrap();
        let (_, secret) = parts(key.reveal()).unwrap();
        let shown = format!("{key:?}");
        assert!(shown.contains(key.id()) && !shown.contains(secret), "{shown}");
    }

    #[test]
    fn what_is_not_formed_like_a_key_is_none() {
        let key = ApiKey::generate().unwrap();
        let long = format!("{}a", key.reveal());
        let upper = key.reveal().to_uppercase();
        for text in
            ["", "sh_", "sh__", "sh_abcdefgh", "sh_abcdefgh_", long.as_str(), upper.as_str(), "ßh_ä_ö"]
        {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
