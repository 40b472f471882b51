//! Telling how far a long task has come.

/// Hears how far a long task has come.
pub trait Progress: Sync {
    /// A stage begins; `total` is its size in units of the stage's own (bytes for reading files), 0 if unknown.
    fn stage(&self, name: &str, total: u64);
    /// So much more of the stage is done.
    fn advance(&self, by: u64);
    /// Something worth telling.
    fn message(&self, text: &str);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn message(&self, _: &str) {}
}
