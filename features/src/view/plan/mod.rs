//! From a list of feature names to the steps that compute them.

mod compile;
mod steps;

use indexmap::IndexMap;

pub use steps::{Derive, Gather, LatestPart, Step};

use self::compile::Compiler;
use crate::definition::Project;
use crate::error::FeatureError;
use crate::ids::{EntityName, FeatureName, LocalName, ReferenceName, ViewName};
use crate::value::ValueType;

/// How to compute an ordered list of features of one entity.
///
/// Values stand in numbered slots. The steps fill them in order, each reading only slots that earlier steps
/// (or the request) have filled. Keys stand with *holders*: holder 0 is the entity asked about, every other
/// one an entity it refers to, its key found by a [`Step::Link`]. The online store runs the steps for one
/// entity at a time, the offline engine step by step for many; both call the same functions.
#[derive(Debug, Clone)]
pub struct FeaturePlan {
    entity: EntityName,
    holders: Vec<Holder>,
    steps: Vec<Step>,
    request_fields: Vec<(LocalName, usize)>,
    slots: IndexMap<(usize, ViewName, LocalName), ValueType>,
    outputs: Vec<usize>,
    /// No slot is asked for twice.
    outputs_once: bool,
    /// The slots asked for are the first ones, in their order.
    outputs_first: bool,
    layout_digest: String,
}

/// An entity whose features a plan reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its kind.
    pub entity: EntityName,
    /// The holder that refers to it and in which role; none for the entity asked about.
    pub from: Option<(usize, ReferenceName)>,
}

impl FeaturePlan {
    /// Compiles a plan for `features` of `entity`, in this order; a name may stand more than once.
    ///
    /// # Errors
    /// [`FeatureError::Unknown`] for an entity, reference, view or feature that is not declared, or belongs
    /// to another entity.
    pub fn compile(
        project: &Project,
        entity: &EntityName,
        features: &[FeatureName],
    ) -> Result<Self, FeatureError> {
        if !project.entities.contains_key(entity) {
            let known = project.entities.keys().map(ToString::to_string).collect();
            return Err(FeatureError::Unknown { what: "entity", name: entity.to_string(), known });
        }
        let mut compiler = Compiler::new(project, entity)?;
        let mut outputs = Vec::with_capacity(features.len());
        for feature in features {
            outputs.push(compiler.feature(0, feature)?);
        }
        compiler.finish(outputs)
    }

    /// The entity asked about.
    #[must_use]
    pub const fn entity(&self) -> &EntityName {
        &self.entity
    }

    /// The entities read: the one asked about, then those it refers to, each after the one that refers to it.
    #[must_use]
    pub fn holders(&self) -> &[Holder] {
        &self.holders
    }

    /// The steps in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The fields that the request may bring, with the slot each fills.
    #[must_use]
    pub fn request_fields(&self) -> &[(LocalName, usize)] {
        &self.request_fields
    }

    /// Number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The slot of each feature asked for, in that order.
    #[must_use]
    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    /// True when no feature was asked for twice, so that values can be moved out of their slots.
    pub(crate) const fn outputs_once(&self) -> bool {
        self.outputs_once
    }

    /// True when the slots asked for are the first ones, in their order.
    pub(crate) const fn outputs_first(&self) -> bool {
        self.outputs_first
    }

    /// The slot of any feature or request field that the plan computes on the way, named as the entity asked
    /// about would name it.
    #[must_use]
    pub fn slot(&self, feature: &FeatureName) -> Option<usize> {
        let holder = match &feature.through {
            None => 0,
            Some(reference) => self.holders.iter().position(|holder| {
                holder.from.as_ref().is_some_and(|(from, r)| *from == 0 && r == reference)
            })?,
        };
        self.slots.get_index_of(&(holder, feature.view.clone(), feature.name.clone()))
    }

    /// The type of a slot.
    #[must_use]
    pub fn slot_type(&self, slot: usize) -> Option<ValueType> {
        self.slots.get_index(slot).map(|(_, value_type)| *value_type)
    }

    /// The type of each feature asked for, in that order.
    #[must_use]
    pub fn types(&self) -> Vec<ValueType> {
        self.outputs.iter().filter_map(|slot| self.slot_type(*slot)).collect()
    }

    /// The digest of the layout that table and column numbers refer to.
    #[must_use]
    pub fn layout_digest(&self) -> &str {
        &self.layout_digest
    }
}
