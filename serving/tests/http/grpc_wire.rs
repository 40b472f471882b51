//! Messages and frames as a client of the protocol has them: written from its public definition once more, so that a
//! wrong field number of the server's does not go unseen.

use std::collections::HashMap;
use std::pin::pin;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, Request, StatusCode};
use futures::future::poll_fn;
use prost::{Message, Oneof};
use tower::ServiceExt;

use crate::fixture::Fixture;

#[derive(Clone, PartialEq, Message)]
pub struct Parameter {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    pub value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Value {
    #[prost(bool, tag = "1")]
    Bool(bool),
    #[prost(int64, tag = "2")]
    Int(i64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(double, tag = "4")]
    Float(f64),
    #[prost(uint64, tag = "5")]
    Uint(u64),
}

#[derive(Clone, PartialEq, Message)]
pub struct Contents {
    #[prost(bool, repeated, tag = "1")]
    pub bool_contents: Vec<bool>,
    #[prost(int32, repeated, tag = "2")]
    pub int_contents: Vec<i32>,
    #[prost(int64, repeated, tag = "3")]
    pub int64_contents: Vec<i64>,
    #[prost(uint32, repeated, tag = "4")]
    pub uint_contents: Vec<u32>,
    #[prost(uint64, repeated, tag = "5")]
    pub uint64_contents: Vec<u64>,
    #[prost(float, repeated, tag = "6")]
    pub fp32_contents: Vec<f32>,
    #[prost(double, repeated, tag = "7")]
    pub fp64_contents: Vec<f64>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub bytes_contents: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub shape: Vec<i64>,
    #[prost(map = "string, message", tag = "4")]
    pub parameters: HashMap<String, Parameter>,
    #[prost(message, optional, tag = "5")]
    pub contents: Option<Contents>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Output {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(map = "string, message", tag = "2")]
    pub parameters: HashMap<String, Parameter>,
}

#[derive(Clone, PartialEq, Message)]
pub struct InferRequest {
    #[prost(string, tag = "1")]
    pub model_name: String,
    #[prost(string, tag = "2")]
    pub model_version: String,
    #[prost(string, tag = "3")]
    pub id: String,
    #[prost(map = "string, message", tag = "4")]
    pub parameters: HashMap<String, Parameter>,
    #[prost(message, repeated, tag = "5")]
    pub inputs: Vec<Tensor>,
    #[prost(message, repeated, tag = "6")]
    pub outputs: Vec<Output>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub raw_input_contents: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct InferResponse {
    #[prost(string, tag = "1")]
    pub model_name: String,
    #[prost(string, tag = "2")]
    pub model_version: String,
    #[prost(string, tag = "3")]
    pub id: String,
    #[prost(message, repeated, tag = "5")]
    pub outputs: Vec<Tensor>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub raw_output_contents: Vec<Vec<u8>>,
}

impl InferResponse {
    /// The numbers of an output, whichever way they came.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        let at = self.outputs.iter().position(|output| output.name == name).unwrap();
        match self.raw_output_contents.get(at) {
            Some(raw) => raw.chunks(8).map(|eight| f64::from_le_bytes(eight.try_into().unwrap())).collect(),
            None => self.outputs[at].contents.as_ref().unwrap().fp64_contents.clone(),
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub struct ModelRequest {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub version: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Ready {
    #[prost(bool, tag = "1")]
    pub ready: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct ModelMetadata {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, repeated, tag = "2")]
    pub versions: Vec<String>,
    #[prost(string, tag = "3")]
    pub platform: String,
    #[prost(message, repeated, tag = "4")]
    pub inputs: Vec<Tensor>,
    #[prost(message, repeated, tag = "5")]
    pub outputs: Vec<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
pub struct IndexRequest {
    #[prost(bool, tag = "2")]
    pub ready: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct IndexEntry {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(string, tag = "3")]
    pub state: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Index {
    #[prost(message, repeated, tag = "1")]
    pub models: Vec<IndexEntry>,
}

/// A load or unload; `repository` is where one published definition has the model.
#[derive(Clone, PartialEq, Message)]
pub struct LoadRequest {
    #[prost(string, tag = "1")]
    pub repository: String,
    #[prost(string, tag = "2")]
    pub model: String,
    #[prost(map = "string, message", tag = "3")]
    pub parameters: HashMap<String, Parameter>,
}

/// A message as it travels: not compressed, after its length.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend(message);
    frame
}

/// The path of a method of the protocol, or of another that is given whole.
pub fn path(method: &str) -> String {
    if method.starts_with('/') {
        return method.to_owned();
    }
    format!("/inference.GRPCInferenceService/{method}")
}

/// What came back for a call.
#[derive(Debug)]
pub struct Told {
    pub http: StatusCode,
    /// Headers, and trailers among them.
    pub metadata: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Told {
    /// The number of the status.
    pub fn code(&self) -> u32 {
        self.word("grpc-status").parse().unwrap()
    }

    pub fn word(&self, name: &str) -> &str {
        self.metadata.get(name).map_or("", |word| word.to_str().unwrap())
    }

    /// What the status says, its percent-encoding undone.
    pub fn words(&self) -> String {
        let (mut bytes, mut rest) = (Vec::new(), self.word("grpc-message").as_bytes());
        while let [first, more @ ..] = rest {
            let hex = std::str::from_utf8(more.get(..2).unwrap_or_default()).unwrap();
            match (first, u8::from_str_radix(hex, 16)) {
                (b'%', Ok(byte)) => {
                    bytes.push(byte);
                    rest = &more[2..];
                }
                _ => {
                    bytes.push(*first);
                    rest = more;
                }
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    /// The message of a call that went well.
    pub fn message<M: Message + Default>(&self) -> M {
        assert_eq!(self.code(), 0, "{self:?}");
        assert_eq!(self.bytes[..5], framed(&self.bytes[5..])[..5], "one whole frame");
        M::decode(&self.bytes[5..]).unwrap()
    }
}

/// Sends a request to a router of methods and reads the answer with its trailers.
pub async fn sent(app: axum::Router, request: Request<Body>) -> Told {
    let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
    let (mut metadata, mut bytes, mut body) = (parts.headers, Vec::new(), pin!(body));
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame.unwrap().into_data() {
            Ok(data) => bytes.extend(data),
            Err(trailers) => metadata.extend(trailers.into_trailers().unwrap()),
        }
    }
    Told { http: parts.status, metadata, bytes }
}

/// Calls a method of the fixture with a credential, if one is given.
pub async fn call(fixture: &Fixture, key: &str, method: &str, message: &impl Message) -> Told {
    let mut request = Request::post(path(method)).header("content-type", "application/grpc");
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let body = Body::from(framed(&message.encode_to_vec()));
    let app = scorehouse::routes::grpc_app(fixture.state.clone());
    sent(app, request.body(body).unwrap()).await
}
