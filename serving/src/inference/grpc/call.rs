//! What stands around every method: one message in, one out, and a failure as a status.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataValue;
use tonic::server::Grpc;
use tonic::{Code, Status};

use super::codec::Protobuf;
use crate::error::ServeError;
use crate::problem::{AnsweredAs, ErrorBody, FailureTold, problem};
use crate::state::AppState;

/// What the paths of all methods begin with.
pub const SERVICE: &str = "/inference.GRPCInferenceService/";
/// What the paths of the standard health protocol begin with.
pub const HEALTH: &str = "/grpc.health.v1.Health/";
/// Bytes from which an answer is compressed for a client that takes that.
const WORTH_COMPRESSING: usize = 16 * 1024;
/// The same for a client that compresses what it sends: it asks for fewer bytes, whatever they cost.
const WORTH_ANSWERING_ALIKE: usize = 1024;
/// The metadata that carries a refusal's stable code, as the native routes name it.
const ERROR_CODE: &str = "error-code";
/// Longest message of a status, in characters: it travels in a header, and clients bound those.
const LONGEST: usize = 1_000;

/// Answers one message with one message.
pub async fn unary<Q, A, F>(
    state: &AppState,
    request: Request,
    work: impl FnOnce(Q) -> F + Clone + Send,
) -> Response
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    F: Future<Output = Result<A, ServeError>> + Send,
{
    if !is_grpc(&request) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let limit = state.project.settings.body_limit;
    let least = if is_compressed(&request) { WORTH_ANSWERING_ALIKE } else { WORTH_COMPRESSING };
    let failed: Arc<OnceLock<ServeError>> = Arc::default();
    let service = tower::service_fn(|message: tonic::Request<Q>| {
        let (work, failed) = (work.clone(), Arc::clone(&failed));
        async move {
            let answer = work(message.into_inner()).await.map_err(|error| {
                let _ = failed.set(error);
                Status::unknown("told below")
            })?;
            let worth_it = answer.encoded_len() >= least;
            let mut answer = tonic::Response::new(answer);
            if !worth_it {
                answer.disable_compression();
            }
            Ok(answer)
        }
    });
    let mut grpc = Grpc::new(Protobuf::<A, Q>::default())
        .max_decoding_message_size(limit)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let answer = grpc.unary(service, request).await;
    match failed.get() {
        Some(error) => refused(error),
        None => settled(answer.map(Body::new), limit),
    }
}

/// Answers one message with a stream of them.
pub async fn streaming<Q, A, S>(
    state: &AppState,
    request: Request,
    work: impl FnOnce(Q) -> S + Clone + Send,
) -> Response
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    S: Stream<Item = A> + Send + 'static,
{
    if !is_grpc(&request) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let limit = state.project.settings.body_limit;
    let service = tower::service_fn(|message: tonic::Request<Q>| {
        let work = work.clone();
        async move { Ok(tonic::Response::new(work(message.into_inner()).map(Ok::<A, Status>))) }
    });
    let mut grpc = Grpc::new(Protobuf::<A, Q>::default())
        .max_decoding_message_size(limit)
        .accept_compressed(CompressionEncoding::Gzip);
    settled(grpc.server_streaming(service, request).await.map(Body::new), limit)
}

/// An answer, or why its question could not be read.
fn settled(answer: Response, limit: usize) -> Response {
    let Some(status) = answer.extensions().get::<Status>() else { return answer };
    match unread(status, limit) {
        Some(error) => refused(&error),
        None => counted_as(415, answer),
    }
}

fn is_compressed(request: &Request) -> bool {
    let given = request.headers().get("grpc-encoding");
    given.is_some_and(|given| given.as_bytes() != b"identity")
}

/// The time that a caller gives for the answer; none where it does not say.
///
/// # Errors
/// [`ServeError::InvalidField`] for a `grpc-timeout` that cannot be read.
pub fn deadline(request: &Request) -> Result<Option<Duration>, ServeError> {
    let Some(given) = request.headers().get("grpc-timeout").filter(|_| is_method(request.uri().path()))
    else {
        return Ok(None);
    };
    let read = given.to_str().ok().and_then(span);
    let message = || "`grpc-timeout` takes up to eight digits and one of H, M, S, m, u, n".to_owned();
    read.map(Some).ok_or_else(|| ServeError::InvalidField { message: message(), nearest: None })
}

fn span(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

fn is_grpc(request: &Request) -> bool {
    let given = request.headers().get(header::CONTENT_TYPE);
    given.is_some_and(|given| given.as_bytes().starts_with(b"application/grpc"))
}

/// Why a question could not be read; none for a compression that is not known, of which clients are told as tonic tells it.
fn unread(status: &Status, limit: usize) -> Option<ServeError> {
    let message = status.message().to_owned();
    match status.code() {
        Code::Unimplemented => None,
        Code::OutOfRange | Code::ResourceExhausted => Some(ServeError::BodyTooLarge { limit }),
        Code::InvalidArgument => Some(ServeError::InvalidField { message, nearest: None }),
        _ => Some(ServeError::BodyBroken { message }),
    }
}

/// A failure as an answer: the code that [`problem`]'s table gives it, the words of REST, and its stable code as
/// metadata.
pub fn refused(error: &ServeError) -> Response {
    let problem = problem(error);
    let message: String = ErrorBody::of(error).message.chars().take(LONGEST).collect();
    let mut status = Status::new(problem.grpc(), message);
    status.metadata_mut().insert(ERROR_CODE, MetadataValue::from_static(problem.code));
    if let ServeError::Overloaded { retry_after } | ServeError::RateLimited { retry_after } = error {
        status.metadata_mut().insert("retry-after", MetadataValue::from(*retry_after));
    }
    let mut answer = counted_as(problem.status, status.into_http());
    if problem.status >= 500 {
        answer.extensions_mut().insert(FailureTold(error.to_string().into()));
    }
    answer
}

/// True for the path of a method.
pub fn is_method(path: &str) -> bool {
    path.starts_with(SERVICE) || path.starts_with(HEALTH)
}

/// No method has this path.
pub async fn unknown_method() -> Response {
    counted_as(404, Status::unimplemented("the server does not know this method").into_http())
}

fn counted_as(status: u16, mut answer: Response) -> Response {
    answer.extensions_mut().insert(AnsweredAs(status));
    answer
}

/// HTTP/2 names the host in the request's target; who asks whether a request is this machine's own looks at the
/// header.
pub async fn with_host(mut request: Request, next: Next) -> Response {
    let host = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    next.run(request).await
}
