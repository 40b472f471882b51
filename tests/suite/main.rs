//! The whole system, through its binary. One suite, by what could go wrong:
//!
//! | module | what it holds against the system |
//! | --- | --- |
//! | `architecture` | crates import one way; no lower crate sees DataFusion or tokio's network |
//! | `command_line` | exit codes, JSON, mistakes named with their nearest meaning |
//! | `table` | any plain CSV becomes a model and scores, bad columns and all |
//! | `contract` | subscriptions: contractual churn end to end, pushed facts in their own time |
//! | `clients` | the standard protocol as clients from PyPI speak it |
//! | `durability` | `kill -9` while events are pushed loses nothing acknowledged |
//! | `crash` | a busy server killed again and again: events, outcomes, moves, scores, all at once |
//! | `full_disk` | without room on the disk reads go on, writes are refused, and nothing acknowledged is lost |
//! | `evidence` | what was answered survives `kill -9` and replays to the last bit |
//! | `access` | keys made and taken back beside a running server; no secret reaches the log |
//! | `aliases` | a live model follows its alias without a failed request, and no bad file |
//! | `changes` | what an acknowledged push changed reaches a webhook past `kill -9` |
//! | `challenger` | shadows and splits, compared as outcomes arrive |
//! | `monitor` | inputs that moved cross a limit, and the server trains the model again |
//! | `demo` | the demo's models against the truth that its deals were drawn from |
//! | `registered` | a model from an ONNX file, proven by its sample |
//! | `notebooks` | the notebooks run against a live server |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod access;
mod aliases;
mod architecture;
mod challenger;
mod changes;
mod clients;
mod command_line;
mod contract;
mod crash;
mod demo;
mod durability;
mod evidence;
mod full_disk;
mod monitor;
mod notebooks;
mod registered;
mod table;
