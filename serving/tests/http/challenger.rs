use scorehouse::score_log::read::{LoggedList, LoggedScore};
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, point, register, table_artifact, upsell_artifact, win_artifact};
use crate::kept::{self, replay, settle};

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

fn logged(fixture: &Fixture, model: &str) -> Vec<LoggedScore> {
    settle(fixture);
    kept::logged(fixture, model)
}

fn listed(fixture: &Fixture) -> Vec<LoggedList> {
    settle(fixture);
    kept::listed(fixture, "upsell")
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
    let rows = logged(&fixture, "win");
    assert_eq!(rows.len(), 40);
    let split = fixture.state.challenges.split("win").unwrap();
    for row in &rows {
        let variant = row.head.variant.as_deref().unwrap();
        assert_eq!(
            (row.head.alias.as_deref(), row.head.version),
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
    let rows = logged(&fixture, "win");
    let (shadows, served): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.head.variant.is_some());
    assert_eq!((served.len(), shadows.len()), (2, 2));
    for (shadow, served) in shadows.iter().zip(&served) {
        assert_eq!(
            (shadow.head.variant.as_deref(), shadow.head.alias.as_deref()),
            (Some("shadow"), Some("challenger"))
        );
        assert_eq!((shadow.head.version, served.head.version), (2, 1));
        assert_eq!(
            (&shadow.head.key, shadow.head.as_of, &shadow.given),
            (&served.head.key, served.head.as_of, &served.given)
        );
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
    assert!(logged(&fixture, "win").iter().all(|row| row.head.variant.is_none()));
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

const RISK: &str = "[model.risk]\npipeline = \"table\"\ntable = \"t.csv\"\nlabel = \"y\"\nid = \"row\"\n";
const SCORE_RISK: &str = "/v1/models/risk/score";
const RECOMMEND: &str = "/v1/models/upsell/recommend";

/// The company with two versions of a model over a plain table.
fn plain(how: &str) -> Fixture {
    let fixture = Fixture::declaring(&format!("{RISK}[model.risk.challenger]\n{how}"));
    for (intercept, alias) in [(0.0, "champion"), (0.5, "challenger")] {
        let artifact = table_artifact(&fixture.state.project, intercept);
        let version = register(fixture.registry.as_ref(), "risk", &artifact);
        point(fixture.registry.as_ref(), "risk", alias, version);
    }
    fixture.state.live.refresh().unwrap();
    fixture
}

/// The company with a second version of `upsell`.
fn storefront(how: &str) -> Fixture {
    let fixture = Fixture::declaring(&format!("[model.upsell.challenger]\n{how}"));
    let other = upsell_artifact().with_details(json!({"another": true}));
    let second = register(fixture.registry.as_ref(), "upsell", &other);
    point(fixture.registry.as_ref(), "upsell", "challenger", second);
    fixture.state.live.refresh().unwrap();
    fixture
}

/// A row of the table.
fn risk(row: usize) -> Json {
    json!({"row": row, "deal.amount": 100 * row, "deal_facts.net": 1})
}

#[tokio::test]
async fn rows_of_a_plain_table_are_split_by_what_names_them_and_meet_their_outcomes() {
    let fixture = plain("mode = \"split\"\nshare = 0.5\n");
    let rows: Vec<Json> = (0..40).map(risk).chain([json!({"deal.amount": 1})]).collect();
    let answer = fixture.post(SCORE_RISK, json!({ "inputs": rows })).await.json();
    let split = fixture.state.challenges.split("risk").unwrap();
    let shown = answer["scores"].as_array().unwrap();
    for (row, score) in shown.iter().enumerate().take(40) {
        let variant = if split.takes(&row.to_string()) { "challenger" } else { "champion" };
        assert_eq!((&score["variant"], &score["key"]), (&json!(variant), &json!(row.to_string())));
    }
    assert_eq!((&shown[40]["variant"], shown[40].get("key")), (&json!("champion"), None), "nothing names it");
    let told = json!({"model": "risk", "key": 7, "outcome": true});
    assert_eq!(fixture.post("/v1/outcomes", told).await.status, 200);
    let report = fixture.get("/v1/models/risk/monitor").await.json();
    assert_eq!(
        (&report["scores"], &report["counted"], &report["pending"]),
        (&json!(41), &json!(40), &json!(39))
    );
    assert_eq!(report["variants"].as_array().unwrap().len(), 2, "{report}");
    let skew = replay(&fixture);
    assert_eq!((skew.rows, skew.different), (41, 0), "{skew:?}");
}

#[tokio::test]
async fn a_plain_table_may_be_split_by_any_column_that_requests_give() {
    let fixture = plain("mode = \"split\"\nshare = 0.5\nby = \"deal.amount\"\n");
    let rows: Vec<Json> = (0..40).map(|row| json!({"deal.amount": row % 4, "deal_facts.net": row})).collect();
    let answer = fixture.post(SCORE_RISK, json!({ "inputs": rows })).await.json();
    let variants: Vec<&Json> =
        answer["scores"].as_array().unwrap().iter().map(|row| &row["variant"]).collect();
    let split = fixture.state.challenges.split("risk").unwrap();
    for (row, variant) in variants.iter().enumerate() {
        assert_eq!(**variant == "challenger", split.takes(&(row % 4).to_string()));
    }
}

#[tokio::test]
async fn rows_of_a_plain_table_have_a_shadow_with_the_same_inputs() {
    let fixture = plain("mode = \"shadow\"\n");
    let rows = json!({"inputs": [risk(1), {"deal.amount": 5}]});
    let answer = fixture.post(SCORE_RISK, rows).await.json();
    assert_eq!(answer["version"], 1);
    let tensor = json!({"name": "features", "datatype": "FP64", "shape": [1, 4], "data": [1, 2, 3, 4]});
    let inferred = fixture.post("/v2/models/risk/infer", json!({ "inputs": [tensor] })).await;
    assert_eq!(inferred.status, 200, "{}", inferred.json());
    let rows = logged(&fixture, "risk");
    let (shadows, served): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.head.variant.is_some());
    assert_eq!((served.len(), shadows.len()), (3, 3));
    for (shadow, served) in shadows.iter().zip(&served) {
        assert_eq!(
            (shadow.head.version, &shadow.head.key, &shadow.inputs),
            (2, &served.head.key, &served.inputs)
        );
        assert!((shadow.raw - served.raw - 0.5).abs() < 1e-9, "{shadow:?}");
    }
    let skew = replay(&fixture);
    assert_eq!((skew.rows, skew.same), (6, 6), "{skew:?}");
}

#[tokio::test]
async fn a_split_recommends_to_a_customer_by_the_same_version_every_time() {
    let fixture = storefront("mode = \"split\"\nshare = 0.5\n");
    let split = fixture.state.challenges.split("upsell").unwrap();
    for number in 0..20 {
        let customer = format!("A-{number}");
        let body = json!({"customer": customer, "basket": ["P-1"], "n": 2});
        let answer = fixture.post(RECOMMEND, body).await.json();
        let (variant, version) = if split.takes(&customer) { ("challenger", 2) } else { ("champion", 1) };
        assert_eq!((&answer["variant"], &answer["version"]), (&json!(variant), &json!(version)), "{answer}");
    }
    let stranger = fixture.post(RECOMMEND, json!({"basket": ["P-1"]})).await.json();
    assert_eq!((&stranger["variant"], &stranger["version"]), (&json!("champion"), &json!(1)));
    let named = fixture.post(RECOMMEND, json!({"customer": "A-1", "alias": "challenger"})).await.json();
    assert_eq!((named.get("variant"), &named["version"]), (None, &json!(2)));
    for list in listed(&fixture).iter().filter(|list| list.head.variant.is_some() && list.head.key.is_some())
    {
        let taken = split.takes(list.head.key.as_deref().unwrap());
        assert_eq!(
            (list.head.variant.as_deref() == Some("challenger"), list.head.version == 2),
            (taken, taken)
        );
    }
    let skew = replay(&fixture);
    assert_eq!((skew.rows, skew.same), (22, 22), "{skew:?}");
}

#[tokio::test]
async fn recommendations_have_a_shadow_that_is_kept_and_replays() {
    let fixture = storefront("mode = \"shadow\"\n");
    let body = json!({"customer": "A-1", "basket": ["P-1"], "n": 3, "request": {"country": "FR"}});
    let answer = fixture.post(RECOMMEND, body).await.json();
    assert_eq!((&answer["version"], answer.get("variant")), (&json!(1), None));
    let tensor = json!({"name": "customer", "datatype": "BYTES", "shape": [2], "data": ["A-1", "A-2"]});
    assert_eq!(fixture.post("/v2/models/upsell/infer", json!({ "inputs": [tensor] })).await.status, 200);
    let rows = listed(&fixture);
    let (shadows, served): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.head.variant.is_some());
    assert_eq!((served.len(), shadows.len()), (3, 3));
    assert!(
        shadows.iter().all(|list| list.head.version == 2 && list.head.variant.as_deref() == Some("shadow"))
    );
    let first =
        served.iter().find(|list| list.items.len() == answer["items"].as_array().unwrap().len()).unwrap();
    let its =
        shadows.iter().find(|list| list.head.key == first.head.key && list.asked == first.asked).unwrap();
    assert_eq!(its.items, first.items, "both learnt the same");
    let skew = replay(&fixture);
    assert_eq!((skew.rows, skew.same), (6, 6), "{skew:?}");
}

#[tokio::test]
async fn the_standard_protocol_takes_part_and_says_who_answered_each_row() {
    let fixture = challenged("[model.win.challenger]\nmode = \"split\"\nshare = 0.5\n");
    let split = fixture.state.challenges.split("win").unwrap();
    let keys = ["D-1", "D-2", "D-4"];
    let asked = json!({"parameters": {"entity_keys": keys}});
    let answer = fixture.post("/v2/models/win/infer", asked.clone()).await.json();
    let output = |name: &str| {
        let outputs = answer["outputs"].as_array().unwrap();
        outputs.iter().find(|output| output["name"] == name).map(|output| output["data"].clone())
    };
    let taken: Vec<bool> = keys.iter().map(|key| split.takes(key)).collect();
    let variants: Vec<&str> =
        taken.iter().map(|taken| if *taken { "challenger" } else { "champion" }).collect();
    assert_eq!(output("variant"), Some(json!(variants)));
    let mixed = taken.iter().any(|one| *one != taken[0]);
    assert_eq!(answer.get("model_version").is_none(), mixed, "{answer}");
    for (key, taken) in keys.iter().zip(&taken) {
        let one = json!({"parameters": {"entity_key": key}});
        let answer = fixture.post("/v2/models/win/infer", one).await.json();
        assert_eq!(answer["model_version"], if *taken { "2" } else { "1" }, "{answer}");
    }
    let named = fixture.post("/v2/models/win/versions/1/infer", asked).await.json();
    assert_eq!(named["model_version"], "1");
    assert!(!named.to_string().contains("variant"), "{named}");
    assert_eq!(logged(&fixture, "win").iter().filter(|row| row.head.variant.is_some()).count(), 6);
}
