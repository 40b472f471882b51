//! `[webhook.X]`: whom a change is told; `[model.X.watch]`: what counts as one.

use std::path::Path;

use indexmap::IndexMap;

use crate::definition::raw::{Entry, Finding, Section};
use crate::definition::read::access::model_names;
use crate::definition::read::source::declared;
use crate::definition::{WatchSpec, WebhookSpec};
use crate::ids::LocalName;
use crate::time::Span;

const SECOND: i64 = 1_000_000;

/// Reads `[model.X.watch]`.
pub(super) fn watch((model, table): (&str, &Section<'_>)) -> Option<WatchSpec> {
    const BANDS: &str = "ascending edges, such as [0.2, 0.5]";
    const MARGIN: &str = "a number, 0 or more";
    const REASONS: &str = "a whole number, 0 to 20";
    table.only(&format!("model.{model}.watch"), &["bands", "margin", "reasons"]);
    let entry = table.need("bands", BANDS)?;
    let items = entry.items(BANDS);
    let bands: Vec<f64> = items.iter().filter_map(|item| item.number(BANDS)).collect();
    if bands.len() == items.len() && (bands.is_empty() || !bands.is_sorted_by(|a, b| a < b)) {
        entry.refuse(BANDS);
        return None;
    }
    let margin = table.get("margin").map_or(Some(0.0), |entry| {
        entry.number(MARGIN).filter(|margin| *margin >= 0.0).or_else(|| {
            entry.refuse(MARGIN);
            None
        })
    });
    let reasons = table.get("reasons").map_or(Some(3), |entry| whole(&entry, REASONS, 0, 20));
    Some(WatchSpec { bands, margin: margin?, reasons: reasons? as usize })
}

/// Reads all webhooks.
pub(in crate::definition) fn webhooks(file: Section<'_>, root: &Path) -> IndexMap<LocalName, WebhookSpec> {
    let models = declared(file, "model");
    let entries = file.section("webhook").map(|section| section.entries()).unwrap_or_default();
    let hooks = entries.iter().filter_map(|entry| webhook(entry, root, &models));
    hooks.map(|hook| (hook.name.clone(), hook)).collect()
}

fn webhook(entry: &Entry<'_>, root: &Path, models: &[String]) -> Option<WebhookSpec> {
    const KEYS: [&str; 7] = ["url", "secret", "models", "attempts", "first_wait", "timeout", "ca"];
    let section = entry.section("a table: [webhook.X]")?;
    section.only(&format!("webhook.{}", entry.key()), &KEYS);
    let name = entry.name();
    let url = section
        .need("url", "where deliveries are sent")
        .and_then(|entry| url(&entry, "https://crm.example.com/hooks/scores"));
    let secret =
        section.need("secret", "the environment variable that holds the secret").and_then(|e| variable(&e));
    let attempts =
        section.get("attempts").map_or(Some(12), |entry| whole(&entry, "a whole number, 1 to 30", 1, 30));
    let span = |key: &str, seconds: i64| {
        section.get(key).map_or(Some(Span(seconds * SECOND)), |entry| entry.parsed::<Span>())
    };
    let (first_wait, timeout) = (span("first_wait", 1), span("timeout", 10));
    Some(WebhookSpec {
        name: name?,
        url: url?,
        secret: secret?,
        models: section.get("models").map(|entry| model_names(&entry, models)),
        attempts: attempts? as u32,
        first_wait: first_wait?,
        timeout: timeout?,
        ca: section.get("ca").and_then(|entry| entry.words()).map(|path| root.join(path)),
    })
}

/// An address for requests of the server's own.
pub(super) fn url(entry: &Entry<'_>, example: &str) -> Option<String> {
    let text = entry.words()?;
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = host.and_then(|rest| rest.split(['/', '?', '#']).next()).filter(|host| !host.is_empty());
    if host.is_none_or(|host| host.contains('@')) || text.chars().any(char::is_whitespace) {
        entry.refuse(&format!("an address such as \"{example}\", without user or password"));
        return None;
    }
    Some(text.to_owned())
}

/// The name of an environment variable; who writes the secret itself here is told not to, and it is not repeated.
fn variable(entry: &Entry<'_>) -> Option<String> {
    let text = entry.words()?;
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let letters = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if !first || !letters {
        let finding = Finding::at(entry.at(), "`secret` names no environment variable");
        entry.findings().report(finding.expected("its name in capitals, such as \"CRM_WEBHOOK_SECRET\""));
        return None;
    }
    Some(text.to_owned())
}

fn whole(entry: &Entry<'_>, expected: &str, least: u64, most: u64) -> Option<u64> {
    let number = entry.whole(expected)?;
    if !(least..=most).contains(&number) {
        entry.refuse(expected);
        return None;
    }
    Some(number)
}
