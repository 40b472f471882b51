//! `simulate ORDERS OUT ANCHOR [SCALE [SEED]]`: writes the exports and prints what was simulated as JSON.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use scorehouse_simulator::{SimulationRequest, simulate};

fn main() -> anyhow::Result<()> {
    let mut given = std::env::args().skip(1);
    let mut next = |name: &str| {
        given.next().with_context(|| format!("{name} is missing: ORDERS OUT ANCHOR [SCALE [SEED]]"))
    };
    let (orders, out) = (PathBuf::from(next("ORDERS")?), PathBuf::from(next("OUT")?));
    let anchor = next("ANCHOR")?.parse().context("ANCHOR is not a date")?;
    let scale = next("SCALE").map_or(Ok(1.0), |text| text.parse()).context("SCALE is not a number")?;
    let seed = next("SEED").map_or(Ok(1), |text| text.parse()).context("SEED is not a whole number")?;
    let report = simulate(&SimulationRequest { orders: &orders, out: &out, seed, scale, anchor })?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    Ok(())
}
