//! The methods, over the functions that REST calls.
//!
//! A model stands in the message, where the guard in front of the methods cannot see it; so a method that takes one
//! asks the caller's role itself.

use axum::extract::{Request, State};
use axum::response::Response;

use super::call::unary;
use super::convert;
use super::messages::{
    Empty, ModelIndex, ModelInferRequest, ModelInferResponse, ModelMetadataResponse, ModelRequest,
    ReadyResponse, RepositoryIndexRequest, RepositoryIndexResponse, RepositoryModelRequest,
    RepositoryModelResponse, ServerLiveResponse, ServerMetadataResponse, TensorMetadata,
};
use crate::access::Caller;
use crate::api::score::ensure;
use crate::error::ServeError;
use crate::inference::infer::{self, number};
use crate::inference::models::{self, SERVER};
use crate::score_log::Asker;
use crate::state::AppState;

/// Messages up to this size are answered where they are read; larger ones cross into the pool.
const INLINE_BYTES: usize = 4 * 1024;

/// Alive: the process answers.
pub async fn server_live(State(state): State<AppState>, request: Request) -> Response {
    unary(&state, request, |_: Empty| async { Ok(ServerLiveResponse { live: true }) }).await
}

/// Ready: the stores are open and every alias was followed.
pub async fn server_ready(State(state): State<AppState>, request: Request) -> Response {
    unary(&state, request, |_: Empty| async { Ok(ReadyResponse { ready: true }) }).await
}

/// What the server is.
pub async fn server_metadata(State(state): State<AppState>, request: Request) -> Response {
    let answer = |_: Empty| async {
        Ok(ServerMetadataResponse {
            name: SERVER.name.into(),
            version: SERVER.version.into(),
            extensions: SERVER.extensions.iter().map(ToString::to_string).collect(),
        })
    };
    unary(&state, request, answer).await
}

/// Whether a model answers.
pub async fn model_ready(State(state): State<AppState>, caller: Caller, request: Request) -> Response {
    let inside = state.clone();
    let answer = |asked: ModelRequest| async move {
        reaches(&inside, &caller, &asked.name)?;
        let found = match ensure(&inside, &asked.name, number(&asked.version)).await {
            Ok(()) => infer::select(&inside.live, &asked.name, Some(&asked.version)).map(drop),
            Err(error) => Err(error),
        };
        match found {
            Ok(()) => Ok(ReadyResponse { ready: true }),
            Err(ServeError::NotLive { .. } | ServeError::VersionRefused { .. }) => {
                Ok(ReadyResponse { ready: false })
            }
            Err(error) => Err(error),
        }
    };
    unary(&state, request, answer).await
}

/// What a model reads and answers, as tensors.
pub async fn model_metadata(State(state): State<AppState>, caller: Caller, request: Request) -> Response {
    let inside = state.clone();
    let answer = |asked: ModelRequest| async move {
        reaches(&inside, &caller, &asked.name)?;
        ensure(&inside, &asked.name, number(&asked.version)).await?;
        let told = models::metadata(&inside, &asked.name, Some(&asked.version))?;
        Ok(ModelMetadataResponse {
            name: told.name,
            versions: told.versions,
            platform: told.platform,
            inputs: tensors(told.inputs),
            outputs: tensors(told.outputs),
            properties: told.properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        })
    };
    unary(&state, request, answer).await
}

fn tensors(told: Vec<models::TensorMetadata>) -> Vec<TensorMetadata> {
    let tensor = |tensor: models::TensorMetadata| TensorMetadata {
        name: tensor.name,
        datatype: tensor.datatype.to_owned(),
        shape: tensor.shape,
    };
    told.into_iter().map(tensor).collect()
}

/// Answers tensors with tensors.
pub async fn model_infer(State(state): State<AppState>, asker: Asker, request: Request) -> Response {
    let inside = state.clone();
    let answer = |message: ModelInferRequest| async move {
        reaches(&inside, &asker.caller, &message.model_name)?;
        inside.score_log.room().await?;
        ensure(&inside, &message.model_name, number(&message.model_version)).await?;
        let small = prost::Message::encoded_len(&message) <= INLINE_BYTES;
        let within = inside.clone();
        let work = move || -> Result<ModelInferResponse, ServeError> {
            let asked = convert::request(&message)?;
            let version = Some(message.model_version.as_str());
            let found = infer::infer(&within, &message.model_name, version, (asker, &asked))?;
            Ok(convert::response(found, convert::wants_raw(&message)))
        };
        if small { work() } else { inside.compute.spread(work).await? }
    };
    unary(&state, request, answer).await
}

/// Every model, and which of its versions answer.
pub async fn index(State(state): State<AppState>, request: Request) -> Response {
    let inside = state.clone();
    let answer = |asked: RepositoryIndexRequest| async move {
        let entries = models::index(&inside, asked.ready).into_iter();
        let entry = |entry: models::IndexEntry| ModelIndex {
            name: entry.name,
            version: entry.version,
            state: entry.state.to_owned(),
            reason: entry.reason,
        };
        Ok(RepositoryIndexResponse { models: entries.map(entry).collect() })
    };
    unary(&state, request, answer).await
}

/// Follows a model's aliases now, also those of a model that was unloaded.
pub async fn load(State(state): State<AppState>, caller: Caller, request: Request) -> Response {
    moved(state, caller, request, models::load).await
}

/// Lets a model go, in this server, until it is loaded again or the server starts anew.
pub async fn unload(State(state): State<AppState>, caller: Caller, request: Request) -> Response {
    moved(state, caller, request, models::unload).await
}

async fn moved(
    state: AppState,
    caller: Caller,
    request: Request,
    moving: fn(&AppState, &str) -> Result<(), ServeError>,
) -> Response {
    let inside = state.clone();
    let answer = |asked: RepositoryModelRequest| async move {
        models::brings_nothing(asked.parameters.keys().map(String::as_str))?;
        let model_name = asked.model().to_owned();
        reaches(&inside, &caller, &model_name)?;
        let (within, model) = (inside.clone(), model_name.clone());
        inside.compute.wait(move || moving(&within, &model)).await??;
        Ok(RepositoryModelResponse { model_name, done: true })
    };
    unary(&state, request, answer).await
}

/// Refuses a model that the caller's role may not use.
fn reaches(state: &AppState, caller: &Caller, model: &str) -> Result<(), ServeError> {
    caller.check_model(model).inspect_err(|_| state.metrics.access_refused("forbidden"))
}
