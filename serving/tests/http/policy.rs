use scorehouse_features::time::Timestamp;
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, NOW};

const WIN: &str = "/v1/models/win/score";

/// D-1 has log-odds 4, D-2 little: amount 200, revenue 10, one line; ann owns both.
const POLICY: &str = r#"
[model.win.policy]
otherwise = { track = "standard" }
[model.win.policy.rules]
sure = { when = "probability >= 0.9 AND deal.owner = 'ann'", track = "fast", action = "send the contract" }
discounted = { when = "request.discount >= 0.5", track = "advanced", action = "ask the manager" }
never = { when = "low > 2", track = "fast" }
"#;

async fn decisions(fixture: &Fixture, body: Json) -> Vec<Json> {
    let answer = fixture.post(WIN, body).await.json();
    answer["scores"].as_array().unwrap().iter().map(|score| score["decision"].clone()).collect()
}

#[tokio::test]
async fn the_first_rule_that_holds_decides_and_is_named() {
    let fixture = Fixture::declaring(POLICY);
    let cheap = json!({"key": "D-1", "features": {"deal.amount": 0, "request.discount": 0.6}});
    let fast = json!({"track": "fast", "action": "send the contract", "rule": "sure"});
    let advanced = json!({"track": "advanced", "action": "ask the manager", "rule": "discounted"});
    let decided = decisions(&fixture, json!({"entities": ["D-1", "D-2", cheap]})).await;
    // D-1 without its amount has log-odds 2: 0.88, which is not sure.
    assert_eq!(decided, [fast.clone(), json!({"track": "standard"}), advanced]);
    // What the request says of a feature that only the policy reads counts too.
    let other = json!({"entities": [{"key": "D-1", "features": {"deal.owner": "bob"}}]});
    assert_eq!(decisions(&fixture, other).await, [json!({"track": "standard"})]);
    // Rows that are no entity have no features beyond their inputs: such a rule has no value, and passes.
    let plain = json!({"inputs": [{"deal.amount": 9000}]});
    assert_eq!(decisions(&fixture, plain).await, [json!({"track": "standard"})]);
    let board = fixture.get("/v1/models/win/board").await.json();
    assert_eq!(board["scores"][0]["decision"], fast, "{board}");
}

#[tokio::test]
async fn what_a_policy_reads_besides_leaves_the_score_and_its_reasons_as_they_are() {
    let (plain, with) = (Fixture::new(), Fixture::declaring(POLICY));
    let body = json!({"entities": ["D-1", "D-2", "D-4"], "reasons": 4});
    let (mut one, mut other) =
        (plain.post(WIN, body.clone()).await.json(), with.post(WIN, body).await.json());
    for (one, other) in
        one["scores"].as_array_mut().unwrap().iter_mut().zip(other["scores"].as_array_mut().unwrap())
    {
        assert_eq!(one.get("decision"), None, "no policy, no decision");
        assert!(other.as_object_mut().unwrap().remove("decision").is_some());
        assert_eq!(one, other);
    }
}

#[tokio::test]
async fn no_rule_and_nothing_otherwise_decides_nothing() {
    let rules = "[model.win.policy.rules]\nnever = { when = \"deal.amount < 0\", track = \"fast\" }\n";
    let fixture = Fixture::declaring(rules);
    assert_eq!(decisions(&fixture, json!({"entity": "D-1"})).await, [Json::Null]);
}

#[tokio::test]
async fn the_log_keeps_what_was_decided_and_by_which_rule() {
    let fixture = Fixture::declaring(POLICY);
    fixture.post(WIN, json!({"entities": ["D-1", "D-2"]})).await;
    fixture.state.score_log.close();
    let mut shown = String::new();
    let folder = scorehouse::score_log::folder(&fixture.state.project.state);
    let range =
        scorehouse::score_log::read::Range { since: Timestamp::parse(NOW).unwrap(), until: Timestamp::MAX };
    scorehouse::score_log::read::batches(&folder, "win", range, &mut |batch| {
        let names = ["key", "track", "action", "rule"];
        let columns: Vec<usize> = names.iter().map(|name| batch.schema().index_of(name).unwrap()).collect();
        let part = batch.project(&columns).unwrap();
        shown += &arrow_cast::pretty::pretty_format_batches(&[part]).unwrap().to_string();
        Ok(())
    })
    .unwrap();
    let line = |key: &str| {
        let line = shown.lines().find(|line| line.contains(key)).unwrap_or_else(|| panic!("{shown}"));
        line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("D-1"), ["D-1", "fast", "send the contract", "sure"]);
    assert_eq!(line("D-2"), ["D-2", "standard"]);
}
