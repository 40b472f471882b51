//! What is kept of every answer.

use crate::time::Span;

/// How answers are logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreLogSettings {
    /// False: nothing is kept.
    pub enabled: bool,
    /// Bytes of answers that wait in memory to be written.
    pub memory: usize,
    /// What becomes of an answer for which there is no room.
    pub overflow: Overflow,
    /// Longest time between an answer and its bytes on the disk: what a crash may lose.
    pub flush: Span,
    /// How long answers are kept; none keeps them for good.
    pub keep: Option<Span>,
}

/// What becomes of an answer for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The request waits until there is, and is refused after a while.
    Wait,
    /// It is given but not kept, and counted.
    Drop,
}

impl Default for ScoreLogSettings {
    fn default() -> Self {
        let second = Span(1_000_000);
        Self { enabled: true, memory: 64 << 20, overflow: Overflow::Wait, flush: second, keep: None }
    }
}
