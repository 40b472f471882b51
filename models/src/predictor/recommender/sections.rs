//! A recommender as sections of an artifact: settings as JSON, numbers as arrays, and those of a second look.

use scorehouse_features::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::Recommender;
use super::blend::{Component, Learnt, Reads};
use super::factors::{Factors, Fold};
use super::halves::Halves;
use super::histories::Histories;
use super::names::Names;
use super::neighbours::Neighbours;
use super::parts::Parts;
use super::profile::Strength;
use super::query::Repeat;
use super::rerank::Reranker;
use crate::artifact::{Sections, Tensors};
use crate::error::ModelError;

/// The newest layout of the sections that this version reads: 1 holds components, 2 also a second look. Each recommender
/// is written in the oldest that can hold it.
const LAYOUT: u32 = 2;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    layout: u32,
    items: usize,
    users: usize,
    /// Microseconds: exact, where the RFC 3339 form of a far-off moment would not be.
    until: i64,
    strength: Strength,
    repeat: Repeat,
    popularity_weight: f32,
    components: Vec<ComponentSettings>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentSettings {
    name: String,
    weight: f32,
    reads: Reads,
    learnt: Shape,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Shape {
    Neighbours,
    Factors { width: usize, fold: Fold },
}

impl Recommender {
    /// Writes it into the sections `prefix` (JSON) and `prefix.arrays` (safetensors); the same recommender gives
    /// the same bytes.
    ///
    /// # Errors
    /// What writing a section reports.
    pub fn write(&self, prefix: &str, sections: &mut Sections) -> Result<(), ModelError> {
        let parts = self.parts();
        let mut tensors = Tensors::default();
        put_names(&mut tensors, "items", &parts.items);
        put_names(&mut tensors, "users", &parts.users);
        let histories = &parts.histories;
        tensors.put_u32("histories.starts", histories.starts.iter().copied());
        tensors.put_u32("histories.items", histories.items.iter().copied());
        tensors.put_u32("histories.weights", histories.weights.iter().copied());
        tensors.put_i64("histories.last", histories.last.iter().copied());
        tensors.put_f32("popularity", parts.popularity.iter().copied());
        tensors.put_f32("lift", parts.lift.iter().copied());
        let put = |(at, component)| put_component(&mut tensors, at, component);
        let components = parts.components.iter().enumerate().map(put).collect();
        let settings = Settings {
            layout: if parts.reranker.is_some() { 2 } else { 1 },
            items: parts.items.len(),
            users: parts.users.len(),
            until: parts.until.0,
            strength: parts.strength,
            repeat: parts.repeat,
            popularity_weight: parts.popularity_weight,
            components,
        };
        sections.put_json(prefix, &settings)?;
        if let Some(reranker) = &parts.reranker {
            reranker.write(prefix, sections)?;
        }
        sections.put_tensors(&arrays(prefix), &tensors)
    }

    /// Reads back what [`Recommender::write`] wrote, checking shapes, ranges and that every number is finite.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for sections that are missing, damaged, do not fit together or were written by
    /// a newer release.
    pub fn read(prefix: &str, sections: &Sections) -> Result<Self, ModelError> {
        let settings: Settings = sections.json(prefix)?;
        if settings.layout > LAYOUT {
            let why = format!("layout {} is newer than {LAYOUT}, the newest known here", settings.layout);
            return Err(ModelError::invalid("recommender", why));
        }
        let tensors = sections.tensors(&arrays(prefix))?;
        let items = names(&tensors, "items", settings.items)?;
        let users = names(&tensors, "users", settings.users)?;
        let histories = Histories {
            starts: tensors.u32("histories.starts")?,
            items: tensors.u32("histories.items")?,
            weights: tensors.u32("histories.weights")?,
            last: tensors.i64("histories.last")?,
        };
        let component = |(at, settings)| component(&tensors, at, settings, items.len());
        let components =
            settings.components.into_iter().enumerate().map(component).collect::<Result<_, _>>()?;
        let reranker = match settings.layout {
            0 | 1 => None,
            _ => Some(Reranker::read(prefix, sections)?),
        };
        Self::new(Parts {
            reranker,
            users,
            histories,
            strength: settings.strength,
            repeat: settings.repeat,
            components,
            popularity: tensors.f32("popularity")?,
            popularity_weight: settings.popularity_weight,
            lift: tensors.f32("lift")?,
            until: Timestamp(settings.until),
            items,
        })
    }
}

fn arrays(prefix: &str) -> String {
    format!("{prefix}.arrays")
}

fn put_names(tensors: &mut Tensors, name: &str, names: &Names) {
    let (text, ends) = names.parts();
    tensors.put_u8(&format!("{name}.text"), text.iter().copied());
    tensors.put_u32(&format!("{name}.ends"), ends.iter().copied());
}

fn names(tensors: &Tensors, name: &str, count: usize) -> Result<Names, ModelError> {
    let names =
        Names::from_parts(tensors.u8(&format!("{name}.text"))?, tensors.u32(&format!("{name}.ends"))?)?;
    if names.len() == count {
        return Ok(names);
    }
    let why = format!("{count} {name} are announced, {} are there", names.len());
    Err(ModelError::invalid("recommender", why))
}

fn put_component(tensors: &mut Tensors, at: usize, component: &Component) -> ComponentSettings {
    let learnt = match &component.learnt {
        Learnt::Neighbours(neighbours) => {
            tensors.put_u32(&format!("component.{at}.starts"), neighbours.starts.iter().copied());
            tensors.put_u32(&format!("component.{at}.targets"), neighbours.targets.iter().copied());
            tensors.put_f32(&format!("component.{at}.weights"), neighbours.weights.iter().copied());
            Shape::Neighbours
        }
        Learnt::Factors(factors) => {
            tensors.put_u16(&format!("component.{at}.input"), factors.input.0.iter().copied());
            tensors.put_u16(&format!("component.{at}.output"), factors.output.0.iter().copied());
            tensors.put_f32(&format!("component.{at}.gram"), factors.gram.iter().copied());
            Shape::Factors { width: factors.width, fold: factors.fold }
        }
    };
    ComponentSettings {
        name: component.name.clone(),
        weight: component.weight,
        reads: component.reads,
        learnt,
    }
}

fn component(
    tensors: &Tensors,
    at: usize,
    settings: ComponentSettings,
    items: usize,
) -> Result<Component, ModelError> {
    let learnt = match settings.learnt {
        Shape::Neighbours => Learnt::Neighbours(Neighbours::new(
            items,
            tensors.u32(&format!("component.{at}.starts"))?,
            tensors.u32(&format!("component.{at}.targets"))?,
            tensors.f32(&format!("component.{at}.weights"))?,
        )?),
        Shape::Factors { width, fold } => Learnt::Factors(Factors {
            width,
            fold,
            input: Halves(tensors.u16(&format!("component.{at}.input"))?),
            output: Halves(tensors.u16(&format!("component.{at}.output"))?),
            gram: tensors.f32(&format!("component.{at}.gram"))?,
        }),
    };
    Ok(Component { name: settings.name, weight: settings.weight, reads: settings.reads, learnt })
}
