//! Texts: the project file, the expressions in it, moments, events.

use std::path::Path;
use std::sync::LazyLock;

use scorehouse_features::definition::{Origin, Project};
use scorehouse_features::source::event::EventReader;
use scorehouse_features::source::infer::{date_format, field_type};
use scorehouse_features::source::moment::MomentFormat;
use scorehouse_features::time::{Span, Timestamp};
use scorehouse_features::value::{Missing, Value};

/// A source with a column of every type.
pub(crate) const SHOP: &str = r#"
[project]
name = "shop"
[entity.customer]
key = "customer_id"
[source.visits]
event_time = "at"
columns = { customer_id = { type = "text", required = true }, at = "time", pages = "int", spent = "float", new = "bool" }
[view.visits]
entity = "customer"
kind = "window"
source = "visits"
windows = ["7d", "all"]
features = { count = "count()", pages = "sum(pages)", last = "last(spent, 2)" }
"#;

/// The shop's project.
pub(crate) fn shop() -> Option<Project> {
    Project::parse(SHOP, Path::new("/project")).ok()
}

/// A project file.
pub(crate) fn project(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Project::parse(text, Path::new("/project"));
    }
}

/// An expression over columns: compiled, and evaluated over values of every kind.
pub(crate) fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let quoted = toml::Value::String(text.to_owned());
    let more = format!("[source.visits.compute]\nmade = {quoted}\n[view.visits]");
    let Ok(project) = Project::parse(&SHOP.replacen("[view.visits]", &more, 1), Path::new("/project")) else {
        return;
    };
    let source = project.sources.values().next();
    let made = source.and_then(|source| source.columns.iter().find(|column| column.name.as_str() == "made"));
    let Some(Origin::Computed(made)) = made.map(|column| &column.origin) else { return };
    for row in rows() {
        let _ = made.evaluate(&row, Timestamp(1_700_000_000_000_000));
    }
}

/// Values of the shop's columns, at their ends and missing.
fn rows() -> [Vec<Value>; 4] {
    let row = |text: &str, at, pages, spent, new| {
        vec![
            Value::Text(text.into()),
            Value::Time(Timestamp(at)),
            Value::Int(pages),
            Value::Float(spent),
            Value::Bool(new),
        ]
    };
    [
        row("C-1", 1_600_000_000_000_000, 3, 2.5, true),
        row("é\u{301}🦀", i64::MAX, i64::MIN, f64::MAX, false),
        row("", i64::MIN, i64::MAX, f64::MIN_POSITIVE, false),
        vec![Value::Missing(Missing::NullAtSource); 5],
    ]
}

/// Moments, spans and numbers as files write them, and the formats that they suggest.
pub(crate) fn moment(bytes: &[u8]) {
    let fields: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    for format in [None, Some("iso"), Some("unix"), Some("unix_ms"), Some("unix_us"), Some("%d/%m/%Y %H:%M")]
    {
        if let Ok(format) = MomentFormat::parse(format) {
            for field in &fields {
                let _ = format.read(field);
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Timestamp::parse(text).map(|moment| moment.to_string());
        let _ = text.parse::<Span>();
        let _ = MomentFormat::parse(Some(text)).map(|format| format.read(b"2011-12-09"));
    }
    let _ = date_format(&fields);
    let _ = field_type(&fields, b'.');
    let _ = field_type(&fields, b',');
}

static READER: LazyLock<Option<EventReader>> =
    LazyLock::new(|| EventReader::new(shop()?.sources.values().next()?).ok());

/// A pushed event.
pub(crate) fn event(bytes: &[u8]) {
    let (Some(reader), Ok(event)) = (&*READER, serde_json::from_slice(bytes)) else { return };
    let _ = reader.read(&event, Timestamp(1_700_000_000_000_000));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn a_good_event_of_the_shop_is_read() {
        let event = serde_json::json!({"customer_id": "C-1", "at": "2011-12-09T08:26:00Z", "pages": 3});
        READER.as_ref().unwrap().read(&event, Timestamp(1_700_000_000_000_000)).unwrap();
    }
}
