//! Bands of scores, and when a score has left one.

/// Edges between bands, with a margin that a score must pass beyond an edge before it counts as over.
#[derive(Debug, Clone, PartialEq)]
pub struct Bands {
    edges: Vec<f64>,
    margin: f64,
}

impl Bands {
    /// Bands between ascending `edges`.
    #[must_use]
    pub const fn new(edges: Vec<f64>, margin: f64) -> Self {
        Self { edges, margin }
    }

    /// The edges.
    #[must_use]
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// The band of a score, from 0; an edge belongs to the band above it.
    #[must_use]
    pub fn of(&self, score: f64) -> usize {
        self.edges.partition_point(|edge| *edge <= score)
    }

    /// The band of a score that was in band `before`: another one only when the score is beyond the edge by the
    /// margin.
    #[must_use]
    pub fn moved(&self, before: usize, score: f64) -> usize {
        let up = self.edges.partition_point(|edge| *edge + self.margin <= score);
        let down = self.edges.partition_point(|edge| *edge - self.margin <= score);
        before.min(self.edges.len()).clamp(up, down.max(up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_belongs_to_the_band_above_it() {
        let bands = Bands::new(vec![0.2, 0.5], 0.0);
        assert_eq!([0.0, 0.19, 0.2, 0.49, 0.5, 1.0].map(|score| bands.of(score)), [0, 0, 1, 1, 2, 2]);
        assert_eq!([0.1, 0.3, 0.9].map(|score| bands.moved(1, score)), [0, 1, 2]);
    }

    #[test]
    fn a_score_within_the_margin_of_an_edge_stays_where_it_was() {
        let bands = Bands::new(vec![0.2, 0.5], 0.05);
        assert_eq!([0.14, 0.16, 0.24, 0.54, 0.55].map(|score| bands.moved(1, score)), [0, 1, 1, 1, 2]);
        assert_eq!([0.16, 0.24, 0.26, 0.54, 0.56].map(|score| bands.moved(0, score)), [0, 0, 1, 1, 2]);
        assert_eq!([0.46, 0.44, 0.14].map(|score| bands.moved(2, score)), [2, 1, 0]);
    }
}
