//! Scoring as callers see it.

use super::*;
use crate::artifact::samples::{artifacts, rows};
use scorehouse_features::value::Missing;

fn models() -> Vec<(&'static str, ScoringModel)> {
    artifacts().into_iter().map(|(name, a)| (name, ScoringModel::load(&a).unwrap())).collect()
}

#[test]
fn a_batch_gives_the_very_scores_of_single_rows_reasons_included() {
    let rows: Vec<_> = rows().into_iter().cycle().take(131).collect();
    for (name, model) in models() {
        let mut scratch = Scratch::default();
        let mut batch = Vec::new();
        let views = rows.iter().map(|(values, as_of)| (values.as_slice(), *as_of));
        model.score_batch(views, 3, &mut scratch, &mut batch).unwrap();
        for ((values, as_of), score) in rows.iter().zip(&batch) {
            let single = model.score(values, *as_of, 3, &mut Scratch::default()).unwrap();
            assert_eq!(single.output.to_bits(), score.output.to_bits(), "{name}");
            assert_eq!(&single, score, "{name}");
        }
    }
}

#[test]
fn many_threads_give_the_same_bits() {
    for (_, model) in models() {
        let score_all = || {
            let mut scratch = Scratch::default();
            let score = |(values, as_of): &(Vec<Value>, Timestamp)| {
                model.score(values, *as_of, 9, &mut scratch).unwrap()
            };
            rows().iter().map(score).collect::<Vec<_>>()
        };
        let alone = score_all();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(score_all)).collect();
            threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), alone));
        });
    }
}

#[test]
fn base_reasons_and_rest_add_up_to_the_raw_score() {
    for (name, model) in models() {
        for (values, as_of) in rows() {
            for most in [1, 2, usize::MAX] {
                let score = model.score(&values, as_of, most, &mut Scratch::default()).unwrap();
                let told: f64 = score.reasons().iter().map(|r| r.contribution).sum();
                let sum = score.explanation.base + told + score.explanation.rest;
                assert!((sum - score.raw).abs() < 1e-9, "{name} {most}: {sum} {}", score.raw);
                assert!(score.reasons().len() <= most);
            }
        }
    }
}

#[test]
fn reasons_come_strongest_first_one_per_input_with_words_and_direction() {
    let (_, model) = models().remove(2);
    let (values, as_of) = rows().remove(1);
    let score = model.score(&values, as_of, usize::MAX, &mut Scratch::default()).unwrap();
    let sizes: Vec<f64> = score.reasons().iter().map(|r| r.contribution.abs()).collect();
    // Within a step of a quarter the order is that of the inputs.
    assert!(sizes.windows(2).all(|w| w[0] * 1.25 >= w[1]), "{sizes:?}");
    let mut names: Vec<&str> = score.reasons().iter().map(|r| r.feature.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), score.reasons().len());
    let amount = score.reasons().iter().find(|r| r.feature == "deal.amount").unwrap();
    assert_eq!(amount.words, "the deal is worth 5,000");
    assert_eq!(amount.effect, crate::reason::Effect::For);
}

#[test]
fn inputs_of_one_group_are_one_reason_whose_parts_add_up() {
    let (_, mut artifact) = artifacts().remove(2);
    let (values, as_of) = rows().remove(1);
    let told = |artifact: &Artifact| {
        let model = ScoringModel::load(artifact).unwrap();
        model.score(&values, as_of, usize::MAX, &mut Scratch::default()).unwrap()
    };
    let apart = told(&artifact);
    for at in [0, 1] {
        artifact.signature.inputs[at].group = Some("the deal".into());
    }
    let together = told(&artifact);
    assert_eq!(together.raw, apart.raw);
    let of = |score: &Score, name: &str| score.reasons().iter().find(|r| r.feature == name).cloned();
    let (amount, plan) = (of(&apart, "deal.amount").unwrap(), of(&apart, "deal.plan").unwrap());
    let group = together.reasons().iter().find(|r| !r.parts.is_empty()).unwrap();
    assert_eq!(group.parts.len(), 2);
    assert_eq!(group.contribution, amount.contribution + plan.contribution);
    assert_eq!(group.parts.iter().map(|part| part.contribution).sum::<f64>(), group.contribution);
    assert_eq!(group.parts[0].feature, group.feature);
    assert_eq!(together.reasons().len(), apart.reasons().len() - 1);
}

#[test]
fn a_score_without_reasons_says_none() {
    let (_, model) = models().remove(1);
    let (values, as_of) = rows().remove(0);
    let score = model.score(&values, as_of, 0, &mut Scratch::default()).unwrap();
    assert!(score.reasons().is_empty());
}

#[test]
fn scratch_of_another_model_does_no_harm() {
    let mut scratch = Scratch::default();
    for (values, as_of) in rows() {
        for (name, model) in models() {
            let shared = model.score(&values, as_of, 2, &mut scratch).unwrap();
            assert_eq!(shared, model.score(&values, as_of, 2, &mut Scratch::default()).unwrap(), "{name}");
        }
    }
}

#[test]
fn nan_and_infinity_are_refused_and_never_scored() {
    let (_, model) = models().remove(1);
    let (mut values, as_of) = rows().remove(0);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        values[0] = Value::Float(bad);
        let refused = model.score(&values, as_of, 0, &mut Scratch::default()).unwrap_err();
        assert!(matches!(refused, ModelError::NotFinite { input } if input == "deal.amount"));
        let views = std::iter::once((values.as_slice(), as_of));
        let mut out = Vec::new();
        assert!(model.score_batch(views, 0, &mut Scratch::default(), &mut out).is_err());
    }
}

#[test]
fn every_missing_reason_scores_alike() {
    let (_, model) = models().remove(2);
    let (mut values, as_of) = rows().remove(0);
    let mut score = |missing| {
        values[0] = Value::Missing(missing);
        model.score(&values, as_of, 0, &mut Scratch::default()).unwrap().output
    };
    assert_eq!(score(Missing::NeverSeen).to_bits(), score(Missing::Expired).to_bits());
}

#[test]
fn a_model_of_scores_has_no_items() {
    let (_, model) = models().remove(0);
    assert!(matches!(model.recommender(), Err(ModelError::WrongOutput { .. })));
}
