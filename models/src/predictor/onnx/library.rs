//! Finding and loading the ONNX Runtime library, once for the process.

use std::path::PathBuf;

use ort::environment::Environment;
use parking_lot::Mutex;

use crate::error::ModelError;

/// The environment variable that names the library; it goes before [`set_library`].
pub const ENVIRONMENT_VARIABLE: &str = "ORT_DYLIB_PATH";

/// The library's file name, of the one version that `models/onnxruntime/fetch.py` brings and checks by its hash.
pub const FILE: &str = "libonnxruntime.so.1.31.1";

static PATH: Mutex<Option<PathBuf>> = Mutex::new(None);
static LOADED: Mutex<Option<Environment>> = Mutex::new(None);

/// Says where the library lies, for when the environment does not. Once it is loaded this changes nothing.
pub fn set_library(path: impl Into<PathBuf>) {
    *PATH.lock() = Some(path.into());
}

/// True when the library can be loaded, so that ONNX models can be scored.
#[must_use]
pub fn library_is_available() -> bool {
    environment().is_ok()
}

/// The library, loaded. A failure is not remembered: the library may be brought while the process runs.
pub(super) fn environment() -> Result<Environment, ModelError> {
    let mut loaded = LOADED.lock();
    if let Some(environment) = &*loaded {
        return Ok(environment.clone());
    }
    let path = path()?;
    // Asked first, because the loader would search the system's folders for a name that is not a path.
    if !path.is_file() {
        return Err(ModelError::OnnxLibrary { why: format!("there is no file {}", path.display()) });
    }
    let refuse = |why: String| ModelError::OnnxLibrary { why };
    let builder = ort::init_from(&path).map_err(|e| refuse(e.to_string()))?;
    let environment =
        builder.with_name("scorehouse").with_telemetry(false).build().map_err(|e| refuse(e.to_string()))?;
    Ok(loaded.insert(environment).clone())
}

fn path() -> Result<PathBuf, ModelError> {
    let named = std::env::var_os(ENVIRONMENT_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
    named.or_else(|| PATH.lock().clone()).or_else(near_the_program).ok_or_else(|| ModelError::OnnxLibrary {
        why: format!(
            "{ENVIRONMENT_VARIABLE} is not set and {FILE} lies neither beside the program nor where `make onnx` \
             brings it"
        ),
    })
}

/// Beside the running program, in a `lib` next to its folder, or in the `.venv` of a checkout it was built in.
fn near_the_program() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    let beside = [folder.join(FILE), folder.with_file_name("lib").join(FILE)];
    let brought = folder.ancestors().map(|above| above.join(".venv/onnxruntime").join(FILE));
    beside.into_iter().chain(brought).find(|path| path.is_file())
}
