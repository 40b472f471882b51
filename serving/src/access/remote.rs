//! The issuer's keys by its address: fetched in the background, and when a token names a key that is not known.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use scorehouse_features::time::{Clock, Span};
use tokio::sync::watch;

use super::gate::Access;
use super::signed::{PublicKey, public_keys};
use crate::error::ServeError;
use crate::outbound::agent;
use crate::server::duration;
use crate::telemetry::Metrics;

/// Longest time for a fetch, and for a request to wait for one.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longest rest after a fetch that failed.
const AGAIN: Duration = Duration::from_secs(10);
/// How often a thread that rests looks whether it is still wanted.
const LOOK: Duration = Duration::from_secs(1);
/// Fetches for the sake of unknown keys within [`WINDOW`]: whoever makes keys up cannot make this server a nuisance.
const MOST_ASKED: u32 = 3;
const WINDOW: Duration = Duration::from_secs(60);
/// Most bytes of a document of keys.
const MOST_BYTES: u64 = 1 << 20;

/// Where keys are fetched.
pub struct Remote {
    url: String,
    agent: ureq::Agent,
    refresh: Duration,
    asked: Mutex<Asked>,
    wake: Condvar,
    /// Changes with the end of each fetch.
    fetched: watch::Sender<()>,
}

/// What is asked of the thread that fetches.
struct Asked {
    /// True while a fetch is wanted or under way.
    pending: bool,
    /// The window of [`MOST_ASKED`], and how often it was asked in it.
    window: Option<(Instant, u32)>,
}

impl Remote {
    /// Keys at an address; nothing is fetched before [`fetch`] starts.
    ///
    /// # Errors
    /// [`ServeError::Unavailable`] when nobody could be trusted there.
    pub fn new(url: &str, ca: Option<&Path>, refresh: Span) -> Result<Self, ServeError> {
        let unfit = |reason| ServeError::Unavailable { what: "the issuer's keys", reason };
        Ok(Self {
            url: url.to_owned(),
            agent: agent(url, ca, PATIENCE).map_err(unfit)?,
            refresh: duration(refresh).max(LOOK),
            asked: Mutex::new(Asked { pending: true, window: None }),
            wake: Condvar::new(),
            fetched: watch::Sender::new(()),
        })
    }

    /// Waits for fresh keys; false when there will be none soon, because keys were asked for too often of late.
    pub async fn freshened(&self) -> bool {
        let Some(mut fetched) = self.ask() else { return false };
        tokio::time::timeout(PATIENCE, fetched.changed()).await.is_ok_and(|told| told.is_ok())
    }

    /// Asks for a fetch, unless one is pending.
    fn ask(&self) -> Option<watch::Receiver<()>> {
        let mut asked = self.asked.lock();
        if !asked.pending {
            let now = Instant::now();
            let (began, count) = asked.window.filter(|(began, _)| now - *began < WINDOW).unwrap_or((now, 0));
            if count >= MOST_ASKED {
                return None;
            }
            asked.window = Some((began, count + 1));
            asked.pending = true;
            self.wake.notify_one();
        }
        Some(self.fetched.subscribe())
    }

    /// Asks the issuer.
    fn fetch(&self) -> Result<Vec<PublicKey>, String> {
        let answer = self.agent.get(&self.url).call().map_err(|error| error.to_string())?;
        if answer.status() != 200 {
            return Err(format!("answered {}", answer.status().as_u16()));
        }
        let text = answer.into_body().into_with_config().limit(MOST_BYTES).read_to_string();
        let text = text.map_err(|error| error.to_string())?;
        let keys = public_keys(&text).map_err(|error| format!("is no JWKS document: {error}"))?;
        if keys.is_empty() {
            return Err("holds no key for RS256 or ES256".into());
        }
        Ok(keys)
    }

    /// Lets those who wait go on.
    fn done(&self) {
        // Under the lock: who asks behind it must not be woken by this fetch.
        let mut asked = self.asked.lock();
        asked.pending = false;
        self.fetched.send_replace(());
    }

    /// Rests until a fetch is asked for or `rest` is over; false when nobody wants keys any more.
    fn rest(&self, rest: Duration, access: &Weak<Access>) -> bool {
        let until = Instant::now() + rest;
        let mut asked = self.asked.lock();
        while !asked.pending && Instant::now() < until {
            let look = until.min(Instant::now() + LOOK);
            self.wake.wait_until(&mut asked, look);
            if access.strong_count() == 0 {
                return false;
            }
        }
        asked.pending = true;
        true
    }
}

/// Fetches the issuer's keys on a thread of its own, for as long as `access` is in use; does nothing when the project
/// names no address. Keys that cannot be fetched leave those before in use.
///
/// # Errors
/// [`ServeError::Io`] when the thread cannot be started.
pub fn fetch(access: &Arc<Access>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Result<(), ServeError> {
    let Some(remote) = access.remote().cloned() else { return Ok(()) };
    if remote.url.starts_with("http:") {
        tracing::warn!(url = remote.url, "the issuer's keys are fetched without encryption");
    }
    let access = Arc::downgrade(access);
    std::thread::Builder::new()
        .name("issuer-keys".into())
        .spawn(move || follow(&remote, &access, (clock.as_ref(), &metrics)))
        .map(drop)
        .map_err(|source| ServeError::Io { what: "the fetcher of keys did not start".into(), source })
}

fn follow(remote: &Remote, access: &Weak<Access>, (clock, metrics): (&dyn Clock, &Metrics)) {
    let mut failing = false;
    loop {
        let found = remote.fetch();
        let Some(access_now) = access.upgrade() else { return };
        let rest = match found {
            Ok(keys) => {
                access_now.replace_keys(keys);
                metrics.jwks_fetched(clock.now());
                failing = false;
                remote.refresh
            }
            Err(error) => {
                metrics.jwks_failed();
                if !failing {
                    let url = &remote.url;
                    tracing::error!(
                        url,
                        error,
                        "the issuer's keys cannot be fetched; those known stay in use"
                    );
                }
                failing = true;
                remote.refresh.min(AGAIN)
            }
        };
        drop(access_now);
        remote.done();
        if !remote.rest(rest, access) {
            return;
        }
    }
}
