//! The order of an answer beyond relevance: what differs, and what earns more.

use scorehouse_features::definition::Arrangement;
use scorehouse_features::value::Value;

/// Products that are arranged at least.
const LEAST: usize = 100;

/// How much each consideration counts, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weights {
    /// That products differ.
    pub diversity: f64,
    /// That they earn more.
    pub margin: f64,
}

impl Weights {
    /// As declared; nothing counts that is not.
    #[must_use]
    pub fn of(arrangement: &Arrangement) -> Self {
        Self {
            diversity: arrangement.diversity.as_ref().map_or(0.0, |spec| spec.weight),
            margin: arrangement.margin.as_ref().map_or(0.0, |spec| spec.weight),
        }
    }
}

/// What is known of one product besides its relevance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Traits {
    /// What selling it earns; none where that is not known.
    pub margin: Option<f64>,
    /// What makes it like another.
    pub kinds: Vec<Value>,
}

impl Traits {
    /// The share of kinds that both have in common; a missing one is like no other.
    fn likeness(&self, other: &Self) -> f64 {
        let pairs = self.kinds.iter().zip(&other.kinds);
        let same = pairs.filter(|(own, other)| !own.is_missing() && own == other).count();
        same as f64 / self.kinds.len().max(1) as f64
    }
}

/// How many candidates are arranged for `n` products.
#[must_use]
pub fn pool(n: usize) -> usize {
    n.saturating_mul(2).max(LEAST)
}

/// The best `n` of the candidates `by_relevance`, in the order in which they are shown.
///
/// Place p by relevance is worth 1 / log2(p + 1), times what the margin makes of it; then maximal marginal relevance
/// (Carbonell and Goldstein 1998) chooses one after another. Equals stay in their order.
#[must_use]
pub fn arranged(by_relevance: &[usize], traits: &[Traits], weights: Weights, n: usize) -> Vec<usize> {
    let unknown = Traits::default();
    let of = |at: usize| traits.get(by_relevance[at]).unwrap_or(&unknown);
    let worth = worth(by_relevance.len(), &of, weights.margin);
    let greatest = worth.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let mut likeness = vec![0.0f64; worth.len()];
    let mut left: Vec<usize> = (0..worth.len()).collect();
    let mut shown = Vec::with_capacity(n.min(left.len()));
    while shown.len() < n {
        let gain =
            |at: usize| (1.0 - weights.diversity) * worth[at] / greatest - weights.diversity * likeness[at];
        let better = |a: usize, b: usize| gain(a).total_cmp(&gain(b)).then(worth[a].total_cmp(&worth[b]));
        let best = (0..left.len()).reduce(
            |best, next| {
                if better(left[next], left[best]).is_gt() { next } else { best }
            },
        );
        let Some(best) = best else { break };
        // Keeps the rest in order, so that equals stay in theirs.
        let chosen = left.remove(best);
        if weights.diversity > 0.0 {
            left.iter().for_each(|at| likeness[*at] = likeness[*at].max(of(*at).likeness(of(chosen))));
        }
        shown.push(by_relevance[chosen]);
    }
    shown
}

/// What each place is worth: its relevance, leaning to what earns more.
fn worth<'t>(count: usize, of: &dyn Fn(usize) -> &'t Traits, weight: f64) -> Vec<f64> {
    let mut earning: Vec<f64> = (0..count).filter_map(|at| of(at).margin).filter(|m| *m > 0.0).collect();
    earning.sort_unstable_by(f64::total_cmp);
    let median = earning.get(earning.len() / 2).copied();
    let factor = |margin: Option<f64>| match (margin, median) {
        (Some(margin), Some(median)) => 1.0 - weight + weight * (margin.max(0.0) / median),
        _ => 1.0,
    };
    (0..count).map(|at| factor(of(at).margin) / ((at + 2) as f64).log2()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use scorehouse_features::value::Missing;

    fn traits(rows: &[(Option<i16>, Option<u8>)]) -> Vec<Traits> {
        let kind =
            |kind: Option<u8>| kind.map_or(Value::Missing(Missing::NeverSeen), |k| Value::Int(k.into()));
        rows.iter()
            .map(|(margin, k)| Traits { margin: margin.map(f64::from), kinds: vec![kind(*k)] })
            .collect()
    }

    fn shown(traits: &[Traits], diversity: f64, margin: f64, n: usize) -> Vec<usize> {
        let order: Vec<usize> = (0..traits.len()).collect();
        arranged(&order, traits, Weights { diversity, margin }, n)
    }

    /// Different kinds; one that is missing is one of its own.
    fn kinds(traits: &[Traits], shown: &[usize]) -> usize {
        let mut seen: Vec<&Value> = Vec::new();
        for at in shown {
            let kind = &traits[*at].kinds[0];
            if kind.is_missing() || !seen.contains(&kind) {
                seen.push(kind);
            }
        }
        seen.len()
    }

    #[test]
    fn with_all_the_weight_the_expected_margin_decides() {
        // Worth 1, 0.63, 0.5 by place; the median of the positive margins is 4.
        let traits =
            traits(&[(Some(1), None), (Some(4), None), (Some(8), None), (None, None), (Some(-9), None)]);
        assert_eq!(shown(&traits, 0.0, 1.0, 5), [2, 1, 3, 0, 4]);
        assert_eq!(shown(&traits, 0.0, 0.0, 5), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn another_kind_is_chosen_before_the_same_again() {
        let traits =
            traits(&[(None, Some(1)), (None, Some(1)), (None, Some(2)), (None, Some(1)), (None, None)]);
        assert_eq!(shown(&traits, 0.5, 0.0, 4), [0, 2, 4, 1]);
        assert_eq!(shown(&traits, 1.0, 0.0, 5), [0, 2, 4, 1, 3]);
    }

    #[test]
    fn likeness_is_the_share_of_kinds_in_common() {
        let of = |a: i64, b: i64| Traits { margin: None, kinds: vec![Value::Int(a), Value::Int(b)] };
        assert!((of(1, 2).likeness(&of(1, 3)) - 0.5).abs() < 1e-12);
        assert!((of(1, 2).likeness(&of(1, 2)) - 1.0).abs() < 1e-12);
        assert_eq!(Traits::default().likeness(&of(1, 2)), 0.0);
    }

    #[test]
    fn where_nothing_earns_anything_relevance_alone_decides() {
        assert_eq!(
            shown(&traits(&[(Some(-1), None), (Some(0), None), (None, None)]), 0.0, 1.0, 3),
            [0, 1, 2]
        );
    }

    proptest! {
        #[test]
        fn every_answer_is_made_of_candidates_each_once(
            rows in prop::collection::vec((prop::option::of(-50i16..500), prop::option::of(0u8..6)), 0..60),
            diversity in 0.0..=1.0f64, margin in 0.0..=1.0f64, n in 0usize..40,
        ) {
            let traits = traits(&rows);
            let mut answer = shown(&traits, diversity, margin, n);
            prop_assert_eq!(answer.len(), n.min(rows.len()));
            // A longer answer begins with the shorter one.
            prop_assert!(shown(&traits, diversity, margin, n + 5).starts_with(&answer));
            answer.sort_unstable();
            answer.dedup();
            prop_assert_eq!(answer.len(), n.min(rows.len()));
            prop_assert_eq!(shown(&traits, 0.0, 0.0, n), (0..n.min(rows.len())).collect::<Vec<_>>());
        }

        #[test]
        fn more_weight_never_lowers_the_mean_margin(
            rows in prop::collection::vec((prop::option::of(-50i16..500), Just(None)), 1..60),
            weights in (0.0..=1.0f64, 0.0..=1.0f64), n in 1usize..20,
        ) {
            let traits = traits(&rows);
            let mut earning: Vec<f64> = traits.iter().filter_map(|t| t.margin).filter(|m| *m > 0.0).collect();
            earning.sort_unstable_by(f64::total_cmp);
            let typical = earning.get(earning.len() / 2).copied().unwrap_or(0.0);
            // A margin that is not known counts as the median, as it does in the order.
            let sum = |weight: f64| -> f64 {
                shown(&traits, 0.0, weight, n).iter().map(|at| traits[*at].margin.unwrap_or(typical)).sum()
            };
            let (less, more) = (weights.0.min(weights.1), weights.0.max(weights.1));
            prop_assume!(typical > 0.0);
            prop_assert!(sum(less) <= sum(more) + 1e-6);
        }

        #[test]
        fn more_weight_never_lowers_the_number_of_kinds(
            rows in prop::collection::vec((Just(None), prop::option::of(0u8..8)), 1..60),
            weights in (0.0..=1.0f64, 0.0..=1.0f64), n in 1usize..20,
        ) {
            let traits = traits(&rows);
            let count = |weight: f64| kinds(&traits, &shown(&traits, weight, 0.0, n));
            let (less, more) = (weights.0.min(weights.1), weights.0.max(weights.1));
            prop_assert!(count(less) <= count(more));
            let all = kinds(&traits, &(0..traits.len()).collect::<Vec<_>>());
            prop_assert_eq!(count(1.0), all.min(n));
        }
    }
}
