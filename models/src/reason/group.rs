//! Inputs that say the same thing, told as one; and sizes in steps, so that a breath of air does not turn the order.

use std::collections::HashMap;

use crate::signature::Signature;

/// Sizes of contributions are told apart in steps of this ratio: within one step, the order is that of the signature.
const STEP: f64 = 1.25;

/// Which inputs are told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Groups {
    /// The inputs of each group, ascending; groups in the order of their first input.
    inputs: Vec<Vec<usize>>,
}

impl Groups {
    /// The groups of a model's inputs; an input without a group is one by itself.
    pub fn of(signature: &Signature) -> Self {
        let mut place: HashMap<&str, usize> = HashMap::new();
        let mut inputs: Vec<Vec<usize>> = Vec::new();
        for (at, input) in signature.inputs.iter().enumerate() {
            let own = inputs.len();
            let group = match &input.group {
                Some(group) => *place.entry(group).or_insert(own),
                None => own,
            };
            if group == own {
                inputs.push(Vec::new());
            }
            inputs[group].push(at);
        }
        Self { inputs }
    }

    /// What the `most` strongest groups contributed, strongest first, and the sum of all others. Those that contributed
    /// nothing are left out.
    pub fn ranked(&self, by_input: &[f64], most: usize) -> (Vec<Told<'_>>, f64) {
        let mut ranked: Vec<(i32, Told<'_>)> = Vec::with_capacity(most.min(self.inputs.len()));
        let mut rest = 0.0;
        for inputs in &self.inputs {
            let contribution = inputs.iter().map(|input| by_input[*input]).sum::<f64>();
            let full = ranked.len() == most;
            // What is no larger than the weakest so far is in no higher step: most groups are done with this.
            let least = ranked.last().filter(|_| full).map_or(0.0, |(_, weakest)| weakest.contribution.abs());
            if contribution.abs() <= least {
                rest += contribution;
                continue;
            }
            let step = step(contribution);
            // Behind all of its step: within a step the order is that of the signature.
            let at = ranked.partition_point(|(other, _)| *other >= step);
            if at == most {
                rest += contribution;
                continue;
            }
            if full {
                rest += ranked.pop().map_or(0.0, |(_, weakest)| weakest.contribution);
            }
            ranked.insert(at, (step, Told { inputs, contribution }));
        }
        (ranked.into_iter().map(|(_, told)| told).collect(), rest)
    }
}

/// A group with what it contributed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Told<'g> {
    /// Its inputs, ascending.
    pub inputs: &'g [usize],
    /// The sum of their contributions.
    pub contribution: f64,
}

impl Told<'_> {
    /// The inputs that contributed: first the strongest of those that point the way of the sum, then the others in
    /// the order of the signature.
    pub fn parts(&self, by_input: &[f64]) -> Vec<usize> {
        if let [alone] = self.inputs {
            return vec![*alone];
        }
        let mut parts: Vec<usize> =
            self.inputs.iter().copied().filter(|input| by_input[*input] != 0.0).collect();
        let along = |input: usize| by_input[input] * self.contribution > 0.0;
        let strength = |input: usize| along(input).then(|| step(by_input[input]));
        let best = parts.iter().map(|input| strength(*input)).max().flatten();
        // The first of equals.
        if let Some(first) = parts.iter().position(|input| strength(*input) == best) {
            parts[..=first].rotate_right(1);
        }
        parts
    }
}

/// The size of a contribution in whole steps, each [`STEP`] times the one before. By ratio and not by difference, since
/// raw scores have no common unit.
fn step(contribution: f64) -> i32 {
    (contribution.abs().ln() / STEP.ln()).floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{InputField, Output};
    use proptest::prelude::*;
    use scorehouse_features::value::ValueType;

    fn groups(names: &[Option<&str>]) -> Groups {
        let input = |(at, group): (usize, &Option<&str>)| InputField {
            group: group.map(Into::into),
            ..InputField::new(format!("x{at}"), ValueType::Float)
        };
        let inputs = names.iter().enumerate().map(input).collect();
        Groups::of(&Signature { entity: None, feature_set: None, inputs, output: Output::Probability })
    }

    fn order(groups: &Groups, by_input: &[f64]) -> Vec<Vec<usize>> {
        groups.ranked(by_input, usize::MAX).0.iter().map(|told| told.parts(by_input)).collect()
    }

    #[test]
    fn inputs_of_one_group_count_together_and_the_strongest_speaks() {
        let groups = groups(&[Some("spend"), None, Some("spend"), Some("spend")]);
        // Together the group is stronger than the input that is stronger than each of them.
        let by_input = [0.2, -0.5, 0.6, -0.1];
        assert_eq!(order(&groups, &by_input), [vec![2, 0, 3], vec![1]]);
        // Who speaks against the sum never speaks for the group.
        let by_input = [0.4, 0.1, -0.5, 0.3];
        assert_eq!(order(&groups, &by_input), [vec![0, 2, 3], vec![1]]);
        assert_eq!(order(&groups, &[0.5, 0.0, -0.5, 0.0]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn nearly_equal_contributions_stand_in_the_order_of_the_signature() {
        let groups = groups(&[None, None, None]);
        assert_eq!(order(&groups, &[0.53, -0.6, 0.7]), [[2], [0], [1]]);
        assert_eq!(order(&groups, &[0.6, -0.53, 0.7]), [[2], [0], [1]]);
    }

    fn contributions() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(prop_oneof![4 => -2.0..2.0f64, 1 => Just(0.0)], 8)
    }

    const NAMES: [Option<&str>; 8] =
        [Some("a"), None, Some("a"), None, Some("b"), Some("b"), None, Some("b")];

    proptest! {
        #[test]
        fn a_small_change_shows_other_reasons_only_where_a_size_crosses_a_step(
            before in contributions(),
            change in prop::collection::vec(-0.02..0.02f64, 8),
        ) {
            let groups = groups(&NAMES);
            let after: Vec<f64> =
                before.iter().zip(&change).map(|(x, by)| if *x == 0.0 { 0.0 } else { x + by }).collect();
            let sizes = |by_input: &[f64]| -> Vec<(bool, i32)> {
                let sums = groups.inputs.iter().map(|inputs| inputs.iter().map(|i| by_input[*i]).sum::<f64>());
                by_input.iter().copied().chain(sums).map(|x| (x > 0.0, if x == 0.0 { 0 } else { step(x) })).collect()
            };
            if sizes(&before) == sizes(&after) {
                prop_assert_eq!(order(&groups, &before), order(&groups, &after));
            }
        }

        #[test]
        fn the_strongest_are_the_first_of_all_and_the_rest_is_what_the_others_add_up_to(
            by_input in contributions(),
            most in 0_usize..7,
        ) {
            let groups = groups(&NAMES);
            let (all, _) = groups.ranked(&by_input, usize::MAX);
            let (strongest, rest) = groups.ranked(&by_input, most);
            prop_assert_eq!(&strongest[..], &all[..most.min(all.len())]);
            let others: f64 = all.iter().skip(most).map(|told| told.contribution).sum();
            prop_assert!((rest - others).abs() < 1e-12);
        }

        #[test]
        fn every_contribution_is_told_once_and_sums_are_exact(by_input in contributions()) {
            let groups = groups(&NAMES);
            let (ranked, rest) = groups.ranked(&by_input, usize::MAX);
            prop_assert_eq!(rest, 0.0);
            for told in &ranked {
                let sum: f64 = told.inputs.iter().map(|input| by_input[*input]).sum();
                prop_assert_eq!(sum, told.contribution);
                prop_assert!(by_input[told.parts(&by_input)[0]] * sum > 0.0);
            }
            let sizes: Vec<f64> = ranked.iter().map(|told| told.contribution.abs()).collect();
            prop_assert!(sizes.windows(2).all(|w| w[0] * STEP >= w[1]), "{sizes:?}");
            let mut all: Vec<usize> = order(&groups, &by_input).concat();
            all.sort_unstable();
            all.dedup();
            let told = ranked.iter().flat_map(|told| told.inputs).filter(|input| by_input[**input] != 0.0);
            prop_assert_eq!(all.len(), told.count());
        }
    }
}
