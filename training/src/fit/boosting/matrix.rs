//! Features as a learner of trees reads them.

/// What a column of a [`Matrix`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureKind {
    /// Ordered numbers.
    Number,
    /// Codes `0..levels` without order.
    Category {
        /// Number of codes.
        levels: u32,
    },
}

/// Columns of numbers; NaN is missing.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// The columns, each as long as `rows`.
    pub columns: Vec<Vec<f64>>,
    /// What each column holds.
    pub kinds: Vec<FeatureKind>,
}
