//! Items for a user, from interactions.

use crate::artifact::Sections;
use crate::error::ModelError;

/// A recommender; its parts are still to come.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recommender {}

impl Recommender {
    /// Writes its parts into sections whose names begin with `prefix`.
    ///
    /// # Errors
    /// What writing a section reports.
    pub fn write(&self, prefix: &str, sections: &mut Sections) -> Result<(), ModelError> {
        sections.put_json(prefix, &serde_json::json!({}))
    }

    /// Reads back what [`Recommender::write`] wrote.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] for sections that are missing or malformed.
    pub fn read(prefix: &str, sections: &Sections) -> Result<Self, ModelError> {
        sections.json::<serde_json::Value>(prefix)?;
        Ok(Self {})
    }
}
