//! How much a group's own past is worth beside that of all groups.

/// Observations of one group.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Seen {
    /// How many.
    pub count: f64,
    /// Their sum, and the sum of their squares.
    pub sum: f64,
    pub squares: f64,
}

impl Seen {
    /// One more.
    pub fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }
}

/// How many observations of a group weigh as much as what is known of all groups: a group of n counts n / (n + K).
///
/// K is the variance within groups over the variance between their means, both without bias (Bühlmann, Straub 1970); infinite
/// when groups differ by no more than chance.
pub(super) fn credibility(groups: &[Seen]) -> f64 {
    let (mut count, mut sum, mut counts, mut inner, mut free) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let there: Vec<&Seen> = groups.iter().filter(|seen| seen.count > 0.0).collect();
    for seen in &there {
        count += seen.count;
        sum += seen.sum;
        counts += seen.count * seen.count;
        inner += (seen.squares - seen.sum * seen.sum / seen.count).max(0.0);
        free += seen.count - 1.0;
    }
    if free <= 0.0 || there.len() < 2 {
        return f64::INFINITY;
    }
    let (mean, within) = (sum / count, inner / free);
    let around: f64 = there.iter().map(|seen| seen.count * (seen.sum / seen.count - mean).powi(2)).sum();
    let between = (around - (there.len() - 1) as f64 * within) / (count - counts / count);
    if between > 0.0 { (within / between).max(f64::MIN_POSITIVE) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Normal};

    use super::*;

    /// Two hundred groups of five to forty observations of deviation 2 around means of this deviation.
    fn groups(between: f64) -> Vec<Seen> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let group = |_| {
            let mean = Normal::new(10.0, between).unwrap().sample(&mut rng);
            let mut seen = Seen::default();
            for _ in 0..rng.random_range(5..40) {
                seen.add(Normal::new(mean, 2.0).unwrap().sample(&mut rng));
            }
            seen
        };
        (0..200).map(group).collect()
    }

    #[test]
    fn the_less_groups_differ_the_less_their_own_past_is_worth() {
        let found = credibility(&groups(1.0));
        assert!((3.0..5.5).contains(&found), "4 is right: {found}");
        assert!(credibility(&groups(0.01)) > 100.0);
        assert!(credibility(&groups(10.0)) < 0.1);
    }

    #[test]
    fn where_nothing_can_be_told_all_groups_are_taken_together() {
        let one = Seen { count: 1.0, sum: 3.0, squares: 9.0 };
        assert_eq!(credibility(&[]), f64::INFINITY);
        assert_eq!(credibility(&[one, one]), f64::INFINITY);
        assert_eq!(
            credibility(&[Seen { count: 9.0, sum: 9.0, squares: 30.0 }, Seen::default()]),
            f64::INFINITY
        );
    }
}
