//! Why a command failed, and the exit code that says so.

use std::fmt;
use std::process::ExitCode;

use scorehouse_features::definition::Diagnostic;
use scorehouse_features::{Fault, FeatureError};
use serde::Serialize;

/// Exit codes, as `scorehouse --help` lists them.
pub const EXIT_CODES: &str = "Exit codes:\n  0   done\n  1   the machine failed: disk, network, memory\n  2   the command line or a name in it is wrong\n  3   the project file or the data is wrong\n  70  a defect in Scorehouse itself";

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    /// Whose fault it is; decides the exit code.
    pub fault: Fault,
    /// What happened, a sentence.
    pub message: String,
    /// Mistakes in the project file, when that is what failed.
    pub diagnostics: Vec<String>,
}

/// What a command comes to.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure of the caller's making.
    pub fn caller(message: impl fmt::Display) -> Self {
        Self::new(Fault::Caller, message)
    }

    /// A failure of the data's making.
    pub fn data(message: impl fmt::Display) -> Self {
        Self::new(Fault::Data, message)
    }

    /// A failure with its fault.
    pub fn new(fault: Fault, message: impl fmt::Display) -> Self {
        Self { fault, message: message.to_string(), diagnostics: Vec::new() }
    }

    /// Mistakes in a project file.
    pub fn project(found: &[Diagnostic]) -> Self {
        let message = match found.len() {
            1 => "the project file has a mistake".to_owned(),
            n => format!("the project file has {n} mistakes"),
        };
        Self { fault: Fault::Data, message, diagnostics: found.iter().map(ToString::to_string).collect() }
    }

    /// The same failure, with what was being done put before it.
    #[must_use]
    pub fn during(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    const fn code(&self) -> u8 {
        match self.fault {
            Fault::Platform => 1,
            Fault::Caller => 2,
            Fault::Data => 3,
            Fault::Bug => 70,
        }
    }

    /// Writes the failure to standard error, as one JSON document when `json`.
    pub fn report(&self, json: bool) {
        #[derive(Serialize)]
        struct Document<'a> {
            error: &'a str,
            exit_code: u8,
            #[serde(skip_serializing_if = "<[String]>::is_empty")]
            diagnostics: &'a [String],
        }
        let document =
            Document { error: &self.message, exit_code: self.code(), diagnostics: &self.diagnostics };
        match serde_json::to_string_pretty(&document) {
            Ok(text) if json => eprintln!("{text}"),
            _ => {
                for line in &self.diagnostics {
                    eprintln!("{line}");
                }
                eprintln!("error: {}", self.message);
            }
        }
    }
}

impl From<FeatureError> for Failure {
    fn from(error: FeatureError) -> Self {
        match error {
            FeatureError::Definition(found) => Self::project(&found),
            other => Self::new(other.fault(), other),
        }
    }
}

macro_rules! from_classified {
    ($($error:ty),+) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.fault(), error)
            }
        }
    )+};
}

from_classified!(
    scorehouse_models::ModelError,
    scorehouse_offline::OfflineError,
    scorehouse_training::TrainingError,
    scorehouse_features::online::OnlineError,
    crate::ServeError
);

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Fault::Platform, error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Fault::Platform, format!("{error:#}"))
    }
}
