//! Messages of the package `inference`, service `GRPCInferenceService`: field numbers and types as the protocol
//! publishes them.
//!
//! Where two published definitions differ, both are read: one writes the model of a load or unload in field 1, the
//! other in field 2 after the name of a repository.

use std::collections::HashMap;

use bytes::Bytes;
use prost::{Message, Oneof};

/// No fields.
#[derive(Clone, PartialEq, Message)]
pub struct Empty {}

/// Alive.
#[derive(Clone, PartialEq, Message)]
pub struct ServerLiveResponse {
    /// True.
    #[prost(bool, tag = "1")]
    pub live: bool,
}

/// Ready.
#[derive(Clone, PartialEq, Message)]
pub struct ReadyResponse {
    /// Whether it answers.
    #[prost(bool, tag = "1")]
    pub ready: bool,
}

/// A model, and a version of it.
#[derive(Clone, PartialEq, Message)]
pub struct ModelRequest {
    /// The model.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The version or alias; empty for the champion.
    #[prost(string, tag = "2")]
    pub version: String,
}

/// What the server is.
#[derive(Clone, PartialEq, Message)]
pub struct ServerMetadataResponse {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its version.
    #[prost(string, tag = "2")]
    pub version: String,
    /// What it speaks beyond the core.
    #[prost(string, repeated, tag = "3")]
    pub extensions: Vec<String>,
}

/// A tensor's name, datatype and shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorMetadata {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its datatype.
    #[prost(string, tag = "2")]
    pub datatype: String,
    /// Its extents; -1 is any.
    #[prost(int64, repeated, tag = "3")]
    pub shape: Vec<i64>,
}

/// What a model reads and answers.
#[derive(Clone, PartialEq, Message)]
pub struct ModelMetadataResponse {
    /// The model.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The versions that answer.
    #[prost(string, repeated, tag = "2")]
    pub versions: Vec<String>,
    /// What computes it.
    #[prost(string, tag = "3")]
    pub platform: String,
    /// Its inputs.
    #[prost(message, repeated, tag = "4")]
    pub inputs: Vec<TensorMetadata>,
    /// Its outputs.
    #[prost(message, repeated, tag = "5")]
    pub outputs: Vec<TensorMetadata>,
    /// Other ways to ask.
    #[prost(map = "string, string", tag = "6")]
    pub properties: HashMap<String, String>,
}

/// A parameter.
#[derive(Clone, PartialEq, Message)]
pub struct InferParameter {
    /// Its value.
    #[prost(oneof = "ParameterValue", tags = "1, 2, 3, 4, 5")]
    pub value: Option<ParameterValue>,
}

/// A parameter's value.
#[derive(Clone, PartialEq, Oneof)]
pub enum ParameterValue {
    /// True or false.
    #[prost(bool, tag = "1")]
    Bool(bool),
    /// A whole number.
    #[prost(int64, tag = "2")]
    Int(i64),
    /// Text.
    #[prost(string, tag = "3")]
    Text(String),
    /// A number.
    #[prost(double, tag = "4")]
    Float(f64),
    /// A whole number, 0 or more.
    #[prost(uint64, tag = "5")]
    Uint(u64),
}

/// A tensor's elements, in the field of their datatype.
#[derive(Clone, PartialEq, Message)]
pub struct TensorContents {
    /// BOOL.
    #[prost(bool, repeated, tag = "1")]
    pub bools: Vec<bool>,
    /// INT8, INT16, INT32.
    #[prost(int32, repeated, tag = "2")]
    pub ints: Vec<i32>,
    /// INT64.
    #[prost(int64, repeated, tag = "3")]
    pub int64s: Vec<i64>,
    /// UINT8, UINT16, UINT32.
    #[prost(uint32, repeated, tag = "4")]
    pub uints: Vec<u32>,
    /// UINT64.
    #[prost(uint64, repeated, tag = "5")]
    pub uint64s: Vec<u64>,
    /// FP32.
    #[prost(float, repeated, tag = "6")]
    pub fp32s: Vec<f32>,
    /// FP64.
    #[prost(double, repeated, tag = "7")]
    pub fp64s: Vec<f64>,
    /// BYTES.
    #[prost(bytes = "bytes", repeated, tag = "8")]
    pub texts: Vec<Bytes>,
}

/// A tensor, of a request or an answer.
#[derive(Clone, PartialEq, Message)]
pub struct InferTensor {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its datatype.
    #[prost(string, tag = "2")]
    pub datatype: String,
    /// Its extents.
    #[prost(int64, repeated, tag = "3")]
    pub shape: Vec<i64>,
    /// Its parameters.
    #[prost(map = "string, message", tag = "4")]
    pub parameters: HashMap<String, InferParameter>,
    /// Its elements, unless they stand in the message's raw contents.
    #[prost(message, optional, tag = "5")]
    pub contents: Option<TensorContents>,
}

/// An output asked for.
#[derive(Clone, PartialEq, Message)]
pub struct RequestedOutput {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its parameters.
    #[prost(map = "string, message", tag = "2")]
    pub parameters: HashMap<String, InferParameter>,
}

/// A request for inference.
#[derive(Clone, PartialEq, Message)]
pub struct ModelInferRequest {
    /// The model.
    #[prost(string, tag = "1")]
    pub model_name: String,
    /// The version or alias; empty for the champion.
    #[prost(string, tag = "2")]
    pub model_version: String,
    /// The caller's name for the request.
    #[prost(string, tag = "3")]
    pub id: String,
    /// What stands beside the tensors.
    #[prost(map = "string, message", tag = "4")]
    pub parameters: HashMap<String, InferParameter>,
    /// The tensors.
    #[prost(message, repeated, tag = "5")]
    pub inputs: Vec<InferTensor>,
    /// The outputs asked for; all when empty.
    #[prost(message, repeated, tag = "6")]
    pub outputs: Vec<RequestedOutput>,
    /// The elements of every tensor in bytes, in the order of the tensors; empty when they carry their own.
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub raw_inputs: Vec<Bytes>,
}

/// An answer to a request for inference.
#[derive(Clone, PartialEq, Message)]
pub struct ModelInferResponse {
    /// The model.
    #[prost(string, tag = "1")]
    pub model_name: String,
    /// The version that answered.
    #[prost(string, tag = "2")]
    pub model_version: String,
    /// The caller's name for the request.
    #[prost(string, tag = "3")]
    pub id: String,
    /// What stands beside the tensors.
    #[prost(map = "string, message", tag = "4")]
    pub parameters: HashMap<String, InferParameter>,
    /// The outputs.
    #[prost(message, repeated, tag = "5")]
    pub outputs: Vec<InferTensor>,
    /// The elements of every output in bytes, when the request came so.
    #[prost(bytes = "bytes", repeated, tag = "6")]
    pub raw_outputs: Vec<Bytes>,
}

/// Which part of the repository.
#[derive(Clone, PartialEq, Message)]
pub struct RepositoryIndexRequest {
    /// Not looked at: there is one repository.
    #[prost(string, tag = "1")]
    pub repository_name: String,
    /// True: only what answers.
    #[prost(bool, tag = "2")]
    pub ready: bool,
}

/// One version in the repository.
#[derive(Clone, PartialEq, Message)]
pub struct ModelIndex {
    /// The model.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The version.
    #[prost(string, tag = "2")]
    pub version: String,
    /// `READY` or `UNAVAILABLE`.
    #[prost(string, tag = "3")]
    pub state: String,
    /// Why it is unavailable.
    #[prost(string, tag = "4")]
    pub reason: String,
}

/// The repository.
#[derive(Clone, PartialEq, Message)]
pub struct RepositoryIndexResponse {
    /// Its entries.
    #[prost(message, repeated, tag = "1")]
    pub models: Vec<ModelIndex>,
}

/// A model to load or unload.
#[derive(Clone, PartialEq, Message)]
pub struct RepositoryModelRequest {
    /// The model, or a repository.
    #[prost(string, tag = "1")]
    pub first: String,
    /// The model, when `first` is a repository.
    #[prost(string, tag = "2")]
    pub second: String,
    /// A model's files or configuration; only the names are looked at.
    #[prost(map = "string, message", tag = "3")]
    pub parameters: HashMap<String, Empty>,
}

/// A model was loaded or unloaded.
#[derive(Clone, PartialEq, Message)]
pub struct RepositoryModelResponse {
    /// The model.
    #[prost(string, tag = "1")]
    pub model_name: String,
    /// True.
    #[prost(bool, tag = "2")]
    pub done: bool,
}

impl RepositoryModelRequest {
    /// The model.
    #[must_use]
    pub fn model(&self) -> &str {
        if self.second.is_empty() { &self.first } else { &self.second }
    }
}
