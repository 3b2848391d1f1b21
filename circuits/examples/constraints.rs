//! Prints `docs/constraints.md`: rows of each circuit by family, and the digests of the shapes.

#![allow(clippy::print_stdout, reason = "printing is all it does")]

fn main() {
    print!("{}", sigveil_circuits::constraints::page());
}
