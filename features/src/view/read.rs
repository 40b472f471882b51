//! Reading a plan's features for one entity from an online store.

use std::sync::Arc;

use crate::ids::{EntityKey, LocalName};
use crate::online::{EntityRows, OnlineError, OnlineStore};
use crate::time::Timestamp;
use crate::value::{Missing, Value};
use crate::view::key::key_text;
use crate::view::plan::{FeaturePlan, Step};
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
    pub(crate) slots: Vec<Value>,
    inputs: Vec<Value>,
    holders: Vec<Option<Arc<str>>>,
    windows: WindowScratch,
    met: bool,
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
        self.fill(store, read, scratch)?;
        if self.outputs_first() {
            std::mem::swap(out, &mut scratch.slots);
            out.truncate(self.outputs().len());
            return Ok(());
        }
        out.clear();
        if self.outputs_once() {
            let take = |slot: &usize| {
                std::mem::replace(&mut scratch.slots[*slot], Value::Missing(Missing::NeverSeen))
            };
            out.extend(self.outputs().iter().map(take));
        } else {
            out.extend(self.outputs().iter().map(|slot| scratch.slots[*slot].clone()));
        }
        Ok(())
    }

    fn fill(
        &self,
        store: &dyn OnlineStore,
        read: &Read<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), OnlineError> {
        if store.layout().digest() != self.layout_digest() {
            return Err(OnlineError::OtherProject);
        }
        scratch.start(self);
        for (name, slot) in self.request_fields() {
            scratch.slots[*slot] = read.request.get(name);
        }
        scratch.apply(read.overrides);
        for step in self.steps() {
            self.step(step, store, read, scratch)?;
        }
        Ok(())
    }

    fn step(
        &self,
        step: &Step,
        store: &dyn OnlineStore,
        read: &Read<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), OnlineError> {
        match step {
            Step::Gather(gather) => {
                let Scratch { slots, holders, windows, met, .. } = scratch;
                let own = gather.holder == 0;
                let key = if own { Some(read.key.as_str()) } else { holders[gather.holder].as_deref() };
                match key {
                    None => gather.not_linked(slots),
                    Some(key) => store.visit(gather.table, key, &mut |rows| {
                        *met |= own && !rows.is_empty();
                        match rows {
                            EntityRows::Base(rows) => gather.fill(rows, read.as_of, windows, slots),
                            EntityRows::Merged(rows) => gather.fill(rows, read.as_of, windows, slots),
                        }
                    })?,
                }
                scratch.apply(read.overrides);
            }
            Step::Link { holder, key } => {
                scratch.holders[*holder] = match &scratch.slots[*key] {
                    Value::Text(text) => crate::view::key::is_key(text).then(|| text.clone()),
                    other => key_text(other).map(|text| Arc::from(text.as_ref())),
                };
            }
            Step::Derive(derive) => {
                if read.overrides.iter().any(|(slot, _)| *slot == derive.slot) {
                    return Ok(());
                }
                let linked = derive.holder == 0 || scratch.holders[derive.holder].is_some();
                let Scratch { slots, inputs, .. } = scratch;
                slots[derive.slot] = derive.evaluate(linked, slots, read.as_of, inputs);
            }
        }
        Ok(())
    }
}

impl Scratch {
    /// True when the last read met a row of the entity asked about, whatever its time. An entity that it did not meet
    /// may still have rows that the plan does not read.
    #[must_use]
    pub const fn met(&self) -> bool {
        self.met
    }

    fn start(&mut self, plan: &FeaturePlan) {
        self.met = false;
        self.slots.clear();
        // One known value, written in one go: cloning a value would look at each.
        self.slots.resize_with(plan.slots(), || Value::Missing(Missing::NeverSeen));
        self.holders.clear();
        self.holders.resize(plan.holders().len(), None);
    }

    fn apply(&mut self, overrides: &[(usize, Value)]) {
        for (slot, value) in overrides {
            self.slots[*slot] = value.clone();
        }
    }
}
