//! `[project]`, `[server]` and `[limits]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::definition::raw::{Entry, Section};
use crate::definition::size::parse_size;
use crate::definition::{Settings, Tls};

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

const SERVER: [&str; 8] =
    ["listen", "grpc", "body_limit", "tls", "origins", "connections", "header_timeout", "request_timeout"];

pub(in crate::definition) fn settings(file: Section<'_>, root: &Path) -> Settings {
    let mut settings = Settings::default();
    if let Some(section) = file.section("server") {
        section.only("server", &SERVER);
        server(&section, root, &mut settings);
    }
    if let Some(section) = file.section("limits") {
        limits(&section, &mut settings);
    }
    settings
}

fn server(server: &Section<'_>, root: &Path, settings: &mut Settings) {
    if let Some(address) = server.get("listen").and_then(|e| listen(&e)) {
        settings.listen = address;
    }
    settings.grpc = server.get("grpc").and_then(|e| listen(&e));
    if let Some(limit) = server.get("body_limit").and_then(|e| size(&e)) {
        settings.body_limit = limit;
    }
    settings.tls = server.section("tls").and_then(|section| tls(&section, root));
    if let Some(entry) = server.get("origins") {
        let items = entry.items("a list of origins, such as [\"https://shop.example.com\"]");
        settings.origins = items.iter().filter_map(origin).collect();
    }
    if let Some(count) = server.get("connections").and_then(|e| at_least_one(&e)) {
        settings.connections = count;
    }
    if let Some(span) = server.get("header_timeout").and_then(|e| e.parsed()) {
        settings.header_timeout = span;
    }
    if let Some(span) = server.get("request_timeout").and_then(|e| e.parsed()) {
        settings.request_timeout = span;
    }
}

fn limits(limits: &Section<'_>, settings: &mut Settings) {
    limits.only("limits", &["memory", "threads", "requests"]);
    if let Some(memory) = limits.get("memory").and_then(|e| size(&e)) {
        settings.memory_limit = memory;
    }
    if let Some(threads) = limits.get("threads").and_then(|e| e.whole("a whole number, 0 or more")) {
        settings.threads = usize::try_from(threads).unwrap_or(0);
    }
    if let Some(count) = limits.get("requests").and_then(|e| at_least_one(&e)) {
        settings.requests = count;
    }
}

fn tls(section: &Section<'_>, root: &Path) -> Option<Tls> {
    section.only("server.tls", &["cert", "key"]);
    let file = |key: &str, expected: &str| section.need(key, expected).and_then(|e| e.words());
    let cert = file("cert", "a PEM file with the server's certificate");
    let key = file("key", "a PEM file with the certificate's private key");
    Some(Tls { cert: root.join(cert?), key: root.join(key?) })
}

/// `*`, or scheme and host as browsers send them: without a path, in lower case.
fn origin(entry: &Entry<'_>) -> Option<String> {
    let text = entry.text()?;
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let whole = host.is_some_and(|host| {
        let plain =
            |c: char| c.is_ascii_graphic() && !c.is_ascii_uppercase() && !matches!(c, '/' | '?' | '#' | '@');
        !host.is_empty() && host.chars().all(plain)
    });
    if text == "*" || whole {
        return Some(text.to_owned());
    }
    entry.refuse("scheme and host alone, such as \"https://shop.example.com\", or \"*\"");
    None
}

fn at_least_one(entry: &Entry<'_>) -> Option<usize> {
    const EXPECTED: &str = "a whole number, 1 or more";
    let count = usize::try_from(entry.whole(EXPECTED)?).ok().filter(|count| *count > 0);
    if count.is_none() {
        entry.refuse(EXPECTED);
    }
    count
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
