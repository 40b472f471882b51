//! Expressions as they stand in a project file.

use crate::definition::raw::{Entry, Finding};
use crate::definition::{Column, Source};
use crate::expression::{Expression, ExpressionError, Problem, Scope};
use crate::ids::ColumnName;
use crate::value::ValueType;

/// Reports why an expression does not compile, at its place.
pub(in crate::definition) fn report(entry: &Entry<'_>, error: &ExpressionError) {
    let at = error.at.map_or(entry.at(), |character| entry.inside(character));
    let finding = Finding::at(at, format!("{error} (in `{}`)", entry.key()));
    entry.findings().report(match &error.problem {
        Problem::UnknownName { name, known, .. } => finding.known(name, known.iter().map(String::as_str)),
        Problem::UnknownFunction { name, .. } => finding.known(name, crate::expression::function_names()),
        _ => finding,
    });
}

/// The expression that `entry` holds; of type `kind`, if that is given.
pub(in crate::definition) fn expression(
    entry: &Entry<'_>,
    scope: &dyn Scope,
    kind: Option<ValueType>,
) -> Option<Expression> {
    let text = entry.words()?;
    let compiled = match kind {
        Some(kind) => Expression::compile_as(text, scope, kind),
        None => Expression::compile(text, scope),
    };
    compiled.inspect_err(|error| report(entry, error)).ok()
}

/// An expression over the columns of a source. It cannot ask for the as-of time: whether a row counts must
/// not depend on who asks.
pub(in crate::definition) fn over_columns(
    entry: &Entry<'_>,
    columns: &[Column],
    kind: Option<ValueType>,
) -> Option<Expression> {
    let compiled = expression(entry, &scope(columns), kind)?;
    if compiled.reads_as_of() {
        let message = "`as_of()` has no meaning over the rows of a source";
        let finding =
            Finding::at(entry.at(), message).expected("`as_of()` in derived features and rules only");
        entry.findings().report(finding);
        return None;
    }
    Some(compiled)
}

/// The names of a source's columns: column `i` is slot `i`.
pub(in crate::definition) fn scope(columns: &[Column]) -> Vec<(String, ValueType)> {
    columns.iter().map(|column| (column.name.to_string(), column.value_type)).collect()
}

/// The column of `source` that `entry` names; its absence is a mistake.
pub(in crate::definition) fn column<'s>(entry: &Entry<'_>, source: &'s Source) -> Option<&'s Column> {
    let name = entry.words()?;
    find_column(source, name).or_else(|| {
        let message = format!("source `{}` has no column `{name}`", source.name);
        let known = source.columns.iter().map(|c| c.name.as_str());
        entry.findings().report(Finding::at(entry.at(), message).known(name, known));
        None
    })
}

/// The `text` column of `source` called `name`, as a key; `at` is where it is asked for.
pub(in crate::definition) fn key_column(
    entry: &Entry<'_>,
    source: &Source,
    name: &str,
    at: usize,
) -> Option<ColumnName> {
    let Some(column) = find_column(source, name) else {
        let message = format!("source `{}` has no column `{name}` to hold the key", source.name);
        let known = source.columns.iter().map(|c| c.name.as_str());
        entry.findings().report(Finding::at(at, message).known(name, known));
        return None;
    };
    if column.value_type != ValueType::Text {
        let message =
            format!("column `{name}` of source `{}` is {}, but holds a key", source.name, column.value_type);
        let finding = Finding::at(at, message).expected(format!("`{name} = \"text\"` in the source"));
        entry.findings().report(finding);
        return None;
    }
    Some(column.name.clone())
}

pub(in crate::definition) fn find_column<'s>(source: &'s Source, name: &str) -> Option<&'s Column> {
    source.columns.iter().find(|column| column.name.as_str() == name)
}
