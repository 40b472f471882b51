//! A sparse matrix of numbers in compressed rows.

use rayon::prelude::*;

/// A sparse matrix: row by row, columns ascending, each with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Sparse {
    /// Where each row starts; one more than there are rows.
    pub starts: Vec<usize>,
    /// Column of each number.
    pub columns: Vec<u32>,
    /// The numbers.
    pub values: Vec<f32>,
    /// How many columns there are.
    pub width: usize,
}

impl Sparse {
    /// A matrix from its rows, whose columns must ascend and be below `width`.
    pub fn from_rows<R: IntoIterator<Item = (u32, f32)>>(
        rows: impl IntoIterator<Item = R>,
        width: usize,
    ) -> Self {
        let mut matrix = Self { starts: vec![0], columns: Vec::new(), values: Vec::new(), width };
        for row in rows {
            for (column, value) in row {
                matrix.columns.push(column);
                matrix.values.push(value);
            }
            matrix.starts.push(matrix.columns.len());
        }
        matrix
    }

    /// How many rows there are.
    #[must_use]
    pub fn height(&self) -> usize {
        self.starts.len() - 1
    }

    /// The columns and numbers of one row.
    #[must_use]
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.columns[range.clone()], &self.values[range])
    }

    /// The matrix with rows and columns exchanged.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let mut starts = vec![0usize; self.width + 1];
        self.columns.iter().for_each(|c| starts[*c as usize + 1] += 1);
        for at in 0..self.width {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut columns = vec![0u32; self.columns.len()];
        let mut values = vec![0f32; self.values.len()];
        for row in 0..self.height() {
            let (row_columns, row_values) = self.row(row);
            for (column, value) in row_columns.iter().zip(row_values) {
                let at = next[*column as usize];
                next[*column as usize] += 1;
                columns[at] = row as u32;
                values[at] = *value;
            }
        }
        Self { starts, columns, values, width: self.height() }
    }

    /// The matrix with every number multiplied by its row's and its column's factor.
    #[must_use]
    pub fn scaled(&self, rows: &[f32], columns: &[f32]) -> Self {
        let mut scaled = self.clone();
        for (row, factor) in rows.iter().enumerate() {
            let range = self.starts[row]..self.starts[row + 1];
            for at in range {
                scaled.values[at] *= factor * columns[self.columns[at] as usize];
            }
        }
        scaled
    }

    /// Its product with a dense matrix of `width` rows and `across` columns, row by row.
    #[must_use]
    pub fn times(&self, dense: &[f32], across: usize) -> Vec<f32> {
        let mut product = vec![0.0f32; self.height() * across];
        product.par_chunks_mut(across.max(1)).enumerate().for_each(|(row, out)| {
            let (columns, values) = self.row(row);
            for (column, value) in columns.iter().zip(values) {
                let other = &dense[*column as usize * across..][..across];
                out.iter_mut().zip(other).for_each(|(o, d)| *o += value * d);
            }
        });
        product
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Sparse {
        Sparse::from_rows([vec![(0, 1.0), (2, 2.0)], vec![], vec![(1, 3.0), (2, -1.0)]], 3)
    }

    #[test]
    fn turning_twice_gives_the_matrix_back() {
        let matrix = small();
        let turned = matrix.transposed();
        assert_eq!(turned.row(2), (&[0u32, 2][..], &[2.0f32, -1.0][..]));
        assert_eq!(turned.transposed(), matrix);
    }

    #[test]
    fn a_product_is_what_it_is_by_hand() {
        let dense = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
        assert_eq!(small().times(&dense, 2), vec![7.0, 70.0, 0.0, 0.0, 3.0, 30.0]);
    }

    #[test]
    fn scaling_multiplies_by_row_and_column() {
        let scaled = small().scaled(&[2.0, 1.0, 3.0], &[1.0, 10.0, 100.0]);
        assert_eq!(scaled.values, vec![2.0, 400.0, 90.0, -300.0]);
    }
}
