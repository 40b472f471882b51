//! Views: features of one entity, computed from one source or from other features.

use serde::{Deserialize, Serialize};

use crate::expression::Expression;
use crate::ids::{ColumnName, EntityName, FeatureName, LocalName, SourceName, ViewName};
use crate::time::Span;
use crate::value::ValueType;

/// A group of features of one entity.
#[derive(Debug, Clone)]
pub struct View {
    /// Its name.
    pub name: ViewName,
    /// The entity it describes.
    pub entity: EntityName,
    /// How its features are computed.
    pub kind: ViewKind,
    /// The features it offers, in order.
    pub features: Vec<Feature>,
    /// What it is, for readers.
    pub description: Option<String>,
}

/// A feature as a view offers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// Its name inside the view.
    pub name: LocalName,
    /// Its type.
    pub value_type: ValueType,
    /// Its template in words, with `{value}`.
    pub words: Option<String>,
    /// Features of one group say the same thing, so that reasons tell them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// The three kinds of view.
#[derive(Debug, Clone)]
pub enum ViewKind {
    /// The newest row of a source.
    Latest(LatestView),
    /// Aggregates over trailing windows of a source.
    Window(WindowView),
    /// Expressions over other features of the same entity (or of entities it refers to), request fields
    /// and the as-of time. Entry i computes feature i.
    Derived(Vec<DerivedFeature>),
}

/// The newest row of a source, while it is younger than the time to live.
#[derive(Debug, Clone)]
pub struct LatestView {
    /// The source read.
    pub source: SourceName,
    /// The source's column that holds the entity's key.
    pub key: ColumnName,
    /// Rows for which this is not true are not seen.
    pub filter: Option<Expression>,
    /// Age of the newest row's event time beyond which its values are expired; none: never.
    pub ttl: Option<Span>,
    /// The column behind feature i.
    pub columns: Vec<ColumnName>,
}

/// Aggregates over trailing windows: a row counts when `as_of - window < event time <= as_of` and its
/// availability time is `<= as_of`.
#[derive(Debug, Clone)]
pub struct WindowView {
    /// The source read.
    pub source: SourceName,
    /// The source's column that holds the entity's key.
    pub key: ColumnName,
    /// Rows for which this is not true are not seen.
    pub filter: Option<Expression>,
    /// Entry i computes feature i.
    pub features: Vec<WindowFeature>,
}

/// One aggregate over one window.
#[derive(Debug, Clone)]
pub struct WindowFeature {
    /// What is computed.
    pub aggregate: Aggregate,
    /// Length of the window; none: all history.
    pub window: Option<Span>,
    /// Rows for which this is not true do not count, in addition to the view's filter.
    pub filter: Option<Expression>,
}

/// What a window feature computes. Rows whose column is null do not count, except in [`Aggregate::Count`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Number of rows (Int; 0 for a window without rows).
    Count,
    /// Sum of a number column (its type; 0 for a window without values).
    Sum(ColumnName),
    /// Mean of a number column (Float).
    Mean(ColumnName),
    /// Sample standard deviation of a number column (Float; undefined below two values).
    Stddev(ColumnName),
    /// Smallest value.
    Min(ColumnName),
    /// Largest value.
    Max(ColumnName),
    /// Number of distinct values (Int).
    Distinct(ColumnName),
    /// The value of the k-th newest row, 1 being the newest.
    Last(ColumnName, u32),
    /// Days since the newest row (Float).
    DaysSinceLast,
    /// Days since the oldest row (Float).
    DaysSinceFirst,
}

impl Aggregate {
    /// The column it is of, if it is of one.
    #[must_use]
    pub const fn column(&self) -> Option<&ColumnName> {
        match self {
            Self::Count | Self::DaysSinceLast | Self::DaysSinceFirst => None,
            Self::Sum(column)
            | Self::Mean(column)
            | Self::Stddev(column)
            | Self::Min(column)
            | Self::Max(column)
            | Self::Distinct(column)
            | Self::Last(column, _) => Some(column),
        }
    }
}

/// One expression over other features.
#[derive(Debug, Clone)]
pub struct DerivedFeature {
    /// The compiled expression; its input i is `inputs[i]`.
    pub expression: Expression,
    /// The features and request fields it reads.
    pub inputs: Vec<FeatureName>,
}
