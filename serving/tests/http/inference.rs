use axum::body::Body;
use axum::http::Request;
use serde_json::{Value as Json, json};

use crate::fixture::{Answer, Fixture, sigmoid};

const INFER: &str = "/v2/models/win/infer";

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

/// The elements of an output.
fn output(answer: &Json, name: &str) -> Vec<Json> {
    let outputs = answer["outputs"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let found = outputs.iter().find(|output| output["name"] == name).unwrap_or_else(|| panic!("{answer}"));
    found["data"].as_array().unwrap().clone()
}

fn raw(answer: &Json, row: usize) -> f64 {
    output(answer, "raw")[row].as_f64().unwrap()
}

/// The protocol's own refusal, as a status and its words.
fn refusal(answer: &Answer) -> (u16, String) {
    let json = answer.json();
    assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
    (answer.status.as_u16(), json["error"].as_str().unwrap().to_owned())
}

fn tensor(name: &str, datatype: &str, shape: &[i64], data: Json) -> Json {
    json!({"name": name, "datatype": datatype, "shape": shape, "data": data})
}

async fn post_bytes(fixture: &Fixture, json: &Json, tensors: &[u8]) -> Answer {
    let head = json.to_string();
    let mut body = head.clone().into_bytes();
    body.extend(tensors);
    let request = Request::post(INFER).header("Inference-Header-Content-Length", head.len());
    fixture.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_matrix_of_features_scores_as_plain_rows_do() {
    let fixture = Fixture::new();
    let matrix = tensor("features", "FP64", &[2, 4], json!([[1000, 500, 100, 2], [0, null, null, 0]]));
    let answer = fixture.post(INFER, json!({"id": "a-1", "inputs": [matrix]})).await;
    let answer = answer.json();
    assert_eq!(
        (&answer["id"], &answer["model_name"], &answer["model_version"]),
        (&json!("a-1"), &json!("win"), &json!("1"))
    );
    assert!(near(raw(&answer, 0), 1.0 + 0.5 + 1.0 + 2.0) && near(raw(&answer, 1), 0.0), "{answer}");
    let probability = output(&answer, "probability")[0].as_f64().unwrap();
    assert!(near(probability, sigmoid(4.5)), "{answer}");
}

#[tokio::test]
async fn one_tensor_per_input_takes_every_datatype_that_holds_its_values() {
    let fixture = Fixture::new();
    for datatype in
        ["FP64", "FP32", "FP16", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"]
    {
        let inputs = [
            tensor("deal.amount", datatype, &[2], json!([100, 7])),
            tensor("account.orders.lines_30d", datatype, &[2, 1], json!([[3], [0]])),
        ];
        let answer = fixture.post(INFER, json!({"inputs": inputs})).await.json();
        assert!(near(raw(&answer, 0), 0.1 + 3.0) && near(raw(&answer, 1), 0.007), "{datatype}: {answer}");
    }
}

#[tokio::test]
async fn entity_keys_read_the_store_and_other_tensors_take_the_place_of_what_it_holds() {
    let fixture = Fixture::new();
    let stored = fixture.post("/v1/models/win/score", json!({"entities": ["D-1", "D-2"]})).await.json();
    let keys = tensor("entity_key", "BYTES", &[2], json!(["D-1", "D-2"]));
    let answer = fixture.post(INFER, json!({"inputs": [keys]})).await.json();
    for row in 0..2 {
        let expected = stored["scores"][row]["raw"].as_f64().unwrap();
        assert_eq!(raw(&answer, row).to_bits(), expected.to_bits(), "{answer}");
    }
    let own = tensor("deal.amount", "FP64", &[2], json!([2000, 2000]));
    let answer = fixture.post(INFER, json!({"inputs": [keys_of(&["D-1", "D-2"]), own]})).await.json();
    assert!(near(raw(&answer, 0), 2.0 + 2.0 + 1.0 + 1.0), "what is derived follows: {answer}");
}

fn keys_of(keys: &[&str]) -> Json {
    tensor("entity_key", "BYTES", &[keys.len() as i64, 1], json!(keys))
}

#[tokio::test]
async fn a_parameter_names_entities_and_fields_of_the_request() {
    let fixture = Fixture::new();
    let first = raw(&fixture.post(INFER, json!({"inputs": [keys_of(&["D-1"])]})).await.json(), 0);
    for parameters in
        [json!({"entity_key": "D-1"}), json!({"entity_keys": ["D-1"]}), json!({"entity_keys": "[\"D-1\"]"})]
    {
        let answer = fixture.post(INFER, json!({"parameters": parameters})).await.json();
        assert_eq!(raw(&answer, 0).to_bits(), first.to_bits(), "{answer}");
    }
    let parameters = json!({"entity_key": "D-1", "request.discount": 0.5, "as_of": "2024-03-15"});
    let answer = fixture.post(INFER, json!({"parameters": parameters})).await.json();
    assert!(near(raw(&answer, 0), 1.0 + 0.5 + 0.4), "{answer}");
    let moments = tensor("as_of", "BYTES", &[2], json!(["2024-03-15", "2024-03-31T12:00:00Z"]));
    let answer = fixture.post(INFER, json!({"inputs": [keys_of(&["D-1", "D-1"]), moments]})).await.json();
    assert!(near(raw(&answer, 0), 2.4) && near(raw(&answer, 1), 4.0), "each row its own moment: {answer}");
}

#[tokio::test]
async fn tensors_in_bytes_are_read_and_written() {
    let fixture = Fixture::new();
    let rows: Vec<f32> = vec![1000.0, 500.0, 100.0, 2.0, f32::NAN, f32::NAN, f32::NAN, 1.0];
    let bytes: Vec<u8> = rows.iter().flat_map(|number| number.to_le_bytes()).collect();
    let input = json!({"name": "features", "datatype": "FP32", "shape": [2, 4], "parameters": {"binary_data_size": 32}});
    let outputs = json!([{"name": "raw", "parameters": {"binary_data": true}}, {"name": "probability"}]);
    let answer = post_bytes(&fixture, &json!({"inputs": [input], "outputs": outputs}), &bytes).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let length: usize = answer.headers["inference-header-content-length"].to_str().unwrap().parse().unwrap();
    let json: Json = serde_json::from_slice(&answer.bytes[..length]).unwrap();
    assert_eq!(json["outputs"][0]["parameters"]["binary_data_size"], 16);
    assert!(json["outputs"][0].get("data").is_none() && json["outputs"][1]["data"].is_array());
    let numbers = answer.bytes[length..].chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap()));
    assert!(numbers.zip([4.5, 1.0]).all(|(left, right)| near(left, right)), "NaN is missing: {json}");
}

#[tokio::test]
async fn reasons_come_as_tensors_that_add_up() {
    let parameters = json!({"entity_keys": ["D-1", "D-2"], "reasons": 4});
    let answer = Fixture::new().post(INFER, json!({"parameters": parameters})).await.json();
    let told = output(&answer, "reason_contribution");
    for row in 0..2 {
        let sum: f64 = told[row * 4..row * 4 + 4].iter().map(|number| number.as_f64().unwrap()).sum();
        let base = output(&answer, "base")[row].as_f64().unwrap();
        assert!(near(base + sum, raw(&answer, row)), "{answer}");
    }
    let words = output(&answer, "reason_words");
    assert!(words.iter().any(|text| text.as_str().unwrap().starts_with("the deal is worth")), "{words:?}");
}

#[tokio::test]
async fn a_recommender_answers_a_row_of_products_per_customer() {
    let fixture = Fixture::new();
    let customers = tensor("customer", "BYTES", &[2], json!(["A-1", ""]));
    let baskets = tensor("basket", "BYTES", &[2, 2], json!([["P-1", ""], ["", ""]]));
    let body = json!({"inputs": [customers, baskets], "parameters": {"n": 2}});
    let answer = fixture.post("/v2/models/upsell/infer", body).await.json();
    let native = |body| fixture.post("/v1/models/upsell/recommend", body);
    let known = native(json!({"customer": "A-1", "basket": ["P-1"], "n": 2})).await.json();
    let stranger = native(json!({"n": 2})).await.json();
    let expected: Vec<Json> = [&known, &stranger]
        .iter()
        .flat_map(|answer| answer["items"].as_array().unwrap().iter().map(|item| item["item"].clone()))
        .collect();
    assert_eq!(output(&answer, "item"), expected, "{answer}");
    assert_eq!(answer["outputs"][0]["shape"], json!([2, 2]));
}

#[tokio::test]
async fn every_bad_tensor_is_refused_in_the_protocols_shape_and_never_a_server_error() {
    let fixture = Fixture::new();
    let one = |input: Json| json!({"inputs": [input]});
    let good = || tensor("deal.amount", "FP64", &[1], json!([1]));
    let cases = [
        (json!({}), 400, "give the tensor features"),
        (json!([]), 400, "expected an object"),
        (one(json!("x")), 400, "expected an object"),
        (one(tensor("features", "FP64", &[1, 3], json!([1, 2, 3]))), 400, "must be [rows, 4]"),
        (one(tensor("features", "FP64", &[4], json!([1, 2, 3, 4]))), 400, "must be [rows, 4]"),
        (one(tensor("features", "BOOL", &[1, 4], json!([true, true, true, true]))), 400, "datatype"),
        (one(tensor("features", "FP64", &[1, 4], json!([1, 2, 3, 0.5]))), 400, "a whole number"),
        (one(tensor("features", "FP64", &[2, 4], json!([1, 2, 3, 4]))), 400, "takes 8 elements"),
        (one(tensor("deal.amont", "FP64", &[1], json!([1]))), 400, "deal.amount"),
        (one(tensor("deal.amount", "BYTES", &[1], json!(["1"]))), 400, "finite number"),
        (one(tensor("deal.amount", "FP64", &[1, 2], json!([1, 2]))), 400, "[rows, 1]"),
        (one(tensor("deal.amount", "FP64", &[1, 1, 1], json!([1]))), 400, "more than two extents"),
        (one(tensor("deal.amount", "FP65", &[1], json!([1]))), 400, "FP32, FP64"),
        (one(tensor("deal.amount", "FP64", &[-1], json!([]))), 400, "shape"),
        (one(tensor("deal.amount", "UINT8", &[1], json!([256]))), 400, "UINT8"),
        (json!({"inputs": [good(), good()]}), 400, "twice"),
        (json!({"inputs": [good(), tensor("deal_facts.net", "FP64", &[2], json!([1, 2]))]}), 400, "2 rows"),
        (json!({"inputs": [good()], "outputs": [{"name": "probabilty"}]}), 400, "probability"),
        (json!({"inputs": [good()], "outputs": [{"name": "base"}]}), 400, "parameter `reasons`"),
        (json!({"inputs": [good()], "outputs": [{"name": "raw"}, {"name": "raw"}]}), 400, "twice"),
        (json!({"inputs": [good()], "parameters": {"resons": 1}}), 400, "\"resons\""),
        (json!({"inputs": [good()], "parameters": {"reasons": 101}}), 400, "0 to 100"),
        (json!({"inputs": [good()], "parameters": {"reasons": -1}}), 400, "whole number"),
        (json!({"inputs": [keys_of(&["D-1"])], "parameters": {"entity_key": "D-1"}}), 400, "one of them"),
        (json!({"inputs": [keys_of(&["D-99"])]}), 404, "D-99"),
        (json!({"inputs": [keys_of(&[""])]}), 400, "never missing"),
        (json!({"parameters": {"entity_key": true}}), 400, "a key"),
        (json!({"parameters": {"entity_keys": "D-1"}}), 400, "JSON list"),
        (json!({"parameters": {"entity_key": "D-1", "as_of": "2030-01-01"}}), 400, "future"),
        (json!({"parameters": {"entity_keys": vec!["D-1"; 10_001]}}), 400, "10000"),
    ];
    for (body, status, part) in cases {
        let answer = fixture.post(INFER, body.clone()).await;
        let (found, words) = refusal(&answer);
        let shown: String = body.to_string().chars().take(150).collect();
        assert_eq!(found, status, "{shown}: {words}");
        assert!(words.contains(part), "{shown}: {words}");
    }
    let head = json!({"inputs": [{"name": "deal.amount", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}}]});
    for short in [0, 7, 9] {
        assert_eq!(refusal(&post_bytes(&fixture, &head, &vec![0; short]).await).0, 400, "{short} bytes");
    }
    let far = Request::post(INFER).header("Inference-Header-Content-Length", "99999999999999999999");
    assert_eq!(refusal(&fixture.send(far.body(Body::from("{}")).unwrap()).await).0, 400);
    let zipped = Request::post(INFER).header("Content-Encoding", "gzip").body(Body::from("{}")).unwrap();
    assert_eq!(refusal(&fixture.send(zipped).await).0, 415);
    assert_eq!(refusal(&fixture.get("/v2/nothing").await).0, 404);
    assert_eq!(refusal(&fixture.get(INFER).await).0, 405);
}

#[tokio::test]
async fn metadata_tells_the_tensors_and_the_other_ways_to_ask() {
    let fixture = Fixture::new();
    let server = fixture.get("/v2").await.json();
    assert_eq!(server["name"], "scorehouse");
    for path in ["/v2/models/win", "/v2/models/win/versions/1", "/v2/models/win/versions/champion"] {
        let model = fixture.get(path).await.json();
        assert_eq!((&model["name"], &model["versions"]), (&json!("win"), &json!(["1"])), "{model}");
        assert_eq!(model["inputs"][0], json!({"name": "deal.amount", "datatype": "FP64", "shape": [-1]}));
        assert_eq!(model["inputs"][3]["datatype"], "INT64", "{model}");
        assert_eq!(
            (&model["properties"]["entity_key"], &model["properties"]["feature_tensor"]),
            (&json!("deal"), &json!("features"))
        );
    }
    assert_eq!(refusal(&fixture.get("/v2/models/wim").await).0, 404);
    assert_eq!(refusal(&fixture.get("/v2/models/win/versions/9").await).0, 404);
    for path in
        ["/v2/health/live", "/v2/health/ready", "/v2/models/win/ready", "/v2/models/win/versions/1/ready"]
    {
        assert_eq!(fixture.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_model_that_is_unloaded_answers_again_when_it_is_loaded() {
    let fixture = Fixture::new();
    let index = |ready: bool| {
        let fixture = &fixture;
        async move {
            let entries = fixture.post("/v2/repository/index", json!({"ready": ready})).await.json();
            entries
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| (entry["name"].clone(), entry["state"].clone()))
                .collect::<Vec<_>>()
        }
    };
    let ready = |name: &str| (json!(name), json!("READY"));
    assert_eq!(index(true).await, [ready("upsell"), ready("win")]);
    assert_eq!(fixture.post("/v2/repository/models/win/unload", json!({})).await.status, 200);
    assert_eq!(index(true).await, [ready("upsell")]);
    assert!(index(false).await.contains(&(json!("win"), json!("UNAVAILABLE"))));
    assert_eq!(fixture.get("/v2/models/win/ready").await.status, 400);
    let body = json!({"parameters": {"entity_key": "D-1"}});
    assert_eq!(refusal(&fixture.post(INFER, body.clone()).await).0, 409);
    assert_eq!(refusal(&fixture.post("/v2/models/win/versions/1/infer", body.clone()).await).0, 409);
    assert_eq!(fixture.post_text("/v2/repository/models/win/load", "").await.status, 200);
    assert_eq!(fixture.post(INFER, body).await.status, 200);
    let files = json!({"parameters": {"config": "{}"}});
    assert_eq!(refusal(&fixture.post("/v2/repository/models/win/load", files).await).0, 400);
    assert_eq!(refusal(&fixture.post("/v2/repository/models/wim/load", json!({})).await).0, 404);
}
