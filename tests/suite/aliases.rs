//! A live model follows its alias.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use scorehouse_tests::{Server, get, post, put, run_ok};
use serde_json::{Value, json};

/// A table project with two versions, trained on different seeds.
fn two_versions(folder: &Path) {
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

const BODY: fn() -> Value = || json!({ "inputs": [{ "x": 80, "y": 1 }, { "x": 80, "y": 1 }] });

/// The version that answered, and the raw score of its first row, which must be that of all rows.
fn asked(score: &str) -> (u64, u64) {
    let answer = post(score, &BODY()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json().unwrap();
    let raw = |row: usize| json["scores"][row]["raw"].as_f64().unwrap().to_bits();
    assert_eq!(raw(0), raw(1), "one version answers all rows: {json}");
    (json["version"].as_u64().unwrap(), raw(0))
}

/// Waits until the server answers with a version, for at most `seconds`.
fn follows(score: &str, version: u64, seconds: f64) -> bool {
    (0..(seconds * 50.0) as u32).any(|_| {
        thread::sleep(std::time::Duration::from_millis(20));
        asked(score).0 == version
    })
}

/// Another project over the same registry, as another machine would see it.
fn replica(of: &Path, folder: &Path) {
    fs::copy(of.join("scorehouse.toml"), folder.join("scorehouse.toml")).unwrap();
    fs::create_dir(folder.join("state")).unwrap();
    std::os::unix::fs::symlink(of.join("state/registry"), folder.join("state/registry")).unwrap();
}

#[test]
fn a_thousand_moves_under_load_fail_no_request_and_mix_no_answer_here_or_in_another_process() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    two_versions(folder.path());
    replica(folder.path(), other.path());
    let (server, beside) = (Server::start(folder.path()).unwrap(), Server::start(other.path()).unwrap());
    let (score, alias) = (server.url("/v1/models/m/score"), server.url("/v1/models/m/aliases/champion"));
    let far = beside.url("/v1/models/m/score");
    let by_version: Vec<(u64, u64)> = [2, 1]
        .map(|version| {
            assert_eq!(put(&alias, &json!({ "version": version })).unwrap().status, 200);
            asked(&score)
        })
        .into();
    assert_ne!(by_version[0].1, by_version[1].1, "the two versions answer differently");
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for target in [&score, &score, &far] {
            let (stop, answered, by_version) = (&stop, &answered, &by_version);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let seen = asked(target);
                    assert!(by_version.contains(&seen), "an answer of no version: {seen:?}");
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for turn in 0..1000 {
            let to = 1 + turn % 2;
            let moved = put(&alias, &json!({ "version": to, "why": "test" })).unwrap();
            assert_eq!(moved.status, 200, "{}", moved.text);
            if turn % 100 == 0 {
                assert_eq!(asked(&score).0, to, "the move is seen by the next request");
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert!(answered.load(Ordering::SeqCst) > 100);
    assert!(follows(&far, 2, 10.0), "the other process ends where the registry points");
    run_ok(folder.path(), &["models", "promote", "m", "1"]).unwrap();
    assert!(follows(&score, 1, 10.0) && follows(&far, 1, 10.0), "a move by the command line is followed");
    assert_eq!(get(&server.url("/readyz")).unwrap().status, 200);
}

#[test]
fn a_file_that_was_tampered_with_never_goes_live_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    two_versions(folder.path());
    run_ok(folder.path(), &["models", "promote", "m", "1"]).unwrap();
    let listed = run_ok(folder.path(), &["models", "list", "--json"]).unwrap().json().unwrap();
    let digest = listed[0]["versions"][1]["digest"].as_str().unwrap().to_owned();
    let file = folder.path().join("state/registry/artifacts").join(digest);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let server = Server::start(folder.path()).unwrap();
    let moved = put(&server.url("/v1/models/m/aliases/champion"), &json!({ "version": 2 })).unwrap();
    assert_eq!(moved.status, 409, "{}", moved.text);
    let why = moved.json().unwrap()["error"]["message"].as_str().unwrap().to_owned();
    assert!(why.contains("digest") || why.contains("corrupt"), "{why}");
    // The command line asks no server: its move is made, and not followed.
    run_ok(folder.path(), &["models", "promote", "m", "2"]).unwrap();
    let told = |ready: &Value| ready["models"]["m"][0]["refused"].as_str().map(str::to_owned);
    let refused = (0..200).find_map(|_| {
        thread::sleep(std::time::Duration::from_millis(20));
        told(&get(&server.url("/readyz")).unwrap().json().unwrap())
    });
    assert_eq!(refused.as_deref(), Some(why.as_str()));
    assert_eq!(asked(&server.url("/v1/models/m/score")).0, 1, "the version before goes on");
}
