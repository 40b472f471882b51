//! Tokens of the company's identity provider: JSON Web Tokens signed with a key of its JWKS document.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use scorehouse_features::definition::{Jwks, JwtIssuer, Role};
use scorehouse_features::time::Timestamp;
use serde_json::{Map, Value};

use super::caller::Caller;
use super::remote::Remote;
use super::signed::{PublicKey, SignedToken, public_keys};
use crate::error::ServeError;

/// Tokens kept so that each is verified once.
const MOST_KEPT: usize = 10_000;
/// Seconds by which the provider's clock may be off.
const LEEWAY: i64 = 60;

/// What a token says of its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The caller's name.
    pub name: String,
    /// The caller's role.
    pub role: Role,
    /// In the order of the project's attributes.
    pub attributes: Vec<Option<String>>,
    /// The first moment at which the token no longer counts.
    pub until: Timestamp,
    /// The last moment at which it did not count yet.
    pub from: Timestamp,
}

/// Why a token is refused whose key is not known, or not known yet.
pub const UNKNOWN_KEY: &str = "the token is signed with a key that the issuer does not have";

/// Where keys come from.
enum Source {
    /// A file, and when it was written as it is in use.
    File(PathBuf, Mutex<Option<SystemTime>>),
    /// The issuer itself.
    Remote(Arc<Remote>),
}

/// The issuer whose tokens are taken.
pub struct Tokens {
    issuer: JwtIssuer,
    keys: ArcSwap<Vec<PublicKey>>,
    source: Source,
    kept: Mutex<FxHashMap<[u8; 32], (Caller, Timestamp, Timestamp)>>,
}

impl Tokens {
    /// Reads the issuer's keys, where they are in a file; those of an address are fetched in the background.
    ///
    /// # Errors
    /// [`ServeError::Io`] and [`ServeError::Unavailable`] when the file cannot be read or holds no key for
    /// RS256 or ES256, or the address cannot be used.
    pub fn open(issuer: JwtIssuer) -> Result<Self, ServeError> {
        let (source, keys) = match &issuer.jwks {
            Jwks::File(path) => {
                let read = Mutex::new(modified(path));
                (Source::File(path.clone(), read), keys(path)?)
            }
            Jwks::Url { url, ca, refresh } => {
                (Source::Remote(Arc::new(Remote::new(url, ca.as_deref(), *refresh)?)), Vec::new())
            }
        };
        Ok(Self { keys: ArcSwap::from_pointee(keys), source, kept: Mutex::default(), issuer })
    }

    /// Where keys are fetched; none when they are in a file.
    pub fn remote(&self) -> Option<&Arc<Remote>> {
        match &self.source {
            Source::File(..) => None,
            Source::Remote(remote) => Some(remote),
        }
    }

    /// Reads the keys again if their file has changed; keys that cannot be read leave those before in use.
    ///
    /// # Errors
    /// As [`Tokens::open`].
    pub fn refresh(&self) -> Result<(), ServeError> {
        let Source::File(path, read) = &self.source else { return Ok(()) };
        let written = modified(path);
        let mut read = read.lock();
        if *read == written {
            return Ok(());
        }
        let fresh = keys(path)?;
        *read = written;
        self.replace(fresh);
        Ok(())
    }

    /// Takes other keys into use.
    pub fn replace(&self, fresh: Vec<PublicKey>) {
        if **self.keys.load() == fresh {
            return;
        }
        self.keys.store(Arc::new(fresh));
        // What was signed with a key that is gone must be verified anew.
        self.kept.lock().clear();
        tracing::info!("the issuer's keys changed");
    }

    /// The caller who bears this token. `caller` makes one of what a token says, once for each token.
    ///
    /// # Errors
    /// [`ServeError::Unauthorized`] with what is wrong with the token.
    pub fn open_token(
        &self,
        token: &str,
        now: Timestamp,
        caller: impl FnOnce(Bearer) -> Caller,
    ) -> Result<Caller, ServeError> {
        let digest = *blake3::hash(token.as_bytes()).as_bytes();
        let known = self.kept.lock().get(&digest).cloned();
        if let Some((caller, from, until)) = known {
            return in_time(from, until, now).map(|()| caller);
        }
        let keys = self.keys.load_full();
        let bearer = self.verify(token, &keys)?;
        let (from, until) = (bearer.from, bearer.until);
        in_time(from, until, now)?;
        let caller = caller(bearer);
        let mut kept = self.kept.lock();
        // Keys that were replaced meanwhile must not leave a token of theirs behind.
        if !Arc::ptr_eq(&keys, &self.keys.load()) {
            return Ok(caller);
        }
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, (_, _, until)| now < *until);
        }
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(digest, (caller.clone(), from, until));
        Ok(caller)
    }

    fn verify(&self, text: &str, keys: &[PublicKey]) -> Result<Bearer, ServeError> {
        let refuse = |reason| ServeError::Unauthorized { reason };
        let token = SignedToken::parse(text).ok_or_else(|| refuse("the token cannot be read"))?;
        if token.algorithm.is_none() {
            return Err(refuse("the token is signed with neither RS256 nor ES256"));
        }
        let mut reason = UNKNOWN_KEY;
        for key in keys.iter().filter(|key| token.names(key)) {
            match token.claims(key) {
                Some(claims) => return self.bearer(&claims).map_err(refuse),
                None => reason = "the token's signature is wrong",
            }
        }
        Err(refuse(reason))
    }

    fn bearer(&self, claims: &Map<String, Value>) -> Result<Bearer, &'static str> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer.issuer) {
            return Err("the token is of another issuer");
        }
        if !self.is_meant(claims.get("aud")) {
            return Err("the token is meant for another audience");
        }
        let moment = |name: &str| {
            let seconds = claims.get(name)?.as_f64()?;
            (seconds.is_finite() && seconds.abs() < 1e11).then_some(seconds as i64)
        };
        let until = moment("exp").ok_or("the token does not say when it ends")?;
        let from = match claims.get("nbf") {
            Some(_) => moment("nbf").ok_or("the token's nbf is not a moment")?,
            None => i64::MIN / 2_000_000,
        };
        let name =
            claim(claims, &self.issuer.name).and_then(text).ok_or("the token does not name its bearer")?;
        let role = self.role(claims).ok_or("the token gives its bearer no role here")?;
        let attributes = self.issuer.attributes.iter().map(|name| claim(claims, name).and_then(text));
        Ok(Bearer {
            name,
            role,
            attributes: attributes.collect(),
            until: Timestamp((until + LEEWAY).saturating_mul(1_000_000)),
            from: Timestamp((from - LEEWAY).saturating_mul(1_000_000)),
        })
    }

    /// True when this server is the audience, or one of several.
    fn is_meant(&self, audience: Option<&Value>) -> bool {
        let us = Some(self.issuer.audience.as_str());
        match audience {
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == us),
            Some(one) => one.as_str() == us,
            None => false,
        }
    }

    /// The role of the first claimed value that means one.
    fn role(&self, claims: &Map<String, Value>) -> Option<Role> {
        let claimed = claim(claims, &self.issuer.role)?;
        let values: Vec<&str> = match claimed {
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            Value::String(one) => one.split_whitespace().collect(),
            _ => return None,
        };
        let meaning = |value: &str| match self.issuer.roles.is_empty() {
            true => value.parse().ok(),
            false => self.issuer.roles.get(value).copied(),
        };
        // Of several roles the one declared first counts, so that the project's order decides.
        let mut found: Vec<Role> = values.iter().filter_map(|value| meaning(value)).collect();
        found.sort_by_key(|role| self.issuer.roles.values().position(|declared| declared == role));
        found.into_iter().next()
    }
}

fn in_time(from: Timestamp, until: Timestamp, now: Timestamp) -> Result<(), ServeError> {
    if now >= until {
        return Err(ServeError::Unauthorized { reason: "the token has expired" });
    }
    if now < from {
        return Err(ServeError::Unauthorized { reason: "the token does not count yet" });
    }
    Ok(())
}

/// A claim by its name, or by a path of names with dots between them.
fn claim<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    claim(claims.get(first)?.as_object()?, rest)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
}

fn keys(path: &Path) -> Result<Vec<PublicKey>, ServeError> {
    let io = |source| ServeError::Io { what: path.display().to_string(), source };
    let unfit = |reason: String| ServeError::Unavailable { what: "the issuer's keys", reason };
    let text = std::fs::read_to_string(path).map_err(io)?;
    let keys = public_keys(&text)
        .map_err(|error| unfit(format!("{} is no JWKS document: {error}", path.display())))?;
    if keys.is_empty() {
        return Err(unfit(format!("{} holds no key for RS256 or ES256", path.display())));
    }
    Ok(keys)
}
