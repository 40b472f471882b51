//! Sums of gradient and hessian by bin, for the features of one group.

use super::bins::{Binned, Group, LANES};

/// Sum of gradients and sum of hessians.
pub(super) type Cell = [f64; 2];

type Scratch = [[Cell; 256]; LANES];

/// The histograms of one group of features, one slot for each leaf of the tree being grown.
pub(super) struct GroupHistograms<'a> {
    group: &'a Group,
    /// Bins of each lane, by lane.
    bins: Vec<usize>,
    /// Lanes that take part in this tree.
    lanes: Vec<usize>,
    slots: Vec<Vec<Cell>>,
    scratch: Box<Scratch>,
}

impl<'a> GroupHistograms<'a> {
    /// Empty histograms for the groups of `binned`.
    pub fn of(binned: &'a Binned) -> Vec<Self> {
        let empty = |group: &'a Group| Self {
            group,
            bins: group.features.iter().map(|feature| binned.bins[*feature].count()).collect(),
            lanes: Vec::new(),
            slots: Vec::new(),
            scratch: Box::new([[[0.0; 2]; 256]; LANES]),
        };
        binned.groups.iter().map(empty).collect()
    }

    /// Says which features take part in the next tree.
    pub fn choose(&mut self, takes_part: &[bool]) {
        let lanes = 0..self.group.features.len();
        self.lanes = lanes.filter(|lane| takes_part[self.group.features[*lane]]).collect();
    }

    /// The features that take part, with their histograms of a slot.
    pub fn features(&self, slot: usize) -> impl Iterator<Item = (usize, &[Cell])> {
        let mut from = 0;
        self.lanes.iter().map(move |lane| {
            let cells = &self.slots[slot][from..from + self.bins[*lane]];
            from += self.bins[*lane];
            (self.group.features[*lane], cells)
        })
    }

    /// Adds up the gradients of `rows`, in their order, into `slot`.
    pub fn build(&mut self, slot: usize, rows: &[u32], gradients: &[[f32; 2]]) {
        if self.lanes.is_empty() {
            return;
        }
        for (at, lane) in self.lanes.iter().enumerate() {
            self.scratch[at][..self.bins[*lane]].fill([0.0; 2]);
        }
        let input = Input { codes: &self.group.codes, rows, gradients, lanes: &self.lanes };
        // Without features left out, lanes need not be looked up.
        if self.lanes.len() == self.group.features.len() {
            input.add_lanes::<true>(&mut self.scratch);
        } else {
            input.add_lanes::<false>(&mut self.scratch);
        }
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, Vec::new);
        }
        let cells = &mut self.slots[slot];
        cells.clear();
        for (at, lane) in self.lanes.iter().enumerate() {
            cells.extend_from_slice(&self.scratch[at][..self.bins[*lane]]);
        }
    }

    /// Takes the sums of slot `part` away from slot `whole`.
    pub fn subtract(&mut self, whole: usize, part: usize) {
        if self.lanes.is_empty() {
            return;
        }
        let (whole, part) = if whole < part {
            let (low, high) = self.slots.split_at_mut(part);
            (&mut low[whole], &high[0])
        } else {
            let (low, high) = self.slots.split_at_mut(whole);
            (&mut high[0], &low[part])
        };
        for (whole, part) in whole.iter_mut().zip(part) {
            whole[0] -= part[0];
            whole[1] -= part[1];
        }
    }
}

struct Input<'a> {
    codes: &'a [[u8; LANES]],
    rows: &'a [u32],
    gradients: &'a [[f32; 2]],
    lanes: &'a [usize],
}

/// Rows that are fetched before they are added up.
const AHEAD: usize = 64;

impl Input<'_> {
    fn add_lanes<const ALL: bool>(&self, scratch: &mut Scratch) {
        match self.lanes.len() {
            0 => {}
            1 => self.add::<1, ALL>(scratch),
            2 => self.add::<2, ALL>(scratch),
            3 => self.add::<3, ALL>(scratch),
            4 => self.add::<4, ALL>(scratch),
            5 => self.add::<5, ALL>(scratch),
            6 => self.add::<6, ALL>(scratch),
            7 => self.add::<7, ALL>(scratch),
            _ => self.add::<8, ALL>(scratch),
        }
    }

    /// One pass over the rows feeds `W` features: row number, codes and gradient are loaded once, and the
    /// additions are independent of one another, so that they overlap. With `ALL` they are the first `W` lanes.
    ///
    /// A leaf's rows lie scattered in memory. They are fetched in a short loop of their own, where the processor waits for
    /// many of them at once; among the additions it would see only a few rows ahead.
    fn add<const W: usize, const ALL: bool>(&self, scratch: &mut Scratch) {
        let mut lanes = [0; W];
        lanes.iter_mut().zip(self.lanes).for_each(|(to, lane)| *to = lane % LANES);
        let mut codes = [[0_u8; LANES]; AHEAD];
        let mut sums: [Cell; AHEAD] = [[0.0; 2]; AHEAD];
        for rows in self.rows.chunks(AHEAD) {
            for ((codes, sums), row) in codes.iter_mut().zip(&mut sums).zip(rows) {
                let [gradient, hessian] = self.gradients[*row as usize];
                (*codes, *sums) = (self.codes[*row as usize], [f64::from(gradient), f64::from(hessian)]);
            }
            for (codes, [gradient, hessian]) in codes.iter().zip(&sums).take(rows.len()) {
                for at in 0..W {
                    let lane = if ALL { at } else { lanes[at] };
                    let cell = &mut scratch[at][codes[lane % LANES] as usize];
                    *cell = [cell[0] + gradient, cell[1] + hessian];
                }
            }
        }
    }
}
