//! The `scorehouse` binary.

fn main() {}
