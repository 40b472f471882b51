//! Reading a plan's features for one entity from an online store.

use arcstr::ArcStr;

use crate::ids::{EntityKey, LocalName};
use crate::online::{EntityRows, OnlineError, OnlineStore};
use crate::time::Timestamp;
use crate::value::{Missing, Value};
use crate::view::key::key_text;
use crate::view::plan::{Derive, FeaturePlan, Gather, Step};
use crate::view::rows::Rows;
use crate::view::window::WindowScratch;

/// What a request brings besides the key: values by field name, in any order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestFields(Vec<(LocalName, Value)>);

impl RequestFields {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets a field, in place of an earlier value.
    pub fn set(&mut self, name: LocalName, value: Value) {
        match self.0.iter_mut().find(|(known, _)| known == &name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// A field's value; `Missing(NotGiven)` when the request did not bring it.
    #[must_use]
    pub fn get(&self, name: &LocalName) -> Value {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or(Value::Missing(Missing::NotGiven), |(_, value)| value.clone())
    }
}

impl FromIterator<(LocalName, Value)> for RequestFields {
    fn from_iter<I: IntoIterator<Item = (LocalName, Value)>>(fields: I) -> Self {
        let mut all = Self::new();
        fields.into_iter().for_each(|(name, value)| all.set(name, value));
        all
    }
}

/// One question to a plan.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    /// The entity asked about.
    pub key: &'a EntityKey,
    /// The moment: rows later than this are not seen.
    pub as_of: Timestamp,
    /// What the request brings.
    pub request: &'a RequestFields,
    /// Values that stand in place of what the store holds, by slot (see [`FeaturePlan::slot`]). What is
    /// derived from them follows.
    pub overrides: &'a [(usize, Value)],
}

/// Memory that reads reuse; one per thread or request.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The slots of one question after the other, and so are the holders.
    slots: Vec<Value>,
    inputs: Vec<Value>,
    holders: Vec<Option<ArcStr>>,
    windows: WindowScratch,
    met: Vec<bool>,
}

impl FeaturePlan {
    /// Reads the features in the order in which the plan was asked for them; `out` is emptied first.
    ///
    /// An entity that the store has never seen gives missing values, not an error.
    ///
    /// # Errors
    /// [`OnlineError::OtherProject`] when `store` was opened for a project with another layout, and what the
    /// store itself reports.
    pub fn read(
        &self,
        store: &dyn OnlineStore,
        read: &Read<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<Value>,
    ) -> Result<(), OnlineError> {
        self.read_all(store, std::slice::from_ref(read), scratch, out)
    }

    /// Answers several questions, step by step for all of them, the features of one after those of the other: what
    /// [`read`](Self::read) gives for each, at less cost.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_all(
        &self,
        store: &dyn OnlineStore,
        reads: &[Read<'_>],
        scratch: &mut Scratch,
        out: &mut Vec<Value>,
    ) -> Result<(), OnlineError> {
        self.fill(store, reads, scratch)?;
        if self.outputs_first() && self.slots() == self.outputs().len() {
            std::mem::swap(out, &mut scratch.slots);
            return Ok(());
        }
        out.clear();
        for slots in scratch.slots.chunks_exact_mut(self.slots().max(1)) {
            if self.outputs_once() {
                let take =
                    |slot: &usize| std::mem::replace(&mut slots[*slot], Value::Missing(Missing::NeverSeen));
                out.extend(self.outputs().iter().map(take));
            } else {
                out.extend(self.outputs().iter().map(|slot| slots[*slot].clone()));
            }
        }
        Ok(())
    }

    fn fill(
        &self,
        store: &dyn OnlineStore,
        reads: &[Read<'_>],
        scratch: &mut Scratch,
    ) -> Result<(), OnlineError> {
        if store.layout().digest() != self.layout_digest() {
            return Err(OnlineError::OtherProject);
        }
        scratch.start(self, reads.len());
        for (number, read) in reads.iter().enumerate() {
            let slots = scratch.slots_of(self, number);
            for (name, slot) in self.request_fields() {
                slots[*slot] = read.request.get(name);
            }
            apply(read.overrides, slots);
        }
        for step in self.steps() {
            match step {
                Step::Gather(gather) => self.gather(gather, store, reads, scratch)?,
                Step::Link { holder, key } => self.link(*holder, *key, reads.len(), scratch),
                Step::Derive(derive) => self.derive(derive, reads, scratch),
            }
        }
        Ok(())
    }

    fn gather(
        &self,
        gather: &Gather,
        store: &dyn OnlineStore,
        reads: &[Read<'_>],
        scratch: &mut Scratch,
    ) -> Result<(), OnlineError> {
        let (width, holder) = (self.slots(), gather.holder);
        let Scratch { slots, holders, windows, met, .. } = scratch;
        let key_of = |number: usize| match holder {
            0 => Some(reads[number].key.as_str()),
            _ => holders[number * self.holders().len() + holder].as_deref(),
        };
        for number in (0..reads.len()).filter(|number| key_of(*number).is_none()) {
            gather.not_linked(&mut slots[number * width..(number + 1) * width]);
        }
        let mut keys = (0..reads.len()).filter_map(|number| Some((number, key_of(number)?)));
        store.visit_all(gather.table, &mut keys, &mut |number, rows| {
            met[number] |= holder == 0 && !rows.is_empty();
            let (as_of, slots) = (reads[number].as_of, &mut slots[number * width..(number + 1) * width]);
            match rows {
                EntityRows::Base(rows) => gather.fill(rows, as_of, windows, slots),
                EntityRows::Merged(rows) => gather.fill(rows, as_of, windows, slots),
            }
        })?;
        for (number, read) in reads.iter().enumerate().filter(|(_, read)| !read.overrides.is_empty()) {
            apply(read.overrides, scratch.slots_of(self, number));
        }
        Ok(())
    }

    fn link(&self, holder: usize, key: usize, count: usize, scratch: &mut Scratch) {
        let (slots, holders) = (self.slots(), self.holders().len());
        for number in 0..count {
            scratch.holders[number * holders + holder] = match &scratch.slots[number * slots + key] {
                Value::Text(text) => crate::view::key::is_key(text).then(|| text.clone()),
                other => key_text(other).map(|text| ArcStr::from(text.as_ref())),
            };
        }
    }

    fn derive(&self, derive: &Derive, reads: &[Read<'_>], scratch: &mut Scratch) {
        let width = self.slots();
        for (number, read) in reads.iter().enumerate() {
            if read.overrides.iter().any(|(slot, _)| *slot == derive.slot) {
                continue;
            }
            let holder = number * self.holders().len() + derive.holder;
            let linked = derive.holder == 0 || scratch.holders[holder].is_some();
            let Scratch { slots, inputs, .. } = scratch;
            let slots = &mut slots[number * width..(number + 1) * width];
            slots[derive.slot] = derive.evaluate(linked, slots, read.as_of, inputs);
        }
    }
}

impl Scratch {
    /// True when the last read met a row of the entity asked about, whatever its time; of several, the `number`th. An
    /// entity that it did not meet may still have rows that the plan does not read.
    #[must_use]
    pub fn met(&self, number: usize) -> bool {
        self.met.get(number).is_some_and(|met| *met)
    }

    fn start(&mut self, plan: &FeaturePlan, count: usize) {
        self.met.clear();
        self.met.resize(count, false);
        self.slots.clear();
        // One known value, written in one go: cloning a value would look at each.
        self.slots.resize_with(plan.slots() * count, || Value::Missing(Missing::NeverSeen));
        self.holders.clear();
        self.holders.resize(plan.holders().len() * count, None);
    }

    fn slots_of(&mut self, plan: &FeaturePlan, number: usize) -> &mut [Value] {
        &mut self.slots[number * plan.slots()..(number + 1) * plan.slots()]
    }
}

fn apply(overrides: &[(usize, Value)], slots: &mut [Value]) {
    for (slot, value) in overrides {
        slots[*slot] = value.clone();
    }
}
