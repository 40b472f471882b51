use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::routing::post;
use futures::StreamExt;
use scorehouse::access::Role;
use scorehouse::changes::{ChangeStore, DeliveryState, Kind, deliver, follow, signature};
use scorehouse_features::ids::{EntityKey, EntityName, SourceName};
use scorehouse_features::online::{
    EmbeddedStore, EntityRows, KeyPage, OnlineError, OnlineStore, PushedRow, Receipt,
};
use scorehouse_features::time::Span;
use scorehouse_features::view::{Layout, TableId};
use serde_json::{Value as Json, json};

use crate::connections::certified;
use crate::fixture::Fixture;
use crate::peer::Peer;

/// D-2 has log-odds 200/1000 + 200/1000 + 10/100 + 1 = 1.5, a probability of 0.82; D-1 4.
const WATCH: &str = "[model.win.watch]\nbands = [0.5, 0.95]\nreasons = 1\n";
const HOOK: &str =
    "[webhook.crm]\nurl = \"http://127.0.0.1:1/hook\"\nsecret = \"CRM_SECRET\"\nattempts = 3\n";

fn order(account: &str, amount: f64) -> Json {
    json!({"account_id": account, "product_id": "P-1", "quantity": 1, "amount": amount, "at": "2024-03-31"})
}

fn deal(key: &str, amount: f64) -> Json {
    json!({"deal_id": key, "account_id": "A-2", "amount": amount, "owner": "ann", "at": "2024-03-31"})
}

fn watching(more: &str) -> Fixture {
    let fixture = Fixture::declaring(&format!("{WATCH}{more}"));
    follow(&fixture.state).unwrap();
    fixture
}

async fn push(fixture: &Fixture, source: &str, rows: Json) {
    let answer = fixture.post(&format!("/v1/events/{source}"), rows).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let state = fixture.state.clone();
    tokio::task::spawn_blocking(move || state.changes.settle()).await.unwrap();
}

/// The changes told so far.
fn told(fixture: &Fixture) -> Vec<Json> {
    let (changes, _) = fixture.state.changes.after(0, usize::MAX);
    changes.iter().map(|change| serde_json::from_str(&change.body).unwrap()).collect()
}

#[tokio::test]
async fn a_push_that_moves_a_score_across_an_edge_is_told_with_before_and_after() {
    let fixture = watching("");
    push(&fixture, "deal_opened", deal("D-2", 300.0)).await;
    assert_eq!(told(&fixture), Vec::<Json>::new(), "it stays in its band");
    push(&fixture, "deal_opened", deal("D-2", 5000.0)).await;
    let changes = told(&fixture);
    assert_eq!(changes.len(), 1, "{changes:?}");
    let change = &changes[0];
    let head = ["type", "model", "entity", "key", "direction"].map(|name| change[name].as_str().unwrap());
    assert_eq!(head, ["score_changed", "win", "deal", "D-2", "up"]);
    assert_eq!((&change["id"], &change["bands"]), (&json!(1), &json!([0.5, 0.95])));
    assert_eq!((&change["before"]["band"], &change["after"]["band"]), (&json!(1), &json!(2)));
    let answer = fixture.post("/v1/models/win/score", json!({"entity": "D-2"})).await.json();
    assert_eq!(change["after"]["probability"], answer["scores"][0]["probability"]);
    assert_eq!(change["reasons"].as_array().unwrap().len(), 1, "{change}");
    push(&fixture, "deal_opened", deal("D-2", 100.0)).await;
    assert_eq!(told(&fixture)[1]["direction"], "down");
}

#[tokio::test]
async fn a_fact_about_an_account_moves_the_scores_of_its_deals() {
    let fixture = watching("");
    // When the first push is looked at, who refers to whom is gathered. D-9 is above all edges from the start.
    push(&fixture, "deal_opened", deal("D-9", 9000.0)).await;
    push(&fixture, "orders", order("A-2", 300.0)).await;
    let changes = told(&fixture);
    assert_eq!(changes.len(), 1, "D-9 was above before: {changes:?}");
    assert_eq!((&changes[0]["key"], &changes[0]["direction"]), (&json!("D-2"), &json!("up")));
}

#[tokio::test]
async fn many_pushes_about_one_entity_are_scored_together_and_a_new_entity_is_no_change() {
    let fixture = watching("");
    let up: Vec<Json> = (0..50).map(|_| deal("D-2", 5000.0)).collect();
    push(&fixture, "deal_opened", json!(up)).await;
    push(&fixture, "deal_opened", deal("D-9", 9000.0)).await;
    assert_eq!(told(&fixture).len(), 1);
}

#[tokio::test]
async fn what_was_marked_before_a_stop_is_told_after_the_next_start() {
    let fixture = Fixture::declaring(WATCH);
    // Nothing scores again in this server: the push is acknowledged, and that is all.
    assert_eq!(fixture.post("/v1/events/deal_opened", deal("D-2", 5000.0)).await.status, 200);
    assert_eq!(told(&fixture), Vec::<Json>::new());
    let again = scorehouse::changes::Changes::open(&fixture.state.project).unwrap();
    assert_eq!(again.store().unwrap().marked().unwrap(), 1, "the mark is on the disk");
    follow(&fixture.state).unwrap();
    let state = fixture.state.clone();
    tokio::task::spawn_blocking(move || state.changes.settle()).await.unwrap();
    assert_eq!(told(&fixture).len(), 1);
    let later = scorehouse::changes::Changes::open(&fixture.state.project).unwrap();
    assert_eq!((later.newest(), later.after(0, usize::MAX).0.len()), (1, 1), "a change outlives the server");
}

/// A store that cannot read some deals.
struct Torn(EmbeddedStore);

impl OnlineStore for Torn {
    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn append(&self, source: &SourceName, rows: Vec<PushedRow>) -> Result<Receipt, OnlineError> {
        self.0.append(source, rows)
    }

    fn visit(
        &self,
        table: TableId,
        key: &str,
        see: &mut dyn FnMut(&EntityRows<'_>),
    ) -> Result<(), OnlineError> {
        match key {
            "D-torn" => Err(OnlineError::UnknownTable(99)),
            "D-mad" => panic!("the store went mad"),
            key => self.0.visit(table, key, see),
        }
    }

    fn keys(
        &self,
        entity: &EntityName,
        after: Option<&EntityKey>,
        limit: usize,
    ) -> Result<KeyPage, OnlineError> {
        self.0.keys(entity, after, limit)
    }
}

#[tokio::test]
async fn an_entity_that_cannot_be_scored_refuses_no_push_and_holds_up_no_other() {
    let fixture = Fixture::reading(WATCH, |store| Arc::new(Torn(store)));
    follow(&fixture.state).unwrap();
    for bad in ["D-torn", "D-mad"] {
        let answer = fixture.post("/v1/events/deal_opened", deal(bad, 5000.0)).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
    let both = json!([deal("D-torn", 1.0), deal("D-2", 5000.0)]);
    assert_eq!(fixture.post("/v1/events/deal_opened", both).await.status, 200);
    until(|| told(&fixture).len() == 1).await;
    assert_eq!(told(&fixture)[0]["key"], "D-2");
    let text = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    let failures = r#"scorehouse_score_change_failures_total{model="win"} "#;
    let failures = text.lines().find_map(|line| line.strip_prefix(failures)).unwrap();
    assert!(failures.parse::<u64>().unwrap() >= 3, "{text}");
}

type Heard = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A receiver that refuses the first `refusals` deliveries, and its address.
async fn receiver(refusals: usize) -> (String, Heard) {
    let heard: Heard = Arc::default();
    let hear = move |State(heard): State<Heard>, headers: HeaderMap, body: String| async move {
        let mut heard = heard.lock().unwrap();
        heard.push((headers, body));
        if heard.len() <= refusals { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
    };
    let app = Router::new().route("/hook", post(hear)).with_state(heard.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, heard)
}

fn delivering(url: &str) -> Fixture {
    delivering_with(url, "")
}

fn delivering_with(url: &str, hook: &str) -> Fixture {
    let more = format!("{WATCH}{}{hook}", HOOK.replace("http://127.0.0.1:1/hook", url));
    let fixture = Fixture::declaring_changed(&more, |project| {
        project.webhooks.values_mut().for_each(|hook| hook.first_wait = Span(2_000));
    });
    follow(&fixture.state).unwrap();
    deliver(&fixture.state, &|name| (name == "CRM_SECRET").then(|| "s3cret".to_owned())).unwrap();
    fixture
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn open_deliveries(fixture: &Fixture) -> usize {
    fixture.state.changes.store().unwrap().deliveries(None, None, 100).unwrap().len()
}

#[tokio::test]
async fn over_https_a_webhook_is_told_only_where_its_authority_is_trusted() {
    let (folder, other) = (certified(), certified());
    let peer = Peer::tls(204, "", folder.path());
    let url = format!("https://localhost:{}/hook", peer.address.port());
    let trusting = |folder: &tempfile::TempDir| {
        delivering_with(&url, &format!("ca = \"{}\"\n", folder.path().join("cert.pem").display()))
    };
    let strange = trusting(&other);
    push(&strange, "deal_opened", deal("D-2", 5000.0)).await;
    let dead =
        || strange.state.changes.store().unwrap().deliveries(None, Some(DeliveryState::Dead), 9).unwrap();
    until(|| dead().len() == 1).await;
    assert!(peer.heard.try_recv().is_err(), "nothing was said to a server that nobody vouches for");
    let fixture = trusting(&folder);
    push(&fixture, "deal_opened", deal("D-2", 5000.0)).await;
    until(|| open_deliveries(&fixture) == 0).await;
    let heard = peer.heard.try_recv().unwrap();
    let body: Json = serde_json::from_slice(&heard.body).unwrap();
    assert_eq!((heard.path.as_str(), &body["type"]), ("/hook", &json!("score_changed")));
}

#[tokio::test]
async fn a_webhook_hears_of_a_change_signed_and_again_until_it_answers() {
    let (url, heard) = receiver(2).await;
    let fixture = delivering(&url);
    push(&fixture, "deal_opened", deal("D-2", 5000.0)).await;
    until(|| open_deliveries(&fixture) == 0).await;
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 3, "two refusals and a success");
    for (headers, body) in &heard {
        let change: Json = serde_json::from_str(body).unwrap();
        assert_eq!((&change["key"], &change["after"]["band"]), (&json!("D-2"), &json!(2)));
        assert_eq!(headers["x-scorehouse-delivery"], "1");
        let sent = headers["x-scorehouse-signature"].to_str().unwrap();
        let seconds: i64 = sent.strip_prefix("t=").unwrap().split(',').next().unwrap().parse().unwrap();
        assert_eq!(sent, signature(b"s3cret", seconds, body));
    }
    let text = String::from_utf8(fixture.get("/metrics").await.bytes.to_vec()).unwrap();
    for line in [r#"{result="failed",webhook="crm"} 2"#, r#"{result="delivered",webhook="crm"} 1"#] {
        assert!(text.contains(&format!("scorehouse_webhook_attempts_total{line}")), "{text}");
    }
}

#[tokio::test]
async fn a_delivery_that_is_given_up_is_listed_and_can_be_delivered_again() {
    let (url, heard) = receiver(3).await;
    let fixture = delivering(&url);
    push(&fixture, "deal_opened", deal("D-2", 5000.0)).await;
    until(|| heard.lock().unwrap().len() == 3).await;
    let dead = || async { fixture.get("/v1/deliveries?state=dead").await.json()["deliveries"].clone() };
    while dead().await == json!([]) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let dead = dead().await;
    assert_eq!((&dead[0]["webhook"], &dead[0]["attempts"]), (&json!("crm"), &json!(3)));
    assert_eq!((&dead[0]["error"], &dead[0]["body"]["key"]), (&json!("answered 503"), &json!("D-2")));
    let none = fixture.post("/v1/webhooks/cmr/redeliver", json!({})).await;
    assert_eq!(none.json()["error"]["nearest"], "crm");
    let again = fixture.post("/v1/webhooks/crm/redeliver", json!({"deliveries": [dead[0]["id"]]})).await;
    assert_eq!(again.json(), json!({"redelivered": 1}));
    until(|| open_deliveries(&fixture) == 0).await;
    assert_eq!(heard.lock().unwrap().len(), 4);
    let trail = fixture.get("/v1/audit").await.json();
    let act = trail["changes"].as_array().unwrap().iter().find(|act| act["action"] == "redeliver").unwrap();
    assert_eq!((&act["who"], &act["subject"]), (&json!("anyone"), &json!("1 to crm")), "{act}");
    let none = fixture.post("/v1/webhooks/crm/redeliver", json!({})).await;
    assert_eq!(none.json(), json!({"redelivered": 0}));
    let acts = fixture.get("/v1/audit").await.json()["changes"].as_array().unwrap().clone();
    assert_eq!(acts.iter().filter(|act| act["action"] == "redeliver").count(), 1, "nothing was done");
}

#[tokio::test]
async fn a_webhook_without_its_secret_does_not_start() {
    let fixture = Fixture::declaring(&format!("{WATCH}{HOOK}"));
    let error = deliver(&fixture.state, &|_| None).unwrap_err().to_string();
    assert!(error.contains("CRM_SECRET is not set"), "{error}");
}

/// Opens the stream and reads it as it comes.
struct Stream(axum::body::BodyDataStream, String);

impl Stream {
    async fn open(fixture: &Fixture, credential: &str, path: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {credential}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(fixture.app.clone(), request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self(answer.into_body().into_data_stream(), String::new())
    }

    /// The id and the key of the next change; none at the end.
    async fn next(&mut self) -> Option<(u64, String)> {
        while !self.1.contains("\n\n") {
            self.1 += std::str::from_utf8(&self.0.next().await?.unwrap()).unwrap();
        }
        let (event, rest) = self.1.split_once("\n\n").unwrap();
        let field =
            |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        assert_eq!(field("event:"), "score_changed");
        let data: Json = serde_json::from_str(&field("data:")).unwrap();
        let found = (field("id:").parse().unwrap(), data["key"].as_str().unwrap().to_owned());
        self.1 = rest.to_owned();
        Some(found)
    }
}

#[tokio::test]
async fn listeners_hear_changes_as_they_happen_and_can_ask_for_those_they_missed() {
    let fixture = watching("");
    let mut stream = Stream::open(&fixture, "", "/v1/changes", None).await;
    push(&fixture, "deal_opened", deal("D-2", 5000.0)).await;
    assert_eq!(stream.next().await, Some((1, "D-2".into())));
    push(&fixture, "deal_opened", deal("D-2", 1.0)).await;
    assert_eq!(stream.next().await, Some((2, "D-2".into())));
    let mut missed = Stream::open(&fixture, "", "/v1/changes?model=win", Some("1")).await;
    assert_eq!(missed.next().await, Some((2, "D-2".into())));
    let mut all = Stream::open(&fixture, "", "/v1/changes?after=0", None).await;
    assert_eq!((all.next().await.unwrap().0, all.next().await.unwrap().0), (1, 2));
    // A stop lets listeners go.
    fixture.state.changes.close();
    assert_eq!((stream.next().await, missed.next().await), (None, None));
}

#[tokio::test]
async fn what_another_process_tells_is_heard_in_order_and_however_much_it_is() {
    let fixture = watching("");
    let mut stream = Stream::open(&fixture, "", "/v1/changes", None).await;
    let other = ChangeStore::open(&fixture.state.project.state).unwrap();
    for _ in 0..250 {
        let body = |id: u64| json!({"id": id, "key": "of the model"}).to_string();
        other.tell_of_model(Kind::ScoreChanged, "win", &body, &[]).unwrap();
    }
    for id in 1..=250 {
        assert_eq!(stream.next().await, Some((id, "of the model".into())));
    }
    push(&fixture, "deal_opened", deal("D-2", 5000.0)).await;
    assert_eq!(stream.next().await, Some((251, "D-2".into())));
    assert_eq!(fixture.state.changes.after(0, 100).0.len(), 100);
}

#[tokio::test]
async fn changes_that_several_tell_at_once_are_all_heard() {
    let fixture = watching("");
    let state = &fixture.state;
    let tell = || {
        for _ in 0..50 {
            let body = |id: u64| json!({ "id": id }).to_string();
            let store = state.changes.store().unwrap();
            store.tell_of_model(Kind::Retrained, "win", &body, &[]).unwrap();
            state.changes.hear().unwrap();
        }
    };
    std::thread::scope(|threads| (0..4).for_each(|_| drop(threads.spawn(tell))));
    let ids: Vec<u64> = state.changes.after(0, usize::MAX).0.iter().map(|change| change.id).collect();
    assert_eq!(ids, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_caller_hears_only_of_what_its_role_sees() {
    let sight = "[access.role.rep]\nmodels = [\"win\"]\nentities = { deal = \"deal.owner = caller.name\" }\n";
    let fixture = Fixture::closed(&format!("{sight}{WATCH}"));
    follow(&fixture.state).unwrap();
    let (ann, bob) = (fixture.key("ann", Role::Rep), fixture.key("bob", Role::Rep));
    let service = fixture.key("desk", Role::Service);
    let (mut of_ann, mut of_bob) = (
        Stream::open(&fixture, &ann, "/v1/changes", None).await,
        Stream::open(&fixture, &bob, "/v1/changes", None).await,
    );
    let mut of_all = Stream::open(&fixture, &service, "/v1/changes", None).await;
    let owned = |key: &str, owner: &str, amount: f64| json!({"deal_id": key, "account_id": "A-2", "amount": amount, "owner": owner, "at": "2024-03-31"});
    for row in [owned("D-2", "ann", 5000.0), owned("D-4", "bob", 5000.0)] {
        let answer = fixture.ask(&service, "POST", "/v1/events/deal_opened", Some(row)).await;
        assert_eq!(answer.status, 200);
        let state = fixture.state.clone();
        tokio::task::spawn_blocking(move || state.changes.settle()).await.unwrap();
    }
    assert_eq!(of_ann.next().await, Some((1, "D-2".into())));
    assert_eq!(of_bob.next().await, Some((2, "D-4".into())));
    assert_eq!((of_all.next().await.unwrap().0, of_all.next().await.unwrap().0), (1, 2));
    fixture.state.changes.close();
    assert_eq!(of_ann.next().await, None, "nothing of bob's");
    let shop = fixture.key("shop", Role::Storefront);
    assert_eq!(fixture.ask(&shop, "GET", "/v1/changes", None).await.status, 403);
    assert_eq!(fixture.ask(&ann, "GET", "/v1/changes?model=upsell", None).await.status, 403);
    assert_eq!(fixture.ask(&ann, "GET", "/v1/deliveries", None).await.status, 403);
}
