//! Rows that may be missing without harm, or whose lack nobody is known to make use of: each with its reason.

use crate::r1cs::Shape;
use crate::r1cs::freedom::columns;

/// Why the mutants of some rows survive.
struct Survivors {
    /// What the statement's name begins with.
    statement: &'static str,
    family: &'static str,
    /// Of the family's rows those with so many variables at most.
    variables: usize,
    why: &'static str,
}

/// All of them. A survivor that does not stand here makes the examination fail.
const LIST: [Survivors; 1] = [Survivors {
    statement: "nym",
    family: "point-on-curve",
    variables: 3,
    why: "off the curve the circuit's sums are no group law, and no Z or Γ there is known that meets the \
          Chaum–Pedersen proof and β·Γ = Z; the rows are kept because the argument that 8·Γ is unique is made on \
          the curve (module `nym`), and that they refuse what is off it is tested with the gadget",
}];

/// The reason for which the mutant without this row survives.
pub(super) fn explanation(statement: &str, shape: &Shape, row: usize) -> Option<&'static str> {
    let family = shape.families()[row];
    let variables = columns(shape, &shape.rows()[row]).len();
    let fits = |entry: &&Survivors| {
        statement.starts_with(entry.statement) && entry.family == family && variables <= entry.variables
    };
    LIST.iter().find(fits).map(|entry| entry.why)
}
