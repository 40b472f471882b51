//! Window views: aggregates over trailing windows.

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::condition::{find_column, over_columns};
use crate::definition::read::source::Sources;
use crate::definition::read::view::{Stored, base, group, words};
use crate::definition::{Aggregate, Catalogue, Feature, Source, View, ViewKind, WindowFeature, WindowView};
use crate::expression::Expression;
use crate::ids::{ColumnName, LocalName, ViewName};
use crate::time::{DAY, Span};
use crate::value::ValueType;

const AGGREGATES: [&str; 10] = [
    "count",
    "sum",
    "mean",
    "stddev",
    "min",
    "max",
    "distinct",
    "last",
    "days_since_last",
    "days_since_first",
];
/// Most rows that `last` looks back.
const LAST_MOST: u32 = 100;

/// A window as written: its ending in feature names, its words, its length.
#[derive(Clone)]
struct Window {
    ending: String,
    words: String,
    length: Option<Span>,
}

impl Window {
    fn all() -> Self {
        Self { ending: String::new(), words: "all time".to_owned(), length: None }
    }
}

/// One aggregate as written, before it is spread over windows.
struct Written {
    name: String,
    aggregate: Aggregate,
    value_type: ValueType,
    /// How many features it gives for one window: the k of `last`, else none.
    last: Option<u32>,
    windows: Vec<Window>,
    filter: Option<Expression>,
    words: Option<String>,
    /// The group as declared.
    group: Option<String>,
}

impl Written {
    /// How many features it gives.
    fn count(&self) -> usize {
        self.windows.len() * self.last.unwrap_or(1) as usize
    }
}

pub(super) fn window(
    name: ViewName,
    section: &Section<'_>,
    sources: &Sources<'_>,
    catalogue: &Catalogue,
) -> Option<View> {
    let common = section.get("windows").map(|e| windows(&e));
    let written = section.need("features", "a table name = \"aggregate\"");
    let Stored { entity, source, key, filter, description } = base(section, sources, catalogue)?;
    let table = written?.section("a table name = \"aggregate\"")?;
    let (mut features, mut computed): (Vec<Feature>, Vec<WindowFeature>) = (Vec::new(), Vec::new());
    for entry in table.entries() {
        let Some(mut one) = read(&entry, source, common.as_deref()) else { continue };
        // One aggregate over several windows, or the last few rows, say much the same.
        if one.group.is_none() && one.count() > 1 {
            one.group = Some(format!("{name}.{}", one.name));
        }
        for (feature, window) in spread(&entry, &one) {
            if features.iter().any(|f| f.name == feature.name) {
                let message = format!("feature `{}` of view `{name}` stands twice", feature.name);
                entry
                    .findings()
                    .report(Finding::at(entry.key_at(), message).expected("another name or other windows"));
            } else {
                features.push(feature);
                computed.push(window);
            }
        }
    }
    let window = WindowView { source: source.name.clone(), key, filter, features: computed };
    Some(View { name, entity, kind: ViewKind::Window(window), features, description })
}

fn windows(entry: &Entry<'_>) -> Vec<Window> {
    let items = entry.items("a list of spans or \"all\"");
    if entry.is_list() && items.is_empty() {
        entry.refuse("at least one span or \"all\"");
    }
    items.iter().filter_map(one_window).collect()
}

fn one_window(item: &Entry<'_>) -> Option<Window> {
    let text = item.text()?.trim();
    if text == "all" {
        return Some(Window::all());
    }
    let length: Span = item.parsed()?;
    Some(Window { ending: format!("_{text}"), words: in_words(length), length: Some(length) })
}

/// `30 days`, `1 hour`.
fn in_words(span: Span) -> String {
    let (count, unit) = match span.0 {
        us if us % DAY == 0 => (us / DAY, "day"),
        us if us % 3_600_000_000 == 0 => (us / 3_600_000_000, "hour"),
        us if us % 60_000_000 == 0 => (us / 60_000_000, "minute"),
        us => (us / 1_000_000, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn read(entry: &Entry<'_>, source: &Source, common: Option<&[Window]>) -> Option<Written> {
    let name: LocalName = entry.name()?;
    let mut own = None;
    let mut written = if entry.is_text() {
        aggregate(entry, &name, source)?
    } else {
        let section = entry.section("an aggregate or { aggregate, where, windows, words, group }")?;
        section.only(&format!("feature {name}"), &["aggregate", "where", "windows", "words", "group"]);
        own = section.get("windows").map(|e| windows(&e));
        let filter =
            section.get("where").and_then(|e| over_columns(&e, &source.columns, Some(ValueType::Bool)));
        let words = section.get("words").and_then(|e| words(&e, &["{value}", "{window}"]));
        let group = group(&section);
        let entry = section.need("aggregate", "an aggregate, such as \"sum(amount)\"")?;
        Written { filter, words, group, ..aggregate(&entry, &name, source)? }
    };
    written.windows = match (own, common) {
        (Some(own), _) => own,
        (None, _) if about_a_moment(&written.aggregate) => vec![Window::all()],
        (None, Some(common)) => common.to_vec(),
        (None, None) => {
            let finding = Finding::at(entry.key_at(), format!("feature `{name}` has no windows"));
            entry.findings().report(finding.expected("`windows` in the view or in the feature"));
            return None;
        }
    };
    Some(written)
}

/// True for aggregates that ask when or what last, for which all history is the natural window.
const fn about_a_moment(aggregate: &Aggregate) -> bool {
    matches!(aggregate, Aggregate::Last(..) | Aggregate::DaysSinceLast | Aggregate::DaysSinceFirst)
}

fn aggregate(entry: &Entry<'_>, name: &LocalName, source: &Source) -> Option<Written> {
    const FORM: &str = "an aggregate of a column, such as \"sum(amount)\"";
    let text = entry.words()?.trim();
    let Some((function, rest)) = text.split_once('(') else {
        entry.refuse(FORM);
        return None;
    };
    let Some(inside) = rest.strip_suffix(')') else {
        entry.refuse(FORM);
        return None;
    };
    let arguments: Vec<&str> = inside.split(',').map(str::trim).filter(|a| !a.is_empty()).collect();
    let function = function.trim();
    let (aggregate, value_type, last) = match (function, arguments.as_slice()) {
        ("count", [] | ["*"]) => (Aggregate::Count, ValueType::Int, None),
        ("days_since_last", []) => (Aggregate::DaysSinceLast, ValueType::Float, None),
        ("days_since_first", []) => (Aggregate::DaysSinceFirst, ValueType::Float, None),
        ("last", [column, k]) => {
            let (column, kind) = argument(entry, source, column, &[])?;
            let k = rows_back(entry, k)?;
            (Aggregate::Last(column, k), kind, Some(k))
        }
        (function, [column]) => of_column(entry, source, function, column)?,
        (function, _) => {
            refuse_call(entry, function);
            return None;
        }
    };
    let name = name.to_string();
    let (windows, filter) = (Vec::new(), None);
    Some(Written { name, aggregate, value_type, last, windows, filter, words: None, group: None })
}

fn of_column(
    entry: &Entry<'_>,
    source: &Source,
    function: &str,
    column: &str,
) -> Option<(Aggregate, ValueType, Option<u32>)> {
    const NUMBERS: [ValueType; 2] = [ValueType::Int, ValueType::Float];
    const ORDERED: [ValueType; 3] = [ValueType::Int, ValueType::Float, ValueType::Time];
    let take = |allowed: &[ValueType]| argument(entry, source, column, allowed);
    Some(match function {
        "sum" => take(&NUMBERS).map(|(c, kind)| (Aggregate::Sum(c), kind, None))?,
        "mean" | "avg" => take(&NUMBERS).map(|(c, _)| (Aggregate::Mean(c), ValueType::Float, None))?,
        "stddev" => take(&NUMBERS).map(|(c, _)| (Aggregate::Stddev(c), ValueType::Float, None))?,
        "min" => take(&ORDERED).map(|(c, kind)| (Aggregate::Min(c), kind, None))?,
        "max" => take(&ORDERED).map(|(c, kind)| (Aggregate::Max(c), kind, None))?,
        "distinct" => take(&[]).map(|(c, _)| (Aggregate::Distinct(c), ValueType::Int, None))?,
        "last" => take(&[]).map(|(c, kind)| (Aggregate::Last(c, 1), kind, None))?,
        other => {
            refuse_call(entry, other);
            return None;
        }
    })
}

fn refuse_call(entry: &Entry<'_>, function: &str) {
    let findings = entry.findings();
    let finding = match function {
        "count" => Finding::at(entry.at(), "`count` takes no column").expected("`count()` with a `where`"),
        known if AGGREGATES.contains(&known) => {
            Finding::at(entry.at(), format!("`{known}` has the wrong arguments")).expected(
                "see the table of aggregates, such as `sum(column)`, `last(column, 3)`, `days_since_last()`",
            )
        }
        other => Finding::at(entry.at(), format!("unknown aggregate `{other}`")).known(other, AGGREGATES),
    };
    findings.report(finding);
}

/// A column of one of the `allowed` types (any, if empty).
fn argument(
    entry: &Entry<'_>,
    source: &Source,
    name: &str,
    allowed: &[ValueType],
) -> Option<(ColumnName, ValueType)> {
    let Some(column) = find_column(source, name) else {
        let message = format!("source `{}` has no column `{name}`", source.name);
        let known = source.columns.iter().map(|c| c.name.as_str());
        let mut finding = Finding::at(entry.at(), message).known(name, known);
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            finding = finding.expected("the name of a column; `compute` one in the source for anything more");
        }
        entry.findings().report(finding);
        return None;
    };
    if !allowed.is_empty() && !allowed.contains(&column.value_type) {
        let message = format!("column `{name}` is {}", column.value_type);
        let types: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        entry.findings().report(Finding::at(entry.at(), message).expected(types.join(" or ")));
        return None;
    }
    Some((column.name.clone(), column.value_type))
}

fn rows_back(entry: &Entry<'_>, text: &str) -> Option<u32> {
    let k = text.parse().ok().filter(|k| (1..=LAST_MOST).contains(k));
    if k.is_none() {
        let finding = Finding::at(entry.at(), format!("`last` cannot look `{text}` rows back"));
        entry.findings().report(finding.expected(format!("a whole number from 1 to {LAST_MOST}")));
    }
    k
}

/// One feature per window, and per row for `last(column, k)`.
fn spread(entry: &Entry<'_>, written: &Written) -> Vec<(Feature, WindowFeature)> {
    let mut all = Vec::new();
    for window in &written.windows {
        let rows = match (&written.aggregate, written.last) {
            (Aggregate::Last(column, _), Some(k)) => {
                (1..=k).map(|i| (format!("_{i}"), Aggregate::Last(column.clone(), i))).collect()
            }
            (aggregate, _) => vec![(String::new(), aggregate.clone())],
        };
        for (middle, aggregate) in rows {
            let name = format!("{}{middle}{}", written.name, window.ending);
            let Ok(name) = LocalName::new(&name) else {
                let finding = Finding::at(entry.key_at(), format!("`{name}` is not a valid feature name"));
                entry.findings().report(finding.expected("1 to 100 characters with the window"));
                continue;
            };
            let words = written.words.as_ref().map(|words| words.replace("{window}", &window.words));
            all.push((
                Feature { name, value_type: written.value_type, words, group: written.group.clone() },
                WindowFeature { aggregate, window: window.length, filter: written.filter.clone() },
            ));
        }
    }
    all
}
