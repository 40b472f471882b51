//! What can go wrong between a request and its answer.
//!
//! [`ServeError`] says what happened; [`crate::problem`] says which code and status that becomes.

use std::time::Duration;

use scorehouse_features::nearest::nearest;
use scorehouse_features::online::OnlineError;
use scorehouse_features::source::SourceError;
use scorehouse_features::time::Timestamp;
use scorehouse_features::{Fault, FeatureError};
use scorehouse_models::ModelError;
use scorehouse_offline::OfflineError;
use serde::Serialize;

/// What an unknown name was meant to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// A model.
    Model,
    /// A version of a model.
    Version,
    /// An alias of a model.
    Alias,
    /// A kind of entity, such as `customer`.
    Entity,
    /// One entity by its key.
    Key,
    /// A feature or model input.
    Feature,
    /// A feature set.
    FeatureSet,
    /// A source.
    Source,
    /// An output of a model.
    Output,
}

impl Noun {
    /// The noun in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Version => "version",
            Self::Alias => "alias",
            Self::Entity => "entity",
            Self::Key => "entity with the key",
            Self::Feature => "feature",
            Self::FeatureSet => "feature set",
            Self::Source => "source",
            Self::Output => "output",
        }
    }
}

/// One row of a push that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRow {
    /// Position in the request, from 0.
    pub row: usize,
    /// The field at fault, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// The nearest known field, when an unknown one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

/// Why a request, or the server itself, failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A name that nothing has.
    #[error("there is no {} {name:?}{}", what.as_str(), suggestion(nearest.as_ref()))]
    Unknown {
        /// What it was meant to name.
        what: Noun,
        /// The name as given.
        name: String,
        /// The nearest known name.
        nearest: Option<String>,
        /// Known names, at most 50.
        known: Vec<String>,
    },
    /// A value of the wrong type.
    #[error("{field} must be {expected}, not {given}")]
    WrongType {
        /// The field.
        field: String,
        /// What it takes.
        expected: String,
        /// What was given.
        given: String,
    },
    /// A field that is unknown, absent, or outside its range.
    #[error("{message}")]
    InvalidField {
        /// What is wrong, naming the field.
        message: String,
        /// The nearest known field, when an unknown one was given.
        nearest: Option<String>,
    },
    /// The body is not JSON.
    #[error("the body is not valid JSON: {message} (line {line}, column {column})")]
    InvalidJson {
        /// What the parser met.
        message: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The body or path is not UTF-8.
    #[error("the {what} is not valid UTF-8 at byte {at}")]
    InvalidUtf8 {
        /// `body` or `path`.
        what: &'static str,
        /// Offset of the first byte that is not UTF-8.
        at: usize,
    },
    /// A path or query parameter cannot be read.
    #[error("{message}")]
    InvalidParameter {
        /// What is wrong, naming the parameter.
        message: String,
    },
    /// The body's content type is not one that the route takes.
    #[error("send {expected}, not {given}")]
    WrongContentType {
        /// What the route takes.
        expected: &'static str,
        /// The header as given, or `no content-type`.
        given: String,
    },
    /// The body is over the limit.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body broke off.
    #[error("the body could not be read to its end: {message}")]
    BodyBroken {
        /// What the connection reported.
        message: String,
    },
    /// More rows than one request may carry.
    #[error("at most {limit} {what} in one request; {given} were given")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
        /// How many were given.
        given: usize,
    },
    /// An as-of time that has not come yet.
    #[error("as_of {as_of} lies in the future; it is {now}")]
    FutureAsOf {
        /// The time asked for.
        as_of: Timestamp,
        /// The present.
        now: Timestamp,
    },
    /// Some rows of a push were refused, so none was stored.
    #[error("{} of {total} rows were refused and none was stored: {}", rows.len(), first(rows))]
    RowsRejected {
        /// The refused rows.
        rows: Vec<RejectedRow>,
        /// Rows in the request.
        total: usize,
    },
    /// No route has this path.
    #[error("there is nothing at {path}")]
    UnknownRoute {
        /// The path.
        path: String,
    },
    /// The route does not take this method.
    #[error("{method} is not allowed here")]
    WrongMethod {
        /// The method.
        method: String,
    },
    /// The model exists but no version of it answers requests.
    #[error("model {model} has no live version: {reason}")]
    NotLive {
        /// The model.
        model: String,
        /// Why.
        reason: String,
    },
    /// The model cannot do what was asked.
    #[error("model {model} {message}")]
    NotSuited {
        /// The model.
        model: String,
        /// What it does instead.
        message: String,
    },
    /// A version that may not answer requests: damaged, made for other features, or wrong on its own samples.
    #[error("version {version} of model {model} was refused: {reason}")]
    VersionRefused {
        /// The model.
        model: String,
        /// The version.
        version: u32,
        /// Why.
        reason: String,
    },
    /// The caller did not prove who it is.
    #[error("{reason}; send an API key or a token as `Authorization: Bearer …`")]
    Unauthorized {
        /// What is wrong with the credential, without repeating it.
        reason: &'static str,
    },
    /// The caller is known, but may not do this.
    #[error("{message}")]
    Forbidden {
        /// What it may not do.
        message: String,
    },
    /// The caller asks more often than its role may.
    #[error("more requests than this role may send; try again in {retry_after} s")]
    RateLimited {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// The server has no room for this request now.
    #[error("the server is busy; try again in {retry_after} s")]
    Overloaded {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// The request took longer than allowed.
    #[error("the request took longer than {seconds} s")]
    TimedOut {
        /// The limit in seconds.
        seconds: u64,
    },
    /// The caller's own deadline passed.
    #[error("the request was to be answered within {limit:?}, and was not")]
    DeadlinePassed {
        /// The time that the caller gave.
        limit: Duration,
    },
    /// The part that would answer is not there in this server.
    #[error("{what} is not available: {reason}")]
    Unavailable {
        /// The part.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The machine refused something: a file, a socket.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A fault of this program.
    #[error("internal error: {message}")]
    Bug {
        /// What happened.
        message: String,
    },
}

impl ServeError {
    /// An [`ServeError::Unknown`] with the nearest of `known`.
    pub fn unknown<'a>(what: Noun, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        Self::Unknown {
            what,
            name: name.chars().take(120).collect(),
            nearest,
            known: known.into_iter().take(50).collect(),
        }
    }

    /// Whose fault this is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::NotLive { .. } | Self::VersionRefused { .. } => Fault::Data,
            Self::Overloaded { .. } | Self::TimedOut { .. } | Self::Unavailable { .. } | Self::Io { .. } => {
                Fault::Platform
            }
            Self::Bug { .. } => Fault::Bug,
            _ => Fault::Caller,
        }
    }
}

/// What follows a message about a name that nothing has.
pub(crate) fn suggestion(nearest: Option<&String>) -> String {
    nearest.map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}

fn first(rows: &[RejectedRow]) -> String {
    rows.first().map_or_else(String::new, |row| format!("row {}: {}", row.row, row.message))
}

impl From<FeatureError> for ServeError {
    fn from(error: FeatureError) -> Self {
        match error {
            FeatureError::Unknown { what, name, known } => {
                Self::unknown(noun(what), &name, known.iter().map(String::as_str))
            }
            FeatureError::WrongType { name, expected, found } => {
                Self::WrongType { field: name, expected: expected.to_string(), given: found }
            }
            FeatureError::Id(error) => Self::InvalidField { message: error.to_string(), nearest: None },
            FeatureError::Time(error) => Self::InvalidField { message: error.to_string(), nearest: None },
            FeatureError::Io { path, source } => Self::Io { what: path.display().to_string(), source },
            other if other.fault() == Fault::Bug => Self::Bug { message: other.to_string() },
            other => Self::Unavailable { what: "the feature store", reason: other.to_string() },
        }
    }
}

impl From<OnlineError> for ServeError {
    fn from(error: OnlineError) -> Self {
        match error {
            OnlineError::UnknownSource(name) => Self::unknown(Noun::Source, name.as_str(), []),
            OnlineError::UnknownEntity(name) => Self::unknown(Noun::Entity, name.as_str(), []),
            OnlineError::WrongRow { row, reason, .. } => {
                let row = RejectedRow { row, field: None, message: reason, nearest: None };
                Self::RowsRejected { rows: vec![row], total: 1 }
            }
            other if other.fault() == Fault::Bug => Self::Bug { message: other.to_string() },
            other => Self::Unavailable { what: "the online store", reason: other.to_string() },
        }
    }
}

impl From<SourceError> for ServeError {
    fn from(error: SourceError) -> Self {
        match error.fault() {
            Fault::Bug => Self::Bug { message: error.to_string() },
            _ => Self::Unavailable { what: "a source", reason: error.to_string() },
        }
    }
}

impl From<OfflineError> for ServeError {
    fn from(error: OfflineError) -> Self {
        let message = error.to_string();
        match error {
            OfflineError::Feature(error) => error.into(),
            OfflineError::Online(error) => error.into(),
            OfflineError::UnknownSource { name, known } => {
                Self::unknown(Noun::Source, name.as_str(), known.iter().map(String::as_str))
            }
            OfflineError::EntityRows(message) => Self::InvalidField { message, nearest: None },
            other if other.fault() == Fault::Bug => Self::Bug { message },
            _ => Self::Unavailable { what: "history", reason: message },
        }
    }
}

impl From<ModelError> for ServeError {
    fn from(error: ModelError) -> Self {
        let message = error.to_string();
        match error {
            ModelError::UnknownModel { name, known } => {
                Self::unknown(Noun::Model, &name, known.iter().map(String::as_str))
            }
            ModelError::UnknownVersion { version, .. } => Self::Unknown {
                what: Noun::Version,
                name: version.to_string(),
                nearest: None,
                known: Vec::new(),
            },
            ModelError::UnknownAlias { alias, known, .. } => {
                Self::unknown(Noun::Alias, alias.as_str(), known.iter().map(String::as_str))
            }
            ModelError::WrongType { input, expected, given } => {
                Self::WrongType { field: input, expected: expected.to_string(), given: given.to_string() }
            }
            ModelError::NotFinite { input } => Self::WrongType {
                field: input,
                expected: "a finite number".into(),
                given: "NaN or infinity".into(),
            },
            ModelError::InvalidId { .. } => Self::InvalidField { message, nearest: None },
            ModelError::NoReasons { predictor } => {
                Self::NotSuited { model: predictor.to_owned(), message: "cannot explain its scores".into() }
            }
            ModelError::WrongOutput { answers, asked } => Self::NotSuited {
                model: "asked".into(),
                message: format!("answers with {answers}, not with {asked}"),
            },
            ModelError::WrongWidth { .. } => Self::Bug { message },
            _ => Self::Unavailable { what: "the registry", reason: message },
        }
    }
}

fn noun(what: &str) -> Noun {
    match what {
        "model" => Noun::Model,
        "entity" => Noun::Entity,
        "source" => Noun::Source,
        "feature set" => Noun::FeatureSet,
        _ => Noun::Feature,
    }
}
