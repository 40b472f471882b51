//! Models as a project declares them: what is predicted, from which features, learnt from what.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::definition::arrangement::Arrangement;
use crate::definition::rerank::RerankSpec;
use crate::definition::serving::ServingSpec;
use crate::definition::view::DerivedFeature;
use crate::expression::Expression;
use crate::ids::{
    ColumnName, EntityName, FeatureName, FeatureSetName, LocalName, ModelName, ReferenceName, SourceName,
};
use crate::time::{Span, Timestamp};

/// A declared model.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// Its name.
    pub name: ModelName,
    /// How it comes to be.
    pub pipeline: Pipeline,
    /// What it is, for readers.
    pub description: Option<String>,
    /// How its answers are put to use.
    pub serving: ServingSpec,
}

/// How a model comes to be.
#[derive(Debug, Clone)]
pub enum Pipeline {
    /// Probability that an open deal is won.
    Win(WinSpec),
    /// Probability that a customer leaves within a horizon.
    Churn(ChurnSpec),
    /// Products for a customer, from interactions in a source.
    Upsell(UpsellSpec),
    /// Any label in a plain CSV file, without the feature store.
    Table(TableSpec),
    /// Products for a user, from a plain CSV file of interactions.
    Interactions(InteractionsSpec),
    /// Trained elsewhere and registered (ONNX); reads this feature set.
    Registered(FeatureSetName),
}

/// What every probability model over the feature store shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitSpec {
    /// The features read.
    pub feature_set: FeatureSetName,
    /// Candidates tried: any of `logistic`, `forest`, `boosting`.
    pub candidates: Vec<Candidate>,
    /// Share of the snapshots, the latest, on which the chosen candidate is measured (0 to 0.5).
    pub holdout: f64,
    /// What is taken for true before there are outcomes.
    pub prior: Prior,
    /// Features that may move the score one way only.
    pub monotone: IndexMap<String, Direction>,
    /// Features that people can change.
    pub actionable: IndexMap<String, ActionableSpec>,
}

/// How far people can change a feature; what is not said follows from the values seen in training.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ActionableSpec {
    /// The way in which it can change; none: both.
    pub direction: Option<Direction>,
    /// Its least value.
    pub min: Option<f64>,
    /// Its greatest value.
    pub max: Option<f64>,
    /// A change is a multiple of this, above 0.
    pub step: Option<f64>,
    /// The texts it can take; empty: those seen.
    pub values: Vec<String>,
}

/// What is taken for true before there are outcomes: as if `rows` rows had been seen, `rate` of them with the
/// outcome.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// Rate of the outcome, above 0 and below 1.
    pub rate: f64,
    /// How many rows it weighs, above 0.
    pub rows: f64,
}

impl Pipeline {
    /// The feature set that the model reads; none for one over a plain file or interactions.
    #[must_use]
    pub const fn feature_set(&self) -> Option<&FeatureSetName> {
        match self {
            Self::Win(spec) => Some(&spec.fit.feature_set),
            Self::Churn(spec) => Some(&spec.fit.feature_set),
            Self::Registered(set) => Some(set),
            Self::Upsell(_) | Self::Table(_) | Self::Interactions(_) => None,
        }
    }
}

impl Default for Prior {
    /// One row of either kind (Laplace's rule of succession).
    fn default() -> Self {
        Self { rate: 0.5, rows: 2.0 }
    }
}

/// The way in which a feature may move a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The score never falls when the feature rises.
    Up,
    /// The score never rises when the feature rises.
    Down,
}

/// A kind of learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Candidate {
    /// Penalised logistic regression.
    Logistic,
    /// Random forest.
    Forest,
    /// Gradient-boosted trees.
    Boosting,
}

/// Deals: seen at several moments while open, labelled by how they ended.
#[derive(Debug, Clone)]
pub struct WinSpec {
    /// Features and learners.
    pub fit: FitSpec,
    /// Source whose first row of a deal opens it; its key column is the entity's.
    pub opened: SourceName,
    /// Source whose row of a deal closes it.
    pub closed: SourceName,
    /// True on a closing row when the deal was won.
    pub won: Expression,
    /// Ages after opening at which a deal is looked at, while it is still open.
    pub at: Vec<Span>,
    /// What deals are worth, so that they can be added up.
    pub forecast: Option<ForecastSpec>,
}

/// What deals come to, and what it is held against.
#[derive(Debug, Clone)]
pub struct ForecastSpec {
    /// What a deal is worth, from its features as of the moment asked for.
    pub amount: DerivedFeature,
    /// What was asked of, and promised by, those who sell.
    pub plan: Option<PlanSpec>,
}

/// Features of another entity, such as the rep, that say what was asked and promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSpec {
    /// The role of that entity for a deal.
    pub role: ReferenceName,
    /// What is asked to be won in the period.
    pub target: Option<FeatureName>,
    /// What was promised.
    pub commit: Option<FeatureName>,
    /// The period that both are of, as text such as `2026-Q4`; none: whichever is asked for.
    pub period: Option<FeatureName>,
}

/// Customers: looked at every so often, labelled by what they did within the horizon.
#[derive(Debug, Clone)]
pub struct ChurnSpec {
    /// Features and learners.
    pub fit: FitSpec,
    /// What leaving means.
    pub definition: ChurnDefinition,
    /// Time between two looks.
    pub every: Span,
    /// How far ahead the label looks.
    pub horizon: Span,
    /// First look; none: one horizon after the first row.
    pub from: Option<Timestamp>,
    /// What a customer who stays is worth over the horizon, from the customer's features.
    pub margin: Option<DerivedFeature>,
}

/// What leaving means.
#[derive(Debug, Clone)]
pub enum ChurnDefinition {
    /// No row of `activity` within the horizon, for a customer with one in the `active_within` before.
    NonContractual {
        /// Source of activity (purchases).
        activity: SourceName,
        /// Which rows are activity.
        filter: Option<Expression>,
        /// A customer is looked at only when active this recently.
        active_within: Span,
    },
    /// A contract ends within the horizon, for a customer under contract.
    Contractual {
        /// Source whose row starts a contract.
        started: SourceName,
        /// Source whose row ends it.
        ended: SourceName,
        /// Which rows of `ended` are an end.
        filter: Option<Expression>,
    },
}

/// Interactions in a source, and the rules a product must meet.
#[derive(Debug, Clone)]
pub struct UpsellSpec {
    /// Source of interactions.
    pub source: SourceName,
    /// Which rows count.
    pub filter: Option<Expression>,
    /// The entity that buys; rules read its features as `customer.view.feature`.
    pub user_entity: Option<EntityName>,
    /// The entity that is sold; rules read its features as `product.view.feature`.
    pub item_entity: Option<EntityName>,
    /// Column of the customer's key.
    pub user: ColumnName,
    /// Column of the product's key.
    pub item: ColumnName,
    /// Weight of one row; none: 1.
    pub weight: Option<Expression>,
    /// Time after which a row counts half; none: training finds one on held-back rows.
    pub half_life: Option<Span>,
    /// Time after an answer within which a purchase counts as its outcome.
    pub horizon: Span,
    /// Column that groups rows into one basket (an invoice), for item-to-item.
    pub basket: Option<ColumnName>,
    /// Rules at request time, by name; all must be true for a product to be shown.
    pub rules: IndexMap<String, RuleSpec>,
    /// Products bought by this customer within this span are not shown.
    pub not_bought_within: Option<Span>,
    /// What a second look at the best candidates may read; none: there is no second look.
    pub rerank: Option<RerankSpec>,
    /// How an answer is arranged beyond relevance.
    pub arrangement: Arrangement,
}

/// One rule of a storefront.
#[derive(Debug, Clone)]
pub struct RuleSpec {
    /// True for a product that may be shown; its input i is `inputs[i]`. No value counts as not true.
    pub expression: Expression,
    /// What it reads.
    pub inputs: Vec<RuleInput>,
    /// What the rule asks for, for readers of an answer.
    pub words: Option<String>,
}

/// One input of a storefront's rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleInput {
    /// A feature of the customer (`customer.view.feature`).
    Customer(FeatureName),
    /// A feature of the product (`product.view.feature`).
    Product(FeatureName),
    /// A field that the request brings (`request.field`).
    Request(LocalName),
    /// The product's key (`item`).
    Item,
}

impl RuleInput {
    /// True when it tells one product from another.
    #[must_use]
    pub const fn is_of_product(&self) -> bool {
        matches!(self, Self::Product(_) | Self::Item)
    }
}

/// A plain file with a label column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableSpec {
    /// Training file, relative to the project folder.
    pub table: String,
    /// The column to predict.
    pub label: String,
    /// The label's value that counts as 1; none: `1`, `true`, `yes`, `won` or the rarer of two.
    pub positive: Option<String>,
    /// The column that names the row; carried through, never a feature.
    pub id: Option<String>,
    /// A date column for splitting by time; none: split at random by seed.
    pub time: Option<String>,
    /// A column whose rows stay on one side of a split.
    pub group: Option<String>,
    /// Columns never used.
    pub ignore: Vec<String>,
    /// Candidates tried.
    pub candidates: Vec<Candidate>,
    /// Share held out for measuring the chosen candidate (0 to 0.5).
    pub holdout: f64,
    /// What is taken for true before there are outcomes.
    pub prior: Prior,
    /// Columns that may move the score one way only.
    pub monotone: IndexMap<String, Direction>,
    /// Columns that people can change.
    pub actionable: IndexMap<String, ActionableSpec>,
}

/// A plain file of interactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InteractionsSpec {
    /// Training file, relative to the project folder.
    pub table: String,
    /// User column.
    pub user: String,
    /// Item column.
    pub item: String,
    /// Time column, if there is one.
    pub time: Option<String>,
    /// Weight column, if there is one.
    pub weight: Option<String>,
    /// Time after which a row counts half; none: training finds one on held-back rows.
    pub half_life: Option<Span>,
    /// Time after an answer within which an item taken up counts as its outcome.
    pub horizon: Span,
    /// True when items a user already has may be suggested again.
    pub repeat: bool,
}
