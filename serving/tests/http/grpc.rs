use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::post;
use prost::Message;
use scorehouse::AppState;
use scorehouse::access::Role;
use scorehouse::routes::{grpc_app, methods, observed};
use serde_json::json;

use crate::fixture::Fixture;
use crate::grpc_wire::{
    Contents, Index, IndexEntry, IndexRequest, InferRequest, InferResponse, LoadRequest, ModelMetadata,
    ModelRequest, Output, Parameter, Ready, Tensor, Told, Value, call, framed, path, sent,
};
use crate::kept::{logged, settle};
use crate::matrix::words;

const INFER: &str = "ModelInfer";

fn tensor(name: &str, datatype: &str, shape: &[i64], contents: Contents) -> Tensor {
    let contents = Some(contents);
    Tensor {
        name: name.into(),
        datatype: datatype.into(),
        shape: shape.into(),
        contents,
        ..Tensor::default()
    }
}

fn asking(inputs: Vec<Tensor>) -> InferRequest {
    InferRequest { model_name: "win".into(), inputs, ..InferRequest::default() }
}

/// As tensors in bytes.
fn raw(tensors: Vec<(Tensor, Vec<u8>)>) -> InferRequest {
    let (inputs, raw_input_contents): (Vec<Tensor>, _) = tensors.into_iter().unzip();
    let inputs = inputs.into_iter().map(|tensor| Tensor { contents: None, ..tensor }).collect();
    InferRequest { raw_input_contents, ..asking(inputs) }
}

fn parameter(name: &str, value: Value) -> HashMap<String, Parameter> {
    HashMap::from([(name.to_owned(), Parameter { value: Some(value) })])
}

async fn infer(fixture: &Fixture, request: &InferRequest) -> InferResponse {
    call(fixture, "", INFER, request).await.message()
}

fn texts(texts: &[&str]) -> Contents {
    Contents {
        bytes_contents: texts.iter().map(|text| text.as_bytes().to_vec()).collect(),
        ..Contents::default()
    }
}

fn keys(keys: &[&str]) -> Tensor {
    tensor("entity_key", "BYTES", &[keys.len() as i64], texts(keys))
}

/// 100 and 7 as every datatype of numbers writes them: in its field, where it has one, and in bytes.
fn numbers() -> Vec<(&'static str, Option<Contents>, Vec<u8>)> {
    let none = Contents::default;
    let ints = || Some(Contents { int_contents: vec![100, 7], ..none() });
    let uints = || Some(Contents { uint_contents: vec![100, 7], ..none() });
    let bytes = |each: [&[u8]; 2]| each.concat();
    vec![
        ("INT8", ints(), vec![100, 7]),
        ("INT16", ints(), bytes([&100i16.to_le_bytes(), &7i16.to_le_bytes()])),
        ("INT32", ints(), bytes([&100i32.to_le_bytes(), &7i32.to_le_bytes()])),
        (
            "INT64",
            Some(Contents { int64_contents: vec![100, 7], ..none() }),
            bytes([&100i64.to_le_bytes(), &7i64.to_le_bytes()]),
        ),
        ("UINT8", uints(), vec![100, 7]),
        ("UINT16", uints(), bytes([&100u16.to_le_bytes(), &7u16.to_le_bytes()])),
        ("UINT32", uints(), bytes([&100u32.to_le_bytes(), &7u32.to_le_bytes()])),
        (
            "UINT64",
            Some(Contents { uint64_contents: vec![100, 7], ..none() }),
            bytes([&100u64.to_le_bytes(), &7u64.to_le_bytes()]),
        ),
        // Half precision: 100 is 0x5640, 7 is 0x4700.
        ("FP16", None, vec![0x40, 0x56, 0x00, 0x47]),
        (
            "FP32",
            Some(Contents { fp32_contents: vec![100.0, 7.0], ..none() }),
            bytes([&100f32.to_le_bytes(), &7f32.to_le_bytes()]),
        ),
        (
            "FP64",
            Some(Contents { fp64_contents: vec![100.0, 7.0], ..none() }),
            bytes([&100f64.to_le_bytes(), &7f64.to_le_bytes()]),
        ),
    ]
}

#[tokio::test]
async fn every_datatype_gives_the_bits_of_rest_in_its_field_and_in_bytes() {
    let fixture = Fixture::new();
    let rest =
        json!({"inputs": [{"name": "deal.amount", "datatype": "FP64", "shape": [2], "data": [100, 7]}]});
    let rest = fixture.post("/v2/models/win/infer", rest).await.json();
    let expected: Vec<u64> = rest["outputs"][1]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap().to_bits())
        .collect();
    let bits = |answer: &InferResponse| -> Vec<u64> {
        answer.numbers("raw").iter().map(|number| number.to_bits()).collect()
    };
    for (datatype, typed, bytes) in numbers() {
        let named = || tensor("deal.amount", datatype, &[2], Contents::default());
        let answer = infer(&fixture, &raw(vec![(named(), bytes)])).await;
        assert_eq!(bits(&answer), expected, "{datatype} in bytes");
        assert_eq!(answer.raw_output_contents.len(), answer.outputs.len(), "{datatype}: answered as asked");
        let Some(typed) = typed else { continue };
        let answer = infer(&fixture, &asking(vec![Tensor { contents: Some(typed), ..named() }])).await;
        assert_eq!(bits(&answer), expected, "{datatype} in its field");
        assert!(answer.raw_output_contents.is_empty(), "{datatype}: answered as asked");
    }
}

#[tokio::test]
async fn truth_values_and_texts_come_in_their_field_and_in_bytes() {
    let fixture = Fixture::new();
    // The model's inputs are numbers: a truth value is refused by name, a text serves as a key.
    let bools = Contents { bool_contents: vec![true], ..Contents::default() };
    let told = call(&fixture, "", INFER, &asking(vec![tensor("deal.amount", "BOOL", &[1], bools)])).await;
    assert_eq!(told.code(), 3, "{told:?}");
    assert!(told.words().contains("deal.amount"), "{told:?}");
    let told =
        call(&fixture, "", INFER, &raw(vec![(tensor("deal.amount", "BOOL", &[1], texts(&[])), vec![2])]))
            .await;
    assert!(told.words().contains("BOOL"), "{told:?}");
    let typed = infer(&fixture, &asking(vec![keys(&["D-1", "D-2"])])).await;
    let bytes = b"\x03\0\0\0D-1\x03\0\0\0D-2".to_vec();
    // The KServe SDK tells the length as it does over REST.
    let told = Tensor { parameters: parameter("binary_data_size", Value::Int(14)), ..keys(&["D-1", "D-2"]) };
    let packed = infer(&fixture, &raw(vec![(told, bytes)])).await;
    let strange = Tensor { parameters: parameter("binary_size", Value::Int(14)), ..keys(&["D-1"]) };
    let told = call(&fixture, "", INFER, &asking(vec![strange])).await;
    assert_eq!((told.code(), told.words().contains("binary_data_size")), (3, true), "{told:?}");
    assert_eq!(typed.numbers("raw"), packed.numbers("raw"));
    assert_eq!((typed.model_name.as_str(), typed.model_version.as_str()), ("win", "1"));
}

#[tokio::test]
async fn a_parameter_names_entities_and_the_moment() {
    let fixture = Fixture::new();
    let rest = |body| fixture.post("/v2/models/win/infer", body);
    let expected =
        rest(json!({"parameters": {"entity_keys": ["D-1", "D-2"], "as_of": "2024-03-25"}})).await.json();
    let mut request = asking(Vec::new());
    request.id = "q-1".into();
    request.parameters = parameter("entity_keys", Value::Text("[\"D-1\", \"D-2\"]".into()));
    request.parameters.extend(parameter("as_of", Value::Text("2024-03-25".into())));
    request.outputs = vec![Output { name: "raw".into(), ..Output::default() }];
    let answer = infer(&fixture, &request).await;
    assert_eq!((answer.outputs.len(), answer.id.as_str()), (1, "q-1"));
    assert_eq!(json!(answer.numbers("raw")), expected["outputs"][1]["data"], "{expected}");
    request.parameters.extend(parameter("binary_data_output", Value::Bool(false)));
    assert!(infer(&fixture, &request).await.raw_output_contents.is_empty());
    request.parameters.extend(parameter("reasons", Value::Int(2)));
    request.outputs.clear();
    let answer = infer(&fixture, &request).await;
    let told: Vec<&str> = answer.outputs.iter().map(|output| output.name.as_str()).collect();
    assert!(told.contains(&"reason_words"), "{told:?}");
}

#[tokio::test]
async fn models_are_described_listed_unloaded_and_loaded() {
    let fixture = Fixture::new();
    let named = |name: &str| ModelRequest { name: name.into(), version: String::new() };
    let told: ModelMetadata = call(&fixture, "", "ModelMetadata", &named("win")).await.message();
    assert_eq!((told.name.as_str(), told.versions), ("win", vec!["1".to_owned()]));
    assert_eq!((told.inputs[0].name.as_str(), told.inputs[0].datatype.as_str()), ("deal.amount", "FP64"));
    assert_eq!(told.inputs[0].shape, [-1]);
    let ready =
        async |name: &str| call(&fixture, "", "ModelReady", &named(name)).await.message::<Ready>().ready;
    let index = async || {
        let index: Index =
            call(&fixture, "", "RepositoryIndex", &IndexRequest { ready: true }).await.message();
        index.models
    };
    let entry = |name: &str| IndexEntry { name: name.into(), version: "1".into(), state: "READY".into() };
    assert_eq!(index().await, [entry("upsell"), entry("win")]);
    let model = LoadRequest { model: "win".into(), ..LoadRequest::default() };
    let model_first = LoadRequest { repository: "win".into(), ..LoadRequest::default() };
    for which in [&model, &model_first] {
        assert!(ready("win").await);
        assert_eq!(call(&fixture, "", "RepositoryModelUnload", which).await.code(), 0);
        assert!(!ready("win").await);
        assert_eq!(index().await, [entry("upsell")]);
        assert_eq!(call(&fixture, "", INFER, &asking(vec![keys(&["D-1"])])).await.code(), 9);
        assert_eq!(call(&fixture, "", "RepositoryModelLoad", which).await.code(), 0);
    }
    let config = parameter("config", Value::Text("{}".into()));
    let files = LoadRequest { parameters: config, ..model };
    assert_eq!(call(&fixture, "", "RepositoryModelLoad", &files).await.code(), 3);
    assert_eq!(call(&fixture, "", "ModelReady", &named("wim")).await.code(), 5);
    for method in ["ServerLive", "ServerReady", "ServerMetadata"] {
        assert_eq!(call(&fixture, "", method, &named("")).await.code(), 0, "{method}");
    }
}

#[tokio::test]
async fn wrong_inputs_are_the_callers_fault_and_name_the_tensor() {
    let fixture = Fixture::new();
    let amount = |datatype: &str, shape: &[i64], contents| {
        asking(vec![tensor("deal.amount", datatype, shape, contents)])
    };
    let one = || Contents { fp64_contents: vec![1.0], ..Contents::default() };
    let good = || tensor("deal.amount", "FP64", &[1], one());
    let with = |parameters| InferRequest { parameters, ..asking(vec![good()]) };
    let cases = [
        (asking(Vec::new()), "give the tensor features"),
        (amount("FP64", &[2], one()), "takes 2 elements"),
        (amount("FP32", &[1], one()), "fp32_contents"),
        (amount("FP16", &[1], one()), "FP16"),
        (amount("FP65", &[1], one()), "FP32, FP64"),
        (amount("FP64", &[-1], one()), "shape"),
        (amount("INT8", &[1], Contents { int_contents: vec![128], ..Contents::default() }), "INT8"),
        (amount("UINT16", &[1], Contents { uint_contents: vec![65_536], ..Contents::default() }), "UINT16"),
        (
            amount("BYTES", &[1], Contents { bytes_contents: vec![vec![0xff]], ..Contents::default() }),
            "UTF-8",
        ),
        (asking(vec![good(), good()]), "twice"),
        (asking(vec![tensor("deal.amont", "FP64", &[1], one())]), "deal.amount"),
        (
            InferRequest { raw_input_contents: vec![vec![0; 8]; 2], ..asking(vec![good()]) },
            "2 raw_input_contents",
        ),
        (InferRequest { raw_input_contents: vec![vec![0; 8]], ..asking(vec![good()]) }, "beside raw_input"),
        (raw(vec![(good(), vec![0; 7])]), "7 bytes"),
        (with(parameter("resons", Value::Int(1))), "resons"),
        (with(parameter("reasons", Value::Uint(u64::MAX))), "whole number"),
        (
            InferRequest {
                outputs: vec![Output { name: "probabilty".into(), ..Output::default() }],
                ..asking(vec![good()])
            },
            "probability",
        ),
    ];
    for (request, part) in cases {
        let told = call(&fixture, "", INFER, &request).await;
        assert_eq!(told.code(), 3, "{request:?}: {told:?}");
        assert!(told.words().contains(part), "{part}: {told:?}");
    }
    let unknown = InferRequest { model_name: "wim".into(), ..asking(vec![good()]) };
    let told = call(&fixture, "", INFER, &unknown).await;
    assert_eq!((told.code(), told.word("error-code")), (5, "unknown_model"));
    assert_eq!(call(&fixture, "", INFER, &asking(vec![keys(&["D-99"])])).await.code(), 5);
    assert_eq!(
        call(&fixture, "", INFER, &InferRequest { model_version: "9".into(), ..asking(vec![good()]) })
            .await
            .code(),
        5
    );
}

/// Sends bytes that are no frame of a message.
async fn odd(fixture: &Fixture, method: &str, bytes: Vec<u8>) -> Told {
    let request = Request::post(path(method)).header("content-type", "application/grpc+proto");
    sent(grpc_app(fixture.state.clone()), request.body(Body::from(bytes)).unwrap()).await
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused_and_never_a_fault_of_the_server() {
    let fixture = Fixture::changed(|project| project.settings.body_limit = 1_000);
    for (bytes, code) in [
        (framed(&[0xff; 20]), 3),
        (framed(&[0x0a, 0x7f, 0x00]), 3),
        (vec![0, 0, 0, 0, 9, 1], 3),
        (vec![0, 0, 0], 3),
        (Vec::new(), 3),
        (vec![7, 0, 0, 0, 0], 3),
        (vec![1, 0, 0, 0, 0], 3),
        (framed(&[0; 1_001]), 8),
        (vec![0, 0xff, 0xff, 0xff, 0xff], 8),
    ] {
        let told = odd(&fixture, INFER, bytes.clone()).await;
        assert_eq!((told.http.as_u16(), told.code()), (200, code), "{bytes:?}: {told:?}");
    }
    assert_eq!(odd(&fixture, "ModelStreamInfer", framed(&[])).await.code(), 12);
    let plain = Request::post(path(INFER)).header("content-type", "application/json").body(Body::from("{}"));
    let told = sent(grpc_app(fixture.state.clone()), plain.unwrap()).await;
    assert_eq!(told.http, 415);
    let zipped = Request::post(path(INFER))
        .header("content-type", "application/grpc")
        .header("grpc-encoding", "zstd")
        .body(Body::from(vec![1, 0, 0, 0, 0]));
    assert_eq!(sent(grpc_app(fixture.state.clone()), zipped.unwrap()).await.code(), 12);
}

/// Every method with the roles that may call it. A new method fails the test below until it stands here.
const MATRIX: &[(&str, &str)] = &[
    ("/grpc.health.v1.Health/Check", "anyone"),
    ("/grpc.health.v1.Health/Watch", "anyone"),
    ("ModelInfer", "rep storefront service scientist operator"),
    ("ModelMetadata", "rep storefront service scientist operator"),
    ("ModelReady", "rep storefront service scientist operator"),
    ("RepositoryIndex", "scientist operator"),
    ("RepositoryModelLoad", "operator"),
    ("RepositoryModelUnload", "operator"),
    ("ServerLive", "anyone"),
    ("ServerMetadata", "anyone"),
    ("ServerReady", "anyone"),
];

#[tokio::test]
async fn every_role_is_let_in_or_kept_out_at_every_method_as_the_matrix_says() {
    let mut told: Vec<_> =
        methods().iter().map(|method| (method.path.to_owned(), words(method.who))).collect();
    told.sort();
    let wanted: Vec<_> = MATRIX.iter().map(|(method, who)| (path(method), (*who).to_owned())).collect();
    assert_eq!(told, wanted);
    let fixture = Fixture::closed("");
    let keys = Role::ALL.map(|role| (role, fixture.key(role.as_str(), role)));
    let model = LoadRequest { repository: "win".into(), ..LoadRequest::default() };
    // An answer of `Watch` does not end.
    for (method, who) in MATRIX.iter().filter(|(method, _)| !method.ends_with("/Watch")) {
        let nobody = call(&fixture, "", method, &model).await;
        assert_eq!(nobody.code() == 16, *who != "anyone", "{method} without a key: {nobody:?}");
        for (role, key) in &keys {
            let told = call(&fixture, key, method, &model).await;
            let allowed = *who == "anyone" || who.split(' ').any(|allowed| allowed == role.as_str());
            assert!(![13, 14, 16].contains(&told.code()), "{method} as {role}: {told:?}");
            assert_eq!(told.code() == 7, !allowed, "{method} as {role}: {told:?}");
        }
    }
}

#[tokio::test]
async fn a_role_is_held_to_its_models_and_its_pace() {
    let fixture = Fixture::closed(
        "[access.role.service]\nmodels = [\"win\"]\n[access.role.storefront]\nrate = 1\nburst = 2\n",
    );
    let desk = fixture.key("desk", Role::Service);
    for method in ["ModelReady", "ModelMetadata", INFER] {
        for (model, forbidden) in [("win", false), ("upsell", true)] {
            // The model is the first field of each of these messages.
            let request = InferRequest { model_name: model.into(), ..InferRequest::default() };
            let told = call(&fixture, &desk, method, &request).await;
            assert_eq!(told.code() == 7, forbidden, "{method} of {model}: {told:?}");
        }
    }
    let shop = fixture.key("shop", Role::Storefront);
    let ask = async || {
        call(&fixture, &shop, "ModelReady", &ModelRequest { name: "win".into(), ..Default::default() }).await
    };
    assert_eq!((ask().await.code(), ask().await.code()), (0, 0));
    let told = ask().await;
    assert_eq!((told.code(), told.word("error-code"), told.word("retry-after")), (8, "rate_limited", "1"));
    let text = fixture.state.metrics.text().unwrap();
    assert!(text.contains("scorehouse_access_refused_total{reason=\"forbidden\"} 3"), "{text}");
    assert!(text.contains("scorehouse_access_refused_total{reason=\"rate_limited\"} 1"), "{text}");
}

#[tokio::test]
async fn a_call_is_counted_by_what_became_of_it_and_kept_as_evidence() {
    let fixture = Fixture::closed("");
    let key = fixture.key("till 7", Role::Storefront);
    let asked = async |model: &str| {
        let message = InferRequest { model_name: model.into(), ..asking(vec![keys(&["D-1"])]) };
        let request = Request::post(path(INFER))
            .header("content-type", "application/grpc")
            .header("x-api-key", &key)
            .header("x-request-id", "page-view-1")
            .body(Body::from(framed(&message.encode_to_vec())));
        sent(grpc_app(fixture.state.clone()), request.unwrap()).await
    };
    let told = asked("win").await;
    assert_eq!(told.word("x-request-id"), "page-view-1");
    let answer: InferResponse = told.message();
    assert_eq!(asked("wim").await.code(), 5);
    settle(&fixture);
    let rows = logged(&fixture, "win");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].raw.to_bits(), answer.numbers("raw")[0].to_bits());
    assert_eq!((rows[0].head.key.as_deref(), rows[0].stored), (Some("D-1"), true));
    let text = fixture.state.metrics.text().unwrap();
    for (status, count) in [(200, 1), (404, 1)] {
        let line = format!(
            "scorehouse_http_requests_total{{method=\"POST\",route=\"{}\",status=\"{status}\"}} {count}",
            path(INFER)
        );
        assert!(text.contains(&line), "{line}: {text}");
    }
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

#[tokio::test]
async fn panics_time_limits_and_want_of_room_are_told_as_statuses() {
    let fixture = Fixture::with_timeout(Duration::from_millis(1));
    let routes: Router<AppState> = Router::new()
        .route(&path("Panics"), post(panics))
        .route(&path("Endless"), post(std::future::pending::<()>));
    let app = observed(routes, &fixture.state);
    let ask = async |method: &str| {
        sent(app.clone(), Request::post(path(method)).body(Body::empty()).unwrap()).await
    };
    let told = ask("Panics").await;
    assert_eq!((told.code(), fixture.state.metrics.panics().get()), (13, 1));
    assert!(!told.words().contains("on purpose"), "{told:?}");
    assert_eq!(ask("Endless").await.code(), 4);
    fixture.state.metrics.in_flight().add(100_000);
    let told = ask("Endless").await;
    assert_eq!((told.code(), told.word("error-code"), told.word("retry-after")), (8, "overloaded", "1"));
    assert_eq!(
        call(&fixture, "", "ServerLive", &Ready::default()).await.code(),
        0,
        "a busy server is not a dead one"
    );
}
