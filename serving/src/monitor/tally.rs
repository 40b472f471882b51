//! Where the inputs of served scores lay, by the bins and levels of their version's training.

use std::collections::BTreeMap;

use scorehouse_features::ids::ModelName;
use scorehouse_models::{Baseline, ModelVersion, Registry, Signature};

use crate::score_log::read::LoggedScore;

/// The places of one score's inputs, in the order of the signature; empty where the version kept no baseline.
pub type Places = Box<[u8]>;

/// The baselines of a model's versions, read as they are needed.
pub struct Baselines<'a> {
    registry: &'a dyn Registry,
    model: ModelName,
    known: BTreeMap<u32, Option<(Signature, Baseline)>>,
}

impl<'a> Baselines<'a> {
    /// Those of one model.
    pub const fn new(registry: &'a dyn Registry, model: ModelName) -> Self {
        Self { registry, model, known: BTreeMap::new() }
    }

    /// The baseline of a version with the inputs it is about; none for one that kept none, or cannot be read.
    pub fn of(&mut self, version: u32) -> Option<&(Signature, Baseline)> {
        let (registry, model) = (self.registry, &self.model);
        let read = || {
            let artifact = registry.artifact(model, ModelVersion(version)).ok()?;
            Some((artifact.signature, artifact.baseline?))
        };
        self.known.entry(version).or_insert_with(read).as_ref()
    }

    /// Where the inputs of a score lie.
    pub fn places(&mut self, row: &LoggedScore) -> Places {
        let Some((signature, baseline)) = self.of(row.head.version) else { return Places::default() };
        let inputs = signature.inputs.iter().zip(baseline.inputs()).enumerate();
        let place = |(at, (input, own)): (usize, (&scorehouse_models::InputField, _))| {
            let own: &scorehouse_models::baseline::InputBaseline = own;
            let found = row.inputs.get(at).filter(|(name, _)| *name == input.name);
            let place = found.map_or(own.places() - 1, |(_, value)| own.place(value, row.head.as_of));
            u8::try_from(place).unwrap_or(u8::MAX)
        };
        inputs.map(place).collect()
    }
}

/// What was served by one version.
#[derive(Debug, Default)]
pub struct Tally {
    /// The answers.
    pub outputs: Vec<f64>,
    /// Rows at each place of each input.
    pub places: Vec<Vec<u64>>,
}

impl Tally {
    /// One score more.
    pub fn add(&mut self, output: f64, places: &[u8]) {
        self.outputs.push(output);
        if self.places.len() < places.len() {
            self.places.resize(places.len(), Vec::new());
        }
        for (counts, place) in self.places.iter_mut().zip(places) {
            let place = usize::from(*place);
            if counts.len() <= place {
                counts.resize(place + 1, 0);
            }
            counts[place] += 1;
        }
    }
}
