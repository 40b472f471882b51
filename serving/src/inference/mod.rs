//! The Open Inference Protocol, version 2: the same models and the same store behind tensors.
//!
//! A body is read into tensors whatever wrote it ([`wire`]: JSON, with bytes behind it where a client chose so),
//! tensors become the very requests that the native routes take (`rows`, `shelf`), and the answer becomes
//! tensors again (`answer`). Refusals have the protocol's own shape (`refusal`). [`handlers`] is the REST side, [`grpc`] the
//! other one.

mod answer;
mod datatype;
pub mod grpc;
pub mod handlers;
mod infer;
mod models;
mod parameters;
pub mod refusal;
mod request;
mod rows;
mod shelf;
mod tensor;
mod wire;
