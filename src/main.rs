//! The `sigveil` command.

fn main() {}
