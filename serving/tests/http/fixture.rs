//! A small company, its models made by hand so that every score can be told in advance.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode, header};
use scorehouse::access::store::{Act, KeyStore, NewKey};
use scorehouse::access::{Access, Role};
use scorehouse::compute::Doors;
use scorehouse::state::StateParts;
use scorehouse::{AppState, app};
use scorehouse_features::definition::{Direction, Project};
use scorehouse_features::ids::{ModelName, SourceName};
use scorehouse_features::online::{Base, EmbeddedStore, OnlineStore, PushedRow, StoreOptions};
use scorehouse_features::time::{Clock, DAY, FixedClock, Span, Timestamp};
use scorehouse_features::value::{Missing, Value};
use scorehouse_features::view::Layout;
use scorehouse_models::predictor::recommender::{
    Component, Histories, Learnt, Names, Neighbours, Parts, Reads, Repeat, Strength, WeightScale,
};
use scorehouse_models::registry::{AliasMove, Parents, RegisterRequest, TrainingWindow};
use scorehouse_models::what_if::Lever;
use scorehouse_models::{
    AliasName, Artifact, Calibration, EncodedColumn, Encoder, Linear, ModelVersion, Output, Predictor,
    Registry, Scale, Scaling, Signature, SqliteRegistry, Term, Timing, Transform,
};
use serde_json::Value as Json;
use tower::ServiceExt;

/// The moment at which the company is looked at.
pub const NOW: &str = "2024-03-31T12:00:00Z";

/// A server over stores in a folder of its own.
pub struct Fixture {
    pub app: Router,
    pub state: AppState,
    pub registry: Arc<SqliteRegistry>,
    _folder: tempfile::TempDir,
}

/// What a test asks of its fixture.
struct Asked {
    doors: Doors,
    timeout: Duration,
    more: String,
    closed: bool,
    online: fn(EmbeddedStore) -> Arc<dyn OnlineStore>,
}

impl Default for Asked {
    fn default() -> Self {
        let doors = Doors { threads: 2, ..Doors::default() };
        let online = |store: EmbeddedStore| Arc::new(store) as Arc<dyn OnlineStore>;
        Self { doors, timeout: Duration::from_secs(20), more: String::new(), closed: false, online }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    /// Status and code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json", "{json}");
        assert!(json["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
        assert!(
            json["error"]["docs"].as_str().is_some_and(|link| link.starts_with("/docs/errors#")),
            "{json}"
        );
        (self.status.as_u16(), json["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// The project.
pub fn project(folder: &std::path::Path) -> Project {
    project_with(folder, "")
}

/// The project with more sections.
pub fn project_with(folder: &std::path::Path, more: &str) -> Project {
    let text = format!("{}\n{more}", include_str!("project.toml"));
    Project::parse(&text, folder).unwrap_or_else(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

/// The moment `days` before now.
pub fn days_ago(days: i64) -> Timestamp {
    Timestamp(Timestamp::parse(NOW).unwrap().0 - days * DAY)
}

impl Fixture {
    /// The company with a champion of `win` and of `upsell`.
    pub fn new() -> Self {
        Self::with(Doors { threads: 2, ..Doors::default() })
    }

    /// As [`Fixture::new`], with room of one's own choice.
    pub fn with(doors: Doors) -> Self {
        Self::built(Asked { doors, ..Asked::default() }, |_| {})
    }

    /// As [`Fixture::new`], with a time limit of one's own choice.
    pub fn with_timeout(timeout: Duration) -> Self {
        Self::built(Asked { timeout, ..Asked::default() }, |_| {})
    }

    /// As [`Fixture::new`], with settings of one's own choice.
    pub fn changed(change: impl FnOnce(&mut Project)) -> Self {
        Self::built(Asked::default(), change)
    }

    /// As [`Fixture::new`], closed, with sections of its own in the project.
    pub fn closed(more: &str) -> Self {
        Self::built(Asked { more: more.to_owned(), closed: true, ..Asked::default() }, |_| {})
    }

    /// As [`Fixture::new`], open, with sections of its own in the project.
    pub fn declaring(more: &str) -> Self {
        Self::built(Asked { more: more.to_owned(), ..Asked::default() }, |_| {})
    }

    /// As [`Fixture::declaring`], with settings of one's own choice.
    pub fn declaring_changed(more: &str, change: impl FnOnce(&mut Project)) -> Self {
        Self::built(Asked { more: more.to_owned(), ..Asked::default() }, change)
    }

    /// As [`Fixture::declaring`], with a store of one's own around its store.
    pub fn reading(more: &str, online: fn(EmbeddedStore) -> Arc<dyn OnlineStore>) -> Self {
        Self::built(Asked { more: more.to_owned(), online, ..Asked::default() }, |_| {})
    }

    fn built(asked: Asked, change: impl FnOnce(&mut Project)) -> Self {
        let Asked { doors, timeout, more, closed, online } = asked;
        let folder = tempfile::tempdir().unwrap();
        let mut project = project_with(folder.path(), &more);
        change(&mut project);
        let access = match closed {
            true => Access::new(&project, scorehouse::stores::open_keys(&project).unwrap(), false).unwrap(),
            false => Access::open(),
        };
        let clock: Arc<dyn Clock> = Arc::new(FixedClock(Timestamp::parse(NOW).unwrap()));
        let base = Base::empty(&Layout::of(&project).unwrap());
        let log = scorehouse::stores::log_path(&project);
        let store =
            EmbeddedStore::open(&project, base, &log, StoreOptions::default(), clock.clone()).unwrap();
        fill(&store);
        let registry = Arc::new(SqliteRegistry::open(folder.path().join("registry")).unwrap());
        let first = register(registry.as_ref(), "win", &win_artifact(&project, 0.0));
        point(registry.as_ref(), "win", "champion", first);
        let upsell = register(registry.as_ref(), "upsell", &upsell_artifact());
        point(registry.as_ref(), "upsell", "champion", upsell);
        let history = Arc::new(scorehouse::stores::open_history(&project).unwrap());
        let state = AppState::new(StateParts {
            project,
            clock,
            online: online(store),
            registry: registry.clone(),
            history: Some(history),
            access,
            timeout,
            doors,
        })
        .unwrap();
        Self { app: app(state.clone()), state, registry, _folder: folder }
    }

    /// Another server over the same registry and, unless it has a state of its own, the same project folder. Its online
    /// store is its own.
    pub fn beside(&self, own_state: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut project = self.state.project.clone();
        if own_state {
            let registry = project.state.join("registry");
            std::fs::create_dir_all(&registry).unwrap();
            project.state = folder.path().join("state");
            std::fs::create_dir_all(&project.state).unwrap();
            std::os::unix::fs::symlink(registry, project.state.join("registry")).unwrap();
        }
        let (clock, base) = (self.state.clock.clone(), Base::empty(&Layout::of(&project).unwrap()));
        let options = StoreOptions::default();
        let store =
            EmbeddedStore::open(&project, base, &folder.path().join("log"), options, clock.clone()).unwrap();
        fill(&store);
        let history = Arc::new(scorehouse::stores::open_history(&project).unwrap());
        let (timeout, doors) = (self.state.timeout, Doors { threads: 2, ..Doors::default() });
        let state = AppState::new(StateParts {
            project,
            clock,
            online: Arc::new(store),
            registry: self.registry.clone(),
            history: Some(history),
            access: Access::open(),
            timeout,
            doors,
        })
        .unwrap();
        Self { app: app(state.clone()), state, registry: self.registry.clone(), _folder: folder }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response<Body> = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// A new key, made as another process would.
    pub fn key(&self, name: &str, role: Role) -> String {
        let new = NewKey { name: name.into(), role, attributes: Vec::new(), expires: None };
        self.make(&new).0
    }

    /// A new key and its id.
    pub fn make(&self, new: &NewKey) -> (String, String) {
        let act = Act { who: "test", when: self.state.clock.now(), why: "for a test" };
        let (key, record) = self.keys().create(new, &act).unwrap();
        self.state.access.refresh().unwrap();
        (key.reveal().to_owned(), record.id)
    }

    /// The store of keys, as another process holds it.
    pub fn keys(&self) -> KeyStore {
        scorehouse::stores::open_keys(&self.state.project).unwrap()
    }

    /// Sends a request with a credential; a body makes it JSON.
    pub async fn ask(&self, credential: &str, method: &str, path: &str, body: Option<Json>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !credential.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {credential}"));
        }
        let body = match body {
            Some(json) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Json) -> Answer {
        self.post_text(path, body.to_string()).await
    }

    pub async fn post_text(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    pub async fn put(&self, path: &str, body: Json) -> Answer {
        let request = Request::put(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn row(at: Timestamp, mut values: Vec<Value>) -> PushedRow {
    values.push(Value::Time(at));
    PushedRow { event_time: at, available: at, arrival: 0, values, id: None }
}

fn append(store: &EmbeddedStore, source: &str, rows: Vec<PushedRow>) {
    store.append(&SourceName::new(source).unwrap(), rows).unwrap();
}

fn fill(store: &EmbeddedStore) {
    let deal = |key, account, amount, days| {
        row(days_ago(days), vec![text(key), text(account), Value::Float(amount), text("ann")])
    };
    let unowned = row(
        days_ago(40),
        vec![text("D-4"), Value::Missing(Missing::NullAtSource), Value::Float(50.0), text("bob")],
    );
    append(
        store,
        "deal_opened",
        vec![
            deal("D-1", "A-1", 1000.0, 20),
            deal("D-2", "A-2", 200.0, 10),
            deal("D-3", "A-1", 300.0, 60),
            unowned,
        ],
    );
    append(store, "deal_closed", vec![row(days_ago(5), vec![text("D-3"), text("won")])]);
    let order = |account, product, quantity, amount, days| {
        let values = vec![text(account), text(product), Value::Int(quantity), Value::Float(amount)];
        row(days_ago(days), values)
    };
    append(
        store,
        "orders",
        vec![
            order("A-1", "P-1", 2, 40.0, 100),
            order("A-1", "P-2", 1, 60.0, 12),
            order("A-2", "P-3", 5, 10.0, 3),
        ],
    );
    let product = |key, stock, country| row(days_ago(200), vec![text(key), Value::Int(stock), text(country)]);
    let shelf = ["P-1", "P-2", "P-3", "P-4", "P-5", "P-6"].into_iter().enumerate();
    let rows =
        shelf.map(|(n, key)| product(key, if n == 4 { 0 } else { 9 }, if n == 5 { "FR" } else { "GB" }));
    append(store, "catalogue", rows.collect());
}

/// `win` as a line over its four inputs: log-odds = intercept + amount/1000 + net/1000 + revenue/100 + lines.
pub fn win_artifact(project: &Project, intercept: f64) -> Artifact {
    let set = project.feature_sets.get("deal_close").unwrap();
    win_like(Signature::of_feature_set(set), intercept)
}

/// The same line over plain columns.
pub fn table_artifact(project: &Project, intercept: f64) -> Artifact {
    let of_deals = Signature::of_feature_set(project.feature_sets.get("deal_close").unwrap());
    win_like(Signature { entity: None, feature_set: None, ..of_deals }, intercept)
}

fn win_like(signature: Signature, intercept: f64) -> Artifact {
    let filled = |input| {
        let scaling = Scaling { mean: 0.0, scale: 1.0, fill: 0.0, limit: None };
        EncodedColumn::new(input, Transform::Number).scaled(scaling)
    };
    let encoder = Encoder::new((0..4).map(filled).collect(), &signature).unwrap();
    let weights = [1e-3, 1e-3, 1e-2, 1.0].into_iter().enumerate();
    let terms = weights.map(|(column, weight)| Term { column: column as u32, weight, center: 0.0 }).collect();
    let linear = Linear::new(intercept, terms, Scale::LogOdds).unwrap();
    let artifact =
        Artifact::new(signature, encoder, Predictor::Linear(linear), Calibration::Identity).unwrap();
    let values = vec![Value::Float(1.0), Value::Float(2.0), Value::Float(3.0), Value::Int(4)];
    let artifact = artifact.with_golden(&[(values, Timestamp(0))]).unwrap();
    let timing = timing(&artifact.signature);
    let seen = (0..=30).map(|hundred| f64::from(hundred) * 100.0).collect();
    let amount = Lever {
        input: 0,
        direction: Some(Direction::Up),
        bounds: [0.0, 3000.0],
        step: None,
        spread: 1000.0,
        seen,
        levels: Vec::new(),
    };
    artifact.with_timing(timing).unwrap().with_levers(vec![amount]).unwrap()
}

/// Deals that end at a steady pace, half of them won.
fn timing(signature: &Signature) -> Timing {
    let even = || Predictor::Linear(Linear::new(-2.0, Vec::new(), Scale::LogOdds).unwrap());
    let encoder = Encoder::new(Vec::new(), &Timing::signature(signature)).unwrap();
    Timing::new(vec![10.0, 20.0, 40.0], encoder, even(), even()).unwrap()
}

/// A version of `win` made for other definitions of its feature set.
pub fn foreign_artifact(project: &Project) -> Artifact {
    let mut artifact = win_artifact(project, 0.0);
    if let Some(set) = &mut artifact.signature.feature_set {
        set.hash = "0".repeat(64);
    }
    artifact
}

/// Six products; whoever has P-1 wants P-4, then P-5, then P-6; P-2 is the most popular.
pub fn upsell_artifact() -> Artifact {
    upsell_of([3, 4, 5])
}

/// The same for other wishes of those who have P-1: three products by their numbers from 0, ascending, the first one
/// wanted most.
pub fn upsell_of(wanted: [u32; 3]) -> Artifact {
    let names = ["P-1", "P-2", "P-3", "P-4", "P-5", "P-6"];
    let (targets, weights) = (wanted.to_vec(), vec![3.0, 2.0, 1.0]);
    let neighbours = Neighbours::new(6, vec![0, 3, 3, 3, 3, 3, 3], targets, weights).unwrap();
    let parts = Parts {
        items: Names::new(names).unwrap(),
        users: Names::new(["A-1"]).unwrap(),
        histories: Histories::new([[].as_slice()]).unwrap(),
        strength: Strength { half_life: Some(Span(60 * DAY)), scale: WeightScale::Presence },
        repeat: Repeat::Always,
        components: vec![Component {
            name: "item_to_item".into(),
            weight: 1.0,
            reads: Reads::Profile,
            learnt: Learnt::Neighbours(neighbours),
        }],
        reranker: None,
        popularity: vec![1.0, 9.0, 8.0, 7.0, 6.0, 5.0],
        popularity_weight: 0.0,
        lift: vec![1.0; 6],
        until: days_ago(1),
    };
    let recommender = scorehouse_models::predictor::Recommender::new(parts).unwrap();
    let signature = Signature { entity: None, feature_set: None, inputs: Vec::new(), output: Output::Items };
    let predictor = Predictor::Recommender(Box::new(recommender));
    let encoder = Encoder::new(Vec::new(), &signature).unwrap();
    Artifact::new(signature, encoder, predictor, Calibration::Identity).unwrap()
}

pub fn register(registry: &dyn Registry, model: &str, artifact: &Artifact) -> ModelVersion {
    register_learnt(registry, model, artifact, None)
}

/// Registers a version that says from which time it learnt.
pub fn register_learnt(
    registry: &dyn Registry,
    model: &str,
    artifact: &Artifact,
    window: Option<TrainingWindow>,
) -> ModelVersion {
    registry.register(&RegisterRequest { window, ..registering(model, artifact) }).unwrap().version
}

/// A version to register.
pub fn registering(model: &str, artifact: &Artifact) -> RegisterRequest {
    RegisterRequest {
        model: ModelName::new(model).unwrap(),
        artifact: artifact.to_bytes().unwrap(),
        metrics: serde_json::json!({"log_loss": 0.4}),
        window: None,
        parents: Parents::default(),
        params: serde_json::json!({}),
        report: None,
        who: "test".into(),
        when: days_ago(1),
    }
}

pub fn point(registry: &dyn Registry, model: &str, alias: &str, to: ModelVersion) {
    let request = AliasMove {
        model: ModelName::new(model).unwrap(),
        alias: AliasName::new(alias).unwrap(),
        to: Some(to),
        who: "test".into(),
        when: days_ago(1),
        why: "for a test".into(),
    };
    registry.move_alias(&request).unwrap();
}

pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
