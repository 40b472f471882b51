//! What is a model here?
//!
//! In the order of one score's way: what a model reads and answers ([`signature`]), how values become
//! numbers ([`encoder`]), what computes ([`predictor`]), what its number means ([`calibration`]) and how sure it
//! is ([`certainty`]), why it came out so ([`reason`]), when it comes true ([`timing`]), what would
//! change it ([`what_if`]), how its inputs lay in training ([`baseline`]), all of it in one frozen file ([`artifact`]), scored ([`score`]), and kept,
//! named and moved ([`registry`]).

pub mod artifact;
pub mod baseline;
pub mod calibration;
pub mod certainty;
pub mod encoder;
pub mod error;
pub mod ids;
pub mod predictor;
pub mod reason;
pub mod registry;
pub mod score;
pub mod signature;
pub mod timing;
pub mod what_if;

pub use artifact::{Artifact, Golden};
pub use baseline::Baseline;
pub use calibration::Calibration;
pub use certainty::{Interval, Support};
pub use encoder::{EncodedColumn, Encoder, Scaling, Transform};
pub use error::ModelError;
pub use ids::{AliasName, ArtifactDigest, ModelVersion, Probability};
pub use predictor::{Average, Forest, ForestBuilder, Linear, Onnx, Predictor, Scale, Term};
pub use reason::{Effect, Explanation, Reason};
pub use registry::{Registry, SqliteRegistry};
pub use score::{Score, ScoringModel, Scratch};
pub use signature::{FeatureSetRef, InputField, Output, Signature};
pub use timing::{Curve, Timing};
