//! `actionable`: what people can change, and how far.

use indexmap::IndexMap;

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::{ActionableSpec, Direction};

const EXPECTED: &str = "true, \"up\", \"down\", or { direction, min, max, step, values }";
const KEYS: [&str; 5] = ["direction", "min", "max", "step", "values"];

/// Features that people can change, by name.
pub(super) fn actionable(section: &Section<'_>) -> IndexMap<String, ActionableSpec> {
    let table = section.get("actionable").and_then(|entry| entry.section("a table of features"));
    let entries = table.as_ref().map(Section::entries).unwrap_or_default();
    entries.iter().filter_map(|entry| Some((entry.key().to_owned(), one(entry)?))).collect()
}

fn one(entry: &Entry<'_>) -> Option<ActionableSpec> {
    if entry.is_text() {
        return Some(ActionableSpec { direction: Some(direction(entry)?), ..ActionableSpec::default() });
    }
    if !entry.is_table() {
        if entry.flag()? {
            return Some(ActionableSpec::default());
        }
        entry.refuse(EXPECTED);
        return None;
    }
    let table = entry.section(EXPECTED)?;
    table.only(&format!("actionable.{}", entry.key()), &KEYS);
    let number = |key: &str| table.get(key).and_then(|entry| entry.number("a number"));
    let values = table.get("values").map(|entry| entry.items("a list of texts")).unwrap_or_default();
    let spec = ActionableSpec {
        direction: table.get("direction").and_then(|entry| direction(&entry)),
        min: number("min"),
        max: number("max"),
        step: number("step"),
        values: values.iter().filter_map(|entry| entry.words()).map(str::to_owned).collect(),
    };
    if let (Some(entry), true) = (table.get("step"), spec.step.is_some_and(|step| step <= 0.0)) {
        entry.refuse("a number above 0");
        return None;
    }
    if let (Some(entry), Some(min), Some(max)) = (table.get("max"), spec.min, spec.max)
        && max < min
    {
        let finding = Finding::at(entry.at(), format!("`max` is {max}, below `min`"));
        entry.findings().report(finding.expected(format!("{min} or more")));
        return None;
    }
    Some(spec)
}

fn direction(entry: &Entry<'_>) -> Option<Direction> {
    match entry.text()? {
        "up" => Some(Direction::Up),
        "down" => Some(Direction::Down),
        _ => {
            entry.refuse("\"up\" or \"down\"");
            None
        }
    }
}
