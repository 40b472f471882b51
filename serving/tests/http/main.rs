//! The HTTP side over stores of its own: every route, every code of the error table, and moves of a live model.
//!
//! - `fixture`: a small company: deals, accounts, orders, products; models made by hand
//! - `score`: scores, overrides, reasons, moments, batches
//! - `what_if`: the smallest plausible change; `forecast`: what open deals come to
//! - `recommend`: rules, strangers, baskets, what was just bought, weights; `second_look`: candidates reordered
//! - `facts`: entities and their features, pages of keys
//! - `events`, `outcomes`: pushes: whole or not at all, repeats, where outcomes land
//! - `evidence`: the score log, its limits, and its replay
//! - `kept`: the score log read back, for the tests of what it keeps
//! - `history`: training sets: moments, order, formats
//! - `inference`: the standard protocol: tensors of every datatype, entity keys, bytes, its refusals
//! - `grpc`: the same over gRPC, with its matrix of roles and methods (`grpc_wire`: messages as a client has them);
//!   `grpc_connections`: HTTP/2, idle and silent clients, the stop, TLS
//! - `challenger`: shadows that are kept and not heard, splits that are sticky
//! - `lists`: what was bought after recommendations, and which version's were better
//! - `policy`: what is decided about a score, and by which rule
//! - `changes`: scores that pushes move across an edge: marks, webhooks, listeners
//! - `models`: listings, moves of aliases, refused versions, moves under load
//! - `bytes`: bodies near good ones, which may be refused and never make the server fail
//! - `monitor`: inputs beside training, limits, retrainings
//! - `servers`: several servers on one registry, of which one watches over a model
//! - `refusals`: bad input of every kind
//! - `access`: keys, tokens, who is open, the trail; `matrix`: every role at every route; `sight`: who sees what
//! - `issuer`: keys of tokens by their address; `peer`: another server, as a test plays it
//! - `connections`: slow and many connections, TLS, other origins, too many requests
//! - `drain`: a stop loses no request
//! - `traces`: spans of requests as a collector gets them
//! - `operation`: health, metrics, OpenAPI, the page

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod access;
mod bytes;
mod challenger;
mod changes;
mod connections;
mod drain;
mod events;
mod evidence;
mod facts;
mod fixture;
mod forecast;
mod grpc;
mod grpc_calls;
mod grpc_connections;
mod grpc_wire;
mod history;
mod inference;
mod issuer;
mod kept;
mod lists;
mod matrix;
mod models;
mod monitor;
mod operation;
mod outcomes;
mod peer;
mod policy;
mod recommend;
mod refusals;
mod score;
mod second_look;
mod servers;
mod sight;
mod traces;
mod what_if;
