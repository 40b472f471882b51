//! Keys beside a running server, as an operator handles them.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use scorehouse_tests::{Server, get, get_as, run, run_ok};

const PROJECT: &str = "[project]\nname = \"closed\"\n";

/// Asks until the answer has the status, for a few seconds at most.
fn comes_to(status: u16, ask: impl Fn() -> u16) -> bool {
    (0..100).any(|_| {
        let there = ask() == status;
        if !there {
            thread::sleep(Duration::from_millis(50));
        }
        there
    })
}

fn create(folder: &Path, name: &str, role: &str) -> String {
    let made = run_ok(folder, &["keys", "create", name, "--role", role, "--json"]).unwrap().json().unwrap();
    made["key"].as_str().unwrap().to_owned()
}

#[test]
fn keys_close_a_running_server_open_it_to_their_holders_and_never_reach_its_log() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("scorehouse.toml"), PROJECT).unwrap();
    let server =
        Server::start_with(folder.path(), &[("RUST_LOG", "trace"), ("SCOREHOUSE_LOG", "json")]).unwrap();
    let models = server.url("/v1/models");
    assert_eq!(get(&models).unwrap().status, 200, "a new project answers this machine");
    let key = create(folder.path(), "crm", "rep");
    assert!(comes_to(401, || get(&models).unwrap().status), "the first key closes the server");
    assert!(comes_to(200, || get_as(&key, &models).unwrap().status));
    let wrong = format!("{}{}", &key[..key.len() - 4], "aaaa");
    assert_eq!(get_as(&wrong, &models).unwrap().status, 401);
    assert_eq!(get_as("aaaaaaaa.secretclaims.bbbbbbbb", &models).unwrap().status, 401);
    assert_eq!(get_as(&key, &server.url("/v1/audit")).unwrap().status, 403);
    run_ok(folder.path(), &["keys", "revoke", "crm", "--why", "leaked"]).unwrap();
    assert!(comes_to(401, || get_as(&key, &models).unwrap().status), "a revoked key is refused");
    let boss = create(folder.path(), "boss", "operator");
    assert!(comes_to(200, || get_as(&boss, &models).unwrap().status));
    let trail = get_as(&boss, &server.url("/v1/audit")).unwrap().json().unwrap();
    let told: Vec<&str> =
        trail["changes"].as_array().unwrap().iter().map(|c| c["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["create_key", "revoke_key", "create_key"]);
    assert_eq!(
        (&trail["changes"][1]["who"], &trail["changes"][1]["why"]),
        (&"tester".into(), &"leaked".into())
    );
    let log = server.said();
    assert!(log.contains("open to this machine") && log.contains("a request was refused"), "{log}");
    for secret in [&key, &wrong, &boss] {
        let (_, secret) = secret.rsplit_once('_').unwrap();
        assert!(!log.contains(secret), "a secret stands in the log");
    }
    assert!(!log.contains("secretclaims"), "a token stands in the log");
    for line in log.lines().filter(|line| line.contains("answered")) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            !line["id"].as_str().unwrap().is_empty(),
            "every answer's line carries the request's id: {line}"
        );
    }
}

#[test]
fn keys_are_listed_without_their_secrets_and_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{PROJECT}[access]\nattributes = [\"region\"]\n");
    fs::write(folder.path().join("scorehouse.toml"), text).unwrap();
    let make =
        ["keys", "create", "ann", "--role", "rep", "--set", "region=north", "--expires", "90d", "--json"];
    let made = run_ok(folder.path(), &make).unwrap().json().unwrap();
    let key = made["key"].as_str().unwrap();
    let listed = run_ok(folder.path(), &["keys", "list", "--json"]).unwrap();
    assert!(
        !listed.out.contains(key.rsplit_once('_').unwrap().1) && !listed.out.contains("hash"),
        "{}",
        listed.out
    );
    let listed = listed.json().unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["state"]), (&"ann".into(), &"valid".into()));
    assert_eq!(listed[0]["attributes"][0][1], "north");
    let kept = fs::read(folder.path().join("state/access/access.sqlite")).unwrap();
    let secret = key.rsplit_once('_').unwrap().1.as_bytes();
    assert!(!kept.windows(secret.len()).any(|window| window == secret), "only the hash is kept");
    for (arguments, told) in [
        (vec!["keys", "create", "x", "--role", "boss"], "storefront"),
        (vec!["keys", "create", "x", "--role", "rep", "--set", "regoin=north"], "`region`"),
        (vec!["keys", "create", "x", "--role", "rep", "--expires", "yesterday"], "90d"),
        (vec!["keys", "create", "x", "--role", "rep", "--expires", "2001-01-01"], "has passed"),
        (vec!["keys", "revoke", "nobody"], "no valid key"),
    ] {
        let ran = run(folder.path(), &arguments).unwrap();
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(told), "{arguments:?}: {}", ran.err);
    }
}
