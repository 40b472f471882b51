//! The items nearest to an item, by what the same rows hold.

use super::sparse::Sparse;

/// Where nearest items are looked for: products of an item's column with all others, in one pass over its rows.
#[derive(Clone, Copy)]
pub(super) struct Nearest<'a> {
    /// What may be near: one row per user, one column per item.
    pub inputs: &'a Sparse,
    /// What it may be near to, turned: one row per item, one column per user.
    pub targets: &'a Sparse,
}

/// One item that is near.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Near {
    /// Its number.
    pub item: u32,
    /// The product of both columns.
    pub product: f32,
    /// How near it is.
    pub similarity: f32,
}

/// Room for one thread; everything is back to empty between two items.
pub(super) struct Room {
    /// Per item: its product with the target.
    products: Vec<f32>,
    touched: Vec<u32>,
}

impl Room {
    pub fn new(items: usize) -> Self {
        Self { products: vec![0.0; items], touched: Vec::new() }
    }
}

impl Nearest<'_> {
    /// The `most` items with the greatest similarity above nothing to `item`, ascending by number; `similarity` makes
    /// it of another item and its product.
    pub fn of(
        &self,
        item: usize,
        most: usize,
        room: &mut Room,
        similarity: impl Fn(u32, f32) -> f32,
    ) -> Vec<Near> {
        let Room { products, touched } = room;
        let (rows, values) = self.targets.row(item);
        for (row, value) in rows.iter().zip(values) {
            let (columns, inputs) = self.inputs.row(*row as usize);
            for (column, input) in columns.iter().zip(inputs) {
                let product = &mut products[*column as usize];
                if *product == 0.0 {
                    touched.push(*column);
                }
                *product += value * input;
            }
        }
        touched.sort_unstable();
        touched.dedup();
        let near = |other: &u32| {
            let product = products[*other as usize];
            Near { item: *other, product, similarity: similarity(*other, product) }
        };
        let mut near: Vec<Near> = touched.iter().map(near).filter(|near| near.similarity > 0.0).collect();
        if near.len() > most {
            near.select_nth_unstable_by(most, |a, b| {
                b.similarity.total_cmp(&a.similarity).then_with(|| a.item.cmp(&b.item))
            });
            near.truncate(most);
        }
        near.sort_unstable_by_key(|near| near.item);
        for other in touched.drain(..) {
            products[other as usize] = 0.0;
        }
        near
    }
}
