//! What the second look of a recommender may read, as a project declares it.

use crate::definition::project::FeatureSet;

/// Features that a re-ranker reads; one of both is always there.
#[derive(Debug, Clone, PartialEq)]
pub struct RerankSpec {
    /// Of the customer.
    pub customer: Option<FeatureSet>,
    /// Of the product.
    pub product: Option<FeatureSet>,
}
