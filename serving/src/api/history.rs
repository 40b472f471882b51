//! Training sets.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::body::{AnyBody, BodyKind, QueryOf, parse_json, utf8, wrong_content_type};
use crate::access::Caller;
use crate::error::ServeError;
use crate::problem::ErrorAnswer;
use crate::service::history::{self, Format, GivenRows, HistoryAsked, HistoryRequest, Wanted};
use crate::service::scalar::Object;
use crate::state::AppState;

/// Builds a training set: for every row the features known at its own moment.
///
/// Rows come as JSON, or as CSV with a header line and the feature set in the query. They come back in their
/// order, all of them, with their own columns first. The answer is JSON, CSV or an Arrow IPC stream.
#[utoipa::path(
    post,
    path = "/v1/features/history",
    tag = "facts",
    params(HistoryAsked),
    request_body(content((HistoryRequest = "application/json"), (String = "text/csv"))),
    responses(
        (status = 200, description = "The training set", content(
            (serde_json::Value = "application/json"),
            (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.arrow.stream"),
        )),
        (status = "4XX", description = "The request was refused", body = ErrorAnswer),
        (status = "5XX", description = "The server failed", body = ErrorAnswer),
    )
)]
pub async fn history(
    State(state): State<AppState>,
    caller: Caller,
    QueryOf(asked): QueryOf<HistoryAsked>,
    headers: HeaderMap,
    body: AnyBody,
) -> Result<Response, ServeError> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = asked.format.unwrap_or_else(|| Format::of_accept(accept));
    let inside = state.clone();
    let build = move || {
        let (wanted, given) = read(asked, &headers, &body)?;
        history::write(&history::training_set(&inside, &caller, &wanted, &given)?, format)
    };
    let bytes = state.compute.join(build).await??;
    Ok(([(header::CONTENT_TYPE, format.content_type())], bytes).into_response())
}

fn read(asked: HistoryAsked, headers: &HeaderMap, body: &AnyBody) -> Result<(Wanted, GivenRows), ServeError> {
    match body.kind {
        BodyKind::Json => {
            let Object(request) = parse_json(&body.bytes)?;
            let HistoryRequest { feature_set, entity, features, rows, missing } = request;
            let missing = missing || asked.missing.unwrap_or(false);
            let wanted = Wanted {
                feature_set: feature_set.or(asked.feature_set),
                entity: entity.or(asked.entity),
                features: features.or_else(|| asked.features.as_deref().map(split)),
                missing,
            };
            Ok((wanted, GivenRows::of_fields(rows)?))
        }
        BodyKind::Csv => {
            let wanted = Wanted {
                feature_set: asked.feature_set,
                entity: asked.entity,
                features: asked.features.as_deref().map(split),
                missing: asked.missing.unwrap_or(false),
            };
            Ok((wanted, GivenRows::of_csv(utf8(&body.bytes)?)?))
        }
        _ => Err(wrong_content_type(headers, "application/json or text/csv")),
    }
}

fn split(names: &str) -> Vec<String> {
    names.split(',').map(str::to_owned).collect()
}
