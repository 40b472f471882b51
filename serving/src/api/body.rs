//! Bodies, paths and queries, checked before a handler sees them, with our own errors.

use std::borrow::Cow;

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use scorehouse_features::nearest::nearest;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ServeError;
use crate::service::scalar::Object;
use crate::state::AppState;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// One JSON value.
    Json,
    /// One JSON value a line.
    NdJson,
    /// Delimited text with a header line.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

impl BodyKind {
    fn of(content_type: &str) -> Option<Self> {
        if content_type == "application/json" {
            return Some(Self::Json);
        }
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match essence.as_str() {
            "application/json" => Self::Json,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::NdJson,
            "text/csv" => Self::Csv,
            "application/vnd.apache.arrow.stream" => Self::Arrow,
            other if other.starts_with("application/") && other.ends_with("+json") => Self::Json,
            _ => return None,
        })
    }
}

/// A body of any kind, whole and within the limit.
#[derive(Debug)]
pub struct AnyBody {
    /// How it says it is written.
    pub kind: BodyKind,
    /// Its bytes.
    pub bytes: Bytes,
}

impl FromRequest<AppState> for AnyBody {
    type Rejection = ServeError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ServeError> {
        let kind = content_kind(request.headers(), "application/json")?;
        Ok(Self { kind, bytes: read(request, state).await? })
    }
}

/// A JSON body, whole and within the limit; [`JsonBody::parse`] reads it without copying its texts.
#[derive(Debug)]
pub struct JsonBody(Bytes);

impl FromRequest<AppState> for JsonBody {
    type Rejection = ServeError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ServeError> {
        match content_kind(request.headers(), "application/json")? {
            BodyKind::Json => Ok(Self(read(request, state).await?)),
            _ => Err(wrong_content_type(request.headers(), "application/json")),
        }
    }
}

impl JsonBody {
    /// Reads the body as an object with the fields of `T`.
    ///
    /// # Errors
    /// [`ServeError::InvalidUtf8`], [`ServeError::InvalidJson`] or [`ServeError::InvalidField`].
    pub fn object<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ServeError> {
        self.parse().map(|Object(fields)| fields)
    }

    /// Reads the body as `T`.
    ///
    /// # Errors
    /// As [`JsonBody::object`].
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ServeError> {
        parse_json(&self.0)
    }
}

/// Reads JSON bytes as `T`, with our own errors.
///
/// # Errors
/// As [`JsonBody::parse`].
pub fn parse_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ServeError> {
    serde_json::from_str(utf8(bytes)?).map_err(|error| json_error(&error))
}

/// The bytes as text.
///
/// # Errors
/// [`ServeError::InvalidUtf8`] with the offset of the first byte that is not.
pub fn utf8(bytes: &[u8]) -> Result<&str, ServeError> {
    std::str::from_utf8(bytes)
        .map_err(|error| ServeError::InvalidUtf8 { what: "body", at: error.valid_up_to() })
}

fn content_kind(headers: &HeaderMap, expected: &'static str) -> Result<BodyKind, ServeError> {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(BodyKind::of)
        .ok_or_else(|| wrong_content_type(headers, expected))
}

/// The refusal of a content type, naming the one that was given.
pub fn wrong_content_type(headers: &HeaderMap, expected: &'static str) -> ServeError {
    let given = headers.get(header::CONTENT_TYPE).map_or(Cow::Borrowed("no content-type"), |value| {
        Cow::Owned(String::from_utf8_lossy(value.as_bytes()).chars().take(100).collect())
    });
    ServeError::WrongContentType { expected, given: given.into_owned() }
}

/// The whole body, within the limit.
///
/// # Errors
/// [`ServeError::BodyTooLarge`] and [`ServeError::BodyBroken`].
pub async fn read(request: Request, state: &AppState) -> Result<Bytes, ServeError> {
    let limit = state.project.settings.body_limit;
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(inner) if inner.status().as_u16() == 413 => {
            ServeError::BodyTooLarge { limit }
        }
        other => ServeError::BodyBroken { message: other.body_text() },
    })
}

/// What serde found, as our own error: a mistake in the text, or in a field.
pub fn json_error(error: &serde_json::Error) -> ServeError {
    let (line, column) = (error.line(), error.column());
    let full = error.to_string();
    let place = format!(" at line {line} column {column}");
    let message = full.strip_suffix(&place).unwrap_or(&full).to_owned();
    if error.classify() == serde_json::error::Category::Data {
        return ServeError::InvalidField { nearest: meant(&message), message };
    }
    ServeError::InvalidJson { message, line, column }
}

/// serde names the known fields when one is unknown; the nearest of them is what was meant.
fn meant(message: &str) -> Option<String> {
    let rest =
        message.strip_prefix("unknown field `").or_else(|| message.strip_prefix("unknown variant `"))?;
    let (given, known) = rest.split_once('`')?;
    nearest(given, known.split('`').skip(1).step_by(2)).map(str::to_owned)
}

/// Path parameters.
#[derive(Debug)]
pub struct PathOf<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for PathOf<T> {
    type Rejection = ServeError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ServeError> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                Err(ServeError::InvalidParameter { message: error.body_text() })
            }
            Err(other) => Err(ServeError::Bug { message: other.body_text() }),
        }
    }
}

/// Query parameters.
#[derive(Debug)]
pub struct QueryOf<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for QueryOf<T> {
    type Rejection = ServeError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ServeError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                Err(ServeError::InvalidParameter { message: error.body_text() })
            }
            Err(other) => Err(ServeError::InvalidParameter { message: other.body_text() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        #[expect(dead_code, reason = "only the refusal is looked at")]
        reasons: u32,
    }

    #[test]
    fn an_unknown_field_is_answered_with_the_nearest_known_one() {
        let error = parse_json::<Asked>(br#"{"reason": 1}"#).unwrap_err();
        assert!(
            matches!(error, ServeError::InvalidField { nearest: Some(ref near), .. } if near == "reasons")
        );
    }

    #[test]
    fn half_a_character_is_told_with_its_place() {
        let error = parse_json::<Asked>(b"{\"reasons\xc3").unwrap_err();
        assert!(matches!(error, ServeError::InvalidUtf8 { what: "body", at: 9 }));
    }

    #[test]
    fn deep_nesting_is_refused_as_invalid_json() {
        let deep = "[".repeat(100_000);
        let error = parse_json::<serde_json::Value>(deep.as_bytes()).unwrap_err();
        assert!(matches!(error, ServeError::InvalidJson { .. }), "{error}");
    }

    #[test]
    fn a_content_type_is_read_without_its_parameters() {
        assert_eq!(BodyKind::of("application/json; charset=utf-8"), Some(BodyKind::Json));
        assert_eq!(BodyKind::of("application/problem+json"), Some(BodyKind::Json));
        assert_eq!(BodyKind::of("text/plain"), None);
    }
}
