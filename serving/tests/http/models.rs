use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::fixture::{Fixture, foreign_artifact, point, register, win_artifact};

const WIN: &str = "/v1/models/win/score";

#[tokio::test]
async fn models_are_listed_with_their_aliases_and_versions() {
    let fixture = Fixture::new();
    let list = fixture.get("/v1/models").await.json();
    let names: Vec<_> =
        list["models"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["upsell", "win"]);
    let win = fixture.get("/v1/models/win").await.json();
    assert_eq!(win["aliases"], json!([{"alias": "champion", "version": 1, "live": 1}]));
    assert_eq!(win["versions"][0]["metrics"]["log_loss"], 0.4);
    assert_eq!(win["declared"]["pipeline"], "win");
}

#[tokio::test]
async fn a_moved_alias_answers_with_the_new_version_at_once_and_back() {
    let fixture = Fixture::new();
    let second = register(fixture.registry.as_ref(), "win", &win_artifact(&fixture.state.project, 1.0));
    let moved =
        fixture.put("/v1/models/win/aliases/champion", json!({"version": second.0, "why": "better"})).await;
    assert_eq!(moved.json(), json!({"model": "win", "alias": "champion", "version": 2, "before": 1}));
    let json = fixture.post(WIN, json!({"entity": "D-1"})).await.json();
    assert_eq!((json["version"].as_u64(), json["scores"][0]["raw"].as_f64()), (Some(2), Some(5.0)));
    fixture.put("/v1/models/win/aliases/champion", json!({"version": 1})).await;
    let json = fixture.post(WIN, json!({"entity": "D-1"})).await.json();
    assert_eq!((json["version"].as_u64(), json["scores"][0]["raw"].as_f64()), (Some(1), Some(4.0)));
    let audit = fixture.get("/v1/models/win").await.json()["audit"].clone();
    assert_eq!(audit[1]["why"], "better", "{audit}");
}

#[tokio::test]
async fn a_version_made_for_other_features_never_goes_live() {
    let fixture = Fixture::new();
    let foreign = register(fixture.registry.as_ref(), "win", &foreign_artifact(&fixture.state.project));
    let refused = fixture.put("/v1/models/win/aliases/champion", json!({"version": foreign.0})).await;
    assert_eq!(refused.refusal(), (409, "version_refused".into()));
    assert!(
        refused.json()["error"]["message"].as_str().unwrap().contains("feature set"),
        "{:?}",
        refused.json()
    );
    let aliases = fixture.get("/v1/models/win").await.json()["aliases"].clone();
    assert_eq!(aliases[0]["version"], 1, "nothing moved: {aliases}");
}

#[tokio::test]
async fn a_bad_version_moved_by_others_leaves_the_one_before_in_place_and_says_why() {
    let fixture = Fixture::new();
    let foreign = register(fixture.registry.as_ref(), "win", &foreign_artifact(&fixture.state.project));
    point(fixture.registry.as_ref(), "win", "champion", foreign);
    assert!(fixture.state.live.refresh().unwrap());
    let json = fixture.post(WIN, json!({"entity": "D-1"})).await.json();
    assert_eq!(json["version"], 1);
    let aliases = fixture.get("/v1/models/win").await.json()["aliases"].clone();
    assert_eq!((&aliases[0]["version"], &aliases[0]["live"]), (&json!(2), &json!(1)));
    assert!(aliases[0]["refused"].as_str().unwrap().contains("feature set"), "{aliases}");
    let text = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    assert!(text.contains(r#"scorehouse_model_refusals_total{model="win"} 1"#), "{text}");
    assert!(text.contains(r#"scorehouse_live_version{alias="champion",model="win"} 1"#), "{text}");
}

#[tokio::test]
async fn a_version_whose_golden_sample_scores_otherwise_never_goes_live_and_says_why() {
    let fixture = Fixture::new();
    let mut artifact = win_artifact(&fixture.state.project, 1.0);
    artifact.golden[0].output += 0.25;
    let wrong = register(fixture.registry.as_ref(), "win", &artifact);
    let refused = fixture.put("/v1/models/win/aliases/champion", json!({"version": wrong.0})).await;
    assert_eq!(refused.refusal(), (409, "version_refused".into()));
    let why = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(why.contains("golden sample"), "{why}");
    // Moved by another process, it is not followed either, and `/readyz` says why.
    point(fixture.registry.as_ref(), "win", "champion", wrong);
    assert!(fixture.state.live.refresh().unwrap());
    assert_eq!(fixture.post(WIN, json!({"entity": "D-1"})).await.json()["version"], 1);
    let ready = fixture.get("/readyz").await.json();
    let champion = &ready["models"]["win"][0];
    assert_eq!((&champion["version"], &champion["live"]), (&json!(wrong.0), &json!(1)));
    assert!(champion["refused"].as_str().unwrap().contains("golden sample"), "{ready}");
}

#[tokio::test]
async fn a_version_that_was_live_is_kept_loaded_so_that_going_back_reads_nothing() {
    let fixture = Fixture::new();
    let second = register(fixture.registry.as_ref(), "win", &win_artifact(&fixture.state.project, 1.0));
    let move_to = |version: u32| fixture.put("/v1/models/win/aliases/champion", json!({"version": version}));
    move_to(second.0).await;
    // With the files gone, only what is kept in memory can answer.
    std::fs::remove_dir_all(fixture.state.project.root.join("registry/artifacts")).unwrap();
    assert_eq!(move_to(1).await.status, 200);
    assert_eq!(fixture.post(WIN, json!({"entity": "D-1"})).await.json()["version"], 1);
}

#[tokio::test]
async fn a_version_may_be_asked_for_by_number_or_alias() {
    let fixture = Fixture::new();
    let second = register(fixture.registry.as_ref(), "win", &win_artifact(&fixture.state.project, 1.0));
    let by_number = fixture.post(WIN, json!({"entity": "D-1", "version": second.0})).await.json();
    assert_eq!((&by_number["version"], by_number.get("alias")), (&json!(2), None));
    let none = fixture.post(WIN, json!({"entity": "D-1", "alias": "challenger"})).await;
    assert_eq!(none.refusal(), (404, "unknown_alias".into()));
    fixture.put("/v1/models/win/aliases/challenger", json!({"version": 2})).await;
    let by_alias = fixture.post(WIN, json!({"entity": "D-1", "alias": "challenger"})).await.json();
    assert_eq!(by_alias["version"], 2);
    let gone = fixture.put("/v1/models/win/aliases/challenger", json!({"version": null})).await;
    assert_eq!(gone.json()["before"], 2);
    let none = fixture.post(WIN, json!({"entity": "D-1", "alias": "challenger"})).await;
    assert_eq!(none.refusal(), (404, "unknown_alias".into()));
    let unknown = fixture.post(WIN, json!({"entity": "D-1", "version": 9})).await;
    assert_eq!(unknown.refusal(), (404, "unknown_version".into()));
}

#[tokio::test]
async fn a_declared_model_without_a_version_is_not_live() {
    let fixture = Fixture::new();
    let gone = fixture.put("/v1/models/win/aliases/champion", json!({"version": null})).await;
    assert_eq!(gone.status, 200);
    let answer = fixture.post(WIN, json!({"entity": "D-1"})).await;
    assert_eq!(answer.refusal(), (409, "not_live".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_hundred_moves_under_load_fail_no_request_and_mix_no_answer() {
    let fixture = Arc::new(Fixture::new());
    register(fixture.registry.as_ref(), "win", &win_artifact(&fixture.state.project, 1.0));
    let done = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for _ in 0..2 {
        let (fixture, done) = (fixture.clone(), done.clone());
        callers.push(tokio::spawn(async move {
            let mut seen = [0_usize; 3];
            while !done.load(Ordering::Relaxed) {
                let answer = fixture.post(WIN, json!({"entities": ["D-1", "D-1", "D-1"]})).await;
                assert_eq!(answer.status, 200);
                let json = answer.json();
                let version = json["version"].as_u64().unwrap() as usize;
                for row in 0..3 {
                    let raw = json["scores"][row]["raw"].as_f64().unwrap();
                    assert!((raw - (3.0 + version as f64)).abs() < 1e-9, "{json}");
                }
                seen[version] += 1;
                tokio::task::yield_now().await;
            }
            seen
        }));
    }
    for turn in 0..100 {
        let to = turn % 2 + 1;
        let moved = fixture.put("/v1/models/win/aliases/champion", json!({"version": to})).await;
        assert_eq!(moved.status, 200);
    }
    done.store(true, Ordering::Relaxed);
    for caller in callers {
        let seen = caller.await.unwrap();
        assert!(seen[1] > 0 && seen[2] > 0, "both versions answered: {seen:?}");
    }
}
