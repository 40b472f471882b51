//! `[project]`, `[server]` and `[limits]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::definition::Settings;
use crate::definition::raw::{Entry, Section};
use crate::definition::size::parse_size;

/// What `[project]` says.
pub(in crate::definition) struct Head {
    pub name: String,
    pub seed: u64,
    pub state: PathBuf,
}

pub(in crate::definition) fn head(file: Section<'_>, root: &Path) -> Head {
    let mut head = Head { name: String::new(), seed: 0, state: root.join("state") };
    let Some(section) = file.need("project", "[project] with a `name`").and_then(|e| e.section("a table"))
    else {
        return head;
    };
    section.only("project", &["name", "seed", "state"]);
    if let Some(name) = section.need("name", "the project's name").and_then(|e| e.words()) {
        head.name = name.trim().to_owned();
    }
    if let Some(seed) = section.get("seed").and_then(|e| e.whole("a whole number, 0 or more")) {
        head.seed = seed;
    }
    if let Some(state) = section.get("state").and_then(|e| e.words()) {
        head.state = root.join(state);
    }
    head
}

pub(in crate::definition) fn settings(file: Section<'_>) -> Settings {
    let mut settings = Settings::default();
    if let Some(server) = file.section("server") {
        server.only("server", &["listen", "body_limit"]);
        if let Some(address) = server.get("listen").and_then(|e| listen(&e)) {
            settings.listen = address;
        }
        if let Some(limit) = server.get("body_limit").and_then(|e| size(&e)) {
            settings.body_limit = limit;
        }
    }
    if let Some(limits) = file.section("limits") {
        limits.only("limits", &["memory", "threads"]);
        if let Some(memory) = limits.get("memory").and_then(|e| size(&e)) {
            settings.memory_limit = memory;
        }
        if let Some(threads) = limits.get("threads").and_then(|e| e.whole("a whole number, 0 or more")) {
            settings.threads = usize::try_from(threads).unwrap_or(0);
        }
    }
    settings
}

fn listen(entry: &Entry<'_>) -> Option<String> {
    let text = entry.words()?;
    let named = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok()
    });
    if text.parse::<SocketAddr>().is_ok() || named {
        return Some(text.to_owned());
    }
    entry.refuse("host:port, such as \"127.0.0.1:8080\"");
    None
}

fn size(entry: &Entry<'_>) -> Option<usize> {
    let size = entry.plain().and_then(|text| parse_size(&text)).filter(|size| *size > 0);
    if size.is_none() {
        entry.refuse("a size, such as \"2GiB\" or \"512KiB\"");
    }
    size
}
