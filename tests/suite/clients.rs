//! The standard protocol as clients from PyPI speak it.

use std::fs;
use std::path::Path;
use std::process::Command;

use scorehouse_tests::{Server, repository, run_ok};

/// A small shop with a live churn model over numbers alone, served over HTTP and gRPC.
fn shop(folder: &Path) -> Server {
    run_ok(folder, &["init", "shop"]).unwrap();
    let shop = folder.join("shop");
    let file = shop.join("scorehouse.toml");
    let text = fs::read_to_string(&file).unwrap();
    let numbers = r#"["purchases.revenue_90d", "purchases.count_30d", "purchases.recency", "habit.basket"]"#;
    let text = text.replace(r#"["profile.*", "purchases.*", "habit.*"]"#, numbers);
    assert!(text.contains(numbers), "the template changed: {text}");
    fs::write(&file, format!("{text}\n[server]\ngrpc = \"127.0.0.1:0\"\n")).unwrap();
    run_ok(&shop, &["ingest", "--quiet"]).unwrap();
    run_ok(&shop, &["train", "--quiet"]).unwrap();
    Server::start(&shop).unwrap()
}

/// Runs a script of tests/clients with `python`, which must have `package`.
fn client(python: &str, package: &str, script: &str, made_by: &str) {
    let there = Command::new(python).args(["-c", &format!("import {package}")]).output();
    assert!(
        there.is_ok_and(|o| o.status.success()),
        "{python} lacks {package}; `make {made_by}` installs it"
    );
    let folder = tempfile::tempdir().unwrap();
    let server = shop(folder.path());
    let run = Command::new(python)
        .arg(repository().join("tests/clients").join(script))
        .args([&server.url(""), server.grpc().unwrap(), "churn", "C001", "C002", "C003", "C050"])
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}{err}");
}

fn python(variable: &str, folder: &str) -> String {
    let own = repository().join(folder).join("bin/python");
    std::env::var(variable).unwrap_or_else(|_| own.to_string_lossy().into_owned())
}

#[test]
fn tritonclient_asks_in_every_way_and_datatype_and_hears_the_same_bits() {
    let package = "tritonclient.http, tritonclient.grpc";
    client(&python("SCOREHOUSE_PYTHON", ".venv"), package, "triton.py", "python");
}

#[test]
fn whatever_the_openapi_document_allows_is_answered_as_it_says() {
    client(&python("SCOREHOUSE_PYTHON", ".venv"), "schemathesis", "schema.py", "python");
}

#[test]
#[ignore = "the KServe SDK brings 450 MB; `make kserve` installs it and runs this"]
fn the_kserve_sdk_asks_in_json_and_in_bytes_and_hears_the_same_bits() {
    client(&python("SCOREHOUSE_KSERVE_PYTHON", ".venv/kserve"), "kserve", "kserve_sdk.py", "kserve");
}
