//! What the charts need beyond the metrics: precision against recall, and how scores are spread.

/// One step of a precision–recall curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PrPoint {
    /// Share of rows with the outcome that are called, 0..=1.
    pub recall: f64,
    /// Share of called rows that have the outcome, 0..=1.
    pub precision: f64,
}

/// Points of the precision–recall curve, from the likeliest rows to all, thinned to about `limit`.
pub(super) fn precision_recall(probability: &[f64], label: &[f64], limit: usize) -> Vec<PrPoint> {
    let mut order: Vec<usize> = (0..probability.len()).collect();
    order.sort_by(|a, b| probability[*b].total_cmp(&probability[*a]).then(a.cmp(b)));
    let positives: f64 = label.iter().sum();
    if positives == 0.0 {
        return Vec::new();
    }
    let mut points = Vec::new();
    let (mut with, mut next) = (0.0, 0.0);
    for (at, row) in order.iter().enumerate() {
        with += label[*row];
        let ends_tie = order.get(at + 1).is_none_or(|next| probability[*next] != probability[*row]);
        // Evenly along recall; the first points rest on few rows and only jump about.
        let recall = with / positives;
        if ends_tie && (recall >= next || at + 1 == order.len()) && at >= 9.min(order.len() - 1) {
            points.push(PrPoint { recall, precision: with / (at + 1) as f64 });
            next = recall + 1.0 / limit as f64;
        }
    }
    points
}

/// How probabilities are spread among rows with and without the outcome, in bins of equal width from 0 to 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Histogram {
    /// Shares of the rows with the outcome; they add up to 1.
    pub with: Vec<f64>,
    /// Shares of the rows without.
    pub without: Vec<f64>,
}

impl Histogram {
    pub fn of(probability: &[f64], label: &[f64], bins: usize) -> Self {
        let mut counts = [vec![0.0; bins], vec![0.0; bins]];
        for (p, y) in probability.iter().zip(label) {
            counts[usize::from(*y > 0.5)][((p * bins as f64) as usize).min(bins - 1)] += 1.0;
        }
        let shares = counts.map(|counts| {
            let all: f64 = counts.iter().sum::<f64>().max(1.0);
            counts.into_iter().map(|count: f64| count / all).collect()
        });
        let [without, with] = shares;
        Self { with, without }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_falls_to_the_rate_of_all_at_full_recall() {
        let p: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
        let y: Vec<f64> = (0..1000).map(|i| f64::from(u8::from(i % 10 < i / 100))).collect();
        let points = precision_recall(&p, &y, 100);
        let last = points[points.len() - 1];
        assert_eq!(last.recall, 1.0);
        assert!((last.precision - y.iter().sum::<f64>() / 1000.0).abs() < 1e-12);
        assert!(points[0].precision > 0.8 && points.len() <= 110);
    }

    #[derive(serde::Deserialize)]
    struct Figures {
        cases: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        probability: Vec<f64>,
        label: Vec<f64>,
        precision_recall: Vec<[f64; 2]>,
    }

    #[test]
    fn from_the_tenth_row_on_the_curve_is_that_of_scikit_learn() {
        let text = include_str!("../../../tests/parity/metrics.json");
        let figures: Figures = serde_json::from_str(text).unwrap();
        assert_eq!(figures.cases.len(), 4);
        for case in figures.cases {
            // Points without recall lie on top of one another and are thinned.
            let mut ours = precision_recall(&case.probability, &case.label, usize::MAX);
            ours.retain(|point| point.recall > 0.0);
            let theirs: Vec<[f64; 2]> =
                case.precision_recall.into_iter().filter(|[recall, _]| *recall > 0.0).collect();
            let skipped = theirs.len() - ours.len();
            assert!(skipped <= 9, "{}: {skipped} points are missing", case.name);
            for (ours, [recall, precision]) in ours.iter().zip(&theirs[skipped..]) {
                let off = (ours.recall - recall).abs().max((ours.precision - precision).abs());
                assert!(off < 1e-9, "{}: {ours:?} against {recall}, {precision}", case.name);
            }
        }
    }

    #[test]
    fn both_kinds_are_shares_of_their_own() {
        let histogram = Histogram::of(&[0.0, 0.1, 0.9, 1.0], &[0.0, 0.0, 1.0, 0.0], 10);
        assert_eq!(histogram.with[9], 1.0);
        assert!((histogram.without.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
