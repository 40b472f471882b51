//! What names mean inside an expression.

use crate::value::ValueType;

/// Gives meaning to the names in an expression while it is compiled.
///
/// A source resolves `quantity` to the position of its column; a derived view resolves
/// `account.orders.count_90d` to a slot of its inputs.
pub trait Scope {
    /// The slot and type behind a dotted name, such as `["orders", "count_90d"]`; none if unknown.
    fn resolve(&self, path: &[String]) -> Option<(usize, ValueType)>;

    /// All dotted names that [`resolve`](Self::resolve) knows, for suggestions.
    fn names(&self) -> Vec<String>;
}

/// A scope of plain names: name `i` of the list is slot `i`.
impl Scope for Vec<(String, ValueType)> {
    fn resolve(&self, path: &[String]) -> Option<(usize, ValueType)> {
        let [name] = path else { return None };
        self.iter().position(|(known, _)| known == name).map(|slot| (slot, self[slot].1))
    }

    fn names(&self) -> Vec<String> {
        self.iter().map(|(name, _)| name.clone()).collect()
    }
}
