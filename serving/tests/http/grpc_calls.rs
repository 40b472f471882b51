//! What gRPC has beside the methods: deadlines, compression, and the standard health protocol.

use std::io::{Read, Write};
use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::Request;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::future::poll_fn;
use prost::Message;
use scorehouse::routes::grpc_app;

use crate::fixture::Fixture;
use crate::grpc_wire::{
    Contents, InferRequest, InferResponse, ModelRequest, Ready, Tensor, Told, call, framed, path, sent,
};

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct Health {
    #[prost(int32, tag = "1")]
    status: i32,
}

const CHECK: &str = "/grpc.health.v1.Health/Check";

/// Calls a method with headers.
async fn with(fixture: &Fixture, method: &str, headers: &[(&str, &str)], body: Body) -> Told {
    let mut request = Request::post(path(method)).header("content-type", "application/grpc");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    sent(grpc_app(fixture.state.clone()), request.body(body).unwrap()).await
}

fn live() -> Body {
    Body::from(framed(&Ready::default().encode_to_vec()))
}

#[tokio::test]
async fn a_call_that_is_not_answered_before_its_deadline_is_dropped_and_told_so() {
    let fixture = Fixture::new();
    let never = || Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let told = with(&fixture, "ServerLive", &[("grpc-timeout", "30m")], never()).await;
    assert_eq!((told.code(), told.word("error-code")), (4, "deadline_passed"), "{told:?}");
    assert!(told.words().contains("30ms"), "{told:?}");
    assert_eq!(fixture.state.metrics.in_flight().get(), 0, "its work is dropped");
    let told = with(&fixture, "ServerLive", &[("grpc-timeout", "0n")], live()).await;
    assert_eq!(told.code(), 4, "{told:?}");
    for enough in ["5S", "1H", "99999999H", "20000m", "9000000u"] {
        assert_eq!(with(&fixture, "ServerLive", &[("grpc-timeout", enough)], live()).await.code(), 0);
    }
    for odd in ["", "S", "5", "5s", "-5S", "123456789S", "5 S", "1.5S"] {
        let told = with(&fixture, "ServerLive", &[("grpc-timeout", odd)], live()).await;
        assert_eq!((told.code(), told.word("error-code")), (3, "invalid_field"), "{odd}: {told:?}");
    }
}

fn zipped(message: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(message).unwrap();
    let bytes = writer.finish().unwrap();
    let mut frame = framed(&bytes);
    frame[0] = 1;
    frame
}

fn asking(rows: usize) -> InferRequest {
    let amounts = Contents { fp64_contents: (0..rows).map(|n| n as f64).collect(), ..Contents::default() };
    let input = Tensor {
        name: "deal.amount".into(),
        datatype: "FP64".into(),
        shape: vec![rows as i64],
        contents: Some(amounts),
        ..Tensor::default()
    };
    InferRequest { model_name: "win".into(), inputs: vec![input], ..InferRequest::default() }
}

/// The answer, and whether it came compressed.
fn unzipped(told: &Told) -> (InferResponse, bool) {
    assert_eq!(told.code(), 0, "{told:?}");
    let zipped = told.bytes[0] == 1;
    assert!(!zipped || told.word("grpc-encoding") == "gzip", "{told:?}");
    let mut message = Vec::new();
    match zipped {
        true => drop(GzDecoder::new(&told.bytes[5..]).read_to_end(&mut message).unwrap()),
        false => message.extend(&told.bytes[5..]),
    }
    (InferResponse::decode(&message[..]).unwrap(), zipped)
}

#[tokio::test]
async fn messages_are_compressed_both_ways_for_clients_that_offer_it_where_that_is_worth_it() {
    let fixture = Fixture::new();
    let takes = ("grpc-accept-encoding", "identity,gzip");
    let sends = ("grpc-encoding", "gzip");
    for (rows, headers, compressed) in [
        (2, vec![takes], false),
        (2, vec![takes, sends], false),
        (100, vec![takes], false),
        (100, vec![takes, sends], true),
        (2_000, vec![], false),
        (2_000, vec![sends], false),
        (2_000, vec![takes], true),
    ] {
        let message = asking(rows).encode_to_vec();
        let body = if headers.contains(&sends) { zipped(&message) } else { framed(&message) };
        let told = with(&fixture, "ModelInfer", &headers, body.into()).await;
        let (answer, was) = unzipped(&told);
        assert_eq!(was, compressed, "{rows} rows, {headers:?}");
        assert_eq!(answer.numbers("raw").len(), rows);
        let plain: InferResponse = call(&fixture, "", "ModelInfer", &asking(rows)).await.message();
        assert_eq!(answer.numbers("raw"), plain.numbers("raw"));
    }
}

#[tokio::test]
async fn what_a_few_compressed_bytes_would_become_counts_for_the_limit() {
    let fixture = Fixture::changed(|project| project.settings.body_limit = 10_000);
    let bomb = zipped(&ModelRequest { name: "a".repeat(1 << 20), ..ModelRequest::default() }.encode_to_vec());
    assert!(bomb.len() < 5_000);
    let told = with(&fixture, "ModelReady", &[("grpc-encoding", "gzip")], bomb.into()).await;
    assert_eq!((told.code(), told.word("error-code")), (8, "body_too_large"), "{told:?}");
    let mut broken = framed(b"no gzip");
    broken[0] = 1;
    let told = with(&fixture, "ModelReady", &[("grpc-encoding", "gzip")], broken.into()).await;
    assert_eq!(told.code(), 3, "{told:?}");
}

#[tokio::test]
async fn health_is_told_once_and_as_it_changes_and_the_stop_ends_it() {
    let fixture = Fixture::closed("");
    for (service, code) in [("", 0), ("inference.GRPCInferenceService", 0), ("other.Service", 5)] {
        let told = call(&fixture, "", CHECK, &Service { service: service.into() }).await;
        assert_eq!(told.code(), code, "{service}: {told:?}");
        if code == 0 {
            assert_eq!(told.message::<Health>().status, 1, "{service}");
        }
    }
    let watch = |service: &str| {
        let request =
            Request::post("/grpc.health.v1.Health/Watch").header("content-type", "application/grpc");
        let body = Body::from(framed(&Service { service: service.into() }.encode_to_vec()));
        tower::ServiceExt::oneshot(grpc_app(fixture.state.clone()), request.body(body).unwrap())
    };
    for (service, expected) in [("", vec![1, 2]), ("other.Service", vec![3])] {
        let mut body = pin!(watch(service).await.unwrap().into_body());
        let mut told = Vec::new();
        let first = poll_fn(|cx| body.as_mut().poll_frame(cx)).await.unwrap().unwrap().into_data().unwrap();
        told.push(Health::decode(&first[5..]).unwrap().status);
        let quiet = poll_fn(|cx| body.as_mut().poll_frame(cx));
        if service.is_empty() {
            assert!(tokio::time::timeout(Duration::from_millis(50), quiet).await.is_err(), "nothing changed");
            fixture.state.changes.close();
        }
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            match frame.unwrap().into_data() {
                Ok(data) => told.push(Health::decode(&data[5..]).unwrap().status),
                Err(trailers) => assert_eq!(trailers.into_trailers().unwrap()["grpc-status"], "0"),
            }
        }
        assert_eq!(told, expected, "{service}");
    }
    let told = call(&fixture, "", CHECK, &Service::default()).await;
    assert_eq!(told.message::<Health>().status, 2, "it stops");
}
