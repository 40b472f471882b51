//! Answers beside those of a scan of every item.

use proptest::prelude::*;
use scorehouse_features::time::{DAY, Span, Timestamp};

use super::*;

/// What one component is made from: its kind, how wide its vectors are, how fine its numbers, its weight.
type Kind = (u8, usize, u8, f32);

/// A number from -1 to 1; coarse ones make many scores the same.
fn number(seed: usize, fine: u8) -> f32 {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let share = ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32 / (1 << 24) as f32;
    match fine {
        0 => (share * 3.0).floor() - 1.0,
        1 => 2.0 * share - 1.0,
        // Few items tower over the others.
        _ => (2.0 * share - 1.0).powi(9) * 1e3,
    }
}

fn component((kind, width, fine, weight): Kind, items: usize, seed: usize) -> Component {
    let vectors = |seed: usize| -> Vec<f32> { (0..items * width).map(|n| number(n + seed, fine)).collect() };
    let ridge = Fold::Ridge { unobserved: 0.1, regularisation: 0.05, exponent: 0.5 };
    let learnt = match kind {
        0 => Learnt::Factors(
            Factors::new(items, width, Fold::Sum, &vectors(seed), &vectors(seed + 7)).unwrap(),
        ),
        1 => Learnt::Factors(Factors::new(items, width, ridge, &[], &vectors(seed)).unwrap()),
        _ => {
            let near = |item: usize| {
                (0..items).filter(move |target| (item * 7 + target * 3 + seed).is_multiple_of(5))
            };
            let starts = std::iter::once(0).chain((0..items).scan(0, |sum, item| {
                *sum += near(item).count() as u32;
                Some(*sum)
            }));
            let targets: Vec<u32> = (0..items).flat_map(near).map(|target| target as u32).collect();
            let weights = (0..targets.len()).map(|n| number(n + seed, fine)).collect();
            Learnt::Neighbours(Neighbours::new(items, starts.collect(), targets, weights).unwrap())
        }
    };
    Component {
        name: "part".into(),
        weight,
        reads: if kind == 3 { Reads::Basket } else { Reads::Profile },
        learnt,
    }
}

proptest! {
    #[test]
    fn answers_are_those_of_a_full_scan_bit_for_bit(
        items in 1usize..300,
        kinds in prop::collection::vec((0u8..4, 1usize..40, 0u8..3, -2.0f32..4.0), 0..4),
        (seed, share, lifted) in (0usize..1 << 20, -0.2f32..0.4, any::<bool>()),
        history in prop::collection::vec(0usize..300, 0..12),
        basket in prop::collection::vec(0usize..300, 0..3),
        modulus in 1usize..9,
    ) {
        let names: Vec<String> = (0..items).map(|n| format!("item {n}")).collect();
        let components = kinds.into_iter().zip(0..).map(|(kind, at)| component(kind, items, seed + at * 1000)).collect();
        let recommender = Recommender::new(Parts {
            items: Names::new(names.iter().map(String::as_str)).unwrap(),
            users: Names::new([]).unwrap(),
            histories: Histories::new([]).unwrap(),
            strength: Strength { half_life: Some(Span(9 * DAY)), scale: WeightScale::Presence },
            repeat: Repeat::Never,
            components,
            popularity: (0..items).map(|n| (number(n + seed, 0) + 1.0) * 5.0).collect(),
            reranker: None,
            popularity_weight: share,
            lift: (0..items).map(|n| if lifted { 1.5 + number(n + seed, 1) } else { 1.0 }).collect(),
            until: Timestamp(0),
        })
        .unwrap();
        let bought = |(item, day): (&usize, i64)| Interaction {
            item: &names[item % items],
            weight: 1.0,
            time: Timestamp(day * DAY),
        };
        let history: Vec<Interaction<'_>> = history.iter().zip(0..).map(bought).collect();
        let basket: Vec<&str> = basket.iter().map(|item| names[item % items].as_str()).collect();
        let query = Query { history: Some(&history), basket: &basket, ..Query::stranger(Timestamp(20 * DAY)) };
        let passes = |name: &str| usize::from(name.as_bytes()[name.len() - 1]) % 9 >= modulus - 1;
        let answer = recommender.recommend(&query, &mut |name| passes(name), items);
        let full = recommender.full_scan(&query);
        let expected: Vec<(String, u32)> =
            full.into_iter().filter(|(name, _)| passes(name)).map(|(name, score)| (name, score.to_bits())).collect();
        let got: Vec<(String, u32)> = answer.into_iter().map(|r| (r.item, r.score.to_bits())).collect();
        prop_assert_eq!(&got[..], &expected[..]);
        let first: Vec<String> = recommender.recommend(&query, &mut |name| passes(name), 3).into_iter().map(|r| r.item).collect();
        let three: Vec<String> = expected.into_iter().take(3).map(|(name, _)| name).collect();
        prop_assert_eq!(first, three);
    }
}
