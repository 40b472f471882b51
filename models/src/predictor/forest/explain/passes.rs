//! The passes over a block of trees.
//!
//! First every split of the block is asked, eight at a time. Then the factors are multiplied from the roots down, and
//! what lies below is added up from the leaves to the roots. No branch depends on the row, and none on a single split:
//! a run is a plain loop over splits of one kind, which do not wait for each other.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f64x8, mask64x8};

use super::super::quadrature::Quadrature;
use super::memory::Memory;
use super::points::{Points, Rule};
use super::trees::{Block, Questions, Run, Seat, TOGETHER};

/// What one row's walk of a block fills.
pub(super) struct Walk<'m, const N: usize> {
    asked: &'m [f64],
    /// What becomes of a row, in numbers. For a split with splits below two, one for each child, 0 for the one that the row
    /// does not go to. Of a child that is a split it is q of the column over all its questions so far, of a leaf beside a
    /// split that times the leaf's value and reach. For a split above two leaves one: what the leaf taken is, q times value
    /// and reach, less the sum of both leaves'.
    go: &'m mut [f64],
    /// For every place a number for each point t: on the way down the weight · Π f(j, t) over the columns j on the way to it,
    /// on the way up in its stead the sum over the leaves below of value · reach · Π f(j, t) over the columns on the way from
    /// there to the leaf.
    places: &'m mut [[f64; N]],
    /// Contributions of the columns, point by point.
    sums: &'m mut [[f64; N]],
}

/// An earlier question for the same column.
struct Before<V, const M: usize> {
    /// One over the factor of the column so far.
    inverse: Points<V, M>,
    /// q of it so far.
    q: f64,
}

impl<'m, const N: usize> Walk<'m, N> {
    /// The walk of a block of trees that ask so many columns.
    pub(super) fn new(block: &Block<N>, memory: &'m mut Memory, columns: usize) -> Self {
        Self {
            asked: &memory.asked,
            go: memory.go.room(block.last + block.seats.len()),
            places: memory.places.room(N * block.places).as_chunks_mut().0,
            sums: memory.sums.room(N * columns).as_chunks_mut().0,
        }
    }

    #[inline(always)]
    pub(super) fn walk<S: Simd, V: SimdBase<S, Element = f64>, const M: usize>(
        &mut self,
        simd: S,
        quadrature: &Quadrature<N>,
        block: &Block<N>,
    ) {
        let rule = Rule::<S, V, M>::new(simd, quadrature);
        self.ask(simd, block);
        self.places[..block.roots].fill(quadrature.weights);
        for run in &block.runs {
            match (run.children, run.again) {
                (0, _) => {}
                (1, None) => self.down::<_, _, 1, _, false>(rule, block, run),
                (_, None) => self.down::<_, _, 2, _, false>(rule, block, run),
                (1, Some(_)) => self.down::<_, _, 1, _, true>(rule, block, run),
                (_, Some(_)) => self.down::<_, _, 2, _, true>(rule, block, run),
            }
        }
        for run in block.runs.iter().rev() {
            match (run.children, run.again) {
                (0, None) => self.up_last::<_, _, _, false>(rule, block, run),
                (1, None) => self.up::<_, _, 1, _, false>(rule, block, run),
                (_, None) => self.up::<_, _, 2, _, false>(rule, block, run),
                (0, Some(_)) => self.up_last::<_, _, _, true>(rule, block, run),
                (1, Some(_)) => self.up::<_, _, 1, _, true>(rule, block, run),
                (_, Some(_)) => self.up::<_, _, 2, _, true>(rule, block, run),
            }
        }
    }

    /// Fills in `go`.
    #[inline(always)]
    fn ask<S: Simd>(&mut self, simd: S, block: &Block<N>) {
        let nothing = f64x8::splat(simd, 0.0);
        let (inner, last) = self.go.split_at_mut(2 * block.last);
        let inner = inner.as_chunks_mut::<{ 2 * TOGETHER }>().0;
        let (inner_questions, last_questions) = block.questions.split_at(inner.len());
        for (questions, to) in inner_questions.iter().zip(inner) {
            let masks = PAIRS[questions.second(simd, self.asked) as usize];
            for (half, to) in to.as_chunks_mut::<TOGETHER>().0.iter_mut().enumerate() {
                let taken = mask64x8::from_bitmask(simd, u64::from(masks[half]));
                let go = f64x8::from_slice(simd, &questions.go[half]);
                taken.select(go, nothing).store_slice(to);
            }
        }
        for (questions, to) in last_questions.iter().zip(last.as_chunks_mut::<TOGETHER>().0) {
            let second = mask64x8::from_bitmask(simd, u64::from(questions.second(simd, self.asked)));
            let [first, other] = questions.go.each_ref().map(|go| f64x8::from_slice(simd, go));
            second.select(other, first).store_slice(to);
        }
        for run in &block.runs {
            self.ask_again(block, run);
        }
    }

    /// Multiplies what q was so far into `go`, for splits whose column was asked before.
    #[inline(always)]
    fn ask_again(&mut self, block: &Block<N>, run: &Run) {
        for (at, again) in run.splits.clone().zip(block.agains::<true>(run)) {
            let before = self.go[again.before as usize];
            if run.children > 0 {
                self.go[2 * at] *= before;
                self.go[2 * at + 1] *= before;
            } else {
                let at_last = block.last + at;
                self.go[at_last] = self.go[at_last] * before - block.seats[at].leaves;
            }
        }
    }

    /// Fills in what is above the children of a run's splits.
    #[inline(always)]
    fn down<S: Simd, V: SimdBase<S, Element = f64>, const C: usize, const M: usize, const AGAIN: bool>(
        &mut self,
        rule: Rule<S, V, M>,
        block: &Block<N>,
        run: &Run,
    ) {
        let (places, children) = self.places.split_at_mut(run.first_child);
        let seats = &block.seats[run.splits.clone()];
        let children = &mut children.as_chunks_mut::<C>().0[..seats.len()];
        let go = &self.go.as_chunks::<2>().0[run.splits.clone()][..seats.len()];
        let agains = block.agains::<AGAIN>(run);
        for i in 0..seats.len() {
            let mut product = rule.load(&places[seats[i].place as usize]);
            if AGAIN {
                product = product * rule.inverse(self.go[agains[i].before as usize], &agains[i].inverse);
            }
            let (rest, t) = (product * rule.rest, product * rule.t);
            for child in 0..C {
                (rest + t * go[i][child]).store(&mut children[i][child]);
            }
        }
    }

    /// Fills in what is below a run's splits, and adds what each contributes.
    ///
    /// With u the sums below either child: the factors f give (1-t)·Σ u + t·Σ q·u = Σ u + t·d below the split, where
    /// d = Σ q·u - Σ u, and its column Σ (q - 1)·u = d.
    #[inline(always)]
    fn up<S: Simd, V: SimdBase<S, Element = f64>, const C: usize, const M: usize, const AGAIN: bool>(
        &mut self,
        rule: Rule<S, V, M>,
        block: &Block<N>,
        run: &Run,
    ) {
        let seats = &block.seats[run.splits.clone()];
        let (places, children) = self.places.split_at_mut(run.first_child);
        let children = &children.as_chunks::<C>().0[..seats.len()];
        let go = &self.go.as_chunks::<2>().0[run.splits.clone()][..seats.len()];
        let agains = block.agains::<AGAIN>(run);
        let mut to = To { rule, places, sums: self.sums };
        for i in 0..seats.len() {
            let u = rule.load(&children[i][0]);
            let (both, taken);
            if C == 2 {
                let v = rule.load(&children[i][1]);
                both = u + v;
                taken = u * go[i][0] + v * go[i][1];
            } else {
                both = u + seats[i].leaves;
                taken = u * go[i][0] + go[i][1];
            }
            let before = AGAIN.then(|| {
                let q = self.go[agains[i].before as usize];
                Before { inverse: rule.inverse(q, &agains[i].inverse), q }
            });
            to.tell(seats[i], both, taken - both, before);
        }
    }

    /// As [`Walk::up`], for splits above two leaves.
    #[inline(always)]
    fn up_last<S: Simd, V: SimdBase<S, Element = f64>, const M: usize, const AGAIN: bool>(
        &mut self,
        rule: Rule<S, V, M>,
        block: &Block<N>,
        run: &Run,
    ) {
        let seats = &block.seats[run.splits.clone()];
        let go = &self.go[block.last + run.splits.start..][..seats.len()];
        let agains = block.agains::<AGAIN>(run);
        let mut to = To { rule, places: self.places, sums: self.sums };
        for i in 0..seats.len() {
            let before = AGAIN.then(|| {
                let q = self.go[agains[i].before as usize];
                Before { inverse: rule.inverse(q, &agains[i].inverse), q }
            });
            to.tell(seats[i], rule.splat(seats[i].leaves), rule.splat(go[i]), before);
        }
    }
}

/// Where the way up writes to.
struct To<'w, S, V, const M: usize, const N: usize> {
    rule: Rule<S, V, M>,
    places: &'w mut [[f64; N]],
    sums: &'w mut [[f64; N]],
}

impl<S: Simd, V: SimdBase<S, Element = f64>, const M: usize, const N: usize> To<'_, S, V, M, N> {
    /// Writes down what is below a split, Σ u + t·d, and adds what it contributes.
    ///
    /// A column that was asked before, when q was p, has the new factor in place of the earlier one, whose own contribution for
    /// what lies below is taken off here.
    #[inline(always)]
    fn tell(&mut self, seat: Seat, both: Points<V, M>, apart: Points<V, M>, before: Option<Before<V, M>>) {
        let place = &mut self.places[seat.place as usize];
        let mut above = self.rule.load(place);
        let mut total = both + self.rule.t * apart;
        let mut told = apart;
        if let Some(Before { inverse, q }) = before {
            above = above * inverse;
            total = total * inverse;
            told = told - total * (q - 1.0);
        }
        total.store(place);
        let sums = &mut self.sums[seat.column as usize];
        (self.rule.load(sums) + above * told).store(sums);
    }
}

/// For the bits of eight splits, set where the other child than the first is taken: a bit for each child, set where it is
/// taken, the children of a split side by side.
const PAIRS: [[u8; 2]; 256] = {
    let mut pairs = [[0; 2]; 256];
    let mut bits = 0;
    while bits < 256 {
        let mut at = 0;
        while at < TOGETHER {
            pairs[bits][at / 4] |= 1 << (2 * (at % 4) + (bits >> at & 1));
            at += 1;
        }
        bits += 1;
    }
    pairs
};

impl Questions {
    /// A bit for each split where the row goes to the other child than the first.
    #[inline(always)]
    fn second<S: Simd>(&self, simd: S, asked: &[f64]) -> u8 {
        let [a, b, c, d, e, f, g, h] = self.asked;
        let of = |at: u32| asked[at as usize];
        // Spelt out: by way of an array in memory it would be written piece by piece and read as a whole, which stalls.
        let x = f64x8::simd_from(simd, [of(a), of(b), of(c), of(d), of(e), of(f), of(g), of(h)]);
        let right = x.simd_gt(f64x8::from_slice(simd, &self.thresholds));
        right.to_bitmask() as u8 ^ self.swapped
    }
}
