//! A compiled expression.

use crate::expression::compile::Compiler;
use crate::expression::evaluate::evaluate;
use crate::expression::node::Node;
use crate::expression::parse::parse;
use crate::expression::{ExpressionError, Problem, Scope};
use crate::time::Timestamp;
use crate::value::{Missing, Value, ValueType};

/// A compiled expression over numbered inputs and the as-of time.
///
/// Cheap to evaluate (no allocation but for new text) and safe to share between threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    text: String,
    value_type: ValueType,
    slots: Vec<usize>,
    root: Node,
}

impl Expression {
    /// Compiles `text`, its names being those of `scope`.
    ///
    /// ```
    /// use scorehouse_features::expression::Expression;
    /// use scorehouse_features::time::Timestamp;
    /// use scorehouse_features::value::{Missing, Value, ValueType};
    ///
    /// let columns = vec![("quantity".to_owned(), ValueType::Int), ("price".to_owned(), ValueType::Float)];
    /// let amount = Expression::compile("quantity * price", &columns)?;
    /// let row = [Value::Int(3), Value::Float(2.5)];
    /// assert_eq!(amount.evaluate(&row, Timestamp(0)), Value::Float(7.5));
    /// let row = [Value::Missing(Missing::NullAtSource), Value::Float(2.5)];
    /// assert_eq!(amount.evaluate(&row, Timestamp(0)), Value::Missing(Missing::Undefined));
    /// # Ok::<(), scorehouse_features::expression::ExpressionError>(())
    /// ```
    ///
    /// # Errors
    /// [`ExpressionError`] with the place in the text: syntax, unknown names (with the nearest known one),
    /// wrong types.
    pub fn compile(text: &str, scope: &dyn Scope) -> Result<Self, ExpressionError> {
        let tree = parse(text)?;
        let typed = Compiler::new(text, scope).compile(&tree)?;
        let value_type = typed.kind.ok_or(Problem::AlwaysNull)?;
        let mut slots = Vec::new();
        typed.node.walk(&mut |node| {
            if let Node::Input { slot, .. } = node {
                slots.push(*slot);
            }
        });
        slots.sort_unstable();
        slots.dedup();
        Ok(Self { text: text.to_owned(), value_type, slots, root: typed.node })
    }

    /// Compiles `text` to an expression of type `kind`; an int is turned into a float where one is wanted.
    ///
    /// # Errors
    /// As [`compile`](Self::compile), and [`Problem::Result`] when the type is another.
    pub fn compile_as(text: &str, scope: &dyn Scope, kind: ValueType) -> Result<Self, ExpressionError> {
        let mut compiled = Self::compile(text, scope)?;
        match (compiled.value_type, kind) {
            (found, expected) if found == expected => {}
            (ValueType::Int, ValueType::Float) => {
                compiled.root = Node::ToFloat(Box::new(compiled.root));
                compiled.value_type = ValueType::Float;
            }
            (found, expected) => return Err(Problem::Result { expected, found }.into()),
        }
        Ok(compiled)
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

    /// True when it calls `as_of()`, so that its result depends on when it is asked for.
    #[must_use]
    pub fn reads_as_of(&self) -> bool {
        let mut found = false;
        self.root.walk(&mut |node| found |= matches!(node, Node::AsOf));
        found
    }

    /// The same expression over inputs that stand elsewhere: slot `s` is read from `place(s)`.
    #[must_use]
    pub fn with_slots(&self, place: impl Fn(usize) -> usize) -> Self {
        let mut moved = self.clone();
        moved.root.rewrite(&mut |node| {
            if let Node::Input { slot, .. } = node {
                *slot = place(*slot);
            }
        });
        moved.slots = self.slots.iter().map(|slot| place(*slot)).collect();
        moved.slots.sort_unstable();
        moved.slots.dedup();
        moved
    }

    /// Evaluates over `inputs` (slot i of the scope it was compiled in) as of `as_of`.
    ///
    /// Never panics: a slot beyond `inputs`, an input of another type than its scope said, a missing
    /// operand, overflow and division by zero all give [`Missing::Undefined`].
    #[must_use]
    pub fn evaluate(&self, inputs: &[Value], as_of: Timestamp) -> Value {
        evaluate(&self.root, inputs, as_of)
            .map_or(Value::Missing(Missing::Undefined), super::evaluate::Scalar::into_value)
    }

    /// True when the expression is true; false when it is false or has no value (SQL's `WHERE`).
    #[must_use]
    pub fn is_true(&self, inputs: &[Value], as_of: Timestamp) -> bool {
        matches!(evaluate(&self.root, inputs, as_of), Some(super::evaluate::Scalar::Bool(true)))
    }
}
