//! Scores that moved across an edge, as they do.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use scorehouse_features::ids::EntityKey;
use tokio::time::Instant;

use super::body::QueryOf;
use crate::access::{Caller, Role};
use crate::changes::{Change, Listener};
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::service::changes::{ChangesAsked, start};
use crate::state::AppState;

/// How long one connection listens: a browser connects again by itself, and its credential is looked at again.
const LISTENS: Duration = Duration::from_secs(300);
/// Changes looked at before others have their turn on this thread.
const TURN: usize = 100;
/// How often a connection on which nothing happens shows that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// Scores that pushed facts moved across an edge that the project declares (`[model.X.watch]`), as server-sent events.
///
/// Each has a number; with `Last-Event-ID` (or `after`) those after it come first, as far as the latest 10,000 reach:
/// where some are forgotten, an event `gap` says so. A caller hears of models and entities that it may see. A
/// connection ends after five minutes and is to be opened again.
#[utoipa::path(
    get,
    path = "/v1/changes",
    tag = "scores",
    params(
        ChangesAsked,
        ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last change heard of"),
    ),
    responses((status = 200, description = "A stream of changes", content_type = "text/event-stream", body = String), (status = "4XX", description = "The request was refused", body = ErrorAnswer), (status = "5XX", description = "The server failed", body = ErrorAnswer))
)]
pub async fn listen(
    State(state): State<AppState>,
    caller: Caller,
    QueryOf(asked): QueryOf<ChangesAsked>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ServeError> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let from = start(&state, &caller, &asked, last)?;
    let listener = state.changes.listen()?;
    let until = Instant::now() + LISTENS;
    let (model, ready) = (asked.model, VecDeque::new());
    let ear = Ear { state, caller, model, listener, from, until, ready, more: false };
    let stream = futures::stream::unfold(ear, |mut ear| async move { Some((Ok(ear.next().await?), ear)) });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(ALIVE)))
}

/// One who listens.
struct Ear {
    state: AppState,
    caller: Caller,
    model: Option<String>,
    listener: Listener,
    /// The number of the last change looked at.
    from: u64,
    until: Instant,
    ready: VecDeque<Event>,
    /// True when the last turn ended before the changes did.
    more: bool,
}

impl Ear {
    /// The next event; none when the connection is to end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.more {
                tokio::task::yield_now().await;
            }
            self.listener.newest.borrow_and_update();
            self.gather();
            if self.more || !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.listener.newest.changed() => changed.ok()?,
                () = self.state.changes.closed() => return None,
                () = tokio::time::sleep_until(self.until) => return None,
            }
        }
    }

    /// Takes up what has changed since, as far as one turn goes.
    fn gather(&mut self) {
        let (changes, gap) = self.state.changes.after(self.from, TURN);
        self.more = changes.len() == TURN;
        if gap && let Some(first) = changes.first() {
            let told = format!(r#"{{"after":{},"oldest":{}}}"#, self.from, first.id);
            self.ready.push_back(Event::default().event("gap").data(told));
        }
        for change in changes {
            self.from = change.id;
            if self.hears(&change) {
                let event = Event::default().event(change.kind.as_str()).id(change.id.to_string());
                self.ready.push_back(event.data(&change.body));
            }
        }
    }

    /// True for a change of a model that was asked for and of an entity that the caller may see.
    fn hears(&self, change: &Arc<Change>) -> bool {
        let asked = self.model.as_ref().is_none_or(|model| *model == change.model);
        if !asked || !self.caller.may_use(&change.model) {
            return false;
        }
        // What is about the model itself is for those who look after it.
        let Some((entity, key)) = &change.about else {
            return matches!(self.caller.role(), Role::Scientist | Role::Operator);
        };
        let Ok(key) = EntityKey::new(key) else { return false };
        let (online, now) = (self.state.online.as_ref(), self.state.clock.now());
        // What cannot be looked up is not shown.
        self.caller.sees(online, entity, &key, now).unwrap_or(false)
    }
}
