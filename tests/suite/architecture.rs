//! Crates import one way.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// What each room may import of the others.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("scorehouse-features", &[]),
    ("scorehouse-offline", &["scorehouse-features"]),
    ("scorehouse-models", &["scorehouse-features"]),
    ("scorehouse-training", &["scorehouse-features", "scorehouse-models"]),
    ("scorehouse-simulator", &[]),
    (
        "scorehouse",
        &[
            "scorehouse-features",
            "scorehouse-offline",
            "scorehouse-models",
            "scorehouse-training",
            "scorehouse-simulator",
        ],
    ),
    ("scorehouse-tests", &[]),
    ("scorehouse-entries", &["scorehouse-features", "scorehouse-models"]),
    (
        "scorehouse-bench",
        &[
            "scorehouse-features",
            "scorehouse-offline",
            "scorehouse-models",
            "scorehouse-training",
            "scorehouse",
        ],
    ),
];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(scorehouse_tests::repository())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap();
        let normal = all.iter().filter(|dependency| dependency["kind"] != "dev");
        normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (package["name"].as_str().unwrap().to_owned(), names(package))).collect()
}

#[test]
fn no_crate_imports_a_room_above_it() {
    for (name, imported) in dependencies() {
        let allowed = ALLOWED.iter().find(|(known, _)| *known == name);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{name} is new: say here what it may import"));
        for other in imported.iter().filter(|other| other.starts_with("scorehouse")) {
            assert!(allowed.contains(&other.as_str()), "{name} imports {other}");
        }
    }
}

#[test]
fn only_the_offline_engine_knows_datafusion() {
    for (name, imported) in dependencies() {
        let heavy = imported.iter().any(|other| other == "datafusion");
        assert_eq!(heavy, name == "scorehouse-offline" || (heavy && name == "scorehouse-bench"), "{name}");
    }
}
