//! Whole project files, right and wrong.

mod documentation;
mod right;
mod wrong;

use std::path::Path;

use crate::definition::{Diagnostic, Project};

/// A project that uses most of what a project file can say.
const WHOLE: &str = include_str!("tests/whole.toml");

fn parse(text: &str) -> Project {
    Project::parse(text, Path::new("/project")).unwrap_or_else(|found| panic!("{}", printed(&found)))
}

/// The mistakes of `text`, one per line.
fn mistakes(text: &str) -> String {
    printed(&Project::parse(text, Path::new("/project")).expect_err("a mistake"))
}

fn printed(found: &[Diagnostic]) -> String {
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
