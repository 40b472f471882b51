//! One answer of 20 items out of 40 000 on one core, under a rule, with reasons: 128 factors with a ridge for
//! each customer, and item-to-item weights of 150 neighbours.
//!
//! `cargo run -p scorehouse-bench --example recommend`

use std::time::Instant;

use scorehouse_features::time::{DAY, Span, Timestamp};
use scorehouse_models::predictor::recommender::{
    Component, Factors, Fold, Histories, Interaction, Learnt, Names, Neighbours, Parts, Query, Reads,
    Recommender, Repeat, Scratch, Strength, WeightScale,
};

const ITEMS: usize = 40_000;
const WIDTH: usize = 128;
const NEIGHBOURS: usize = 150;
const HISTORY: usize = 40;
const QUESTIONS: usize = 2_000;

#[expect(clippy::print_stdout, reason = "a measurement prints its figures")]
fn main() -> anyhow::Result<()> {
    let ridge = Fold::Ridge { unobserved: 0.01, regularisation: 0.003, exponent: 1.0 };
    let factors = Learnt::Factors(Factors::new(ITEMS, WIDTH, ridge, &[], &vectors(1))?);
    let filter = Learnt::Factors(Factors::new(ITEMS, WIDTH, Fold::Sum, &vectors(2), &vectors(3))?);
    let neighbours = Learnt::Neighbours(neighbours()?);
    println!("{ITEMS} items, histories of {HISTORY}, every second item allowed, {QUESTIONS} questions");
    for (name, learnt) in [
        ("item to item", vec![neighbours.clone()]),
        ("128 factors, sum", vec![filter.clone()]),
        ("128 factors, ridge", vec![factors.clone()]),
        ("all three", vec![neighbours, filter, factors]),
    ] {
        let recommender = recommender(learnt)?;
        for because in [0, 3] {
            let mut micros = times(&recommender, because);
            micros.sort_by(f64::total_cmp);
            let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
            println!(
                "{name:20} {because} reasons: fastest {:7.1} us, median {:7.1} us, p99 {:7.1} us",
                at(0.0),
                at(0.5),
                at(0.99)
            );
        }
    }
    Ok(())
}

fn times(recommender: &Recommender, because: usize) -> Vec<f64> {
    let names: Vec<String> = (0..ITEMS).map(|n| format!("item {n}")).collect();
    let mut scratch = Scratch::default();
    (0..QUESTIONS)
        .map(|question| {
            let interaction = |n: usize| Interaction {
                item: &names[draw(question * HISTORY + n) % ITEMS],
                weight: 1.0,
                time: Timestamp(n as i64 * DAY),
            };
            let history: Vec<Interaction<'_>> = (0..HISTORY).map(interaction).collect();
            let as_of = Timestamp(HISTORY as i64 * DAY);
            let query = Query { history: Some(&history), because, ..Query::stranger(as_of) };
            let begin = Instant::now();
            let mut allowed = |item: &str| item.len().is_multiple_of(2) || item.ends_with('1');
            let answer = recommender.recommend_with(&query, &mut allowed, 20, &mut scratch);
            let micros = begin.elapsed().as_secs_f64() * 1e6;
            assert!(answer.len() == 20);
            micros
        })
        .collect()
}

fn draw(seed: usize) -> usize {
    let x = (seed as u64 ^ 0x5bf0_3635).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as usize
}

fn vectors(seed: usize) -> Vec<f32> {
    (0..ITEMS * WIDTH).map(|at| (draw(at * 4 + seed) % 2000) as f32 / 1e4 - 0.1).collect()
}

fn neighbours() -> anyhow::Result<Neighbours> {
    let (mut starts, mut targets, mut weights) = (vec![0u32], Vec::new(), Vec::new());
    for item in 0..ITEMS {
        let mut row: Vec<u32> =
            (0..NEIGHBOURS).map(|n| (draw(item * NEIGHBOURS + n) % ITEMS) as u32).collect();
        row.sort_unstable();
        row.dedup();
        weights.extend(row.iter().map(|target| (target % 97) as f32 / 97.0));
        targets.extend(row);
        starts.push(targets.len() as u32);
    }
    Ok(Neighbours::new(ITEMS, starts, targets, weights)?)
}

fn recommender(learnt: Vec<Learnt>) -> anyhow::Result<Recommender> {
    let names: Vec<String> = (0..ITEMS).map(|n| format!("item {n}")).collect();
    let component =
        |learnt| Component { name: "component".to_owned(), weight: 1.0, reads: Reads::Profile, learnt };
    Ok(Recommender::new(Parts {
        items: Names::new(names.iter().map(String::as_str))?,
        users: Names::new([])?,
        histories: Histories::new([])?,
        strength: Strength { half_life: Some(Span(30 * DAY)), scale: WeightScale::Presence },
        repeat: Repeat::Never,
        components: learnt.into_iter().map(component).collect(),
        reranker: None,
        popularity: (0..ITEMS).map(|n| (draw(n) % 1000) as f32).collect(),
        popularity_weight: 0.1,
        lift: vec![1.0; ITEMS],
        until: Timestamp(HISTORY as i64 * DAY),
    })?)
}
