//! One boosted fit, timed beside LightGBM's: `boosting_speed DIR [trees] [leaves] [threads] [python] [turns]` reads `train.f64`
//! and `test.f64` (rows × (features + 1) little-endian doubles, the label last, the number of features in `features.txt`), as
//! `boosting_peer.py make DIR` writes them, and prints seconds, processor seconds and log loss; with a python that has
//! LightGBM, of both, turn about, and the ratio of the medians.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that measures")]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use scorehouse_training::fit::boosting::{Binned, BoostingParams, FeatureKind, Matrix, Rows, Target, boost};

fn read(dir: &Path, name: &str, features: usize) -> (Matrix, Vec<f64>) {
    let bytes = std::fs::read(dir.join(name)).expect("the file that boosting_peer.py wrote");
    let numbers: Vec<f64> =
        bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes"))).collect();
    let width = features + 1;
    let rows = numbers.len() / width;
    let column = |at: usize| (0..rows).map(|row| numbers[row * width + at]).collect::<Vec<f64>>();
    let columns = (0..features).map(column).collect();
    (Matrix { rows, columns, kinds: vec![FeatureKind::Number; features] }, column(features))
}

/// Processor seconds that this process has used, all threads together; hundredths, as Linux tells them.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program may hold blanks; counting begins behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Seconds and processor seconds of one fit.
fn timed(train: &Matrix, label: &[f64], params: &BoostingParams) -> [f64; 2] {
    let (start, before) = (Instant::now(), cpu_seconds());
    let binned = Binned::new(train);
    let bins = start.elapsed().as_secs_f64();
    let all: Vec<u32> = (0..train.rows as u32).collect();
    let rows = Rows { train: &all, watch: &[], own_level: false };
    let model = boost(&binned, Target { label, weight: None }, rows, params, &|| {}).expect("settings");
    let took = [start.elapsed().as_secs_f64(), cpu_seconds() - before];
    println!(
        "ours: {:.2} s ({bins:.2} s of it bins), {:.2} CPU s, {} trees",
        took[0],
        took[1],
        model.trees.len()
    );
    took
}

/// Seconds and processor seconds of LightGBM's fit.
fn peer(python: &str, arguments: &[&str]) -> [f64; 2] {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/boosting_peer.py");
    let output = Command::new(python).arg(script).arg("fit").args(arguments).output().expect("python");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{}", said.lines().next().unwrap_or_default());
    ["seconds: ", "cpu: "].map(|name| {
        let found = said.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
        found.expect("LightGBM is installed")
    })
}

fn held_out(train: &Matrix, test: &Matrix, label: &[f64], params: &BoostingParams) -> f64 {
    // Held-out rows are binned together with the training rows, but not learnt from.
    let both = Matrix {
        rows: train.rows + test.rows,
        columns: train.columns.iter().zip(&test.columns).map(|(a, b)| [a.as_slice(), b].concat()).collect(),
        kinds: train.kinds.clone(),
    };
    let all: Vec<u32> = (0..train.rows as u32).collect();
    let watch: Vec<u32> = (train.rows as u32..both.rows as u32).collect();
    let rows = Rows { train: &all, watch: &watch, own_level: false };
    let model =
        boost(&Binned::new(&both), Target { label, weight: None }, rows, params, &|| {}).expect("settings");
    model.losses.last().copied().unwrap_or(f64::NAN)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |at: usize, default: usize| args.get(at).and_then(|a| a.parse().ok()).unwrap_or(default);
    let dir = args.get(1).expect("a folder");
    let features = std::fs::read_to_string(Path::new(dir).join("features.txt")).expect("features.txt");
    let features: usize = features.trim().parse().expect("a number");
    let (trees, leaves, threads, turns) = (number(2, 100), number(3, 31), number(4, 2), number(6, 3));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let (train, y) = read(Path::new(dir), "train.f64", features);
    let (test, test_y) = read(Path::new(dir), "test.f64", features);
    let params = BoostingParams { trees, leaves, ..BoostingParams::default() };
    let [trees, leaves, threads] = [trees, leaves, threads].map(|n| n.to_string());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        ours.push(pool.install(|| timed(&train, &y, &params)));
        if let Some(python) = args.get(5) {
            theirs.push(peer(python, &[dir, &trees, &leaves, &threads]));
        }
    }
    if !theirs.is_empty() {
        for (at, what) in ["seconds", "CPU seconds"].into_iter().enumerate() {
            let of = |took: &[[f64; 2]]| median(took.iter().map(|took| took[at]).collect());
            let (ours, theirs) = (of(&ours), of(&theirs));
            println!(
                "median {what}, {threads} threads: {ours:.2} against {theirs:.2}, {:.2} of it",
                ours / theirs
            );
        }
    }
    let loss = pool.install(|| held_out(&train, &test, &[y, test_y].concat(), &params));
    println!("held-out log loss {loss:.5}");
}
