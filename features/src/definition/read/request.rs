//! `request` tables: fields that only a request brings.

use indexmap::IndexMap;

use crate::definition::Catalogue;
use crate::definition::raw::{Finding, Section};
use crate::definition::read::source::column_type;
use crate::ids::LocalName;
use crate::value::ValueType;

/// Gathers the `request` tables of all views, feature sets and models; a field has one type everywhere.
pub(in crate::definition) fn gather(file: Section<'_>, catalogue: &mut Catalogue) {
    for kind in ["view", "features", "model"] {
        for entry in file.section(kind).map(|s| s.entries()).unwrap_or_default() {
            let Some(section) = entry.section("a table") else { continue };
            for (name, (value_type, at)) in fields(&section) {
                let first = *catalogue.request_fields.entry(name.clone()).or_insert(value_type);
                if first != value_type {
                    let message =
                        format!("request field `{name}` is {value_type} here, but {first} elsewhere");
                    entry
                        .findings()
                        .report(Finding::at(at, message).expected("one type in the whole project"));
                }
            }
        }
    }
}

/// The fields that a section declares, with their types and places. Mistakes are reported only once,
/// however often this is asked.
pub(in crate::definition) fn fields(section: &Section<'_>) -> IndexMap<LocalName, (ValueType, usize)> {
    let written = section.section("request").map(|s| s.entries()).unwrap_or_default();
    written.iter().filter_map(|entry| Some((entry.name()?, (column_type(entry)?, entry.at())))).collect()
}
