use std::time::Duration;

use scorehouse::access::fetch;

use crate::access::{Issuer, claims, status};
use crate::connections::certified;
use crate::fixture::Fixture;
use crate::peer::Peer;

/// A server that fetches the keys of its issuer at `url`.
fn fetching(url: &str, more: &str) -> Fixture {
    let fixture = Fixture::closed(&format!(
        "[access.jwt]\nissuer = \"https://login.example.com/\"\naudience = \"scorehouse\"\njwks_url = \"{url}\"\n\
         name = \"name\"\nrole = \"realm.roles\"\nroles = {{ sales = \"rep\" }}\n{more}"
    ));
    let state = &fixture.state;
    fetch(&state.access, state.clock.clone(), state.metrics.clone()).unwrap();
    fixture
}

fn tokens<const N: usize>(issuers: [&Issuer; N]) -> [String; N] {
    issuers.map(|issuer| issuer.token(&claims(|_| {})))
}

fn counted(fixture: &Fixture, line: &str) -> bool {
    fixture.state.metrics.text().unwrap().contains(line)
}

#[tokio::test]
async fn keys_that_rotate_are_fetched_for_the_first_token_that_names_them() {
    let (first, second, third) = (Issuer::new("first"), Issuer::new("second"), Issuer::new("third"));
    let [old, new, unknown] = tokens([&first, &second, &third]);
    let peer = Peer::plain(200, &first.document());
    let fixture = fetching(&format!("http://{}/keys", peer.address), "");
    assert_eq!(status(&fixture, &old).await, 200, "the first request waits for the first fetch");
    peer.say(200, &second.document());
    assert_eq!(status(&fixture, &new).await, 200);
    assert_eq!(status(&fixture, &old).await, 401, "its key was taken back");
    assert_eq!(status(&fixture, &new).await, 200);
    for _ in 0..20 {
        assert_eq!(status(&fixture, &unknown).await, 401);
    }
    let asked: Vec<String> = peer.heard.try_iter().map(|heard| heard.path).collect();
    assert_eq!(asked, vec!["/keys"; 4], "at the start, and three times for keys that were not known");
    assert!(counted(&fixture, "scorehouse_jwks_fetches_total{result=\"fetched\"} 4"));
    assert!(!counted(&fixture, "scorehouse_jwks_fetched_timestamp_seconds 0"));
}

#[tokio::test]
async fn while_the_issuer_is_down_the_keys_known_stay_in_use() {
    let (first, second) = (Issuer::new("first"), Issuer::new("second"));
    let [known, unknown] = tokens([&first, &second]);
    let peer = Peer::plain(200, &first.document());
    let fixture = fetching(&format!("http://{}/keys", peer.address), "");
    assert_eq!(status(&fixture, &known).await, 200);
    for (status_told, body) in
        [(500, second.document()), (200, "{\"keys\": []}".into()), (200, "nonsense".into())]
    {
        peer.say(status_told, &body);
        assert_eq!(status(&fixture, &unknown).await, 401, "{body}");
        assert_eq!(status(&fixture, &known).await, 200, "{body}");
    }
    assert!(counted(&fixture, "scorehouse_jwks_fetches_total{result=\"failed\"} 3"));
}

#[tokio::test]
async fn a_server_whose_issuer_is_away_starts_and_learns_the_keys_once_it_is_there() {
    let issuer = Issuer::new("first");
    let [token] = tokens([&issuer]);
    let peer = Peer::plain(503, "");
    let fixture = fetching(&format!("http://{}/keys", peer.address), "");
    assert_eq!(status(&fixture, &token).await, 401);
    peer.say(200, &issuer.document());
    assert_eq!(status(&fixture, &token).await, 200);
}

#[tokio::test]
async fn keys_are_fetched_again_though_nothing_asks_for_it() {
    let (first, second) = (Issuer::new("first"), Issuer::new("second"));
    let [old] = tokens([&first]);
    let peer = Peer::plain(200, &first.document());
    let fixture = fetching(&format!("http://{}/keys", peer.address), "jwks_refresh = \"1s\"\n");
    assert_eq!(status(&fixture, &old).await, 200);
    peer.say(200, &second.document());
    while status(&fixture, &old).await != 401 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn over_https_only_an_issuer_is_believed_whose_authority_is_trusted() {
    let issuer = Issuer::new("first");
    let [token] = tokens([&issuer]);
    let folder = certified();
    let peer = Peer::tls(200, &issuer.document(), folder.path());
    let url = format!("https://localhost:{}/keys", peer.address.port());
    let ca = folder.path().join("cert.pem");
    let trusting = fetching(&url, &format!("jwks_ca = \"{}\"\n", ca.display()));
    assert_eq!(status(&trusting, &token).await, 200);
    let other = certified();
    let strange = fetching(&url, &format!("jwks_ca = \"{}\"\n", other.path().join("cert.pem").display()));
    assert_eq!(status(&strange, &token).await, 401);
    assert!(counted(&strange, "scorehouse_jwks_fetches_total{result=\"failed\"}"));
}
