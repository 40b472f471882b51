//! A challenger beside the champion, from its first answer to the verdict.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use scorehouse_tests::{Server, get, post, run_ok};
use serde_json::{Value, json};

const PROJECT: &str = r#"
[project]
name = "deals"

[entity.account]
key = "account_id"
[entity.deal]
key = "deal_id"
refers_to.account = "deal.account_id"

[source.opened]
path = "opened.csv"
event_time = "at"
columns = { deal_id = { type = "text", required = true }, account_id = "text", amount = "float", at = "time" }
[source.closed]
path = "closed.csv"
event_time = "at"
columns = { deal_id = { type = "text", required = true }, outcome = "text", at = "time" }

[view.deal]
entity = "deal"
kind = "latest"
source = "opened"
features = ["account_id", "amount"]

[features.deal]
entity = "deal"
features = ["deal.amount"]

[model.win]
pipeline = "win"
feature_set = "deal"
opened = "opened"
closed = "closed"
won = "outcome = 'won'"
at = ["1d"]
candidates = ["logistic"]
"#;

const SHADOW: &str = "[model.win.challenger]\nmode = \"shadow\"\n";
const SPLIT: &str = "[model.win.challenger]\nmode = \"split\"\nshare = 0.5\nby = \"account\"\n";

/// Deals that are open: 120 after the 200 that training learns from.
const OPEN: std::ops::Range<usize> = 200..320;

/// Deals of a hundred accounts; the dearer half is won, mostly.
fn write_deals(folder: &Path) {
    let mut opened = String::from("deal_id,account_id,amount,at\n");
    let mut closed = String::from("deal_id,outcome,at\n");
    for deal in 0..OPEN.end {
        let amount = (deal * 37) % 100;
        let month = 1 + deal % 9;
        let _ = writeln!(opened, "D-{deal},A-{},{amount},2025-{month:02}-01", deal % 100);
        if deal < OPEN.start {
            let _ = writeln!(closed, "D-{deal},{},2025-{month:02}-20", outcome(deal));
        }
    }
    fs::write(folder.join("opened.csv"), opened).unwrap();
    fs::write(folder.join("closed.csv"), closed).unwrap();
}

fn outcome(deal: usize) -> &'static str {
    let dear = (deal * 37) % 100 >= 50;
    if dear != deal.is_multiple_of(7) { "won" } else { "lost" }
}

fn score(server: &Server) -> Value {
    let keys: Vec<String> = OPEN.map(|deal| format!("D-{deal}")).collect();
    let answer = post(&server.url("/v1/models/win/score"), &json!({ "entities": keys })).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json().unwrap()
}

fn monitor(server: &Server) -> Value {
    get(&server.url("/v1/models/win/monitor")).unwrap().json().unwrap()
}

#[test]
fn a_challenger_is_compared_with_the_champion_as_outcomes_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_deals(folder);
    let declare = |more: &str| fs::write(folder.join("scorehouse.toml"), format!("{PROJECT}{more}")).unwrap();
    declare("");
    run_ok(folder, &["ingest", "--quiet"]).unwrap();
    // The first version learns from a quarter of the deals, the second from all of them.
    run_ok(folder, &["train", "--quiet", "--as-of", "2025-04-01"]).unwrap();
    run_ok(folder, &["train", "--quiet", "--as-of", "2025-11-01"]).unwrap();
    run_ok(folder, &["models", "promote", "win", "1"]).unwrap();
    run_ok(folder, &["models", "promote", "win", "2", "--alias", "challenger"]).unwrap();

    declare(SHADOW);
    let server = Server::start(folder).unwrap();
    let answer = score(&server);
    assert_eq!((&answer["version"], &answer["alias"]), (&json!(1), &json!("champion")));
    let told = monitor(&server);
    assert_eq!(
        (&told["pending"], &told["comparison"]["verdict"]),
        (&json!(120), &json!("not_compared")),
        "{told}"
    );
    let outcomes: Vec<Value> = OPEN
        .map(|deal| json!({"model": "win", "key": format!("D-{deal}"), "outcome": outcome(deal)}))
        .collect();
    assert_eq!(post(&server.url("/v1/outcomes"), &json!(outcomes)).unwrap().status, 200);
    let told = monitor(&server);
    assert_eq!((&told["scores"], &told["pending"]), (&json!(120), &json!(0)), "{told}");
    let variants = told["variants"].as_array().unwrap();
    assert_eq!((&variants[0]["variant"], &variants[0]["versions"]), (&json!("champion"), &json!([1])));
    assert_eq!((&variants[1]["variant"], &variants[1]["versions"]), (&json!("shadow"), &json!([2])));
    for variant in variants {
        assert_eq!(variant["known"], 120);
        let auc = |end: &str| variant["auc"][end].as_f64().unwrap();
        assert!(auc("low") <= auc("value") && auc("value") <= auc("high") && auc("value") > 0.7, "{variant}");
    }
    let comparison = &told["comparison"];
    assert_eq!((&comparison["paired"], &comparison["rows"]), (&json!(true), &json!(120)), "{comparison}");
    let loss = |at: usize| variants[at]["log_loss"]["value"].as_f64().unwrap();
    let difference = comparison["difference"]["value"].as_f64().unwrap();
    assert!((difference - (loss(1) - loss(0))).abs() < 1e-9, "the pairs are all there is: {told}");
    server.kill().unwrap();
    let text = run_ok(folder, &["monitor", "win"]).unwrap().out;
    assert!(text.contains("champion (version 1)") && text.contains("shadow (version 2)"), "{text}");

    declare(SPLIT);
    let server = Server::start(folder).unwrap();
    let answer = score(&server);
    assert_eq!(answer["variants"], json!({"champion": 1, "challenger": 2}), "{answer}");
    assert_eq!(score(&server)["scores"], answer["scores"], "who answers for a deal does not change");
}
