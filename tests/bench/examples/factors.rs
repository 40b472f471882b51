//! Factors of users and items, 128 wide, 15 rounds, against implicit's alternating least squares by conjugate gradients,
//! turn about in one run.
//!
//! ```text
//! pip install implicit==0.7.3
//! cargo run -p scorehouse-bench --example factors TRAIN [python] [threads] [turns]
//! ```
//!
//! TRAIN has a user and its items on each line, as numbers with blanks between them (LightGCN's format).
#![allow(clippy::print_stdout, reason = "a measurement prints its table")]

use std::ffi::OsStr;
use std::time::Instant;

use anyhow::{Context, Result};
use scorehouse_bench::{figure, median, peer_figures, process_cpu};
use scorehouse_training::fit::recommender::{FactorSettings, Sparse, factors, unobserved_weight};

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let path = given.first().context("name the file: TRAIN [python] [threads] [turns]")?;
    let python = given.get(1).map_or("python3", String::as_str);
    let threads = given.get(2).map_or(Ok(2), |text| text.parse())?;
    let turns = given.get(3).map_or(Ok(3), |text| text.parse())?;
    let matrix = read(path)?;
    println!("{} users, {} items, {} pairs", matrix.height(), matrix.width, matrix.values.len());
    let settings = FactorSettings {
        width: 128,
        rounds: 15,
        unobserved: unobserved_weight(&matrix),
        regularisation: 0.003,
        exponent: 1.0,
        seed: 1,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let (mut ours, mut theirs) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..turns {
        let (start, before) = (Instant::now(), process_cpu());
        pool.install(|| factors(&matrix, settings, &|_| ()))?;
        let took = [start.elapsed().as_secs_f64(), process_cpu() - before];
        println!("ours: {:.2} s, {:.2} s of processor time", took[0], took[1]);
        let threads = threads.to_string();
        let arguments = [OsStr::new(path), OsStr::new(&threads)];
        let peer = peer_figures(python, "factors.py", &arguments, ["wall", "cpu"])?;
        for at in 0..2 {
            ours[at].push(took[at]);
            theirs[at].push(peer[at]);
        }
    }
    for (at, what) in ["factor fit, wall", "factor fit, processor"].into_iter().enumerate() {
        figure(
            &format!("{what}, {threads} threads"),
            "s",
            median(&ours[at]),
            "implicit",
            median(&theirs[at]),
        );
    }
    Ok(())
}

/// Users × items, 1 where a user has an item.
fn read(path: &str) -> Result<Sparse> {
    let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    let mut rows: Vec<Vec<(u32, f32)>> = Vec::new();
    for line in text.lines() {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let Some(user) = numbers.next().transpose()? else { continue };
        let mut items = numbers.collect::<Result<Vec<u32>, _>>()?;
        items.sort_unstable();
        items.dedup();
        rows.resize_with(rows.len().max(user as usize + 1), Vec::new);
        rows[user as usize] = items.into_iter().map(|item| (item, 1.0)).collect();
    }
    let items = rows.iter().flatten().map(|(item, _)| *item as usize + 1).max().context("no items")?;
    Ok(Sparse::from_rows(rows, items))
}
