//! One boosted fit, timed: `boosting_speed DIR [trees] [leaves] [threads]` reads `train.f64` and `test.f64`
//! (rows × (features + 1) little-endian doubles, the label last, the number of features in `features.txt`), as
//! `boosting_peer.py` writes them, and prints seconds, processor seconds and log loss. The peer's figures come from the same
//! script, on the same files.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that measures")]

use std::path::Path;
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

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |at: usize, default: usize| args.get(at).and_then(|a| a.parse().ok()).unwrap_or(default);
    let dir = Path::new(args.get(1).expect("a folder")).to_owned();
    let features = std::fs::read_to_string(dir.join("features.txt")).expect("features.txt");
    let features: usize = features.trim().parse().expect("a number");
    let (trees, leaves, threads) = (number(2, 100), number(3, 31), number(4, 2));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let (train, y) = read(&dir, "train.f64", features);
    let (test, test_y) = read(&dir, "test.f64", features);
    // Held-out rows are binned together with the training rows, but not learnt from.
    let rows = train.rows;
    let both = Matrix {
        rows: rows + test.rows,
        columns: train.columns.iter().zip(&test.columns).map(|(a, b)| [a.as_slice(), b].concat()).collect(),
        kinds: train.kinds.clone(),
    };
    let label = [y, test_y.clone()].concat();
    let params = BoostingParams { trees, leaves, ..BoostingParams::default() };
    pool.install(|| {
        let (start, before) = (Instant::now(), cpu_seconds());
        let binned = Binned::new(&train);
        let bins = start.elapsed().as_secs_f64();
        let target = Target { label: &label[..rows], weight: None };
        let all: Vec<u32> = (0..rows as u32).collect();
        let model =
            boost(&binned, target, Rows { train: &all, watch: &[], own_level: false }, &params, &|| {})
                .expect("settings");
        let seconds = start.elapsed().as_secs_f64();
        let cpu = cpu_seconds() - before;
        println!("{seconds:.2} s ({bins:.2} s of it bins), {cpu:.2} CPU s, {} trees", model.trees.len());
        let binned = Binned::new(&both);
        let target = Target { label: &label, weight: None };
        let watch: Vec<u32> = (rows as u32..both.rows as u32).collect();
        let model =
            boost(&binned, target, Rows { train: &all, watch: &watch, own_level: false }, &params, &|| {})
                .expect("settings");
        println!("held-out log loss {:.5}", model.losses.last().copied().unwrap_or(f64::NAN));
    });
}
