use std::net::SocketAddr;
use std::path::Path;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, HeaderValue, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use scorehouse::access::store::{Act, NewKey};
use scorehouse::access::{Access, Role};
use scorehouse_features::time::{DAY, Timestamp};
use serde_json::{Value, json};

use crate::fixture::{Fixture, NOW, days_ago, project, project_with};

const MODELS: &str = "/v1/models";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub async fn status(fixture: &Fixture, credential: &str) -> u16 {
    fixture.ask(credential, "GET", MODELS, None).await.status.as_u16()
}

#[tokio::test]
async fn a_key_lets_its_holder_in_and_a_wrong_one_does_not() {
    let fixture = Fixture::closed("");
    let key = fixture.key("crm", Role::Rep);
    assert_eq!(status(&fixture, &key).await, 200);
    let (front, last) = key.split_at(key.len() - 1);
    let wrong = format!("{front}{}", if last == "a" { "b" } else { "a" });
    for bad in [wrong.as_str(), "sh_abcdefgh_abcdefghijkmnpqrstuvwxyz23456789", "nonsense", "a.b.c", ""] {
        let answer = fixture.ask(bad, "GET", MODELS, None).await;
        assert_eq!(answer.refusal(), (401, "unauthorized".into()), "{bad}");
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
    }
    let by_header = Request::get(MODELS).header("x-api-key", &key).body(Body::empty()).unwrap();
    assert_eq!(fixture.send(by_header).await.status, 200);
    let text = String::from_utf8(
        fixture.ask(&fixture.key("ops", Role::Operator), "GET", "/metrics", None).await.bytes.to_vec(),
    );
    let counted = r#"scorehouse_access_refused_total{reason="unauthorized"} 5"#;
    assert!(text.as_ref().unwrap().contains(counted), "{text:?}");
}

#[tokio::test]
async fn a_key_revoked_by_another_process_is_refused_and_the_server_stays_closed() {
    let fixture = Fixture::closed("");
    let key = fixture.key("crm", Role::Rep);
    fixture.state.access.listening_on(&[address("127.0.0.1:8080")]);
    assert_eq!(status(&fixture, &key).await, 200);
    let act = Act { who: "test", when: fixture.state.clock.now(), why: "leaked" };
    assert_eq!(fixture.keys().revoke("crm", &act).unwrap().len(), 1);
    fixture.state.access.refresh().unwrap();
    assert_eq!(status(&fixture, &key).await, 401);
    assert_eq!(status(&fixture, "").await, 401, "the last key is gone, and yet nobody else is let in");
}

#[tokio::test]
async fn a_key_ends_when_it_was_said_to() {
    let fixture = Fixture::closed("");
    let ends = |expires| NewKey {
        name: "temp".into(),
        role: Role::Rep,
        attributes: Vec::new(),
        expires: Some(expires),
    };
    let over = fixture.make(&ends(days_ago(0))).0;
    let good = fixture.make(&ends(days_ago(-1))).0;
    assert_eq!((status(&fixture, &over).await, status(&fixture, &good).await), (401, 200));
}

#[tokio::test]
async fn the_last_use_of_a_key_is_written_down() {
    let fixture = Fixture::closed("");
    let key = fixture.key("crm", Role::Rep);
    assert_eq!(fixture.keys().list().unwrap()[0].last_used, None);
    status(&fixture, &key).await;
    fixture.state.access.note_use().unwrap();
    assert_eq!(fixture.keys().list().unwrap()[0].last_used, Some(Timestamp::parse(NOW).unwrap()));
}

#[test]
fn a_project_that_was_never_closed_is_open_to_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let opened = |at: &[&str]| {
        let keys = scorehouse::stores::open_keys(&project).unwrap();
        let access = Access::new(&project, keys, false).unwrap();
        assert!(!access.is_open(), "closed until it is known where the server listens");
        access.listening_on(&at.iter().map(|at| address(at)).collect::<Vec<_>>());
        access.is_open()
    };
    assert!(opened(&["127.0.0.1:8080"]) && opened(&["[::1]:8080", "127.0.0.1:8081"]));
    assert!(!opened(&["0.0.0.0:8080"]) && !opened(&["10.0.0.7:8080"]));
    assert!(!opened(&["127.0.0.1:8080", "0.0.0.0:8081"]), "one port opened to others opens it to others");
}

#[test]
fn a_server_opened_to_its_own_machine_stays_open_beside_keys_and_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let act = Act { who: "test", when: Timestamp(DAY), why: "" };
    let new = NewKey { name: "ann".into(), role: Role::Rep, attributes: Vec::new(), expires: None };
    scorehouse::stores::open_keys(&project).unwrap().create(&new, &act).unwrap();
    let opened = |here: bool, at: &str| {
        let keys = scorehouse::stores::open_keys(&project).unwrap();
        let access = Access::new(&project, keys, false).unwrap().open_here(here);
        access.listening_on(&[address(at)]);
        let named = |host: &str| HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).unwrap())]);
        let mut stale = named("localhost:8080");
        let unknown = "Bearer sh_abcdefgh_abcdefghijkmnpqrstuvwxyz23456789";
        stale.insert(AUTHORIZATION, HeaderValue::from_static(unknown));
        assert!(access.admit(&stale, Timestamp(DAY)).is_err(), "a key that nobody has is refused everywhere");
        let admits = |host: &str| access.admit(&named(host), Timestamp(DAY)).is_ok();
        (admits("localhost:8080"), admits("evil.example.com"))
    };
    assert_eq!(opened(true, "127.0.0.1:8080"), (true, false));
    assert_eq!(opened(true, "0.0.0.0:8080"), (false, false));
    assert_eq!(opened(false, "127.0.0.1:8080"), (false, false));
}

#[tokio::test]
async fn the_first_key_closes_a_server_that_was_open_to_this_machine() {
    let fixture = Fixture::closed("");
    fixture.state.access.listening_on(&[address("127.0.0.1:8080")]);
    assert_eq!(status(&fixture, "").await, 200);
    let key = fixture.key("crm", Role::Rep);
    assert_eq!((status(&fixture, "").await, status(&fixture, &key).await), (401, 200));
}

#[tokio::test]
async fn what_a_proxy_passes_on_and_a_page_of_another_name_is_not_this_machine() {
    let fixture = Fixture::closed("");
    fixture.state.access.listening_on(&[address("127.0.0.1:8080")]);
    for (name, value, expected) in [
        ("host", "localhost:8080", 200),
        ("host", "evil.example.com", 401),
        ("x-forwarded-for", "203.0.113.7", 401),
        ("forwarded", "for=203.0.113.7", 401),
    ] {
        let request = Request::get(MODELS).header(name, value).body(Body::empty()).unwrap();
        assert_eq!(fixture.send(request).await.status, expected, "{name}: {value}");
    }
}

#[tokio::test]
async fn an_open_project_lets_everyone_in_and_still_knows_who_proves_a_name() {
    let fixture = Fixture::closed("[access]\nopen = true\n");
    assert_eq!(status(&fixture, "").await, 200);
    assert_eq!(status(&fixture, "sh_abcdefgh_abcdefghijkmnpqrstuvwxyz23456789").await, 200);
    let rep = fixture.key("ann", Role::Rep);
    assert_eq!(fixture.ask(&rep, "GET", "/v1/audit", None).await.status, 403, "a rep is a rep also here");
}

#[tokio::test]
async fn a_caller_beyond_the_rate_of_its_role_waits_and_others_do_not() {
    let fixture = Fixture::closed("[access.role.storefront]\nrate = 2\nburst = 3\n");
    let (shop, other) = (fixture.key("shop", Role::Storefront), fixture.key("outlet", Role::Storefront));
    for _ in 0..3 {
        assert_eq!(status(&fixture, &shop).await, 200);
    }
    let refused = fixture.ask(&shop, "GET", MODELS, None).await;
    assert_eq!(refused.refusal(), (429, "rate_limited".into()));
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    assert_eq!(status(&fixture, &other).await, 200);
}

#[tokio::test]
async fn every_change_stands_in_the_trail_under_the_name_that_was_proved() {
    let fixture = Fixture::closed("");
    let (lab, ops) = (fixture.key("lab", Role::Scientist), fixture.key("ops", Role::Operator));
    let body = json!({"version": null, "who": "somebody else", "why": "to see"});
    let moved = fixture.ask(&lab, "PUT", "/v1/models/win/aliases/champion", Some(body)).await;
    assert_eq!(moved.status, 200);
    let trail = fixture.ask(&ops, "GET", "/v1/audit", None).await.json();
    let changes = trail["changes"].as_array().unwrap();
    let find = |action: &str| changes.iter().filter(|c| c["action"] == action).collect::<Vec<_>>();
    assert_eq!(find("create_key").len(), 2);
    let moved = find("move_alias")[0];
    assert_eq!((&moved["who"], &moved["why"]), (&json!("lab"), &json!("to see")), "{moved}");
    assert_eq!(find("register_version").len(), 2);
    let whens: Vec<&str> = changes.iter().map(|c| c["when"].as_str().unwrap()).collect();
    assert!(whens.is_sorted_by(|a, b| a >= b), "{whens:?}");
    let one = fixture.ask(&ops, "GET", "/v1/audit?limit=1", None).await.json();
    assert_eq!(one["changes"].as_array().unwrap().len(), 1);
    assert!(!trail.to_string().contains(&lab), "the trail holds no key");
}

/// An issuer of tokens, as a company's identity provider is one.
pub struct Issuer {
    pair: EcdsaKeyPair,
    id: &'static str,
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    pub fn new(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { pair, id }
    }

    /// Its document of keys.
    pub fn document(&self) -> String {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (base64url(&point[1..33]), base64url(&point[33..65]));
        let key = json!({"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "x": x, "y": y});
        json!({"keys": [key]}).to_string()
    }

    fn publish(&self, path: &Path) {
        std::fs::write(path, self.document()).unwrap();
    }

    pub fn token(&self, claims: &Value) -> String {
        self.token_of(&json!({"alg": "ES256", "kid": self.id}), claims)
    }

    fn token_of(&self, head: &Value, claims: &Value) -> String {
        let part = |json: &Value| base64url(json.to_string());
        let signed = format!("{}.{}", part(head), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64url(signature.as_ref()))
    }
}

/// Claims that are right, but for what a test changes.
pub fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let now = Timestamp::parse(NOW).unwrap().0 / 1_000_000;
    let mut claims = json!({
        "iss": "https://login.example.com/", "aud": ["scorehouse", "crm"], "sub": "u-17", "name": "ann",
        "exp": now + 600, "nbf": now - 600, "realm": {"roles": ["everyone", "sales"]}, "land": "GB",
    });
    change(&mut claims);
    claims
}

fn with_issuer(folder: &Path) -> String {
    format!(
        r#"
[access]
attributes = ["country"]
[access.jwt]
issuer = "https://login.example.com/"
audience = "scorehouse"
jwks = "{}"
name = "name"
role = "realm.roles"
roles = {{ sales = "rep", data = "scientist" }}
attributes = {{ country = "land" }}
[access.role.rep]
entities = {{ deal = "deal.owner = caller.name", product = "product.country = caller.country" }}
"#,
        folder.join("jwks.json").display()
    )
}

#[tokio::test]
async fn a_token_of_the_issuer_brings_name_role_and_attributes() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::new("first");
    issuer.publish(&folder.path().join("jwks.json"));
    let fixture = Fixture::closed(&with_issuer(folder.path()));
    fixture.state.access.listening_on(&[address("127.0.0.1:8080")]);
    assert_eq!(status(&fixture, "").await, 401, "an issuer closes the server, key or no key");
    let token = issuer.token(&claims(|_| {}));
    for _ in 0..2 {
        let deals = fixture.ask(&token, "GET", "/v1/entities/deal", None).await.json();
        assert_eq!(deals["keys"], json!(["D-1", "D-2", "D-3"]), "{deals}");
    }
    let products = fixture.ask(&token, "GET", "/v1/entities/product", None).await.json();
    assert_eq!(products["keys"].as_array().unwrap().len(), 5, "{products}");
    assert_eq!(fixture.ask(&token, "GET", "/v1/audit", None).await.status, 403);
}

#[tokio::test]
async fn a_token_that_is_wrong_in_any_way_is_refused_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, stranger) = (Issuer::new("first"), Issuer::new("first"));
    issuer.publish(&folder.path().join("jwks.json"));
    let fixture = Fixture::closed(&with_issuer(folder.path()));
    let now = Timestamp::parse(NOW).unwrap().0 / 1_000_000;
    let good = claims(|_| {});
    let cases = [
        (issuer.token(&claims(|c| c["iss"] = json!("https://evil.example.com/"))), "issuer"),
        (issuer.token(&claims(|c| c["aud"] = json!("shop"))), "audience"),
        (issuer.token(&claims(|c| c["aud"] = Value::Null)), "audience"),
        (issuer.token(&claims(|c| c["exp"] = json!(now - 61))), "expired"),
        (issuer.token(&claims(|c| c["exp"] = Value::Null)), "when it ends"),
        (issuer.token(&claims(|c| c["nbf"] = json!(now + 61))), "not count yet"),
        (issuer.token(&claims(|c| c["name"] = Value::Null)), "name"),
        (issuer.token(&claims(|c| c["realm"] = json!({"roles": ["everyone"]}))), "role"),
        (issuer.token(&claims(|c| c["realm"] = json!({"roles": ["operator"]}))), "role"),
        (stranger.token(&good), "signature"),
        (issuer.token_of(&json!({"alg": "ES256", "kid": "other"}), &good), "does not have"),
        (issuer.token_of(&json!({"alg": "none"}), &good), "neither"),
        (issuer.token_of(&json!({"alg": "HS256", "kid": "first"}), &good), "neither RS256 nor ES256"),
        (issuer.token_of(&json!({"alg": "RS256", "kid": "first"}), &good), "does not have"),
    ];
    for (token, word) in cases {
        let answer = fixture.ask(&token, "GET", MODELS, None).await;
        assert_eq!(answer.refusal(), (401, "unauthorized".into()), "{word}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[tokio::test]
async fn new_keys_of_the_issuer_take_the_place_of_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Issuer::new("first"), Issuer::new("second"));
    let path = folder.path().join("jwks.json");
    first.publish(&path);
    let fixture = Fixture::closed(&with_issuer(folder.path()));
    let (old, new) = (first.token(&claims(|_| {})), second.token(&claims(|_| {})));
    assert_eq!((status(&fixture, &old).await, status(&fixture, &new).await), (200, 401));
    second.publish(&path);
    let later = std::fs::metadata(&path).unwrap().modified().unwrap() + std::time::Duration::from_secs(5);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    fixture.state.access.refresh().unwrap();
    assert_eq!((status(&fixture, &old).await, status(&fixture, &new).await), (401, 200));
    std::fs::write(&path, "broken").unwrap();
    assert!(fixture.state.access.refresh().is_err());
    assert_eq!(status(&fixture, &new).await, 200, "keys that cannot be read leave those before in use");
}

#[test]
fn an_issuer_without_readable_keys_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let project = project_with(folder.path(), &with_issuer(folder.path()));
    let open = || Access::new(&project, scorehouse::stores::open_keys(&project).unwrap(), false);
    assert!(open().is_err());
    std::fs::write(folder.path().join("jwks.json"), r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#)
        .unwrap();
    assert!(open().is_err(), "a shared secret is no public key");
}

#[test]
fn keys_cannot_be_made_without_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let keys = scorehouse::stores::open_keys(&project(folder.path())).unwrap();
    let act = Act { who: "test", when: Timestamp(DAY), why: "" };
    for name in ["", "  ", "a\nb"] {
        let new = NewKey { name: name.into(), role: Role::Rep, attributes: Vec::new(), expires: None };
        assert!(keys.create(&new, &act).is_err(), "{name:?}");
    }
    assert!(keys.list().unwrap().is_empty());
}
