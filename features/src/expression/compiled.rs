//! A compiled expression.

use crate::time::Timestamp;
use crate::value::{Value, ValueType};

/// A compiled expression over numbered inputs and the as-of time.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    value_type: ValueType,
}

impl Expression {
    /// The text it was compiled from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type of its result.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// Evaluates over `inputs` (slot i of the scope it was compiled in) as of `as_of`.
    #[must_use]
    pub fn evaluate(&self, inputs: &[Value], as_of: Timestamp) -> Value {
        let _ = (inputs, as_of);
        Value::Missing(crate::value::Missing::Undefined)
    }
}
