//! `[source.X]`.

use indexmap::IndexMap;

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::condition::{find_column, over_columns};
use crate::definition::read::format::format;
use crate::definition::{Availability, Column, Origin, Source};
use crate::expression::names_in;
use crate::ids::{ColumnName, SourceName};
use crate::source::moment::MomentFormat;
use crate::value::ValueType;

const KEYS: [&str; 16] = [
    "path",
    "format",
    "event_time",
    "available_time",
    "delay",
    "columns",
    "infer",
    "compute",
    "keep",
    "max_rejected",
    "description",
    "delimiter",
    "quote",
    "encoding",
    "null",
    "decimal",
];
const TYPES: [&str; 5] = ["bool", "int", "float", "text", "time"];

/// Finds the columns of a source's first file that are not declared.
pub(in crate::definition) type Infer<'i> = &'i dyn Fn(&Source) -> Result<Vec<Column>, String>;

/// Reads all sources; `infer` completes those that ask for it.
pub(in crate::definition) fn sources(file: Section<'_>, infer: Infer<'_>) -> IndexMap<SourceName, Source> {
    let mut sources = IndexMap::new();
    for entry in file.section("source").map(|s| s.entries()).unwrap_or_default() {
        let before = entry.findings().count();
        // A source with a mistake is left out, so that its views are not blamed for it.
        if let Some(source) = source(&entry, infer).filter(|_| entry.findings().count() == before) {
            sources.insert(source.name.clone(), source);
        }
    }
    sources
}

fn source(entry: &Entry<'_>, infer: Infer<'_>) -> Option<Source> {
    let section = entry.section("a table: [source.X]")?;
    section.only(&format!("source.{}", entry.key()), &KEYS);
    let name = entry.name();
    let path = section.get("path").and_then(|e| path(&e));
    let format = format(&section, path.as_deref());
    let (event_time, available) = times(&section);
    let mut broken = Broken::default();
    let columns = section.section("columns").map(|s| read_columns(&s, &mut broken)).unwrap_or_default();
    let mut source = Source {
        name: name?,
        path,
        format,
        event_time: event_time?,
        available,
        columns,
        infer: section.get("infer").and_then(|e| e.flag()).unwrap_or(false),
        keep: None,
        max_rejected: section.get("max_rejected").and_then(|e| share(&e)).unwrap_or(0.01),
        description: section.get("description").and_then(|e| e.text()).map(str::to_owned),
    };
    require_times(&mut source);
    if source.infer {
        complete(&section, &mut source, infer)?;
    }
    if let Some(computed) = section.section("compute") {
        compute(&computed, &mut source.columns, &mut broken);
    }
    check_times(&section, &source, &broken);
    source.keep = section
        .get("keep")
        .filter(|e| !broken.stand_in(e))
        .and_then(|e| over_columns(&e, &source.columns, Some(ValueType::Bool)));
    if source.columns.is_empty() && broken.0.is_empty() {
        let finding = Finding::at(section.at(), format!("source `{}` has no columns", source.name));
        section.findings().report(finding.expected("`columns = { name = \"type\" }` or `infer = true`"));
    }
    Some(source)
}

/// A glob below the project's folder.
fn path(entry: &Entry<'_>) -> Option<String> {
    let path = entry.words()?;
    if let Err(error) = glob::Pattern::new(path) {
        let finding = Finding::at(entry.at(), format!("`path` is not a glob: {}", error.msg));
        entry.findings().report(finding.expected("such as \"data/orders/*.csv.gz\""));
        return None;
    }
    Some(path.to_owned())
}

fn share(entry: &Entry<'_>) -> Option<f64> {
    const EXPECTED: &str = "a share from 0 to 1";
    let share = entry.number(EXPECTED)?;
    if (0.0..=1.0).contains(&share) {
        return Some(share);
    }
    entry.refuse(EXPECTED);
    None
}

fn times(section: &Section<'_>) -> (Option<ColumnName>, Availability) {
    let event = section
        .need("event_time", "the `time` column that says when a row happened")
        .and_then(|e| e.parsed());
    let delay = section.get("delay");
    let column = section.get("available_time");
    if let (Some(delay), Some(_)) = (&delay, &column) {
        let message = "`delay` and `available_time` exclude each other";
        section.findings().report(Finding::at(delay.key_at(), message));
    }
    let available = match (column, delay) {
        (Some(column), _) => column.parsed().map(Availability::Column),
        (None, Some(delay)) => delay.parsed().map(Availability::Delay),
        (None, None) => None,
    };
    (event, available.unwrap_or(Availability::EventTime))
}

/// Columns that are declared, but wrong: what reads them is not blamed as well.
#[derive(Default)]
struct Broken(Vec<String>);

impl Broken {
    /// True when an expression reads one of them.
    fn stand_in(&self, entry: &Entry<'_>) -> bool {
        if self.0.is_empty() || !entry.is_text() {
            return false;
        }
        let names = names_in(entry.text().unwrap_or_default());
        names.iter().any(|name| matches!(name.as_slice(), [one] if self.0.contains(one)))
    }
}

fn read_columns(section: &Section<'_>, broken: &mut Broken) -> Vec<Column> {
    let mut columns = Vec::new();
    for entry in section.entries() {
        match read_column(&entry) {
            Some(column) => columns.push(column),
            None => broken.0.push(entry.key().to_owned()),
        }
    }
    columns
}

/// The key of `entry` as the name of a column; those with `__` in front are the store's own.
fn column_name(entry: &Entry<'_>) -> Option<ColumnName> {
    if entry.key().starts_with("__") {
        let finding = Finding::at(entry.key_at(), format!("a column cannot be called `{}`", entry.key()));
        entry.findings().report(finding.expected("a name that does not begin with `__`"));
        return None;
    }
    entry.name()
}

fn read_column(entry: &Entry<'_>) -> Option<Column> {
    let name = column_name(entry);
    if entry.is_text() {
        let value_type = column_type(entry);
        let origin = Origin::Read { header: entry.key().to_owned(), format: None, required: false };
        return Some(Column { name: name?, value_type: value_type?, origin });
    }
    let section = entry.section("a type or { type, header, format, required }")?;
    section.only(&format!("column {}", entry.key()), &["type", "header", "format", "required"]);
    let value_type = section.need("type", &one_of_types()).and_then(|e| column_type(&e));
    let header = section.get("header").and_then(|e| e.words()).unwrap_or_else(|| entry.key());
    let format = section.get("format");
    if let (Some(format), Some(kind)) = (&format, value_type)
        && kind != ValueType::Time
    {
        let message = format!("`format` has no meaning for a column of type {kind}");
        section.findings().report(Finding::at(format.key_at(), message).expected("`type = \"time\"`"));
    }
    let origin = Origin::Read {
        header: header.to_owned(),
        format: format.and_then(|e| pattern(&e)),
        required: section.get("required").and_then(|e| e.flag()).unwrap_or(false),
    };
    Some(Column { name: name?, value_type: value_type?, origin })
}

/// How moments are written.
fn pattern(entry: &Entry<'_>) -> Option<String> {
    let pattern = entry.words()?;
    match MomentFormat::parse(Some(pattern)) {
        Ok(_) => Some(pattern.to_owned()),
        Err(error) => {
            let finding = Finding::at(entry.at(), format!("`format` is no format of times: {error}"));
            entry.findings().report(finding.expected("such as \"%Y-%m-%d %H:%M:%S\" or \"unix\""));
            None
        }
    }
}

fn one_of_types() -> String {
    crate::nearest::listed(TYPES)
}

/// The type that `entry` names.
pub(in crate::definition) fn column_type(entry: &Entry<'_>) -> Option<ValueType> {
    let text = entry.text()?;
    match text {
        "bool" => Some(ValueType::Bool),
        "int" => Some(ValueType::Int),
        "float" => Some(ValueType::Float),
        "text" => Some(ValueType::Text),
        "time" => Some(ValueType::Time),
        other => {
            let known = match other {
                "integer" | "bigint" | "long" => "int",
                "double" | "number" | "decimal" | "real" => "float",
                "string" | "str" | "varchar" | "category" => "text",
                "date" | "datetime" | "timestamp" => "time",
                "boolean" => "bool",
                other => other,
            };
            let finding = Finding::at(entry.at(), format!("unknown type `{other}`"));
            entry.findings().report(finding.known(known, TYPES));
            None
        }
    }
}

/// A row without its times has no place in history.
fn require_times(source: &mut Source) {
    for column in &mut source.columns {
        let is_time = column.name == source.event_time
            || matches!(&source.available, Availability::Column(name) if *name == column.name);
        if let (true, Origin::Read { required, .. }) = (is_time, &mut column.origin) {
            *required = true;
        }
    }
}

/// Adds the inferred columns; none when there are none to be had, and the rest would be guesswork.
fn complete(section: &Section<'_>, source: &mut Source, infer: Infer<'_>) -> Option<()> {
    match infer(source) {
        Ok(columns) => {
            let new: Vec<Column> =
                columns.into_iter().filter(|c| find_column(source, c.name.as_str()).is_none()).collect();
            source.columns.extend(new);
            require_times(source);
            Some(())
        }
        Err(error) => {
            let at = section.get("infer").map_or(section.at(), |e| e.at());
            let finding = Finding::at(at, format!("columns cannot be inferred: {error}"));
            section.findings().report(finding.expected("a file that `path` finds, or `columns`"));
            None
        }
    }
}

fn compute(section: &Section<'_>, columns: &mut Vec<Column>, broken: &mut Broken) {
    for entry in section.entries() {
        let Some(name) = column_name(&entry) else { continue };
        if columns.iter().any(|column| column.name == name) {
            let message = format!("column `{name}` is read already");
            section.findings().report(Finding::at(entry.key_at(), message).expected("another name"));
            continue;
        }
        let compiled = if broken.stand_in(&entry) { None } else { over_columns(&entry, columns, None) };
        match compiled {
            Some(expression) => {
                let value_type = expression.value_type();
                columns.push(Column { name, value_type, origin: Origin::Computed(expression) });
            }
            None => broken.0.push(entry.key().to_owned()),
        }
    }
}

fn check_times(section: &Section<'_>, source: &Source, broken: &Broken) {
    let available = match &source.available {
        Availability::Column(name) => Some(("available_time", name)),
        _ => None,
    };
    for (key, name) in std::iter::once(("event_time", &source.event_time)).chain(available) {
        let at = section.get(key).map_or(section.at(), |e| e.at());
        if source.columns.is_empty() || broken.0.iter().any(|broken| broken == name.as_str()) {
            continue;
        }
        let Some(column) = find_column(source, name.as_str()) else {
            let finding = Finding::at(at, format!("`{key}` names no column: `{name}`"));
            let known = source.columns.iter().map(|c| c.name.as_str());
            section.findings().report(finding.known(name.as_str(), known));
            continue;
        };
        if column.value_type != ValueType::Time {
            let message = format!("`{key}` names column `{name}` of type {}", column.value_type);
            section.findings().report(Finding::at(at, message).expected("a column of type time"));
        }
    }
}

/// The source that `entry` names; none (and no second blame) when it is declared with mistakes.
pub(in crate::definition) fn named<'s>(entry: &Entry<'_>, sources: &'s Sources<'_>) -> Option<&'s Source> {
    let name = entry.words()?;
    if let Some(source) = sources.checked.get(name) {
        return Some(source);
    }
    if !sources.declared.iter().any(|declared| declared == name) {
        let finding = Finding::at(entry.at(), format!("unknown source `{name}`"));
        entry.findings().report(finding.known(name, sources.declared.iter().map(String::as_str)));
    }
    None
}

/// The sources of a project: those that are right, and the names of all.
pub(in crate::definition) struct Sources<'s> {
    pub checked: &'s IndexMap<SourceName, Source>,
    pub declared: Vec<String>,
}

impl<'s> Sources<'s> {
    pub fn new(file: Section<'_>, checked: &'s IndexMap<SourceName, Source>) -> Self {
        Self { checked, declared: declared(file, "source") }
    }
}

/// The names declared in the sections `[kind.X]`, right or wrong.
pub(in crate::definition) fn declared(file: Section<'_>, kind: &str) -> Vec<String> {
    let section = file.get(kind).filter(Entry::is_table).and_then(|e| e.section("a table"));
    section.map(|s| s.entries().iter().map(|e| e.key().to_owned()).collect()).unwrap_or_default()
}
