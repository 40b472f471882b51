//! What a server costs that scores nothing: it reads the same numbers from JSON, adds them up and answers.
//!
//! `cargo run -p scorehouse-bench --example ceiling -- ADDRESS`; `tests/bench/serve.py` asks it beside
//! `scorehouse serve`, with the same client on the same cores.
#![allow(clippy::print_stdout, reason = "a measurement says where it listens")]

use anyhow::{Context, Result};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// A request of the Open Inference Protocol, as far as one tensor of numbers needs it.
#[derive(Deserialize)]
struct Request {
    inputs: Vec<Tensor>,
}

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Serialize)]
struct Response {
    model_name: &'static str,
    outputs: Vec<Output>,
}

#[derive(Serialize)]
struct Output {
    name: &'static str,
    datatype: &'static str,
    shape: [usize; 2],
    data: Vec<f64>,
}

async fn infer(Json(request): Json<Request>) -> Json<Response> {
    let mut data = Vec::new();
    if let Some(tensor) = request.inputs.first() {
        let width = tensor.shape.get(1).copied().unwrap_or(1).max(1);
        data.extend(tensor.data.chunks(width).map(|row| row.iter().sum::<f64>()));
    }
    let output = Output { name: "sum", datatype: "FP64", shape: [data.len(), 1], data };
    Json(Response { model_name: "ceiling", outputs: vec![output] })
}

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).context("where to listen, such as 127.0.0.1:9301")?;
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/infer", post(infer))).await?;
    Ok(())
}
