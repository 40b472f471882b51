//! A request for inference: what both of the protocol's writings have in common.

use std::borrow::Cow;

use super::parameters::Parameters;
use super::tensor::Tensor;

/// A request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InferRequest<'a> {
    /// The caller's name for it, given back in the answer.
    pub id: Option<Cow<'a, str>>,
    /// What stands beside the tensors.
    pub parameters: Parameters<'a>,
    /// The tensors, in order.
    pub inputs: Vec<Tensor<'a>>,
    /// The outputs asked for; all of them when empty.
    pub outputs: Vec<OutputAsked<'a>>,
}

/// One output asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputAsked<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// True: in bytes after the JSON.
    pub binary: bool,
}
