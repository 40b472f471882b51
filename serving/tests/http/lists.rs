use scorehouse_features::ids::SourceName;
use scorehouse_features::online::PushedRow;
use scorehouse_features::time::Timestamp;
use scorehouse_features::value::Value;
use scorehouse_models::registry::TrainingWindow;
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, days_ago, point, register, register_learnt, upsell_artifact, upsell_of};
use crate::kept::listed;

const RECOMMEND: &str = "/v1/models/upsell/recommend";
const MONITOR: &str = "/v1/models/upsell/monitor";

/// A purchase, and when it became known.
struct Order<'a> {
    customer: &'a str,
    product: &'a str,
    quantity: i64,
    at: Timestamp,
    known: Timestamp,
}

/// One piece, bought and known some days ago.
fn order<'a>(customer: &'a str, product: &'a str, days: i64) -> Order<'a> {
    Order { customer, product, quantity: 1, at: days_ago(days), known: days_ago(days) }
}

fn buy(fixture: &Fixture, orders: &[Order<'_>]) {
    let row = |order: &Order<'_>| PushedRow {
        event_time: order.at,
        available: order.known,
        arrival: 0,
        values: vec![
            Value::Text(order.customer.into()),
            Value::Text(order.product.into()),
            Value::Int(order.quantity),
            Value::Float(10.0),
            Value::Time(order.at),
        ],
        id: None,
    };
    let source = SourceName::new("orders").unwrap();
    fixture.state.online.append(&source, orders.iter().map(row).collect()).unwrap();
}

/// The products of a list that was made for some days ago.
async fn recommend(fixture: &Fixture, days: i64, mut body: Json) -> Vec<String> {
    body["as_of"] = json!(days_ago(days));
    let answer = fixture.post(RECOMMEND, body).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["item"].as_str().unwrap().to_owned()).collect()
}

async fn monitor(fixture: &Fixture) -> Json {
    let answer = fixture.get(MONITOR).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

fn value(figure: &Json) -> f64 {
    figure["value"].as_f64().unwrap_or_else(|| panic!("{figure}"))
}

#[tokio::test]
async fn a_list_is_judged_once_its_horizon_is_over_by_what_its_customer_bought_within() {
    let fixture = Fixture::new();
    // A-1 has bought P-1 a hundred days ago and P-2 twelve days ago; nothing in between.
    let earlier = recommend(&fixture, 99, json!({"customer": "A-1", "n": 4})).await;
    recommend(&fixture, 50, json!({"customer": "A-1", "n": 4})).await;
    let met = recommend(&fixture, 40, json!({"customer": "A-1", "n": 4})).await;
    recommend(&fixture, 20, json!({"customer": "A-1", "n": 4})).await;
    recommend(&fixture, 60, json!({"customer": "A-2", "n": 4})).await;
    recommend(&fixture, 40, json!({"basket": ["P-1"], "n": 4})).await;
    assert!(earlier.contains(&"P-2".to_owned()), "shown, but bought after its horizon: {earlier:?}");
    let place = 1 + met.iter().position(|item| item == "P-2").unwrap();

    let told = monitor(&fixture).await;
    assert_eq!((&told["model"], &told["horizon"]), (&json!("upsell"), &json!("30d")), "{told}");
    let counts = ["lists", "unnamed", "counted", "pending", "foreseen"].map(|name| &told[name]);
    assert_eq!(counts, [&json!(6), &json!(1), &json!(5), &json!(1), &json!(0)], "{told}");
    let quality = &told["quality"];
    let counts = ["judged", "customers", "bought", "hits"].map(|name| &quality[name]);
    assert_eq!(counts, [&json!(4), &json!(2), &json!(1), &json!(1)], "{told}");
    assert!((value(&quality["hit_rate"]) - 0.25).abs() < 1e-12, "{quality}");
    assert!(
        (value(&quality["precision"]) - 0.25 / met.len() as f64).abs() < 1e-12,
        "a quarter of the lists had one of {}: {quality}",
        met.len()
    );
    assert_eq!((value(&quality["recall"]), &quality["position"]), (1.0, &json!(place as f64)), "{quality}");
    assert!((value(&quality["ndcg"]) - 1.0 / ((place + 1) as f64).log2()).abs() < 1e-12, "{quality}");
    let (low, high) = (&quality["hit_rate"]["low"], &quality["hit_rate"]["high"]);
    assert!(low.as_f64().unwrap() < 0.25 && high.as_f64().unwrap() > 0.25, "{quality}");
    assert_eq!((told.get("variants"), told.get("comparison")), (None, None), "nobody was tried out: {told}");
    let periods = told["periods"].as_array().unwrap();
    let counted: u64 = periods.iter().map(|period| period["counted"].as_u64().unwrap()).sum();
    assert_eq!(counted, 5, "{told}");
}

#[tokio::test]
async fn purchases_count_by_when_they_happened_once_they_are_known() {
    let fixture = Fixture::new();
    let list = recommend(&fixture, 40, json!({"customer": "A-7", "n": 2, "basket": ["P-1"]})).await;
    assert_eq!(list[0], "P-4", "{list:?}");
    let known = |order: Order<'static>, days: i64| Order { known: days_ago(days), ..order };
    buy(
        &fixture,
        &[
            // Before the list, though nobody knew of it then; after its horizon; in the basket already; sent back.
            known(order("A-7", "P-4", 41), 39),
            order("A-7", "P-4", 9),
            order("A-7", "P-1", 35),
            Order { quantity: -1, ..order("A-7", "P-4", 30) },
            // Not known before tomorrow; another's.
            known(order("A-7", "P-4", 25), -1),
            order("A-8", "P-4", 30),
        ],
    );
    let quality = monitor(&fixture).await["quality"].clone();
    let counts = ["judged", "bought", "hits"].map(|name| &quality[name]);
    assert_eq!(counts, [&json!(1), &json!(0), &json!(0)], "{quality}");
    assert_eq!((value(&quality["hit_rate"]), &quality["recall"]), (0.0, &json!(null)), "{quality}");

    // A purchase within the horizon that came in after it, twice, and one of a product that was not shown.
    let late = || known(order("A-7", "P-4", 35), 5);
    buy(&fixture, &[late(), late(), order("A-7", "P-99", 34)]);
    let quality = monitor(&fixture).await["quality"].clone();
    let counts = ["judged", "bought", "hits"].map(|name| &quality[name]);
    assert_eq!(counts, [&json!(1), &json!(1), &json!(1)], "{quality}");
    assert_eq!((value(&quality["recall"]), &quality["position"]), (0.5, &json!(1.0)), "{quality}");
}

#[tokio::test]
async fn a_customer_counts_once_a_day_by_the_last_list_of_that_day() {
    let fixture = Fixture::declaring_changed("", |project| {
        let upsell = project.models.get_mut("upsell").unwrap();
        if let scorehouse_features::definition::Pipeline::Upsell(spec) = &mut upsell.pipeline {
            spec.horizon = "10d".parse().unwrap();
        }
    });
    for n in 1..=5 {
        recommend(&fixture, 20, json!({"customer": "A-1", "n": n})).await;
    }
    let told = monitor(&fixture).await;
    assert_eq!((&told["lists"], &told["counted"], &told["length"]), (&json!(5), &json!(1), &json!(4.0)));
    assert_eq!((&told["horizon"], &told["quality"]["hits"]), (&json!("10d"), &json!(1)), "{told}");
}

/// The company with two versions of `upsell`: to whoever has P-1, the first shows P-4 before all, the second P-2.
fn two_versions(how: &str) -> Fixture {
    let fixture = Fixture::declaring(&format!("[model.upsell.challenger]\n{how}"));
    let second = register(fixture.registry.as_ref(), "upsell", &upsell_of([1, 4, 5]));
    point(fixture.registry.as_ref(), "upsell", "challenger", second);
    fixture.state.live.refresh().unwrap();
    fixture
}

fn customer(number: usize) -> String {
    format!("C-{number}")
}

/// Customers who have P-1 since long; within the horizon of a list made 45 days ago every second bought P-2, every
/// sixth P-4.
fn shoppers(fixture: &Fixture, count: usize) {
    for number in 0..count {
        let name = customer(number);
        let mut orders = vec![order(&name, "P-1", 100)];
        orders.extend(number.is_multiple_of(2).then(|| order(&name, "P-2", 30)));
        orders.extend(number.is_multiple_of(6).then(|| order(&name, "P-4", 29)));
        buy(fixture, &orders);
    }
}

fn of_variants(told: &Json) -> Vec<(&Json, &Json, &Json, &Json)> {
    let variants = told["variants"].as_array().unwrap().iter();
    variants.map(|v| (&v["variant"], &v["versions"], &v["counted"], &v["quality"]["hits"])).collect()
}

#[tokio::test]
async fn a_shadow_is_compared_with_the_champion_list_by_list() {
    let fixture = two_versions("mode = \"shadow\"\n");
    shoppers(&fixture, 72);
    for number in 0..60 {
        let list = recommend(&fixture, 45, json!({"customer": customer(number), "n": 1})).await;
        assert_eq!(list, ["P-4"]);
    }
    fixture.state.shadows.settle();
    // Without a challenger there is no shadow: of twelve more customers, and of the last list of the first one.
    fixture.put("/v1/models/upsell/aliases/challenger", json!({"version": null})).await;
    for number in 60..72 {
        recommend(&fixture, 45, json!({"customer": customer(number), "n": 1})).await;
    }
    let hour_later = Timestamp(days_ago(45).0 + 3_600_000_000);
    let again = json!({"customer": customer(0), "n": 3, "as_of": hour_later});
    assert_eq!(fixture.post(RECOMMEND, again).await.status, 200);

    let told = monitor(&fixture).await;
    assert_eq!((&told["lists"], &told["counted"]), (&json!(73), &json!(72)), "{told}");
    let (champion, shadow) = (json!("champion"), json!("shadow"));
    let (first, second) = (json!([1]), json!([2]));
    // The first customer's last list is longer and holds both products.
    let expected = [(&champion, &first, &json!(72), &json!(12)), (&shadow, &second, &json!(60), &json!(30))];
    assert_eq!(of_variants(&told), expected, "{told}");
    let comparison = &told["comparison"];
    assert_eq!((&comparison["paired"], &comparison["lists"]), (&json!(true), &json!(60)), "{comparison}");
    let difference = &comparison["difference"];
    assert!((value(&difference["hit_rate"]) - (30.0 - 10.0) / 60.0).abs() < 1e-12, "{comparison}");
    // Of those who bought anything, every third bought both products: half a recall to either version.
    assert!((value(&difference["recall"]) - (25.0 - 5.0) / 30.0).abs() < 1e-12, "{comparison}");
    let low = difference["hit_rate"]["low"].as_f64().unwrap();
    let high = difference["hit_rate"]["high"].as_f64().unwrap();
    assert!(0.1 < low && low < 1.0 / 3.0 && 1.0 / 3.0 < high && high < 0.6, "{comparison}");
    assert_eq!(comparison["verdict"], "better");
    let words = comparison["words"].as_str().unwrap();
    assert!(words.contains("50.0 % of the challenger's and 16.7 % of the champion's"), "{words}");
    let once_more = monitor(&fixture).await;
    assert_eq!(once_more, told, "the same log gives the same report");
    assert_eq!(listed(&fixture, "upsell").len(), 133);
}

#[tokio::test]
async fn a_split_is_compared_between_its_customers() {
    let fixture = two_versions("mode = \"split\"\nshare = 0.5\n");
    shoppers(&fixture, 150);
    let split = fixture.state.challenges.split("upsell").unwrap();
    let taken = |number: &usize| split.takes(&customer(*number));
    for number in 0..150 {
        let list = recommend(&fixture, 45, json!({"customer": customer(number), "n": 1})).await;
        assert_eq!(list, [if taken(&number) { "P-2" } else { "P-4" }]);
        if number < 50 {
            // What is asked by name takes no part, whoever's turn it is.
            recommend(&fixture, 44, json!({"customer": customer(number), "n": 1, "alias": "champion"})).await;
        }
    }
    let told = monitor(&fixture).await;
    let new: Vec<usize> = (0..150).filter(taken).collect();
    let old: Vec<usize> = (0..150).filter(|number| !taken(number)).collect();
    let hits = |customers: &[usize], every: usize| {
        customers.iter().filter(|number| number.is_multiple_of(every)).count()
    };
    let (better, worse) = (hits(&new, 2), hits(&old, 6));
    let (champion, challenger) = (json!("champion"), json!("challenger"));
    let counts = [old.len(), worse, new.len(), better].map(|count| json!(count));
    let (first, second) = (json!([1]), json!([2]));
    let expected =
        [(&champion, &first, &counts[0], &counts[1]), (&challenger, &second, &counts[2], &counts[3])];
    assert_eq!(of_variants(&told), expected, "{told}");
    let comparison = &told["comparison"];
    assert_eq!((&comparison["paired"], &comparison["lists"]), (&json!(false), &json!(150)), "{comparison}");
    let (p, q) = (better as f64 / new.len() as f64, worse as f64 / old.len() as f64);
    let figure = &comparison["difference"]["hit_rate"];
    assert!((value(figure) - (p - q)).abs() < 1e-12, "{comparison}");
    // One list a customer: the variance of two shares, each with one row less.
    let variance = p * (1.0 - p) / (new.len() - 1) as f64 + q * (1.0 - q) / (old.len() - 1) as f64;
    let low = p - q - 1.96 * variance.sqrt();
    assert!((figure["low"].as_f64().unwrap() - low).abs() < 1e-12, "{comparison}");
    assert_eq!(comparison["verdict"], "better");
}

#[tokio::test]
async fn too_few_judged_lists_are_not_compared() {
    let fixture = two_versions("mode = \"shadow\"\n");
    shoppers(&fixture, 12);
    for number in 0..12 {
        recommend(&fixture, 45, json!({"customer": customer(number), "n": 1})).await;
        // Bought before it is judged: still pending.
        recommend(&fixture, 29, json!({"customer": customer(number), "n": 1})).await;
    }
    let told = monitor(&fixture).await;
    assert_eq!((&told["counted"], &told["pending"]), (&json!(24), &json!(12)), "{told}");
    let comparison = &told["comparison"];
    assert_eq!((&comparison["verdict"], &comparison["lists"]), (&json!("not_compared"), &json!(12)));
    assert_eq!(comparison["difference"], json!(null));
    assert!(comparison["words"].as_str().unwrap().ends_with("too few to compare on"), "{comparison}");
}

#[tokio::test]
async fn a_list_for_a_moment_that_its_version_learnt_from_is_not_judged() {
    let fixture = Fixture::new();
    let window = TrainingWindow { from: days_ago(300), to: days_ago(45) };
    let registry = fixture.registry.as_ref();
    let other = upsell_artifact().with_details(json!({"another": true}));
    let second = register_learnt(registry, "upsell", &other, Some(window));
    point(registry, "upsell", "champion", second);
    fixture.state.live.refresh().unwrap();
    for days in [60, 45, 40] {
        recommend(&fixture, days, json!({"customer": "A-1"})).await;
    }
    let told = monitor(&fixture).await;
    let counts = (&told["counted"], &told["foreseen"], &told["quality"]["judged"]);
    assert_eq!(counts, (&json!(3), &json!(1), &json!(2)), "{told}");
}

#[tokio::test]
async fn lists_of_a_model_over_a_plain_file_are_judged_by_reported_outcomes() {
    let fixture = Fixture::declaring(
        "[model.next]\npipeline = \"interactions\"\ntable = \"t.csv\"\nitem = \"product\"\nhorizon = \"7d\"\n",
    );
    let version = register(fixture.registry.as_ref(), "next", &upsell_artifact());
    point(fixture.registry.as_ref(), "next", "champion", version);
    fixture.state.live.refresh().unwrap();
    for customer in ["U-1", "U-2", "U-3"] {
        let body = json!({"customer": customer, "basket": ["P-1"], "n": 1, "as_of": days_ago(10)});
        let answer = fixture.post("/v1/models/next/recommend", body).await.json();
        assert_eq!(answer["items"][0]["item"], "P-4", "{answer}");
    }
    let outcome = |key: &str, what: Json, days: i64| json!({"model": "next", "key": key, "outcome": what, "at": days_ago(days)});
    let outcomes = json!([
        outcome("U-1", json!("P-4"), 9),
        outcome("U-2", json!({"product": "P-4"}), 2),
        outcome("U-3", json!({"product": "P-2"}), 5),
    ]);
    assert_eq!(fixture.post("/v1/outcomes", outcomes).await.status, 200);
    let told = fixture.get("/v1/models/next/monitor").await.json();
    let quality = &told["quality"];
    let counts = ["judged", "bought", "hits"].map(|name| &quality[name]);
    assert_eq!(counts, [&json!(3), &json!(2), &json!(1)], "{told}");
}
