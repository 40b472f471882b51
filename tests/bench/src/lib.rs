//! Measurements, one file each under `examples/`. Run one with
//! `cargo run --release -p scorehouse-bench --example NAME` (`--features engines` for `online_log`).
