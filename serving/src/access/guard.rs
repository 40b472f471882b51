//! What stands in front of every route: who asks, may they, and how often.

use axum::RequestExt;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::{Caller, Role};
use crate::error::ServeError;
use crate::inference::refusal::shaped;
use crate::state::AppState;

/// What a guard knows of its route.
#[derive(Clone)]
pub struct Guard {
    /// The server's parts.
    pub state: AppState,
    /// Roles that may ask.
    pub roles: &'static [Role],
}

/// Lets a request through with its [`Caller`], or refuses it in the shape of its path: [`ServeError::Unauthorized`],
/// [`ServeError::Forbidden`] or [`ServeError::RateLimited`].
///
/// Whatever the path names (`{model}`, `{source}`, `{entity}`) is checked here, so that no handler can forget.
pub async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    match admitted(&guard, &mut request).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => {
            guard.state.metrics.access_refused(reason(&error));
            shaped(request.uri().path(), error)
        }
    }
}

async fn admitted(guard: &Guard, request: &mut Request) -> Result<Caller, ServeError> {
    let (access, clock) = (&guard.state.access, &guard.state.clock);
    let caller = match access.admit(request.headers(), clock.now()) {
        Ok(caller) => caller,
        Err(error) => match access.learnt_since(&error).await {
            true => access.admit(request.headers(), clock.now())?,
            false => return Err(error),
        },
    };
    allowed(&caller, guard.roles, request).await?;
    Ok(caller)
}

async fn allowed(caller: &Caller, roles: &[Role], request: &mut Request) -> Result<(), ServeError> {
    if !roles.contains(&caller.role()) {
        let message = format!("the role {} may not ask this; it takes {}", caller.role(), listed(roles));
        return Err(ServeError::Forbidden { message });
    }
    if caller.is_narrowed_by_path() {
        // A path that cannot be read as text names nothing; the handler says so.
        if let Ok(params) = request.extract_parts::<RawPathParams>().await {
            params.iter().try_for_each(|(name, value)| match name {
                "model" => caller.check_model(value),
                "source" => caller.check_source(value),
                "entity" => caller.check_entity(value),
                _ => Ok(()),
            })?;
        }
    }
    Ok(())
}

fn listed(roles: &[Role]) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
}

const fn reason(error: &ServeError) -> &'static str {
    match error {
        ServeError::Unauthorized { .. } => "unauthorized",
        ServeError::RateLimited { .. } => "rate_limited",
        _ => "forbidden",
    }
}
