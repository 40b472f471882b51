//! A compiled expression.

use crate::expression::{ExpressionError, Problem, Scope};
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};

/// A compiled expression over numbered inputs and the as-of time.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    value_type: ValueType,
    slots: Vec<usize>,
}

impl Expression {
    /// Compiles `text`, its names being those of `scope`.
    ///
    /// # Errors
    /// [`ExpressionError`] with the place in the text: syntax, unknown names (with the nearest known one),
    /// wrong types.
    pub fn compile(text: &str, scope: &dyn Scope) -> Result<Self, ExpressionError> {
        let _ = (text, scope);
        Err(Problem::Unsupported("any expression".to_owned()).into())
    }

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

    /// The slots it reads, ascending, each once.
    #[must_use]
    pub fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// The same expression over inputs that stand elsewhere: slot `s` is read from `place(s)`.
    #[must_use]
    pub fn with_slots(&self, place: impl Fn(usize) -> usize) -> Self {
        let _ = place;
        self.clone()
    }

    /// Evaluates over `inputs` (slot i of the scope it was compiled in) as of `as_of`.
    ///
    /// Never panics: a slot beyond `inputs`, an input of another type than its scope said, a missing
    /// operand, overflow and division by zero all give [`Missing::Undefined`].
    #[must_use]
    pub fn evaluate(&self, inputs: &[Value], as_of: Timestamp) -> Value {
        let _ = (inputs, as_of);
        Value::Missing(Missing::Undefined)
    }

    /// True when the expression is true; false when it is false or has no value (SQL's `WHERE`).
    #[must_use]
    pub fn is_true(&self, inputs: &[Value], as_of: Timestamp) -> bool {
        matches!(self.evaluate(inputs, as_of), Value::Bool(true))
    }
}
