//! The one table of error codes: code, HTTP status, meaning, the code that gRPC has for it; and the JSON that carries
//! them.
//!
//! Codes are stable: a client may match on them. `/docs/errors` shows this table.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tonic::Code;
use utoipa::ToSchema;

use crate::error::{Noun, ServeError};

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The stable code.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What it means and what to do.
    pub meaning: &'static str,
}

impl Problem {
    /// The code over gRPC.
    #[must_use]
    pub fn grpc(&self) -> Code {
        match self.status {
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::NotFound,
            408 => Code::DeadlineExceeded,
            409 => Code::FailedPrecondition,
            413 | 429 => Code::ResourceExhausted,
            503 if *self == TIMED_OUT => Code::DeadlineExceeded,
            503 => Code::Unavailable,
            500 => Code::Internal,
            _ => Code::InvalidArgument,
        }
    }
}

macro_rules! table {
    ($($name:ident: $status:literal $code:literal, $meaning:literal;)*) => {
        $(const $name: Problem = Problem { code: $code, status: $status, meaning: $meaning };)*
        /// Every problem an answer can name.
        pub const TABLE: &[Problem] = &[$($name),*];
    };
}

table! {
    UNKNOWN_MODEL: 404 "unknown_model", "No model has this name. GET /v1/models lists them.";
    UNKNOWN_VERSION: 404 "unknown_version", "The model has no such version. GET /v1/models/{model} lists them.";
    UNKNOWN_ALIAS: 404 "unknown_alias", "The model has no such alias. GET /v1/models/{model} lists them.";
    UNKNOWN_ENTITY: 404 "unknown_entity", "No kind of entity has this name. GET /v1/project lists them.";
    UNKNOWN_KEY: 404 "unknown_key", "No row of any source tells of an entity with this key.";
    UNKNOWN_SOURCE: 404 "unknown_source", "No source has this name. GET /v1/project lists them.";
    UNKNOWN_FEATURE: 400 "unknown_feature", "The model or entity has no such feature, input or output.";
    UNKNOWN_FEATURE_SET: 400 "unknown_feature_set", "The project declares no such feature set.";
    UNKNOWN_ROUTE: 404 "unknown_route", "Nothing answers at this path. GET /openapi.json lists all paths.";
    WRONG_METHOD: 405 "wrong_method", "The path exists but takes another method; the Allow header says which.";
    WRONG_TYPE: 400 "wrong_type", "A value is not of the type that its field takes. NaN and infinities are not numbers.";
    INVALID_FIELD: 400 "invalid_field", "A field is unknown, absent or outside its range.";
    INVALID_JSON: 400 "invalid_json", "The body is not JSON, or is nested deeper than 128 levels.";
    INVALID_UTF8: 400 "invalid_utf8", "The body or path is not UTF-8.";
    INVALID_PARAMETER: 400 "invalid_parameter", "A path or query parameter cannot be read.";
    WRONG_CONTENT_TYPE: 415 "wrong_content_type", "The Content-Type header is absent or not one that the route takes.";
    BODY_TOO_LARGE: 413 "body_too_large", "The body is over the limit ([server] body_limit in the project file). Split it.";
    BODY_BROKEN: 400 "body_broken", "The connection ended before the body did.";
    TOO_MANY: 400 "too_many", "More rows than one request may carry. Split it.";
    FUTURE_AS_OF: 400 "future_as_of", "as_of lies in the future: nothing is known of it yet.";
    ROWS_REJECTED: 422 "rows_rejected", "Some rows cannot be stored, so none of the request was. detail.rows says which and why.";
    NOT_LIVE: 409 "not_live", "The model exists, but no version of it answers requests: none is champion, or it was refused.";
    NOT_SUITED: 409 "not_suited", "The model does not do what was asked, such as recommending with a probability model.";
    VERSION_REFUSED: 409 "version_refused", "The version may not go live: damaged, made for other features, or wrong on its own samples.";
    UNAUTHORIZED: 401 "unauthorized", "No valid credential was sent. Send an API key or a token as Authorization: Bearer, or a key as X-Api-Key.";
    FORBIDDEN: 403 "forbidden", "The caller is known, but its role does not reach this.";
    RATE_LIMITED: 429 "rate_limited", "The caller asks more often than its role may ([access.role] rate). Wait as Retry-After says.";
    OVERLOADED: 429 "overloaded", "The server has no room now. Wait as Retry-After says.";
    DEADLINE_PASSED: 408 "deadline_passed", "The time that the caller gave for the request (grpc-timeout) was over before it was answered.";
    TIMED_OUT: 503 "timed_out", "The request took longer than the server allows.";
    UNAVAILABLE: 503 "unavailable", "The part that would answer is not there now.";
    PLATFORM: 503 "platform", "A disk, file or store failed. The server's log says more.";
    INTERNAL: 500 "internal", "A fault of the server. It is counted and logged; please report it.";
}

/// The row for an error.
#[must_use]
pub const fn problem(error: &ServeError) -> Problem {
    match error {
        ServeError::Unknown { what, .. } => unknown(*what),
        ServeError::WrongType { .. } => WRONG_TYPE,
        ServeError::InvalidField { .. } => INVALID_FIELD,
        ServeError::InvalidJson { .. } => INVALID_JSON,
        ServeError::InvalidUtf8 { .. } => INVALID_UTF8,
        ServeError::InvalidParameter { .. } => INVALID_PARAMETER,
        ServeError::WrongContentType { .. } => WRONG_CONTENT_TYPE,
        ServeError::BodyTooLarge { .. } => BODY_TOO_LARGE,
        ServeError::BodyBroken { .. } => BODY_BROKEN,
        ServeError::TooMany { .. } => TOO_MANY,
        ServeError::FutureAsOf { .. } => FUTURE_AS_OF,
        ServeError::RowsRejected { .. } => ROWS_REJECTED,
        ServeError::UnknownRoute { .. } => UNKNOWN_ROUTE,
        ServeError::WrongMethod { .. } => WRONG_METHOD,
        ServeError::NotLive { .. } => NOT_LIVE,
        ServeError::NotSuited { .. } => NOT_SUITED,
        ServeError::VersionRefused { .. } => VERSION_REFUSED,
        ServeError::Unauthorized { .. } => UNAUTHORIZED,
        ServeError::Forbidden { .. } => FORBIDDEN,
        ServeError::RateLimited { .. } => RATE_LIMITED,
        ServeError::Overloaded { .. } => OVERLOADED,
        ServeError::DeadlinePassed { .. } => DEADLINE_PASSED,
        ServeError::TimedOut { .. } => TIMED_OUT,
        ServeError::Unavailable { .. } => UNAVAILABLE,
        ServeError::Io { .. } => PLATFORM,
        ServeError::Bug { .. } => INTERNAL,
    }
}

const fn unknown(what: Noun) -> Problem {
    match what {
        Noun::Model => UNKNOWN_MODEL,
        Noun::Version => UNKNOWN_VERSION,
        Noun::Alias => UNKNOWN_ALIAS,
        Noun::Entity => UNKNOWN_ENTITY,
        Noun::Key => UNKNOWN_KEY,
        Noun::Feature | Noun::Output => UNKNOWN_FEATURE,
        Noun::FeatureSet => UNKNOWN_FEATURE_SET,
        Noun::Source => UNKNOWN_SOURCE,
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorAnswer {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The stable code, one of those at `/docs/errors`.
    pub code: String,
    /// The same in words, for people.
    pub message: String,
    /// Where the code is explained.
    pub docs: String,
    /// More that a program can read; its shape depends on the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
    /// The nearest known name, when a name was unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

impl ErrorBody {
    /// The body for an error. Faults of the server keep their particulars for the log.
    #[must_use]
    pub fn of(error: &ServeError) -> Self {
        let problem = problem(error);
        let message = match problem.status {
            500 => problem.meaning.to_owned(),
            _ => error.to_string(),
        };
        Self {
            code: problem.code.to_owned(),
            message,
            docs: format!("/docs/errors#{}", problem.code),
            detail: detail(error),
            nearest: nearest(error),
        }
    }
}

fn nearest(error: &ServeError) -> Option<String> {
    match error {
        ServeError::Unknown { nearest, .. } | ServeError::InvalidField { nearest, .. } => nearest.clone(),
        ServeError::RowsRejected { rows, .. } => rows.iter().find_map(|row| row.nearest.clone()),
        _ => None,
    }
}

fn detail(error: &ServeError) -> Option<Value> {
    Some(match error {
        ServeError::Unknown { name, known, .. } if known.is_empty() => json!({"name": name}),
        ServeError::Unknown { name, known, .. } => json!({"name": name, "known": known}),
        ServeError::WrongType { field, expected, given } => {
            json!({"field": field, "expected": expected, "given": given})
        }
        ServeError::InvalidJson { line, column, .. } => json!({"line": line, "column": column}),
        ServeError::InvalidUtf8 { at, .. } => json!({"byte": at}),
        ServeError::BodyTooLarge { limit } => json!({"limit_bytes": limit}),
        ServeError::TooMany { limit, given, .. } => json!({"limit": limit, "given": given}),
        ServeError::FutureAsOf { as_of, now } => json!({"as_of": as_of, "now": now}),
        ServeError::RowsRejected { rows, total } => {
            json!({"rejected": rows.len(), "total": total, "rows": rows})
        }
        ServeError::VersionRefused { version, reason, .. } => json!({"version": version, "reason": reason}),
        _ => return None,
    })
}

/// What a failed answer keeps back for the log, which tells it together with the request's id.
#[derive(Debug, Clone)]
pub struct FailureTold(pub std::sync::Arc<str>);

/// The status under which an answer is counted and logged when HTTP's says nothing: that of every gRPC answer is 200.
#[derive(Debug, Clone, Copy)]
pub struct AnsweredAs(pub u16);

impl IntoResponse for ServeError {
    fn into_response(self) -> Response {
        let problem = problem(&self);
        tracing::debug!(code = problem.code, error = %self, "a request was refused");
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = (status, axum::Json(ErrorAnswer { error: ErrorBody::of(&self) })).into_response();
        match &self {
            Self::Overloaded { retry_after } | Self::RateLimited { retry_after } => {
                answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            Self::Unauthorized { .. } => {
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        if problem.status >= 500 {
            answer.extensions_mut().insert(FailureTold(self.to_string().into()));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_once_in_the_table() {
        let mut codes: Vec<_> = TABLE.iter().map(|row| row.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), TABLE.len());
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_known_one() {
        let body = ErrorBody::of(&ServeError::unknown(Noun::Model, "chrun", ["win", "churn", "upsell"]));
        assert_eq!((body.code.as_str(), body.nearest.as_deref()), ("unknown_model", Some("churn")));
        assert!(body.message.contains("did you mean \"churn\""), "{}", body.message);
    }

    #[test]
    fn a_fault_of_the_server_does_not_show_its_particulars() {
        let body = ErrorBody::of(&ServeError::Bug { message: "slot 7 of /var/lib".into() });
        assert_eq!(body.code, "internal");
        assert!(!body.message.contains("slot 7"));
    }
}
