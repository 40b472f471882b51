#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use scorehouse_features::time::{DAY, Span, Timestamp};

use super::beside::Sides;
use super::read::{List, Part};
use super::worth::{ListQuality, Outcome};
use super::{Fate, Told};

const HORIZON: Span = Span(30 * DAY);

fn list(day: i64, items: &[u32]) -> List {
    let at = Timestamp(day * DAY);
    let (n, basket, request) = (items.len(), Box::default(), "{}".into());
    List { at, as_of: at, version: 1, n, basket, request, items: items.into() }
}

fn told<'a>(customer: usize, list: &'a List, taken: &[u32]) -> Told<'a> {
    Told { customer: customer as u32, list, fate: Fate::Judged(Outcome::of(list, taken)) }
}

/// One of these lists per customer; every `of`-th customer bought product 7.
fn lists(list: &List, customers: usize, of: usize) -> Vec<Told<'_>> {
    let bought = |at: usize| if at.is_multiple_of(of) { &[7][..] } else { &[] };
    (0..customers).map(|at| told(at, list, bought(at))).collect()
}

#[test]
fn an_outcome_is_what_it_is_by_hand() {
    let outcome = Outcome::of(&List { n: 4, ..list(0, &[5, 1, 9]) }, &[1, 2, 7, 9]);
    assert_eq!((outcome.hits, outcome.places, outcome.bought), (2, 5, true));
    assert!((outcome.precision - 2.0 / 3.0).abs() < 1e-12 && (outcome.recall - 0.5).abs() < 1e-12);
    let gain = |place: f64| 1.0 / (place + 1.0).log2();
    let best = gain(1.0) + gain(2.0) + gain(3.0) + gain(4.0);
    assert!((outcome.ndcg - (gain(2.0) + gain(3.0)) / best).abs() < 1e-12, "four were asked for");
    let nothing = Outcome::of(&list(0, &[]), &[]);
    assert_eq!((nothing.hits, nothing.precision, nothing.bought), (0, 0.0, false));
}

#[test]
fn lists_repeated_for_the_same_customers_do_not_make_a_hit_rate_surer() {
    let shown = list(0, &[7]);
    let once: Vec<(u32, Outcome)> =
        lists(&shown, 100, 4).iter().map(|told| (told.customer, told.fate.judged().unwrap())).collect();
    let width = |judged: &[(u32, Outcome)]| {
        let rate = ListQuality::of(judged).hit_rate.unwrap();
        assert!((rate.value - 0.25).abs() < 1e-12 && rate.low < 0.25 && 0.25 < rate.high);
        rate.high - rate.low
    };
    assert!((width(&once.repeat(9)) / width(&once) - 1.0).abs() < 0.05);
    let others: Vec<(u32, Outcome)> =
        (0..900).map(|customer| (customer, once[customer as usize % 100].1)).collect();
    assert!(width(&others) < 0.4 * width(&once), "as many customers do");
    let sold_nothing: Vec<(u32, Outcome)> = once.iter().filter(|(_, one)| !one.bought).copied().collect();
    let quality = ListQuality::of(&sold_nothing);
    let rate = quality.hit_rate.unwrap();
    assert!(rate.value == 0.0 && rate.low == 0.0 && rate.high > 0.03, "{rate:?}");
    assert_eq!((quality.recall, quality.ndcg, quality.position), (None, None, None));
    assert_eq!(ListQuality::of(&[]), ListQuality::default());
    let alone = ListQuality::of(&[once[0]]).hit_rate.unwrap();
    assert!(alone.low < 0.5 && alone.high == 1.0, "one list is next to nothing: {alone:?}");
}

/// What lies side by side of champion and challenger of a split.
fn split<'a>(champion: &[Told<'a>], challenger: &[Told<'a>]) -> (usize, &'static str, String) {
    let of = |part: Part| match part {
        Part::Champion => champion.to_vec(),
        Part::Challenger => challenger.to_vec(),
        _ => Vec::new(),
    };
    let (reports, comparison) = Sides { of: &of, pairs: Vec::new(), horizon: HORIZON }.reports();
    let comparison = comparison.unwrap();
    (reports[0].counted, comparison.verdict, comparison.words)
}

#[test]
fn only_what_the_champion_answered_while_a_challenger_did_is_laid_beside_it() {
    let (early, late) = (list(1, &[7]), list(50, &[7]));
    // Everybody bought before the split began, every fourth customer since.
    let mut champion = lists(&early, 200, 1);
    champion.extend(lists(&late, 200, 4));
    let (counted, verdict, words) = split(&champion, &lists(&late, 200, 4));
    assert_eq!((counted, verdict), (200, "alike"), "{words}");
    let (_, verdict, words) = split(&champion, &lists(&late, 200, 2));
    assert_eq!(verdict, "better", "{words}");
    assert!(words.contains("50.0 % and 25.0 %") && words.contains("+25.0 points"), "{words}");
    assert_eq!(split(&champion, &lists(&late, 200, 100)).1, "worse");
}

#[test]
fn few_lists_or_few_customers_are_not_compared() {
    let shown = list(1, &[7]);
    let enough = lists(&shown, 200, 4);
    assert_eq!(split(&enough, &lists(&shown, 39, 2)).1, "not_compared");
    let of_ten: Vec<Told<'_>> =
        lists(&shown, 200, 2).into_iter().map(|told| Told { customer: told.customer % 10, ..told }).collect();
    let (_, verdict, words) = split(&enough, &of_ten);
    assert_eq!(verdict, "not_compared", "{words}");
    assert!(words.ends_with("are too few to compare on"), "{words}");
    assert_eq!(split(&lists(&shown, 200, 300), &lists(&shown, 200, 300)).1, "not_compared", "two hits");
    assert_eq!(split(&lists(&shown, 200, 300), &enough).1, "better", "one side may have next to none");
}

#[test]
fn what_was_tried_out_last_is_compared() {
    let (before, since) = (list(1, &[7]), list(50, &[7]));
    let (alone, split) = (lists(&before, 100, 4), lists(&since, 100, 4));
    let of = |part: Part| match part {
        Part::Alone | Part::Shadow => alone.clone(),
        Part::Champion | Part::Challenger => split.clone(),
        _ => Vec::new(),
    };
    let pairs = || alone.iter().map(|told| (*told, *told)).collect();
    let (reports, comparison) = Sides { of: &of, pairs: pairs(), horizon: HORIZON }.reports();
    let names: Vec<&str> = reports.iter().map(|report| report.variant.as_str()).collect();
    assert_eq!((names, comparison.unwrap().paired), (vec!["champion", "challenger", "shadow"], false));
    let only =
        |part: Part| if matches!(part, Part::Alone | Part::Shadow) { alone.clone() } else { Vec::new() };
    let (reports, comparison) = Sides { of: &only, pairs: pairs(), horizon: HORIZON }.reports();
    let comparison = comparison.unwrap();
    assert_eq!((reports.len(), comparison.paired, comparison.verdict), (2, true, "alike"));
    let difference = comparison.difference.unwrap();
    assert_eq!((difference.hit_rate.low, difference.hit_rate.high), (0.0, 0.0), "they are the same lists");
    let none = |_: Part| Vec::new();
    assert_eq!(Sides { of: &none, pairs: Vec::new(), horizon: HORIZON }.reports(), (Vec::new(), None));
}
