//! A small recommender by hand, asked and stored.

use proptest::prelude::*;
use scorehouse_features::time::{DAY, Span, Timestamp};

use scorehouse_features::value::{Value, ValueType};

use super::answer::Pool;
use super::*;
use crate::artifact::Sections;
use crate::predictor::{ForestBuilder, Scale, SplitRule, TreeNode};
use crate::{EncodedColumn, Encoder, InputField, Output, Signature, Transform};

const ITEMS: usize = 40;

fn number(seed: usize) -> f32 {
    ((seed * 2_654_435_761) % 1000) as f32 / 1000.0 - 0.3
}

fn neighbours() -> Neighbours {
    let (mut starts, mut targets, mut weights) = (vec![0], Vec::new(), Vec::new());
    for item in 0..ITEMS {
        for target in (0..ITEMS).filter(|t| (item * 7 + t * 3) % 5 == 0 && *t != item) {
            targets.push(target as u32);
            weights.push(number(item * ITEMS + target));
        }
        starts.push(targets.len() as u32);
    }
    Neighbours::new(ITEMS, starts, targets, weights).unwrap()
}

fn vectors(width: usize, seed: usize) -> Vec<f32> {
    (0..ITEMS * width).map(|at| number(at + seed)).collect()
}

fn parts() -> Parts {
    let names: Vec<String> = (0..ITEMS).map(|n| format!("item {n}")).collect();
    let component =
        |name: &str, weight, reads, learnt| Component { name: name.into(), weight, reads, learnt };
    let ridge = Fold::Ridge { unobserved: 0.1, regularisation: 0.1, exponent: 1.0 };
    let filter = Factors::new(ITEMS, 8, Fold::Sum, &vectors(8, 1), &vectors(8, 2)).unwrap();
    let factors = Factors::new(ITEMS, 6, ridge, &[], &vectors(6, 3)).unwrap();
    let past = |item, day| Past { item, weight: 1.0, last: Timestamp(day * DAY) };
    let (ann, bob) = (vec![past(3, 1), past(9, 40), past(20, 80)], vec![past(5, 90)]);
    Parts {
        items: Names::new(names.iter().map(String::as_str)).unwrap(),
        users: Names::new(["ann", "bob"]).unwrap(),
        histories: Histories::new([ann.as_slice(), bob.as_slice()]).unwrap(),
        strength: Strength { half_life: Some(Span(60 * DAY)), scale: WeightScale::Presence },
        repeat: Repeat::Never,
        components: vec![
            component("item_to_item", 1.0, Reads::Profile, Learnt::Neighbours(neighbours())),
            component("graph_filter", 0.5, Reads::Profile, Learnt::Factors(filter)),
            component("factors", 0.7, Reads::Profile, Learnt::Factors(factors)),
            component("basket", 0.3, Reads::Basket, Learnt::Neighbours(neighbours())),
        ],
        reranker: None,
        popularity: (0..ITEMS).map(|n| ((n * 13) % 40) as f32).collect(),
        popularity_weight: 0.0,
        lift: (0..ITEMS).map(|n| 0.5 + (n % 4) as f32 * 0.25).collect(),
        until: Timestamp(90 * DAY),
    }
}

fn recommender() -> Recommender {
    Recommender::new(parts()).unwrap()
}

fn now() -> Timestamp {
    Timestamp(100 * DAY)
}

fn names(answer: &[Recommended]) -> Vec<&str> {
    answer.iter().map(|r| r.item.as_str()).collect()
}

#[test]
fn a_stranger_gets_what_is_popular() {
    let answer = recommender().recommend(&Query::stranger(now()), &mut |_| true, 3);
    assert_eq!(names(&answer), ["item 3", "item 6", "item 9"]);
    assert!(answer.iter().all(|r| r.because.is_empty()));
    // So does somebody whom training never saw, or whose every item is unknown.
    let history = [Interaction { item: "gone", weight: 1.0, time: Timestamp(0) }];
    let query = Query { user: Some("eve"), history: Some(&history), ..Query::stranger(now()) };
    assert_eq!(names(&recommender().recommend(&query, &mut |_| true, 3)), ["item 3", "item 6", "item 9"]);
}

#[test]
fn a_known_user_is_answered_from_the_trained_history_as_from_the_same_live_one() {
    let recommender = recommender();
    let trained = recommender.recommend(&Query::user("ann", now()), &mut |_| true, 10);
    let at = |day| Timestamp(day * DAY);
    let history = [("item 20", 80), ("item 3", 1), ("item 9", 40)].map(|(item, day)| Interaction {
        item,
        weight: 1.0,
        time: at(day),
    });
    let query = Query { history: Some(&history), ..Query::stranger(now()) };
    assert_eq!(trained, recommender.recommend(&query, &mut |_| true, 10));
    assert!(trained.iter().all(|r| !["item 3", "item 9", "item 20"].contains(&r.item.as_str())));
}

#[test]
fn many_at_once_are_answered_as_one_by_one() {
    let recommender = recommender();
    let pasts: Vec<Vec<Past>> =
        (0..2).map(|user| recommender.parts().histories.of(user)).chain([vec![]]).collect();
    let lists = recommender.top(&pasts, now(), 7);
    for (list, user) in lists.iter().zip(["ann", "bob", "nobody"]) {
        let alone = recommender.recommend(&Query::user(user, now()), &mut |_| true, 7);
        assert_eq!(list.len(), alone.len());
        for ((item, score), suggested) in list.iter().zip(alone) {
            assert_eq!(recommender.parts().items.name(*item as usize), suggested.item);
            assert!((score - suggested.score).abs() < 1e-4);
        }
    }
}

#[test]
fn live_history_takes_the_place_of_the_trained_one() {
    let recommender = recommender();
    let query = Query { history: Some(&[]), ..Query::user("ann", now()) };
    let stranger = recommender.recommend(&Query::stranger(now()), &mut |_| true, 5);
    assert_eq!(recommender.recommend(&query, &mut |_| true, 5), stranger);
}

#[test]
fn contributions_add_up_to_the_score() {
    let recommender = recommender();
    let query = Query { basket: &["item 11", "item 30"], because: 99, ..Query::user("ann", now()) };
    let answer = recommender.recommend(&query, &mut |_| true, ITEMS);
    assert_eq!(answer.len(), ITEMS - 5);
    for suggested in &answer {
        let sum: f32 = suggested.because.iter().map(|b| b.contribution).sum();
        assert!((sum - suggested.score).abs() < 1e-3, "{suggested:?}");
    }
    assert!(answer[0].because.iter().any(|b| b.item == "item 11"));
}

/// Allows every second item and shows the last three found, the last first.
struct Backwards {
    asked: usize,
}

impl Storefront for Backwards {
    fn pool(&self) -> usize {
        10
    }

    fn allowed(&mut self, items: &[&str]) -> Vec<bool> {
        let odd = |_: &&str| {
            self.asked += 1;
            self.asked.is_multiple_of(2)
        };
        items.iter().map(odd).collect()
    }

    fn arrange(&mut self, found: ByRelevance) -> Vec<usize> {
        assert_eq!(found, ByRelevance { order: (0..10).collect(), values: Vec::new() });
        // A number that no candidate has shows nothing.
        found.order.into_iter().rev().take(3).chain([99]).collect()
    }
}

#[test]
fn a_storefront_decides_what_is_shown_and_where_and_reasons_still_add_up() {
    let recommender = recommender();
    let query = Query { because: 99, ..Query::user("ann", now()) };
    let all = recommender.recommend(&query, &mut |_| true, 20);
    let shown = recommender.recommend_at(&query, &mut Backwards { asked: 0 });
    assert_eq!(shown, [19, 17, 15].map(|at: usize| all[at].clone()));
    for suggested in &shown {
        let sum: f32 = suggested.because.iter().map(|b| b.contribution).sum();
        assert!((sum - suggested.score).abs() < 1e-3, "{suggested:?}");
    }
}

#[test]
fn the_basket_is_never_suggested_and_changes_the_answer() {
    let recommender = recommender();
    let plain = recommender.recommend(&Query::stranger(now()), &mut |_| true, 5);
    let query = Query { basket: &["item 3", "no such item", "item 3"], ..Query::stranger(now()) };
    let answer = recommender.recommend(&query, &mut |_| true, 5);
    assert!(!names(&answer).contains(&"item 3"));
    assert_ne!(names(&plain)[1..], names(&answer)[..4]);
}

#[test]
fn what_was_bought_comes_again_when_the_rule_allows_it() {
    let suggested = |repeat, as_of| {
        let recommender = Recommender::new(Parts { repeat, ..parts() }).unwrap();
        let answer = recommender.recommend(&Query::user("ann", as_of), &mut |_| true, ITEMS);
        ["item 3", "item 9", "item 20"].map(|item| names(&answer).contains(&item))
    };
    assert_eq!(suggested(Repeat::Never, now()), [false; 3]);
    assert_eq!(suggested(Repeat::Always, now()), [true; 3]);
    assert_eq!(suggested(Repeat::After(Span(50 * DAY)), now()), [true, true, false]);
}

#[test]
fn a_question_about_the_past_sees_nothing_later() {
    let recommender = recommender();
    let answer = recommender.recommend(&Query::user("bob", Timestamp(89 * DAY)), &mut |_| true, 5);
    assert_eq!(answer, recommender.recommend(&Query::stranger(Timestamp(89 * DAY)), &mut |_| true, 5));
}

proptest! {
    #[test]
    fn any_rule_gets_the_best_of_what_it_lets_through(allowed in prop::collection::vec(any::<bool>(), ITEMS), n in 0usize..50) {
        let recommender = recommender();
        let all = recommender.recommend(&Query::user("ann", now()), &mut |_| true, ITEMS);
        let passes = |name: &str| allowed[name.trim_start_matches("item ").parse::<usize>().unwrap()];
        let answer = recommender.recommend(&Query::user("ann", now()), &mut |name| passes(name), n);
        let expected: Vec<&Recommended> = all.iter().filter(|r| passes(&r.item)).take(n).collect();
        prop_assert_eq!(answer.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn damaged_settings_are_refused_or_harmless(at in 0usize..4, value in prop::num::f32::ANY, cut in 0usize..40) {
        let mut parts = parts();
        match at {
            0 => parts.popularity[cut] = value,
            1 => parts.lift[cut] = value,
            2 => parts.components[0].weight = value,
            _ => parts.popularity.truncate(cut),
        }
        if let Ok(recommender) = Recommender::new(parts) {
            recommender.recommend(&Query::user("ann", now()), &mut |_| true, 5);
        }
    }
}

#[test]
fn it_comes_back_from_its_sections_as_it_was() {
    let recommender = recommender();
    let mut sections = Sections::default();
    recommender.write("predictor", &mut sections).unwrap();
    assert_eq!(Recommender::read("predictor", &sections).unwrap(), recommender);
    assert!(Recommender::read("other", &sections).is_err());
}

#[test]
fn sections_that_do_not_fit_are_refused() {
    let recommender = recommender();
    let mut whole = Sections::default();
    recommender.write("p", &mut whole).unwrap();
    let settings: serde_json::Value = whole.json("p").unwrap();
    let changes: [(&str, serde_json::Value); 6] = [
        ("layout", 2.into()),
        ("items", 39.into()),
        ("users", 3.into()),
        ("popularity_weight", serde_json::Value::Null),
        ("components", serde_json::json!([])),
        ("surprise", 1.into()),
    ];
    for (key, value) in changes {
        let mut settings = settings.clone();
        settings[key] = value;
        let mut sections = Sections::default();
        sections.put_json("p", &settings).unwrap();
        sections.put_tensors("p.arrays", &whole.tensors("p.arrays").unwrap()).unwrap();
        let read = Recommender::read("p", &sections);
        // Components may be fewer than there are arrays; anything else must be refused.
        assert_eq!(read.is_ok(), key == "components", "{key}");
    }
    for name in ["lift", "popularity", "component.1.output"] {
        let mut tensors = whole.tensors("p.arrays").unwrap();
        match name {
            "lift" => tensors.put_f32(name, [1.0; 39]),
            "popularity" => tensors.put_f32(name, [f32::NAN; ITEMS]),
            _ => tensors.put_u16(name, [0x7f80; ITEMS * 8]),
        }
        let mut sections = Sections::default();
        sections.put_json("p", &settings).unwrap();
        sections.put_tensors("p.arrays", &tensors).unwrap();
        assert!(Recommender::read("p", &sections).is_err(), "{name}");
    }
}

/// A recommender that looks a second time: a product's price above 50 takes it to the front.
fn with_second_look() -> Recommender {
    let inputs = OWN.iter().map(|name| (*name).to_owned());
    let inputs = inputs.chain(["a", "b", "c"].map(str::to_owned)).chain(["product.price".to_owned()]);
    let field = |name| InputField { name, value_type: ValueType::Float, words: None, group: None };
    let inputs: Vec<InputField> = inputs.map(field).collect();
    let price = inputs.len() - 1;
    let signature =
        Signature { entity: None, feature_set: None, inputs: inputs.clone(), output: Output::Value };
    let column = EncodedColumn::new(price, Transform::Number);
    let mut builder = ForestBuilder::new(1, 0.0, Scale::LogOdds);
    let leaf = |value| TreeNode::Leaf { value, cover: 1.0 };
    let split =
        TreeNode::Split { column: 0, rule: SplitRule::AtMost(50.0), missing_left: true, left: 1, right: 2 };
    builder.add(&[split, leaf(0.0), leaf(9.0)]).unwrap();
    let read = FactsRead { features: vec!["shelf.price".parse().unwrap()], hash: "h".into() };
    let reranker = Reranker {
        inputs,
        customer: FactsRead::default(),
        product: read,
        encoder: Encoder::new(vec![column], &signature).unwrap(),
        forest: builder.finish(),
    };
    Recommender::new(Parts { reranker: Some(reranker), ..parts() }).unwrap()
}

/// Every third candidate costs 80, the others 20, or nobody knows.
struct Priced {
    knows: bool,
    values: Vec<f64>,
}

impl Storefront for Priced {
    fn pool(&self) -> usize {
        9
    }

    fn allowed(&mut self, items: &[&str]) -> Vec<bool> {
        vec![true; items.len()]
    }

    fn facts(&mut self, candidate: usize, facts: &mut Vec<Value>) -> bool {
        facts.push(Value::Float(if candidate % 3 == 2 { 80.0 } else { 20.0 }));
        self.knows
    }

    fn arrange(&mut self, found: ByRelevance) -> Vec<usize> {
        self.values = found.values;
        found.order
    }
}

#[test]
fn a_second_look_reorders_by_what_is_known_of_products_and_reasons_still_add_up() {
    let recommender = with_second_look();
    let query = Query { because: 99, ..Query::user("ann", now()) };
    let all = recommender.recommend(&query, &mut |_| true, 9);
    let mut shelf = Priced { knows: true, values: Vec::new() };
    let shown = recommender.recommend_at(&query, &mut shelf);
    assert_eq!(shown, [2, 5, 8, 0, 1, 3, 4, 6, 7].map(|at: usize| all[at].clone()));
    assert_eq!(shelf.values.len(), 9);
    let sum = |of: &Recommended| of.because.iter().map(|b| b.contribution).sum::<f32>();
    assert!(shown.iter().all(|suggested| (sum(suggested) - suggested.score).abs() < 1e-3));
    let mut stranger = Priced { knows: true, values: Vec::new() };
    let popular = recommender.recommend(&Query::stranger(now()), &mut |_| true, 9);
    let query_of_stranger = Query::stranger(now());
    assert_eq!(recommender.recommend_at(&query_of_stranger, &mut stranger), popular);
    let mut blind = Priced { knows: false, values: Vec::new() };
    assert_eq!(recommender.recommend_at(&query, &mut blind), all);
    assert!(blind.values.is_empty());
}

#[test]
fn what_components_say_of_a_candidate_adds_up_to_its_score() {
    let recommender = with_second_look();
    let (known, mut space) = (recommender.know(&Query::user("ann", now())), Vec::new());
    let voices = recommender.voices(&known, &mut space);
    let items: Vec<(u32, f32)> =
        (0..ITEMS as u32).map(|item| (item, recommender.score(&voices, item))).collect();
    let pool = Pool { items: &items, known: &known, voices: &voices };
    let parts = recommender.parts();
    for item in 0..ITEMS {
        let row = recommender.standing(&pool, item, now());
        let said = |at: usize| match row[OWN.len() + at] {
            Value::Float(said) => said as f32,
            _ => panic!("{row:?}"),
        };
        let weights = parts.components.iter().filter(|c| c.reads == Reads::Profile).map(|c| c.weight);
        let sum: f32 = weights.enumerate().map(|(at, weight)| weight * said(at)).sum();
        let score = items[item].1 / parts.lift[item];
        assert!((sum - score).abs() < 1e-3, "{item}: {sum} against {score}");
    }
}

#[test]
fn a_second_look_is_stored_in_a_layout_of_its_own() {
    let recommender = with_second_look();
    let mut sections = Sections::default();
    recommender.write("predictor", &mut sections).unwrap();
    assert_eq!(Recommender::read("predictor", &sections).unwrap(), recommender);
    let layout = |of: &Recommender| {
        let mut sections = Sections::default();
        of.write("p", &mut sections).unwrap();
        sections.json::<serde_json::Value>("p").unwrap()["layout"].clone()
    };
    assert_eq!((layout(&recommender), layout(&super::tests::recommender())), (2.into(), 1.into()));
}

#[test]
fn a_second_look_that_does_not_fit_is_refused() {
    let parts = |change: fn(&mut Reranker)| {
        let mut parts = with_second_look().parts().clone();
        if let Some(reranker) = &mut parts.reranker {
            change(reranker);
        }
        Recommender::new(parts)
    };
    assert!(parts(|_| ()).is_ok());
    assert!(parts(|r| r.inputs.truncate(4)).is_err());
    assert!(parts(|r| r.product.features.clear()).is_err());
    assert!(
        parts(|r| r.encoder = Encoder::new(
            Vec::new(),
            &Signature { entity: None, feature_set: None, inputs: r.inputs.clone(), output: Output::Value }
        )
        .unwrap())
        .is_err()
    );
}
