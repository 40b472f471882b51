//! How a predictor stands in an artifact: its kind in the manifest, its numbers in sections.

use serde::{Deserialize, Serialize};

use crate::artifact::Sections;
use crate::error::ModelError;
use crate::predictor::forest::ForestHeader;
use crate::predictor::onnx::OnnxOptions;
use crate::predictor::{Average, Forest, Linear, Member, Onnx, Predictor, Recommender};

/// The manifest's part of a predictor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Form {
    Linear { section: String },
    Forest { section: String, header: ForestHeader },
    Average { members: Vec<MemberForm> },
    Onnx { section: String, options: OnnxOptions },
    Recommender { section: String },
}

/// The manifest's part of one member of an average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemberForm {
    weight: f64,
    predictor: Form,
}

impl Form {
    /// Puts the predictor's numbers into sections whose names begin with `name`.
    pub(crate) fn write(
        predictor: &Predictor,
        name: &str,
        sections: &mut Sections,
    ) -> Result<Self, ModelError> {
        let section = name.to_owned();
        Ok(match predictor {
            Predictor::Linear(linear) => {
                sections.put_json(name, linear)?;
                Self::Linear { section }
            }
            Predictor::Forest(forest) => {
                let header = forest.write(name, sections)?;
                Self::Forest { section, header }
            }
            Predictor::Average(average) => {
                let member = |(i, m): (usize, &Member)| {
                    let predictor = Self::write(&m.predictor, &format!("{name}.{i}"), sections)?;
                    Ok(MemberForm { weight: m.weight, predictor })
                };
                let members = average.members().iter().enumerate().map(member);
                Self::Average { members: members.collect::<Result<_, ModelError>>()? }
            }
            Predictor::Onnx(onnx) => {
                sections.put_onnx(name, onnx.bytes().to_vec())?;
                Self::Onnx { section, options: onnx.options().clone() }
            }
            Predictor::Recommender(recommender) => {
                recommender.write(name, sections)?;
                Self::Recommender { section }
            }
        })
    }

    /// Reads the predictor back and checks it.
    pub(crate) fn read(&self, sections: &Sections) -> Result<Predictor, ModelError> {
        Ok(match self {
            Self::Linear { section } => {
                let linear: Linear = sections.json(section)?;
                linear.check()?;
                Predictor::Linear(linear)
            }
            Self::Forest { section, header } => Predictor::Forest(Forest::read(section, header, sections)?),
            Self::Average { members } => {
                let member = |m: &MemberForm| {
                    if matches!(m.predictor, Self::Average { .. }) {
                        return Err(ModelError::invalid("average", "members must not be averages"));
                    }
                    Ok(Member { weight: m.weight, predictor: m.predictor.read(sections)? })
                };
                Predictor::Average(Average::new(members.iter().map(member).collect::<Result<_, _>>()?)?)
            }
            Self::Onnx { section, options } => {
                Predictor::Onnx(Onnx::new(sections.onnx(section)?.to_vec(), options.clone())?)
            }
            Self::Recommender { section } => {
                Predictor::Recommender(Box::new(Recommender::read(section, sections)?))
            }
        })
    }
}
