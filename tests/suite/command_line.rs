//! Exit codes, JSON, mistakes.

use std::fs;

use scorehouse_tests::{run, run_ok};

#[test]
fn a_new_project_checks_ingests_trains_and_scores() {
    let folder = tempfile::tempdir().unwrap();
    run_ok(folder.path(), &["init", "shop"]).unwrap();
    let shop = folder.path().join("shop");
    run_ok(&shop, &["check"]).unwrap();
    let first = run_ok(&shop, &["ingest", "--json"]).unwrap().json().unwrap();
    assert_eq!(first["changed"], true);
    let again = run_ok(&shop, &["ingest", "--json"]).unwrap().json().unwrap();
    assert_eq!(again["changed"], false, "ingesting again changes nothing");
    assert_eq!(again["sources"][0]["rows"], first["sources"][0]["rows"]);
}

#[test]
fn a_mistake_in_the_project_file_is_named_with_its_place_and_the_nearest_key() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[project]\nname = \"x\"\n[entity.customer]\nkey = \"id\"\n[source.orders]\npth = \"a.csv\"\nevent_time = \"at\"\n";
    fs::write(folder.path().join("scorehouse.toml"), text).unwrap();
    let ran = run(folder.path(), &["check"]).unwrap();
    assert_eq!(ran.code, Some(3));
    assert!(ran.err.contains("scorehouse.toml:6:1"), "{}", ran.err);
    assert!(ran.err.contains("`path`"), "{}", ran.err);
}

#[test]
fn an_unknown_model_is_the_callers_fault() {
    let folder = tempfile::tempdir().unwrap();
    run_ok(folder.path(), &["init", "shop"]).unwrap();
    let ran = run(&folder.path().join("shop"), &["train", "nonesuch", "--json"]).unwrap();
    assert_eq!(ran.code, Some(2));
    let said: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert!(said["error"].as_str().unwrap().contains("nonesuch"));
}

#[test]
fn init_never_overwrites_a_project() {
    let folder = tempfile::tempdir().unwrap();
    run_ok(folder.path(), &["init", "shop"]).unwrap();
    let before = fs::read(folder.path().join("shop/scorehouse.toml")).unwrap();
    assert_eq!(run(folder.path(), &["init", "shop"]).unwrap().code, Some(2));
    assert_eq!(fs::read(folder.path().join("shop/scorehouse.toml")).unwrap(), before);
}
