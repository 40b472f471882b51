use scorehouse::score_log::folder;
use scorehouse::score_log::read::{LoggedScore, Range, scores};
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, point, register, win_artifact};

const WIN: &str = "/v1/models/win/score";
const SHADOW: &str = "[model.win.challenger]\nmode = \"shadow\"\n";
const SPLIT: &str = "[model.win.challenger]\nmode = \"split\"\nshare = 0.5\nby = \"account\"\n";

/// The company with a second version of `win`, half a log-odd above the first, as its challenger.
fn challenged(how: &str) -> Fixture {
    let fixture = Fixture::declaring(how);
    let second = register(fixture.registry.as_ref(), "win", &win_artifact(&fixture.state.project, 0.5));
    point(fixture.registry.as_ref(), "win", "challenger", second);
    fixture.state.live.refresh().unwrap();
    fixture
}

fn logged(fixture: &Fixture) -> Vec<LoggedScore> {
    fixture.state.shadows.settle();
    fixture.state.score_log.flush().unwrap();
    let mut rows = Vec::new();
    scores(&folder(&fixture.state.project.state), "win", Range::ALL, &mut |row| {
        rows.push(row);
        Ok(())
    })
    .unwrap();
    rows
}

/// The deal of ann under some account or other.
fn under(account: usize) -> Json {
    json!({"key": "D-1", "features": {"deal.account_id": format!("A-{account}")}})
}

#[tokio::test]
async fn a_split_gives_every_deal_of_an_account_to_the_same_version_and_says_who_answered() {
    let fixture = challenged(SPLIT);
    let split = fixture.state.challenges.split("win").unwrap();
    let asked: Vec<Json> = (0..40).map(under).collect();
    let answer = fixture.post(WIN, json!({"entities": asked})).await.json();
    assert_eq!(answer["variants"], json!({"champion": 1, "challenger": 2}));
    assert_eq!((answer.get("version"), answer.get("alias")), (None, None), "both answered");
    let rows = answer["scores"].as_array().unwrap();
    let taken = (0..40).filter(|account| split.takes(&format!("A-{account}"))).count();
    assert!((10..30).contains(&taken), "{taken}");
    for (account, row) in rows.iter().enumerate() {
        let alone = fixture.post(WIN, json!({"entity": under(account)})).await.json();
        let (variant, version) =
            if split.takes(&format!("A-{account}")) { ("challenger", 2) } else { ("champion", 1) };
        assert_eq!((&row["variant"], &alone["version"]), (&json!(variant), &json!(version)));
        assert_eq!((&alone["alias"], &alone["scores"][0]), (&json!(variant), row));
    }
    // The stored account decides where the request gives none; D-1 and D-3 are both of A-1.
    let stored = fixture.post(WIN, json!({"entities": ["D-1", "D-3"]})).await.json();
    let given = fixture.post(WIN, json!({"entity": under(1)})).await.json();
    assert_eq!(stored["scores"][0]["variant"], given["scores"][0]["variant"]);
    assert_eq!(stored["scores"][0]["variant"], stored["scores"][1]["variant"]);
}

#[tokio::test]
async fn the_log_keeps_who_answered_and_the_place_in_the_request() {
    let fixture = challenged(SPLIT);
    let asked: Vec<Json> = (0..40).map(under).collect();
    let answer = fixture.post(WIN, json!({"entities": asked})).await.json();
    let rows = logged(&fixture);
    assert_eq!(rows.len(), 40);
    let split = fixture.state.challenges.split("win").unwrap();
    for row in &rows {
        let variant = row.variant.as_deref().unwrap();
        assert_eq!(
            (row.alias.as_deref(), row.version),
            (Some(variant), 1 + u32::from(variant == "challenger"))
        );
        let given: Json = serde_json::from_str(row.given.as_deref().unwrap()).unwrap();
        let account = given["deal.account_id"].as_str().unwrap();
        assert_eq!(split.takes(account), variant == "challenger");
        let number: usize = account[2..].parse().unwrap();
        assert_eq!(answer["scores"][number]["raw"].as_f64().unwrap().to_bits(), row.raw.to_bits());
    }
}

#[tokio::test]
async fn a_request_that_names_an_alias_or_a_version_takes_no_part_in_a_split() {
    let fixture = challenged(SPLIT);
    for (named, version) in [(json!({"alias": "champion"}), 1), (json!({"version": 2}), 2)] {
        for account in 0..10 {
            let mut body = json!({"entity": under(account)});
            body.as_object_mut().unwrap().extend(named.as_object().unwrap().clone());
            let answer = fixture.post(WIN, body).await.json();
            assert_eq!((&answer["version"], answer["scores"][0].get("variant")), (&json!(version), None));
        }
    }
    // Without a challenger the champion answers for all, and says so.
    fixture.put("/v1/models/win/aliases/challenger", json!({"version": null})).await;
    let asked: Vec<Json> = (0..40).map(under).collect();
    let answer = fixture.post(WIN, json!({"entities": asked})).await.json();
    assert_eq!((&answer["version"], &answer["variants"]), (&json!(1), &json!({"champion": 1})));
}

#[tokio::test]
async fn a_shadow_is_asked_and_kept_but_never_heard() {
    let fixture = challenged(SHADOW);
    let body =
        json!({"entities": ["D-1", {"key": "D-2", "features": {"request.discount": 0.5}}], "reasons": 1});
    let answer = fixture.post(WIN, body).await.json();
    assert_eq!((&answer["version"], answer["scores"][0].get("variant")), (&json!(1), None));
    let rows = logged(&fixture);
    let (shadows, served): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.variant.is_some());
    assert_eq!((served.len(), shadows.len()), (2, 2));
    for (shadow, served) in shadows.iter().zip(&served) {
        assert_eq!(
            (shadow.variant.as_deref(), shadow.alias.as_deref()),
            (Some("shadow"), Some("challenger"))
        );
        assert_eq!((shadow.version, served.version), (2, 1));
        assert_eq!((&shadow.key, shadow.as_of, &shadow.given), (&served.key, served.as_of, &served.given));
        assert_eq!(shadow.inputs, served.inputs);
        assert!((shadow.raw - served.raw - 0.5).abs() < 1e-9, "{shadow:?}");
    }
    let text = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    assert!(text.contains(r#"scorehouse_shadow_rows_total{model="win",result="scored"} 2"#), "{text}");
    assert!(text.contains(r#"scorehouse_scores_total{model="win"} 2"#), "a shadow is no answer: {text}");
}

#[tokio::test]
async fn what_no_key_names_and_what_others_answer_has_no_shadow() {
    let fixture = challenged(SHADOW);
    let unnamed = json!({"entity": {"features": {"deal.amount": 3}}});
    for body in [unnamed, json!({"inputs": [{}]}), json!({"entity": "D-1", "version": 1})] {
        assert_eq!(fixture.post(WIN, body).await.status, 200);
    }
    assert!(logged(&fixture).iter().all(|row| row.variant.is_none()));
}

#[tokio::test]
async fn more_than_a_shadow_can_follow_is_skipped_and_counted_and_every_request_is_answered() {
    let fixture = challenged(SHADOW);
    let rows: Vec<&str> = vec!["D-1"; 9_000];
    for _ in 0..6 {
        assert_eq!(fixture.post(WIN, json!({"entities": rows})).await.status, 200);
    }
    fixture.state.shadows.settle();
    let text = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    let count = |result: &str| -> usize {
        let start = format!(r#"scorehouse_shadow_rows_total{{model="win",result="{result}"}} "#);
        text.lines().find_map(|line| line.strip_prefix(&start)).map_or(0, |count| count.parse().unwrap())
    };
    assert_eq!(count("scored") + count("skipped"), 54_000, "{text}");
    assert!(count("scored") >= 18_000, "what there was room for was scored: {text}");
}

#[tokio::test]
async fn a_monitor_tells_champion_and_shadow_apart() {
    let fixture = challenged(SHADOW);
    fixture.post(WIN, json!({"entities": ["D-1", "D-2"]})).await;
    let told = fixture.get("/v1/models/win/monitor").await.json();
    assert_eq!(
        (&told["scores"], &told["counted"], &told["pending"]),
        (&json!(2), &json!(2), &json!(2)),
        "{told}"
    );
    let variants: Vec<(&Json, &Json, &Json)> = told["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| (&variant["variant"], &variant["versions"], &variant["counted"]))
        .collect();
    let expected = [(json!("champion"), json!([1]), json!(2)), (json!("shadow"), json!([2]), json!(2))];
    assert_eq!(variants, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
    assert_eq!(
        (&told["comparison"]["paired"], &told["comparison"]["verdict"]),
        (&json!(true), &json!("not_compared"))
    );
}
