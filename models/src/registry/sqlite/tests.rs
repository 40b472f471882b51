//! The registry on SQLite.
