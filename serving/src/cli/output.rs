//! What a command says when it is done: tables for people, one JSON document for programs.

use std::fmt::Display;
use std::io::Write as _;

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::Serialize;

/// The result of a command.
pub trait Report: Serialize {
    /// The result as people read it, ending without a line break.
    fn human(&self) -> String;
}

/// Writes `report` to standard output, as JSON when `json`.
///
/// # Errors
/// When standard output is closed or the report cannot be written as JSON.
pub fn show<R: Report>(report: &R, json: bool) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string_pretty(report)? } else { report.human() };
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}") {
        // A reader that went away (`| head`) is no failure of the command.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// A table with a header; columns named in `right` are aligned to the right.
#[must_use]
pub fn table<C: Display>(header: &[&str], right: &[usize], rows: impl IntoIterator<Item = Vec<C>>) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    for row in rows {
        table.add_row(row.iter().map(ToString::to_string));
    }
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// A count with thin groups of three: `1 044 847`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_are_grouped_by_three() {
        assert_eq!(count(7), "7");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_044_847), "1 044 847");
    }
}
