//! Rows that may be missing without harm, or whose lack nobody is known to make use of: each with its reason.

use crate::r1cs::Shape;

/// Why the mutants of some rows survive.
struct Survivors {
    /// What the statement's name begins with.
    statement: &'static str,
    family: &'static str,
    why: &'static str,
}

/// All of them. A survivor that stands here with no reason makes the examination fail.
const LIST: [Survivors; 0] = [];

/// The reason for which the mutant without this row survives.
pub(super) fn explanation(statement: &str, shape: &Shape, row: usize) -> Option<&'static str> {
    let family = shape.families()[row];
    let fits = |entry: &&Survivors| statement.starts_with(entry.statement) && entry.family == family;
    LIST.iter().find(fits).map(|entry| entry.why)
}
