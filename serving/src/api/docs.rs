//! What the server says about itself: OpenAPI and the table of errors.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};
use bytes::Bytes;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::inference::handlers as v2;
use crate::inference::refusal::ProtocolError;
use crate::problem::{ErrorAnswer, TABLE};

/// The document behind `/openapi.json`.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Scorehouse",
        description = "Features, scores, reasons and recommendations from one store. Every answer that is \
                       not a success has the shape of ErrorAnswer; /docs/errors lists the codes."
    ),
    paths(
        super::score::score,
        super::recommend::recommend,
        super::events::push,
        super::outcomes::report,
        super::features::online,
        super::history::history,
        super::entities::keys,
        super::entities::features,
        super::models::list,
        super::models::show,
        super::models::move_alias,
        super::models::board,
        super::forecast::forecast,
        super::monitor::monitor,
        super::project::show,
        super::health::healthz,
        super::health::readyz,
        super::health::metrics,
        super::audit::trail,
        super::changes::listen,
        super::webhooks::deliveries,
        super::webhooks::redeliver,
        v2::server,
        v2::live,
        v2::ready,
        v2::metadata,
        v2::model_ready,
        v2::infer,
        v2::version_metadata,
        v2::version_ready,
        v2::version_infer,
        v2::index,
        v2::load,
        v2::unload,
    ),
    components(schemas(ErrorAnswer, ProtocolError)),
    modifiers(&Credentials),
    security(("key" = []), ("token" = [])),
    tags(
        (name = "scores", description = "Scores, reasons and recommendations"),
        (name = "facts", description = "Events, outcomes and features"),
        (name = "models", description = "Models, versions and aliases"),
        (name = "inference", description = "The Open Inference Protocol, version 2"),
        (name = "operation", description = "Health and metrics"),
    )
)]
pub struct ApiDoc;

/// How a caller proves who it is.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key")));
        components.add_security_scheme("key", key);
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        let bearer = bearer.description(Some("An API key, or a token of the identity provider")).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// The document as it is sent: made once, since making it takes longer than answering a hundred scores.
static DOCUMENT: LazyLock<Result<Bytes, String>> =
    LazyLock::new(|| ApiDoc::openapi().to_json().map(Bytes::from).map_err(|error| error.to_string()));

/// OpenAPI 3.1, generated from the handlers.
pub async fn openapi() -> Result<impl IntoResponse, (StatusCode, &'static str)> {
    let document = DOCUMENT.as_ref().map_err(|why| (StatusCode::INTERNAL_SERVER_ERROR, why.as_str()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document.clone()))
}

/// The table of error codes, for people.
pub async fn errors() -> impl IntoResponse {
    let mut page = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Scorehouse: error codes</title>\
         <link rel=stylesheet href=/ui/style.css><main><h1>Error codes</h1>\
         <table><thead><tr><th>code<th>status<th>meaning<tbody>",
    );
    for row in TABLE {
        let _ = write!(
            page,
            "<tr id={0}><td><code>{0}</code><td>{1}<td>{2}",
            row.code,
            row.status,
            escaped(row.meaning)
        );
    }
    page.push_str("</table></main></html>");
    ([(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'")], Html(page))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
