//! Whether the server is open, and who a request comes from.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::HeaderMap;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use scorehouse_features::definition::{Project, Rate, Role};
use scorehouse_features::ids::LocalName;
use scorehouse_features::time::Timestamp;

use super::caller::{Caller, Identity, Via};
use super::credential::{Credential, credential, is_local};
use super::pace::Pace;
use super::permission::Permission;
use super::remote::Remote;
use super::ring::KeyRing;
use super::signed::PublicKey;
use super::store::{AccessChange, KeyRecord, KeyStore};
use super::token::{Bearer, Tokens, UNKNOWN_KEY};
use crate::error::ServeError;

/// Bearers of tokens whose pace is remembered.
const MOST_PACES: usize = 10_000;
/// Looks at the store between two notes of when keys were last used.
const LOOKS_PER_NOTE: u32 = 40;

/// Who may ask this server what.
pub struct Access {
    /// True when the project or the command line says that everyone may ask everything.
    declared_open: bool,
    /// True when this machine's own requests need no key although there are keys.
    open_here: bool,
    /// True once the server listens where only this machine reaches it.
    on_loopback: AtomicBool,
    store: Option<KeyStore>,
    revision: Mutex<Option<i64>>,
    ring: ArcSwap<KeyRing>,
    tokens: Option<Tokens>,
    roles: FxHashMap<Role, RoleRules>,
    attributes: Vec<LocalName>,
    paces: Mutex<FxHashMap<String, Arc<Pace>>>,
    anyone: Caller,
}

#[derive(Clone, Default)]
struct RoleRules {
    permission: Arc<Permission>,
    rate: Option<Rate>,
}

impl Access {
    /// The access that `project` declares, over the keys in `store`; `open` as the command line says.
    ///
    /// # Errors
    /// What reading the keys, the issuer's keys and compiling conditions report.
    pub fn new(project: &Project, store: KeyStore, open: bool) -> Result<Self, ServeError> {
        let declared = &project.access;
        let rules = |(role, access): (&Role, &scorehouse_features::definition::RoleAccess)| {
            let permission = Arc::new(Permission::compile(project, access)?);
            Ok((*role, RoleRules { permission, rate: access.rate }))
        };
        let access = Self {
            declared_open: open || declared.open,
            store: Some(store),
            tokens: declared.jwt.clone().map(Tokens::open).transpose()?,
            roles: declared.roles.iter().map(rules).collect::<Result<_, ServeError>>()?,
            attributes: declared.attributes.clone(),
            ..Self::open()
        };
        access.refresh()?;
        Ok(access)
    }

    /// Access without keys for which everyone may ask everything.
    #[must_use]
    pub fn open() -> Self {
        Self {
            declared_open: true,
            open_here: false,
            on_loopback: AtomicBool::new(false),
            store: None,
            revision: Mutex::new(None),
            ring: ArcSwap::from_pointee(KeyRing::default()),
            tokens: None,
            roles: FxHashMap::default(),
            attributes: Vec::new(),
            paces: Mutex::default(),
            anyone: Caller::anyone(),
        }
    }

    /// Lets requests of this machine in without a key, though there are keys, as long as only this machine reaches
    /// the server. Whoever brings a key is believed, and held to its role.
    #[must_use]
    pub fn open_here(self, open_here: bool) -> Self {
        Self { open_here, ..self }
    }

    /// Says where the server listens, and logs who can reach it. A server that one of its ports opens to others is open
    /// to others.
    pub fn listening_on(&self, addresses: &[SocketAddr]) {
        let is_here = addresses.iter().all(|address| address.ip().is_loopback());
        self.on_loopback.store(is_here, Ordering::Relaxed);
        if self.declared_open {
            tracing::warn!("access is open: whoever reaches the server may ask and change everything");
        } else if self.is_open() && self.open_here {
            tracing::warn!(
                "access is open to this machine, as asked for; keys and their roles count where they are sent"
            );
        } else if self.is_open() {
            tracing::warn!(
                "access is open to this machine, for no key was ever made; `scorehouse keys create` makes one and \
                 closes the server"
            );
        } else if self.tokens.is_none() && self.ring.load().is_unused() {
            tracing::warn!(
                "access is closed and nobody has a key yet; `scorehouse keys create NAME --role operator` makes one"
            );
        }
    }

    /// True when a request without a credential is let through: opened by declaration, or, where only this
    /// machine reaches the server, never closed (no key was ever made, no issuer is declared) or opened to it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let is_here = self.on_loopback.load(Ordering::Relaxed);
        self.declared_open || ((self.is_untouched() || self.open_here) && is_here)
    }

    /// True while nobody could prove who they are: no key was ever made, no issuer is declared.
    fn is_untouched(&self) -> bool {
        self.tokens.is_none() && self.ring.load().is_unused()
    }

    /// Who a request with these headers comes from.
    ///
    /// # Errors
    /// [`ServeError::Unauthorized`] and [`ServeError::RateLimited`].
    pub fn admit(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, ServeError> {
        let open = self.is_open() && (self.declared_open || is_local(headers));
        let sent = credential(headers);
        // An open server need not be told who asks, but believes whoever proves it. One that is open to its own machine
        // only, beside keys that count, refuses those that do not: a key that was taken back must not seem to work.
        let lenient = open && (!self.open_here || !matches!(sent, Ok(Some(_))) || self.is_untouched());
        let found = match sent {
            Ok(Some(credential)) => self.recognise(credential, now),
            Ok(None) => Err(ServeError::Unauthorized { reason: "no credential was sent" }),
            Err(error) => Err(error),
        };
        let caller = match found {
            Err(_) if lenient => self.anyone.clone(),
            other => other?,
        };
        caller.pace(now)?;
        Ok(caller)
    }

    fn recognise(&self, credential: Credential<'_>, now: Timestamp) -> Result<Caller, ServeError> {
        match (credential, &self.tokens) {
            (Credential::Key(id, secret), _) => self.ring.load().open(id, secret, now).cloned(),
            (Credential::Token(token), Some(tokens)) => {
                tokens.open_token(token, now, |bearer| self.bearer(bearer, now))
            }
            (Credential::Token(_), None) => {
                Err(ServeError::Unauthorized { reason: "this server takes no tokens" })
            }
        }
    }

    /// Where the issuer's keys are fetched; none when no issuer is declared, or its keys are in a file.
    pub(super) fn remote(&self) -> Option<&Arc<Remote>> {
        self.tokens.as_ref().and_then(Tokens::remote)
    }

    /// Takes other keys of the issuer into use.
    pub(super) fn replace_keys(&self, keys: Vec<PublicKey>) {
        if let Some(tokens) = &self.tokens {
            tokens.replace(keys);
        }
    }

    /// After a refusal: true once the issuer's keys were fetched again, if the refusal was for an unknown one.
    pub(super) async fn learnt_since(&self, refused: &ServeError) -> bool {
        match (refused, self.remote()) {
            (ServeError::Unauthorized { reason: UNKNOWN_KEY }, Some(remote)) => remote.freshened().await,
            _ => false,
        }
    }

    /// Reads keys and the issuer's keys again if they changed.
    ///
    /// # Errors
    /// What reading reports; what was known before stays in use.
    pub fn refresh(&self) -> Result<(), ServeError> {
        if let Some(store) = &self.store {
            let revision = store.revision()?;
            let mut known = self.revision.lock();
            if *known != Some(revision) {
                let ring = KeyRing::of(store.list()?, &self.ring.load(), |key| self.holder(key));
                self.ring.store(Arc::new(ring));
                *known = Some(revision);
            }
        }
        self.tokens.as_ref().map_or(Ok(()), Tokens::refresh)
    }

    /// Writes down when keys were last used.
    ///
    /// # Errors
    /// What the store reports.
    pub fn note_use(&self) -> Result<(), ServeError> {
        let used = self.ring.load().take_used();
        match &self.store {
            Some(store) if !used.is_empty() => store.used(&used),
            _ => Ok(()),
        }
    }

    /// The newest changes to who may ask, `limit` at most.
    ///
    /// # Errors
    /// What the store reports.
    pub fn audit(&self, limit: usize) -> Result<Vec<AccessChange>, ServeError> {
        self.store.as_ref().map_or_else(|| Ok(Vec::new()), |store| store.audit(limit))
    }

    fn rules(&self, role: Role) -> RoleRules {
        self.roles.get(&role).cloned().unwrap_or_default()
    }

    fn holder(&self, key: &KeyRecord) -> Caller {
        let RoleRules { permission, rate } = self.rules(key.role);
        let given = |name: &LocalName| {
            key.attributes.iter().find(|(known, _)| known == name.as_str()).map(|(_, value)| value.clone())
        };
        Caller::new(Identity {
            name: key.name.clone(),
            role: key.role,
            via: Via::Key,
            attributes: self.attributes.iter().map(given).collect(),
            permission,
            pace: rate.map(|rate| Arc::new(Pace::new(rate))),
        })
    }

    fn bearer(&self, bearer: Bearer, now: Timestamp) -> Caller {
        let Bearer { name, role, attributes, .. } = bearer;
        let RoleRules { permission, rate } = self.rules(role);
        let pace = rate.map(|rate| self.pace_of(&name, rate, now));
        Caller::new(Identity { name, role, via: Via::Token, attributes, permission, pace })
    }

    /// The pace of a bearer: one for all of its tokens.
    fn pace_of(&self, name: &str, rate: Rate, now: Timestamp) -> Arc<Pace> {
        let mut paces = self.paces.lock();
        if paces.len() >= MOST_PACES {
            paces.retain(|_, pace| !pace.is_full(now));
        }
        Arc::clone(paces.entry(name.to_owned()).or_insert_with(|| Arc::new(Pace::new(rate))))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("open", &self.is_open()).finish_non_exhaustive()
    }
}

/// Looks for new and revoked keys every `poll` on a thread of its own, for as long as `access` is in use.
///
/// # Errors
/// [`ServeError::Io`] when the thread cannot be started.
pub fn watch(access: &Arc<Access>, poll: Duration) -> Result<(), ServeError> {
    let access = Arc::downgrade(access);
    std::thread::Builder::new()
        .name("access-watch".into())
        .spawn(move || follow(&access, poll))
        .map(drop)
        .map_err(|source| ServeError::Io { what: "the watcher of keys did not start".into(), source })
}

fn follow(access: &Weak<Access>, poll: Duration) {
    let mut failing = false;
    for look in 1_u32.. {
        std::thread::sleep(poll);
        let Some(access) = access.upgrade() else { return };
        let noted = if look % LOOKS_PER_NOTE == 0 { access.note_use() } else { Ok(()) };
        match access.refresh().and(noted) {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                tracing::error!(%error, "keys cannot be read; those known stay as they are");
                failing = true;
            }
            Err(_) => {}
        }
    }
}
