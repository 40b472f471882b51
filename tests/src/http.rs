//! Asking a server.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// A status with a body.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text)
            .with_context(|| format!("{} is not JSON: {}", self.status, self.text))
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Result<Answer> {
    let status = response.status().as_u16();
    Ok(Answer { status, text: response.into_body().read_to_string()? })
}

/// `GET url`.
///
/// # Errors
/// When the server does not answer; any status is an answer.
pub fn get(url: &str) -> Result<Answer> {
    answer(agent().get(url).call()?)
}

/// `GET url` with a key or token.
///
/// # Errors
/// As for [`get`].
pub fn get_as(credential: &str, url: &str) -> Result<Answer> {
    answer(agent().get(url).header("authorization", format!("Bearer {credential}")).call()?)
}

/// `POST url` with a JSON body.
///
/// # Errors
/// As for [`get`].
pub fn post(url: &str, body: &Value) -> Result<Answer> {
    answer(agent().post(url).send_json(body)?)
}

/// `PUT url` with a JSON body.
///
/// # Errors
/// As for [`get`].
pub fn put(url: &str, body: &Value) -> Result<Answer> {
    answer(agent().put(url).send_json(body)?)
}
