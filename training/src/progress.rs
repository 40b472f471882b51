//! Telling whoever waits how far a training run has come.

/// Receives the stages of a run. Calls come in the order of the work, from one thread at a time per stage;
/// [`Progress::advance`] may come from any thread.
pub trait Progress: Sync {
    /// A stage of `total` steps begins; 0 when the number is not known.
    fn stage(&self, name: &str, total: u64);
    /// `by` more steps of the current stage are done.
    fn advance(&self, by: u64);
    /// Something worth a line: what was decided, or what was set aside.
    fn message(&self, text: &str);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _name: &str, _total: u64) {}
    fn advance(&self, _by: u64) {}
    fn message(&self, _text: &str) {}
}
