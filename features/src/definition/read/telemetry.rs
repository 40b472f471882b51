//! `[telemetry]`: where spans are sent.

use crate::definition::Telemetry;
use crate::definition::raw::Section;
use crate::definition::read::webhook::url;

pub(in crate::definition) fn telemetry(file: Section<'_>) -> Telemetry {
    const SHARE: &str = "a number from 0 to 1";
    let mut telemetry = Telemetry::default();
    let Some(section) = file.section("telemetry") else { return telemetry };
    section.only("telemetry", &["otlp", "sampling"]);
    telemetry.otlp = section.get("otlp").and_then(|entry| url(&entry, "http://collector:4318"));
    if let Some(entry) = section.get("sampling")
        && let Some(share) = entry.number(SHARE)
    {
        match (0.0..=1.0).contains(&share) {
            true => telemetry.sampling = share,
            false => entry.refuse(SHARE),
        }
    }
    telemetry
}
