//! The built-in page and its files, inside the binary.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;

/// Scripts and styles only from this server, and nobody may frame the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text)
}

/// The page.
pub async fn index() -> impl IntoResponse {
    file("text/html; charset=utf-8", include_str!("../../ui/index.html"))
}

/// Its style.
pub async fn style() -> impl IntoResponse {
    file("text/css; charset=utf-8", include_str!("../../ui/style.css"))
}

/// Its script.
pub async fn script() -> impl IntoResponse {
    file("text/javascript; charset=utf-8", include_str!("../../ui/app.js"))
}

/// Its icon.
pub async fn icon() -> impl IntoResponse {
    file("image/svg+xml", include_str!("../../ui/icon.svg"))
}
