//! The protocol over gRPC: the same questions and answers in protobuf messages.
//!
//! The messages are written by hand from the protocol's public definition (`messages`), so that building needs
//! neither `protoc` nor generated code. `convert` turns them into what the REST side works with, [`methods`] answers
//! them over the functions that REST calls, and `call` stands around each: one message in, one out, a failure as a
//! status. Connections, access, limits, counting and the score log are the server's own, as for REST.

pub mod call;
mod codec;
mod convert;
pub mod health;
mod messages;
pub mod methods;
