//! Trains a recommender with default settings and prints recall@20 and NDCG@20 on a test file, with the time and the memory
//! that it took (of this process, as Linux tells them).
//!
//! `cargo run -p scorehouse-training --example recommend_eval -- TRAIN TEST [USER ITEM [TIME [WEIGHT]]]`
//!
//! Without column names both files are lists of numbers, `user item item …` a line (LightGCN's format); with
//! them, CSV files (`.gz` is read) with these columns. A user's training items are not suggested again.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use scorehouse_features::time::Timestamp;
use scorehouse_models::predictor::recommender::{Query, Recommender, Repeat, Scratch};
use scorehouse_training::Progress;
use scorehouse_training::fit::recommender::{FitSettings, InteractionLog, LogBuilder, Named, fit};
use scorehouse_training::metric::{RankedList, evaluate_lists};

#[expect(clippy::print_stdout, reason = "an example that prints its findings")]
fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (train, test, columns) = match arguments.as_slice() {
        [train, test, columns @ ..] => (train, test, columns),
        _ => bail!("give a training file, a test file and, for CSV files, column names"),
    };
    let begin = Instant::now();
    let log = read(train, columns)?;
    println!(
        "{} users, {} items, {} rows ({} set aside)",
        log.users.len(),
        log.items.len(),
        log.rows.len(),
        log.set_aside.total()
    );
    let settings = FitSettings { half_life: None, repeat: Repeat::Never, seed: 1 };
    let fitted = fit(&log, settings, &Stages { begin })?;
    println!("fitted in {:.1} s", begin.elapsed().as_secs_f64());
    for showing in &fitted.showings {
        print!("  held back: {:14} weight {:.3}", showing.name, showing.weight);
        for (name, estimate) in &showing.evaluation.metrics {
            print!("  {name} {:.4}", estimate.value);
        }
        println!();
    }
    println!(
        "  {:?} popularity half-life {:?} {:?}",
        fitted.blend,
        fitted.popularity_half_life.map(|s| s.to_string()),
        fitted.recommender.parts().strength,
    );
    let test = read(test, columns.get(..2).unwrap_or(&[]))?;
    measure(&fitted.recommender, &test);
    time_answers(&fitted.recommender);
    println!(
        "everything in {:.1} s, {:.1} s of processor time",
        begin.elapsed().as_secs_f64(),
        cpu_seconds()
    );
    println!("most memory at once: {:.2} GiB", peak_gibibytes());
    Ok(())
}

/// Processor seconds that this process has used, all threads together.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program may hold blanks; counting begins behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory that this process has held at once, in GiB.
fn peak_gibibytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN)
        / 1024.0
        / 1024.0
}

#[expect(clippy::print_stdout, reason = "an example that prints its findings")]
fn measure(recommender: &Recommender, test: &InteractionLog) {
    let parts = recommender.parts();
    let mut taken: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    let mut unknown = parts.items.len() as u32;
    let mut strangers: FxHashMap<u32, u32> = FxHashMap::default();
    for row in &test.rows {
        let Some(user) = parts.users.number(&test.users[row.user as usize]) else { continue };
        // An item that training never saw counts as missed.
        let item = parts.items.number(&test.items[row.item as usize]).unwrap_or_else(|| {
            *strangers.entry(row.item).or_insert_with(|| {
                unknown += 1;
                unknown
            })
        });
        taken.entry(user).or_default().push(item);
    }
    let mut taken: Vec<(u32, Vec<u32>)> = taken.into_iter().collect();
    taken.sort();
    taken.iter_mut().for_each(|(_, items)| items.sort_unstable());
    let lists: Vec<Vec<Vec<(u32, f32)>>> = taken
        .par_chunks(64)
        .map(|users| {
            let pasts: Vec<_> = users.iter().map(|(user, _)| parts.histories.of(*user)).collect();
            recommender.top(&pasts, parts.until, 20)
        })
        .collect();
    let lists: Vec<Vec<u32>> =
        lists.into_iter().flatten().map(|list| list.into_iter().map(|(item, _)| item).collect()).collect();
    let ranked: Vec<RankedList<'_>> =
        lists.iter().zip(&taken).map(|(suggested, (_, taken))| RankedList { suggested, taken }).collect();
    let evaluation = evaluate_lists(&ranked, parts.items.len(), 20, 500, 1);
    println!("{} users tested", evaluation.rows);
    for (name, estimate) in &evaluation.metrics {
        println!("{name} {:.4} ({:.4} to {:.4})", estimate.value, estimate.low, estimate.high);
    }
}

/// Times single answers on one core, the way a server gives them.
#[expect(clippy::print_stdout, reason = "an example that prints its findings")]
fn time_answers(recommender: &Recommender) {
    let parts = recommender.parts();
    let mut scratch = Scratch::default();
    let mut micros: Vec<u128> = Vec::new();
    for user in (0..parts.users.len()).step_by(parts.users.len().div_ceil(1000).max(1)) {
        let query = Query::user(parts.users.name(user), parts.until);
        let begin = Instant::now();
        recommender.recommend_with(&query, &mut |_| true, 20, &mut scratch);
        micros.push(begin.elapsed().as_micros());
    }
    micros.sort_unstable();
    let at = |share: usize| micros.get(micros.len() * share / 100).copied().unwrap_or_default();
    println!("one answer of 20 with reasons: median {} us, p99 {} us", at(50), at(99));
}

fn read(path: &str, columns: &[String]) -> anyhow::Result<InteractionLog> {
    let file = File::open(path).with_context(|| path.to_owned())?;
    let stream: Box<dyn Read> =
        if path.ends_with(".gz") { Box::new(flate2::read::GzDecoder::new(file)) } else { Box::new(file) };
    match columns {
        [] => read_lists(stream),
        [user, item, rest @ ..] => read_csv(stream, user, item, rest),
        [_] => bail!("give the names of the user and the item column"),
    }
}

fn read_lists(stream: impl Read) -> anyhow::Result<InteractionLog> {
    let mut builder = LogBuilder::new(false);
    for line in BufReader::new(stream).lines() {
        let line = line?;
        // A CSV file taken for such a list has hundreds of thousands of users and items, and takes hours.
        ensure!(
            !line.contains([',', ';']),
            "`{line}` is no list of numbers; for a CSV file, give the names of its columns: USER ITEM [TIME [WEIGHT]]"
        );
        let mut words = line.split_whitespace();
        let user = words.next().unwrap_or("");
        for item in words {
            builder.add(Named { user, item, weight: 1.0, time: None, basket: None });
        }
    }
    Ok(builder.finish())
}

fn read_csv(stream: impl Read, user: &str, item: &str, rest: &[String]) -> anyhow::Result<InteractionLog> {
    let mut reader = csv::Reader::from_reader(stream);
    let headers = reader.headers()?.clone();
    let position =
        |name: &str| headers.iter().position(|h| h == name).with_context(|| format!("column {name}"));
    let (user, item) = (position(user)?, position(item)?);
    let time = rest.first().map(|name| position(name)).transpose()?;
    let weight = rest.get(1).map(|name| position(name)).transpose()?;
    let mut builder = LogBuilder::new(time.is_some());
    for record in reader.records() {
        let record = record?;
        let weight = weight.map_or(Some(1.0), |at| record[at].parse().ok()).unwrap_or(f32::NAN);
        let time = time.and_then(|at| Timestamp::parse(&record[at]).ok());
        builder.add(Named { user: &record[user], item: &record[item], weight, time, basket: None });
    }
    Ok(builder.finish())
}

struct Stages {
    begin: Instant,
}

#[expect(clippy::print_stdout, reason = "an example that prints its progress")]
impl Progress for Stages {
    fn stage(&self, name: &str, _total: u64) {
        println!("{:7.1} s  {name}", self.begin.elapsed().as_secs_f64());
    }

    fn advance(&self, _by: u64) {}

    fn message(&self, text: &str) {
        println!("           {text}");
    }
}
