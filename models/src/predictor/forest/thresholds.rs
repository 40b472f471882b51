//! Where trees ask.

use crate::predictor::Forest;

impl Forest {
    /// The numbers up to and including which a column's rows go one way somewhere in the forest, ascending, each once.
    #[must_use]
    pub fn thresholds(&self, column: usize) -> Vec<f64> {
        let asked = self.nodes.iter().map(|node| node.question()).filter(|question| {
            question.column as usize == column && !question.categorical && question.threshold.is_finite()
        });
        let mut thresholds: Vec<f64> = asked.map(|question| question.threshold).collect();
        thresholds.sort_unstable_by(f64::total_cmp);
        thresholds.dedup();
        thresholds
    }
}
