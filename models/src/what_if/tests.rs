use proptest::prelude::*;

use scorehouse_features::definition::Direction;
use scorehouse_features::value::{Missing, Value, ValueType};

use super::*;
use crate::artifact::samples::{artifacts, rows, signature};
use crate::score::{ScoringModel, Scratch};

fn number(bounds: [f64; 2]) -> Lever {
    let seen = vec![bounds[0], (bounds[0] + bounds[1]) / 2.0, bounds[1]];
    let (direction, step, levels) = (None, None, Vec::new());
    Lever { input: 0, direction, bounds, step, spread: 100.0, seen, levels }
}

fn plan() -> Lever {
    let levels = ["basic", "gold", "iron"].map(String::from).to_vec();
    Lever { input: 1, levels, ..number([0.0, 1.0]) }
}

fn called() -> Lever {
    Lever { input: 3, direction: Some(Direction::Up), ..number([0.0, 1.0]) }
}

fn floats(choices: &[Choice]) -> Vec<f64> {
    choices.iter().map(|c| if let Value::Float(x) = c.value { x } else { f64::NAN }).collect()
}

#[test]
fn choices_stand_on_both_sides_of_every_threshold_and_nowhere_else_but_on_what_was_seen() {
    let lever = Lever { seen: vec![], ..number([0.0, 40.0]) };
    let choices = lever.choices(&Value::Float(10.0), ValueType::Float, &[-5.0, 7.25, 12.5, 90.0]);
    // Either side of the threshold below and of the one above, the roundest number beyond each, and the ends.
    assert_eq!(floats(&choices), [8.0, 12.5, 7.25, 13.0, 0.0, 40.0]);
    assert_eq!(choices[0].effort, 0.02);
    let whole = lever.choices(&Value::Int(10), ValueType::Int, &[12.5]);
    let whole: Vec<&Value> = whole.iter().map(|choice| &choice.value).collect();
    assert_eq!(whole, [&Value::Int(12), &Value::Int(13), &Value::Int(0), &Value::Int(40)]);
}

#[test]
fn steps_and_directions_are_kept() {
    let lever = Lever { step: Some(5.0), direction: Some(Direction::Down), ..number([0.0, 40.0]) };
    let choices = lever.choices(&Value::Float(12.0), ValueType::Float, &[3.3]);
    assert_eq!(floats(&choices), [7.0, 2.0]);
    assert_eq!(called().choices(&Value::Bool(true), ValueType::Bool, &[]), []);
    assert_eq!(called().choices(&Value::Bool(false), ValueType::Bool, &[])[0].value, Value::Bool(true));
    let texts = plan().choices(&Value::Text("gold".into()), ValueType::Text, &[]);
    assert_eq!(texts.len(), 2);
    assert_eq!(lever.choices(&Value::Missing(Missing::NeverSeen), ValueType::Float, &[]), []);
}

#[test]
fn the_smallest_of_several_single_changes_is_found_and_pairs_only_without_one() {
    let choice = |effort| Choice { value: Value::Float(effort), effort };
    let levers = vec![vec![choice(1.0), choice(2.0), choice(3.0)], vec![choice(0.5), choice(2.5)]];
    let worth = [[0.1, 0.2, 0.5], [0.1, 0.3, 0.3]];
    let mut evaluate =
        |moves: &[(usize, usize)]| Ok::<_, ()>(moves.iter().map(|(l, c)| worth[*l][*c]).sum::<f64>());
    let mut least = |threshold: f64| search(&levers, Goal { threshold, up: true, changes: 2 }, &mut evaluate);
    assert_eq!(least(0.15).unwrap().unwrap().moves, [(0, 1)]);
    assert_eq!(least(0.25).unwrap().unwrap().moves, [(1, 1)], "2.5 is less than 3");
    let pair = least(0.55).unwrap().unwrap();
    assert_eq!((pair.moves, pair.reached), (vec![(0, 2), (1, 0)], true));
    let never = least(0.99).unwrap().unwrap();
    assert_eq!((never.moves, never.reached), (vec![(0, 2), (1, 1)], false));
}

#[test]
fn levers_survive_the_artifact_and_must_fit_its_inputs() {
    for (kind, artifact) in artifacts() {
        let levers = vec![number([0.0, 9_000.0]), plan(), called()];
        let kept = artifact.clone().with_levers(levers.clone()).unwrap();
        let back = crate::Artifact::from_bytes(&kept.to_bytes().unwrap()).unwrap();
        assert_eq!(back.levers, levers, "{kind}");
        for input in [2, 9] {
            assert!(artifact.clone().with_levers(vec![Lever { input, ..plan() }]).is_err());
        }
    }
}

#[test]
fn a_forest_is_searched_exactly_for_one_change() {
    let forest = artifacts().swap_remove(1).1;
    let lever = Lever { spread: 1.0, ..number([0.0, 9_000.0]) };
    let model = ScoringModel::load(&forest.with_levers(vec![lever]).unwrap()).unwrap();
    let (values, as_of) = rows().swap_remove(0);
    let score = |amount: f64| {
        let mut values = values.clone();
        values[0] = Value::Float(amount);
        model.score(&values, as_of, 0, &mut Scratch::default()).unwrap().output
    };
    let now = score(250.0);
    let choices = model.choices(&values);
    let goal = Goal::across(now + 0.01, now, 1);
    let amount = |moves: &[(usize, usize)]| match choices[moves[0].0][moves[0].1].value {
        Value::Float(amount) => amount,
        _ => f64::NAN,
    };
    let found = search(&choices, goal, &mut |moves| Ok::<_, ()>(score(amount(moves)))).unwrap().unwrap();
    assert!(found.reached);
    // Up to 1000 the first tree goes the other way: nothing nearer than just above it changes the score.
    assert!(amount(&found.moves) > 1000.0 && amount(&found.moves) <= 1001.0);
    let nearer = (0..=1000).find(|amount| goal.reached(score(f64::from(*amount))));
    assert_eq!(nearer, None);
}

proptest! {
    #[test]
    fn nothing_implausible_and_nothing_that_people_cannot_change_is_proposed(
        amount in -100.0..10_000.0_f64,
        (least, width) in (-50.0..5_000.0_f64, 0.0..4_000.0_f64),
        step in proptest::option::of(0.5..500.0_f64),
        way in proptest::option::of(any::<bool>()),
        threshold in 0.0..1.0_f64,
        thresholds in proptest::collection::vec(-200.0..9_000.0_f64, 0..12),
    ) {
        let direction = way.map(|up| if up { Direction::Up } else { Direction::Down });
        let lever = Lever { direction, step, ..number([least, least + width]) };
        let now = Value::Float(amount);
        let mut sorted = thresholds;
        sorted.sort_by(f64::total_cmp);
        for choice in lever.choices(&now, ValueType::Float, &sorted) {
            prop_assert!(lever.allows(&now, &choice.value), "{choice:?}");
        }
        for (_, artifact) in artifacts() {
            let levers = vec![lever.clone(), plan(), called()];
            let model = ScoringModel::load(&artifact.with_levers(levers.clone()).unwrap()).unwrap();
            let (mut values, as_of) = rows().swap_remove(1);
            values[0] = now.clone();
            let score = |values: &[Value]| model.score(values, as_of, 0, &mut Scratch::default()).unwrap().output;
            let choices = model.choices(&values);
            let changed = |moves: &[(usize, usize)]| {
                let mut changed = values.clone();
                for (lever, choice) in moves {
                    changed[levers[*lever].input] = choices[*lever][*choice].value.clone();
                }
                changed
            };
            let goal = Goal::across(threshold, score(&values), 3);
            let found = search(&choices, goal, &mut |moves| Ok::<_, ()>(score(&changed(moves)))).unwrap();
            let Some(found) = found else { continue };
            let to = changed(&found.moves);
            prop_assert_eq!(score(&to), found.probability);
            prop_assert_eq!(goal.reached(found.probability), found.reached);
            for (input, (from, to)) in values.iter().zip(&to).enumerate().filter(|(_, (from, to))| from != to) {
                let lever = levers.iter().find(|lever| lever.input == input);
                prop_assert!(lever.is_some_and(|lever| lever.allows(from, to)), "{} {:?} {:?}", input, from, to);
            }
            prop_assert_eq!(signature().inputs.len(), to.len());
        }
    }
}
