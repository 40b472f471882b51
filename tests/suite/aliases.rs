//! A live model follows its alias.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use scorehouse_tests::{Server, get, post, put, run_ok};
use serde_json::json;

/// A table project with two versions, trained on different seeds.
fn two_versions(folder: &std::path::Path) {
    let mut rows = String::from("id,x,y,label\n");
    for i in 0..400_u32 {
        let x = i.wrapping_mul(2_654_435_761) % 100;
        rows.push_str(&format!("{i},{x},{},{}\n", i % 7, u8::from(x > 50)));
    }
    fs::write(folder.join("train.csv"), rows).unwrap();
    let project = |seed: u32| {
        format!(
            "[project]\nname = \"two\"\nseed = {seed}\n[model.m]\npipeline = \"table\"\ntable = \"train.csv\"\nlabel = \
             \"label\"\nid = \"id\"\n"
        )
    };
    for seed in [1, 2] {
        fs::write(folder.join("scorehouse.toml"), project(seed)).unwrap();
        run_ok(folder, &["train", "--quiet"]).unwrap();
    }
}

#[test]
fn moving_an_alias_under_load_fails_no_request_and_mixes_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    two_versions(folder.path());
    let server = Server::start(folder.path()).unwrap();
    let (score, alias) = (server.url("/v1/models/m/score"), server.url("/v1/models/m/aliases/champion"));
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let answer = post(&score, &json!({ "inputs": [{ "x": 80, "y": 1 }] })).unwrap();
                    assert_eq!(answer.status, 200, "{}", answer.text);
                    let version = answer.json().unwrap()["version"].as_u64().unwrap();
                    assert!(version == 1 || version == 2);
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for turn in 0..50 {
            let to = 1 + turn % 2;
            let moved = put(&alias, &json!({ "version": to, "why": "test" })).unwrap();
            assert_eq!(moved.status, 200, "{}", moved.text);
            let now = post(&score, &json!({ "inputs": [{ "x": 80, "y": 1 }] })).unwrap().json().unwrap();
            assert_eq!(now["version"], json!(to), "the move is seen by the next request");
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert!(answered.load(Ordering::SeqCst) > 20);
    run_ok(folder.path(), &["models", "promote", "m", "1"]).unwrap();
    let follows = (0..40).any(|_| {
        thread::sleep(std::time::Duration::from_millis(50));
        post(&score, &json!({ "inputs": [{ "x": 80, "y": 1 }] })).unwrap().json().unwrap()["version"]
            == json!(1)
    });
    assert!(follows, "a move by another process is followed");
    assert_eq!(get(&server.url("/readyz")).unwrap().status, 200);
}
