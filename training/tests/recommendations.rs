//! The interactions and the upsell pipeline from a project file to lists of items, on data with real dirt.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use scorehouse_features::definition::{FeatureSet, Project};
use scorehouse_features::ids::{ColumnName, ModelName, SourceName};
use scorehouse_features::time::{DAY, Timestamp};
use scorehouse_models::Artifact;
use scorehouse_models::predictor::Predictor;
use scorehouse_models::predictor::recommender::{Query, Recommender, Repeat};
use scorehouse_training::{
    History, NoHistory, Silent, Snapshots, TrainRequest, Trained, TrainingError, Users, recommend_table,
    train,
};

const NOW: Timestamp = Timestamp(400 * DAY);

/// As good as random, and the same every time.
fn draw(seed: usize, below: usize) -> usize {
    let mut x = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635;
    x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((x ^ (x >> 32)) % below as u64) as usize
}

/// Users like one of four kinds of things; each takes up about half of its ten items over a year, and one of
/// all others now and then. Some rows are broken on purpose.
fn interactions(timed: bool) -> String {
    let mut text = String::from(if timed { "customer,thing,at,amount\n" } else { "customer,thing\n" });
    for user in 0..240usize {
        let kind = user % 4;
        for n in 0..8 {
            let item = if n == 5 { draw(user * 8 + n, 40) } else { kind * 10 + draw(user * 8 + n, 10) };
            let at = Timestamp((n as i64 * 45 + (user % 40) as i64) * DAY);
            let line = if timed {
                format!("u{user},\"thing, no. {item}\",{at},{}\n", 5 + user % 9)
            } else {
                format!("u{user},\"thing, no. {item}\"\n")
            };
            text.push_str(&line);
            if n == 0 && user % 10 == 0 {
                text.push_str(&line);
            }
        }
    }
    let tail = if timed { ",2001-02-03,1\n" } else { "\n" };
    for start in ["u1,", ",\"thing, no. 1\"", "u2,NA"] {
        text.push_str(start);
        text.push_str(tail);
    }
    if timed {
        text.push_str("u3,\"thing, no. 3\",yesterday,1\nu3,\"thing, no. 3\",1970-02-01,lots\n");
        text.push_str("u3,\"thing, no. 3\",2099-01-01,1\n");
        text.push_str("lonely,\"thing, no. 3\",1970-05-01,1\n");
    } else {
        text.push_str("lonely,\"thing, no. 3\"\n");
    }
    text
}

fn project(folder: &Path, model: &str) -> Project {
    let text = format!("[project]\nname = \"shop\"\n\n{model}");
    Project::parse(&text, folder).unwrap_or_else(|e| panic!("{e:?}"))
}

const UNTIMED: &str = "[model.next]\npipeline = \"interactions\"\ntable = \"rows.csv\"\nuser = \"customer\"\nitem = \"thing\"\n";
const TIMED: &str = "[model.next]\npipeline = \"interactions\"\ntable = \"rows.csv\"\nuser = \"customer\"\nitem = \"thing\"\ntime = \"at\"\nweight = \"amount\"\n";

fn train_next(project: &Project, history: &dyn History, threads: usize) -> Result<Trained, TrainingError> {
    let model = ModelName::new("next").unwrap();
    train(TrainRequest {
        project,
        model: &model,
        history,
        seed: 7,
        threads,
        now: NOW,
        champion: None,
        progress: &Silent,
    })
}

fn trained(model: &str, rows: &str, threads: usize) -> (tempfile::TempDir, Trained) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.csv"), rows).unwrap();
    let trained = train_next(&project(folder.path(), model), &NoHistory, threads).unwrap();
    (folder, trained)
}

fn recommender(artifact: &Artifact) -> &Recommender {
    match &artifact.predictor {
        Predictor::Recommender(recommender) => recommender,
        other => panic!("a {} model", other.kind()),
    }
}

/// Share of the first two suggestions that are of the user's own kind.
fn own_kind(recommender: &Recommender) -> f64 {
    let mut hits = 0;
    for user in 0..240usize {
        let name = format!("u{user}");
        let list = recommender.recommend(&Query::user(&name, NOW), &mut |_| true, 2);
        let kind = |item: &str| item.rsplit(' ').next().unwrap().parse::<usize>().unwrap() / 10;
        hits += list.iter().filter(|r| kind(&r.item) == user % 4).count();
    }
    f64::from(hits as u32) / 480.0
}

#[test]
fn what_users_take_up_next_is_found_with_and_without_time() {
    for (model, rows) in [(UNTIMED, interactions(false)), (TIMED, interactions(true))] {
        let (_folder, trained) = trained(model, &rows, 2);
        let recommender = recommender(&trained.artifact);
        // About half of the ten items of a user's kind are left.
        assert!(own_kind(recommender) > 0.8, "{}", own_kind(recommender));
        assert!(trained.gate.passed, "{:?}", trained.gate);
        assert!(trained.metrics.value("ndcg@20").unwrap() > 0.3, "{:?}", trained.metrics.metrics);
        assert!(trained.candidates[0].chosen && trained.candidates.len() >= 4);
        assert_eq!(trained.data_digest.len(), 64);
    }
}

#[test]
fn the_number_of_threads_and_the_order_of_rows_change_no_byte() {
    let rows = interactions(true);
    let mut lines: Vec<&str> = rows.lines().skip(1).collect();
    lines.reverse();
    let mut turned = String::from("customer,thing,at,amount\n");
    lines.iter().for_each(|line| writeln!(turned, "{line}").unwrap());
    let bytes = |rows: &str, threads| trained(TIMED, rows, threads).1.artifact.to_bytes().unwrap();
    let first = bytes(&rows, 1);
    assert!(first == bytes(&rows, 3));
    assert!(first == bytes(&turned, 2));
}

#[test]
fn lists_are_written_for_known_users_strangers_and_odd_names() {
    let (folder, trained) = trained(UNTIMED, &interactions(false), 2);
    let read_back = Artifact::from_bytes(&trained.artifact.to_bytes().unwrap()).unwrap();
    let output = folder.path().join("lists.csv");
    let users = folder.path().join("users.csv");
    std::fs::write(&users, "customer\nu5\nnobody\n\"odd, name\"\nu5\nlonely\n").unwrap();
    let done = recommend_table(&read_back, Users::File(&users), 5, &output).unwrap();
    assert_eq!((done.users, done.strangers, done.rows), (4, 2, 20));
    let mut reader = csv::Reader::from_path(&output).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(&rows[0][0], "u5");
    assert_eq!(&rows[10][0], "odd, name");
    assert!(rows[0][2].starts_with("thing, no. "));
    // Strangers all get the same; somebody with a single item gets something of its own.
    let items = |from: usize| rows[from..from + 5].iter().map(|r| r[2].to_owned()).collect::<Vec<_>>();
    assert_eq!(items(5), items(10));
    assert!(!items(15).contains(&"thing, no. 3".to_owned()));
    // Without a header of the right name the first line is a user, too.
    std::fs::write(&users, "u5\nu6\n").unwrap();
    assert_eq!(recommend_table(&read_back, Users::File(&users), 3, &output).unwrap().rows, 6);
    let all = recommend_table(&read_back, Users::All, 1, &output).unwrap();
    assert_eq!((all.users, all.strangers), (241, 0));
}

#[test]
fn a_handful_of_rows_still_gives_a_recommender_that_says_how_little_it_knows() {
    let (_folder, trained) = trained(UNTIMED, "customer,thing\na,x\na,y\nb,x\nb,y\nc,x\n", 1);
    let recommender = recommender(&trained.artifact);
    let list = recommender.recommend(&Query::user("c", NOW), &mut |_| true, 5);
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].item, "y");
    assert!(!trained.gate.checks[0].passed && trained.gate.checks[0].detail.contains("too few"));
    let (_folder, single) = trained_single();
    let list = recommender_of(&single).recommend(&Query::stranger(NOW), &mut |_| true, 5);
    assert_eq!(list.len(), 1);
}

fn trained_single() -> (tempfile::TempDir, Trained) {
    trained(UNTIMED, "customer,thing\na,x\n", 1)
}

fn recommender_of(trained: &Trained) -> &Recommender {
    recommender(&trained.artifact)
}

#[test]
fn files_without_interactions_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path(), UNTIMED);
    let failure = |rows: &str| {
        std::fs::write(folder.path().join("rows.csv"), rows).unwrap();
        train_next(&project, &NoHistory, 1).unwrap_err().to_string()
    };
    assert!(failure("customer,thing\n,x\n").contains("nothing to learn from"));
    assert!(failure("client,thing\na,x\n").contains("customer"));
    std::fs::remove_file(folder.path().join("rows.csv")).unwrap();
    assert!(train_next(&project, &NoHistory, 1).is_err());
}

/// Order lines as the feature store would give them.
struct Orders;

impl History for Orders {
    fn rows(&self, _source: &SourceName, columns: &[ColumnName]) -> Result<RecordBatch, TrainingError> {
        let (mut customers, mut codes, mut quantities, mut invoices) = (vec![], vec![], vec![], vec![]);
        let (mut events, mut known) = (vec![], vec![]);
        for order in 0..1200i64 {
            let customer = order % 150;
            for line in 0..3i64 {
                customers.push(Some(customer + 12_000));
                codes.push(format!("P{}", (customer % 5) * 8 + draw((order * 3 + line) as usize, 8) as i64));
                quantities.push(if order % 50 == 0 { -1.0 } else { 2.0 });
                invoices.push(format!("I{order}"));
                events.push(order / 4 * DAY);
                // The last orders have happened but are not known yet.
                known.push(if order >= 1150 { NOW.0 + DAY } else { order / 4 * DAY });
            }
        }
        customers[0] = None;
        let count = customers.len();
        let column = |name: &str| -> ArrayRef {
            match name {
                "customer" => Arc::new(Int64Array::from(customers.clone())),
                "code" => Arc::new(StringArray::from(codes.clone())),
                "quantity" => Arc::new(Float64Array::from(quantities.clone())),
                "invoice" => Arc::new(StringArray::from(invoices.clone())),
                other => panic!("column {other} was not needed"),
            }
        };
        let time = |values: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"));
        let mut fields: Vec<(&str, ArrayRef)> =
            columns.iter().map(|name| (name.as_str(), column(name.as_str()))).collect();
        fields.push(("__event_time", time(events)));
        fields.push(("__available_time", time(known)));
        fields.push(("__arrival", Arc::new(Int64Array::from_iter_values(0..count as i64))));
        RecordBatch::try_from_iter(fields).map_err(TrainingError::history)
    }

    fn features(&self, _set: &FeatureSet, _snapshots: &Snapshots) -> Result<RecordBatch, TrainingError> {
        panic!("an upsell model reads no features")
    }
}

const SHOP: &str = r#"
[entity.customer]
key = "customer"

[source.orders]
path = "orders.csv"
event_time = "at"
columns = { at = "time", customer = "text", code = "text", quantity = "float", invoice = "text", note = "text" }

[model.next]
pipeline = "upsell"
source = "orders"
where = "quantity > 0"
weight = "quantity"
user_entity = "customer"
item = "code"
basket = "invoice"
not_bought_within = "60d"
"#;

#[test]
fn orders_from_the_store_become_suggestions_under_the_rules_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let trained = train_next(&project(folder.path(), SHOP), &Orders, 2).unwrap();
    let recommender = recommender(&trained.artifact);
    let parts = recommender.parts();
    // What was not known yet was not learnt from: the newest order known is number 1149.
    assert_eq!(parts.until, Timestamp(1149 / 4 * DAY));
    // Three customers only ever returned things.
    assert_eq!(parts.users.len(), 147);
    assert!(matches!(parts.repeat, Repeat::After(_)));
    let own = |name: &str, list: Vec<scorehouse_models::predictor::recommender::Recommended>| {
        let kind = (name.parse::<usize>().unwrap() - 12_000) % 5;
        let of = |item: &str| item[1..].parse::<usize>().unwrap() / 8;
        list.iter().filter(|r| of(&r.item) == kind).count()
    };
    let mut hits = 0;
    for user in 12_000..12_150 {
        let name = user.to_string();
        hits += own(&name, recommender.recommend(&Query::user(&name, parts.until), &mut |_| true, 2));
    }
    assert!(hits > 270, "{hits} of 300");
    // A basket of a stranger speaks for its kind.
    let query = Query { basket: &["P0", "P3"], ..Query::stranger(parts.until) };
    let list = recommender.recommend(&query, &mut |_| true, 3);
    assert_eq!(own("12000", list), 3);
}
