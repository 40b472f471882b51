//! Scoring as callers see it.
