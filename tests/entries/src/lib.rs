//! What must not panic, whatever it is given.
//!
//! Every parser of bytes that come from outside, as a function of any bytes: `fuzz/` gives them to libFuzzer, a test beside
//! this crate runs them over the committed corpus, so that they cannot rot. They use what the crates show anyway. Bodies
//! of requests are tried through the routes themselves (`serving/tests/http/bytes.rs`).

mod files;
mod near;
mod stores;
mod texts;

pub use near::near;

/// A parser.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name: that of the fuzz target, and of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Parses; what comes of it does not matter.
    pub run: fn(&[u8]),
}

/// All of them.
pub const ALL: &[Entry] = &[
    Entry { name: "project", run: texts::project },
    Entry { name: "expression", run: texts::expression },
    Entry { name: "moment", run: texts::moment },
    Entry { name: "event", run: texts::event },
    Entry { name: "delimited", run: files::delimited },
    Entry { name: "snapshot", run: stores::snapshot },
    Entry { name: "online_log", run: stores::online_log },
    Entry { name: "artifact", run: stores::artifact },
    Entry { name: "manifest", run: stores::manifest },
];

/// Runs the parser of that name.
///
/// # Errors
/// The name, when there is none.
pub fn run(name: &str, bytes: &[u8]) -> Result<(), String> {
    let entry = ALL.iter().find(|entry| entry.name == name).ok_or_else(|| name.to_owned())?;
    (entry.run)(bytes);
    Ok(())
}
