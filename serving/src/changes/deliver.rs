//! Telling webhooks: signed, again and again with growing waits, and given up in the end.
//!
//! A thread per webhook, so that one that hangs keeps no other waiting. Deliveries are at least once: one whose answer
//! was lost is sent again under the same `X-Scorehouse-Delivery`.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use scorehouse_features::definition::WebhookSpec;
use scorehouse_features::time::{Clock, DAY, Span};

use super::store::Delivery;
use super::{Changes, signature};
use crate::error::ServeError;
use crate::outbound::agent;
use crate::server::duration;
use crate::state::AppState;
use crate::telemetry::Metrics;

/// Deliveries looked at together.
const BATCH: usize = 32;
/// Longest rest between two looks: the command line may have brought something back.
const REST: Duration = Duration::from_secs(1);
/// Longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long what was given up can be brought back.
const KEPT: Span = Span(30 * DAY);
/// How often what was given up longer ago is looked for.
const SWEEP: Duration = Duration::from_secs(3600);
/// Characters of an error that are kept.
const MOST_TOLD: usize = 300;

/// Where secrets come from, by name: the environment, or a test.
pub type Secrets<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A secret, which no log shows.
struct Secret(String);

/// What tells one webhook.
struct Courier {
    hook: WebhookSpec,
    secret: Secret,
    agent: ureq::Agent,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    changes: Weak<Changes>,
    /// Since when it runs: deliveries that failed are due at a time after this.
    started: Instant,
    /// When it last forgot what was given up long ago.
    swept: Option<Instant>,
}

/// Starts a thread for every declared webhook, if anything is watched.
///
/// # Errors
/// [`ServeError::Unavailable`] when a secret is not set or certificates cannot be read; [`ServeError::Io`] when a thread
/// cannot be started.
pub fn deliver(state: &AppState, secrets: Secrets<'_>) -> Result<(), ServeError> {
    let Some(store) = state.changes.store() else { return Ok(()) };
    let declared: Vec<&str> = state.project.webhooks.values().map(|hook| hook.name.as_str()).collect();
    store.disown(&declared, state.clock.now())?;
    for hook in state.project.webhooks.values() {
        let missing = || ServeError::Unavailable {
            what: "a webhook",
            reason: format!("{}: the environment variable {} is not set", hook.name, hook.secret),
        };
        let unfit = |reason: String| ServeError::Unavailable {
            what: "a webhook",
            reason: format!("{}: {reason}", hook.name),
        };
        let secret = secrets(&hook.secret).filter(|secret| !secret.is_empty()).ok_or_else(missing)?;
        let courier = Courier {
            // What is signed for one address is not for another: no redirect is followed.
            agent: agent(&hook.url, hook.ca.as_deref(), duration(hook.timeout)).map_err(unfit)?,
            hook: hook.clone(),
            secret: Secret(secret),
            clock: state.clock.clone(),
            metrics: state.metrics.clone(),
            changes: Arc::downgrade(&state.changes),
            started: Instant::now(),
            swept: None,
        };
        let thread = std::thread::Builder::new().name(format!("webhook-{}", hook.name));
        let started = thread.spawn(move || courier.run());
        started
            .map_err(|source| ServeError::Io { what: "a webhook's thread did not start".into(), source })?;
    }
    Ok(())
}

impl Courier {
    fn run(mut self) {
        let (mut seen, mut failing, mut begun) = (0, false, false);
        loop {
            let Some(changes) = self.changes.upgrade() else { return };
            if changes.is_closing() {
                return;
            }
            let round = self.begin(&changes, &mut begun).and_then(|()| self.round(&changes));
            if let Err(error) = &round
                && !failing
            {
                tracing::error!(webhook = %self.hook.name, %error, "deliveries cannot be read or written");
            }
            failing = round.is_err();
            match round {
                Ok(rest) if rest.is_zero() => {}
                Ok(rest) => seen = changes.couriers.wait(seen, rest),
                Err(_) => seen = changes.couriers.wait(seen, REST),
            }
        }
    }

    /// Once: what an earlier process put off is due. Every so often: what was given up long ago is forgotten.
    fn begin(&mut self, changes: &Changes, begun: &mut bool) -> Result<(), ServeError> {
        let Some(store) = changes.store() else { return Ok(()) };
        if !*begun {
            store.all_due(self.hook.name.as_str())?;
            *begun = true;
        }
        if self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP) {
            store.forget_dead(self.clock.now().before(KEPT))?;
            self.swept = Some(Instant::now());
        }
        Ok(())
    }

    /// Microseconds since it began.
    fn now(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    /// Tries what is due; how long to rest.
    fn round(&self, changes: &Changes) -> Result<Duration, ServeError> {
        let Some(store) = changes.store() else { return Ok(REST) };
        let name = self.hook.name.as_str();
        let due = store.due(name, self.now(), BATCH)?;
        for delivery in &due {
            if changes.is_closing() {
                return Ok(REST);
            }
            match self.send(delivery) {
                Ok(()) => {
                    self.metrics.webhook_attempt(name, "delivered");
                    store.delivered(delivery.id)?;
                }
                Err(error) => self.failed(store, delivery, &error)?,
            }
        }
        if !due.is_empty() {
            return Ok(Duration::ZERO);
        }
        let next = store.next_due(name)?.map(|next| next.saturating_sub(self.now()).max(0).unsigned_abs());
        Ok(next.map_or(REST, Duration::from_micros).min(REST).max(Duration::from_millis(1)))
    }

    fn failed(&self, store: &super::ChangeStore, delivery: &Delivery, error: &str) -> Result<(), ServeError> {
        let attempts = delivery.attempts + 1;
        let dead = attempts >= self.hook.attempts;
        let name = self.hook.name.as_str();
        self.metrics.webhook_attempt(name, if dead { "dead" } else { "failed" });
        if dead {
            tracing::warn!(webhook = name, delivery = delivery.id, attempts, error, "a delivery is given up");
        }
        let wait = wait(duration(self.hook.first_wait), attempts, delivery.id).as_micros();
        let due = self.now().saturating_add(i64::try_from(wait).unwrap_or(i64::MAX));
        store.attempted(delivery.id, self.clock.now(), error, (!dead).then_some(due))
    }

    /// One attempt; why it failed, unless it was answered with success.
    fn send(&self, delivery: &Delivery) -> Result<(), String> {
        let seconds = self.clock.now().0.div_euclid(1_000_000);
        let request = self
            .agent
            .post(&self.hook.url)
            .header("content-type", "application/json")
            .header("x-scorehouse-event", &delivery.kind)
            .header("x-scorehouse-delivery", delivery.change.to_string())
            .header("x-scorehouse-signature", signature(self.secret.0.as_bytes(), seconds, &delivery.body));
        let short = |text: String| text.chars().take(MOST_TOLD).collect::<String>();
        let answer = request.send(delivery.body.as_str()).map_err(|error| short(error.to_string()))?;
        let status = answer.status();
        // Read to its end, so that the connection serves the next one too; what it says does not matter.
        let _ = answer.into_body().into_with_config().limit(64 << 10).read_to_vec();
        if status.is_success() { Ok(()) } else { Err(format!("answered {}", status.as_u16())) }
    }
}

/// The wait after attempt number `attempts`: the first one doubled each time, an hour at most, and of that a part from
/// one half to all, so that deliveries that failed together do not come back together.
fn wait(first: Duration, attempts: u32, id: u64) -> Duration {
    let doubled = first.saturating_mul(1 << (attempts - 1).min(20)).min(LONGEST);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&id.to_le_bytes()).update(&attempts.to_le_bytes());
    let part = f64::from(hasher.finalize().as_bytes()[0]) / 255.0;
    doubled.mul_f64(0.5 + part / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_are_not_all_alike() {
        let second = Duration::from_secs(1);
        for attempts in 1..40 {
            let whole = second.saturating_mul(1 << (attempts - 1).min(20)).min(LONGEST);
            let waits: Vec<Duration> = (0..50).map(|id| wait(second, attempts, id)).collect();
            assert!(waits.iter().all(|wait| *wait >= whole / 2 && *wait <= whole), "{attempts}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{attempts}: {waits:?}");
        }
    }
}
