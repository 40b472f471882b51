//! The REST side of the protocol.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::InferAnswer;
use super::infer::{self, number};
use super::models::{self, IndexEntry, ModelMetadata, SERVER, ServerMetadata};
use super::refusal::{ProtocolError, Refusal};
use super::wire::{self, JSON_LENGTH};
use crate::api::body::{self, PathOf, parse_json};
use crate::api::score::ensure;
use crate::error::ServeError;
use crate::score_log::Asker;
use crate::service::scalar::Object;
use crate::state::AppState;

/// Bodies up to this size are answered where they are read; larger ones cross into the pool.
const INLINE_BYTES: usize = 4 * 1024;

/// A model of a path, with or without a version.
#[derive(Debug, Deserialize)]
pub struct ModelPath {
    model: String,
    version: Option<String>,
}

/// Path parameters, refused in the protocol's shape.
pub struct Asked(ModelPath);

impl axum::extract::FromRequestParts<AppState> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &AppState,
    ) -> Result<Self, Refusal> {
        Ok(PathOf::from_request_parts(parts, state).await.map(|PathOf(path)| Self(path))?)
    }
}

/// A body of any content type, whole and within the limit.
pub struct Whole {
    headers: HeaderMap,
    bytes: Bytes,
}

impl FromRequest<AppState> for Whole {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Refusal> {
        let headers = request.headers().clone();
        if let Some(coding) = headers.get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity") {
            let given = String::from_utf8_lossy(coding.as_bytes()).chars().take(40).collect();
            return Err(ServeError::WrongContentType { expected: "the body as it is", given }.into());
        }
        Ok(Self { headers, bytes: body::read(request, state).await? })
    }
}

impl Whole {
    fn json_length(&self) -> Result<Option<usize>, ServeError> {
        let Some(value) = self.headers.get(JSON_LENGTH) else { return Ok(None) };
        let length = value.to_str().ok().and_then(|text| text.trim().parse().ok());
        let message = || format!("the header {JSON_LENGTH} must be a number of bytes");
        length.map(Some).ok_or_else(|| ServeError::InvalidParameter { message: message() })
    }
}

/// Whether the server lives.
#[derive(Debug, Serialize, ToSchema)]
pub struct Live {
    live: bool,
}

/// Whether the server, or a model, answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    ready: bool,
}

/// What the server is.
#[utoipa::path(get, path = "/v2", tag = "inference", responses((status = 200, description = "The answer", body = ServerMetadata)))]
pub async fn server() -> Json<ServerMetadata> {
    Json(SERVER)
}

/// Alive: the process answers.
#[utoipa::path(get, path = "/v2/health/live", tag = "inference", responses((status = 200, description = "The answer", body = Live)))]
pub async fn live() -> Json<Live> {
    Json(Live { live: true })
}

/// Ready: the stores are open and every alias was followed.
#[utoipa::path(get, path = "/v2/health/ready", tag = "inference", responses((status = 200, description = "The answer", body = Ready)))]
pub async fn ready() -> Json<Ready> {
    Json(Ready { name: None, ready: true })
}

/// What a model reads and answers, as tensors.
#[utoipa::path(
    get,
    path = "/v2/models/{model}",
    tag = "inference",
    params(("model" = String, Path, description = "The model")),
    responses((status = 200, description = "The answer", body = ModelMetadata), (status = "4XX", description = "The request was refused", body = ProtocolError))
)]
pub async fn metadata(
    State(state): State<AppState>,
    Asked(path): Asked,
) -> Result<Json<ModelMetadata>, Refusal> {
    ensure(&state, &path.model, path.number()).await?;
    Ok(Json(models::metadata(&state, &path.model, path.version.as_deref())?))
}

/// As without a version: what that version (a number, or an alias) reads and answers.
#[utoipa::path(
    get,
    path = "/v2/models/{model}/versions/{version}",
    tag = "inference",
    params(("model" = String, Path, description = "The model"), ("version" = String, Path, description = "A version's number, or an alias")),
    responses((status = 200, description = "The answer", body = ModelMetadata), (status = "4XX", description = "The request was refused", body = ProtocolError))
)]
pub async fn version_metadata(state: State<AppState>, path: Asked) -> Result<Json<ModelMetadata>, Refusal> {
    metadata(state, path).await
}

/// Whether a model answers: 400, as the protocol wants it, while it is registered but none of its versions does.
#[utoipa::path(
    get,
    path = "/v2/models/{model}/ready",
    tag = "inference",
    params(("model" = String, Path, description = "The model")),
    responses((status = 200, description = "It answers", body = Ready), (status = 400, description = "It does not answer", body = Ready), (status = "4XX", description = "The request was refused", body = ProtocolError))
)]
pub async fn model_ready(State(state): State<AppState>, Asked(path): Asked) -> Result<Response, Refusal> {
    let found = match ensure(&state, &path.model, path.number()).await {
        Ok(()) => infer::select(&state.live, &path.model, path.version.as_deref()).map(drop),
        Err(error) => Err(error),
    };
    let (status, ready) = match found {
        Ok(()) => (StatusCode::OK, true),
        Err(ServeError::NotLive { .. } | ServeError::VersionRefused { .. }) => {
            (StatusCode::BAD_REQUEST, false)
        }
        Err(error) => return Err(error.into()),
    };
    Ok((status, Json(Ready { name: Some(path.model), ready })).into_response())
}

/// As without a version: whether that version answers.
#[utoipa::path(
    get,
    path = "/v2/models/{model}/versions/{version}/ready",
    tag = "inference",
    params(("model" = String, Path, description = "The model"), ("version" = String, Path, description = "A version's number, or an alias")),
    responses((status = 200, description = "It answers", body = Ready), (status = 400, description = "It does not answer", body = Ready), (status = "4XX", description = "The request was refused", body = ProtocolError))
)]
pub async fn version_ready(state: State<AppState>, path: Asked) -> Result<Response, Refusal> {
    model_ready(state, path).await
}

/// Answers tensors with tensors: all inputs in one, one per input, or the keys of entities whose features come
/// from the store.
///
/// With the header `Inference-Header-Content-Length` the body is that many bytes of JSON, then the tensors that
/// carry `binary_data_size`. One version answers all rows, save where a challenger has a share of the answers.
#[utoipa::path(
    post,
    path = "/v2/models/{model}/infer",
    tag = "inference",
    params(("model" = String, Path, description = "The model")),
    request_body = serde_json::Value,
    responses((status = 200, description = "The answer", body = serde_json::Value), (status = "4XX", description = "The request was refused", body = ProtocolError), (status = "5XX", description = "The server failed", body = ProtocolError))
)]
pub async fn infer(
    State(state): State<AppState>,
    Asked(path): Asked,
    asker: Asker,
    body: Whole,
) -> Result<Response, Refusal> {
    state.score_log.room().await?;
    ensure(&state, &path.model, path.number()).await?;
    let small = body.bytes.len() <= INLINE_BYTES;
    let inside = state.clone();
    let work = move || -> Result<InferAnswer, ServeError> {
        let request = wire::read(&body.bytes, body.json_length()?)?;
        infer::infer(&inside, &path.model, path.version.as_deref(), (asker, &request))
    };
    let answer = if small { work()? } else { state.compute.spread(work).await?? };
    Ok(written(&answer)?)
}

/// As without a version: that version answers.
#[utoipa::path(
    post,
    path = "/v2/models/{model}/versions/{version}/infer",
    tag = "inference",
    params(("model" = String, Path, description = "The model"), ("version" = String, Path, description = "A version's number, or an alias")),
    request_body = serde_json::Value,
    responses((status = 200, description = "The answer", body = serde_json::Value), (status = "4XX", description = "The request was refused", body = ProtocolError), (status = "5XX", description = "The server failed", body = ProtocolError))
)]
pub async fn version_infer(
    state: State<AppState>,
    path: Asked,
    asker: Asker,
    body: Whole,
) -> Result<Response, Refusal> {
    infer(state, path, asker, body).await
}

fn written(answer: &InferAnswer) -> Result<Response, ServeError> {
    let (bytes, json_length) = answer.to_bytes()?;
    let content_type = if json_length.is_some() { "application/octet-stream" } else { "application/json" };
    let mut response = ([(header::CONTENT_TYPE, content_type)], bytes).into_response();
    if let Some(length) = json_length {
        response.headers_mut().insert(JSON_LENGTH, HeaderValue::from(length));
    }
    Ok(response)
}

/// Which part of the repository.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct IndexRequest {
    /// True: only what answers.
    #[serde(default)]
    ready: bool,
}

/// Every model, and which of its versions answer.
#[utoipa::path(
    post,
    path = "/v2/repository/index",
    tag = "inference",
    request_body = IndexRequest,
    responses((status = 200, description = "The answer", body = Vec<IndexEntry>), (status = "4XX", description = "The request was refused", body = ProtocolError))
)]
pub async fn index(State(state): State<AppState>, body: Whole) -> Result<Json<Vec<IndexEntry>>, Refusal> {
    let asked = match body.bytes.trim_ascii() {
        [] => IndexRequest::default(),
        text => parse_json::<Object<IndexRequest>>(text)?.0,
    };
    Ok(Json(models::index(&state, asked.ready)))
}

/// Follows a model's aliases now, also those of a model that was unloaded. Models come from the registry, so
/// parameters that bring files are refused.
#[utoipa::path(
    post,
    path = "/v2/repository/models/{model}/load",
    tag = "inference",
    params(("model" = String, Path, description = "The model")),
    request_body = serde_json::Value,
    responses((status = 200, description = "It answers", body = serde_json::Value), (status = "4XX", description = "The request was refused", body = ProtocolError))
)]
pub async fn load(
    State(state): State<AppState>,
    Asked(path): Asked,
    body: Whole,
) -> Result<Json<serde_json::Value>, Refusal> {
    nothing_brought(&body.bytes)?;
    let inside = state.clone();
    state.compute.wait(move || models::load(&inside, &path.model)).await??;
    Ok(Json(serde_json::json!({})))
}

/// Lets a model go, in this server, until it is loaded again or the server starts anew.
#[utoipa::path(
    post,
    path = "/v2/repository/models/{model}/unload",
    tag = "inference",
    params(("model" = String, Path, description = "The model")),
    request_body = serde_json::Value,
    responses((status = 200, description = "It no longer answers", body = serde_json::Value), (status = "4XX", description = "The request was refused", body = ProtocolError))
)]
pub async fn unload(
    State(state): State<AppState>,
    Asked(path): Asked,
    body: Whole,
) -> Result<Json<serde_json::Value>, Refusal> {
    nothing_brought(&body.bytes)?;
    let inside = state.clone();
    state.compute.wait(move || models::unload(&inside, &path.model)).await??;
    Ok(Json(serde_json::json!({})))
}

/// Refuses a body that brings a model's files or configuration.
fn nothing_brought(body: &[u8]) -> Result<(), ServeError> {
    #[derive(Deserialize)]
    struct Loading {
        #[serde(default)]
        parameters: serde_json::Map<String, serde_json::Value>,
    }
    let text = body.trim_ascii();
    if text.is_empty() {
        return Ok(());
    }
    let Object(asked): Object<Loading> = parse_json(text)?;
    models::brings_nothing(asked.parameters.keys().map(String::as_str))
}

impl ModelPath {
    fn number(&self) -> Option<u32> {
        self.version.as_deref().and_then(number)
    }
}
