//! `[score_log]`.

use crate::definition::raw::Section;
use crate::definition::size::parse_size;
use crate::definition::{Overflow, ScoreLogSettings};

/// Least bytes that may wait: a few large requests.
const LEAST: usize = 1 << 20;

pub(in crate::definition) fn score_log(file: Section<'_>) -> ScoreLogSettings {
    let mut settings = ScoreLogSettings::default();
    let Some(section) = file.section("score_log") else { return settings };
    section.only("score_log", &["enabled", "memory", "overflow", "flush", "keep"]);
    if let Some(enabled) = section.get("enabled").and_then(|e| e.flag()) {
        settings.enabled = enabled;
    }
    if let Some(entry) = section.get("memory") {
        match entry.plain().and_then(|text| parse_size(&text)).filter(|size| *size >= LEAST) {
            Some(size) => settings.memory = size,
            None => entry.refuse("a size of 1MiB or more, such as \"64MiB\""),
        }
    }
    if let Some(entry) = section.get("overflow") {
        match entry.words() {
            Some("wait") => settings.overflow = Overflow::Wait,
            Some("drop") => settings.overflow = Overflow::Drop,
            Some(_) => entry.refuse("\"wait\" or \"drop\""),
            None => {}
        }
    }
    if let Some(flush) = section.get("flush").and_then(|e| e.parsed()) {
        settings.flush = flush;
    }
    settings.keep = section.get("keep").and_then(|e| e.parsed());
    settings
}
