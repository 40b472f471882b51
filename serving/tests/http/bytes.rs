use std::fs;
use std::path::Path;

use axum::body::Body;
use axum::http::Request;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scorehouse_entries::near;

use crate::fixture::Fixture;

/// Bodies near each seed that are tried.
const NEAR: usize = 60;

/// A route with the kind of body that it takes; a seed lies in `fuzz/bodies` under the name.
const ROUTES: [(&str, &str, &str); 10] = [
    ("score", "/v1/models/win/score", "application/json"),
    ("score_inputs", "/v1/models/win/score", "application/json"),
    ("recommend", "/v1/models/upsell/recommend", "application/json"),
    ("events", "/v1/events/orders", "application/x-ndjson"),
    ("outcomes", "/v1/outcomes", "application/json"),
    ("history", "/v1/features/history", "application/json"),
    ("online", "/v1/features/online", "application/json"),
    ("history_csv", "/v1/features/history?feature_set=deal_close", "text/csv"),
    ("infer", "/v2/models/win/infer", "application/json"),
    ("infer_items", "/v2/models/upsell/infer", "application/json"),
];

fn seed(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/bodies");
    fs::read(folder.join(name)).unwrap()
}

async fn status(fixture: &Fixture, (route, kind): (&str, &str), json: Option<usize>, body: Vec<u8>) -> u16 {
    let mut request = Request::post(route).header("content-type", kind);
    if let Some(length) = json {
        request = request.header("inference-header-content-length", length.to_string());
    }
    fixture.send(request.body(Body::from(body)).unwrap()).await.status.as_u16()
}

#[tokio::test]
async fn no_body_makes_the_server_fail() {
    let fixture = Fixture::new();
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    for (name, route, kind) in ROUTES {
        let whole = seed(name);
        assert_eq!(status(&fixture, (route, kind), None, whole.clone()).await, 200, "{name} is a good seed");
        for _ in 0..NEAR {
            let body = near(&whole, &mut rng);
            let status = status(&fixture, (route, kind), None, body.clone()).await;
            assert!(status < 500, "{name}: {status} for {}", String::from_utf8_lossy(&body));
        }
    }
    assert_eq!(fixture.state.metrics.panics().get(), 0);
}

#[tokio::test]
async fn no_tensors_in_bytes_make_the_server_fail() {
    let fixture = Fixture::new();
    let mut rng = ChaCha8Rng::seed_from_u64(19);
    let json = br#"{"inputs": [{"name": "entity_key", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": 14}}, {"name": "request.discount", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}], "parameters": {"binary_data_output": true}}"#;
    let mut whole = json.to_vec();
    whole.extend(b"\x03\0\0\0D-1\x03\0\0\0D-2");
    whole.extend([0.5_f32, 0.25].iter().flat_map(|number| number.to_le_bytes()));
    let asked = ("/v2/models/win/infer", "application/octet-stream");
    assert_eq!(status(&fixture, asked, Some(json.len()), whole.clone()).await, 200);
    for _ in 0..4 * NEAR {
        let length = if rng.random_range(0..4) == 0 { rng.random_range(0..400) } else { json.len() };
        let body = near(&whole, &mut rng);
        let status = status(&fixture, asked, Some(length), body.clone()).await;
        assert!(status < 500, "{status} for {length} of {}", String::from_utf8_lossy(&body));
    }
    assert_eq!(fixture.state.metrics.panics().get(), 0);
}
