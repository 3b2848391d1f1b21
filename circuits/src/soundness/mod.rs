//! Soundness, shown: what is missed where a row is missing, and what a prover can still choose (protocol.md §5.4).
//!
//! For tests and for the command `soundness` among the crate's examples; nothing that proves or verifies uses it.
//! All parts are generic over a [`Subject`]: a statement with an honest witness.
//!
//! # Mutation ([`mutation`])
//! A mutant is the statement without one row, or without one family of rows. It is *caught by a witness* where an
//! assignment is found that the whole statement refuses and the mutant accepts. Candidates are lies: one value of the
//! row is changed, or a few are, and whatever follows is solved anew from the rows, as somebody who forges would; a
//! value that the rows leave no solution is taken from another of its rows. What a verifier holds against is
//! stated anew to fit, so what is accepted is a false statement, and whoever has the issuer's key signs
//! whatever digest comes out. Lies are told about tokens too: each byte of one is altered and signed anew.
//! It is *caught by determinism* where no such assignment was found, but without the row the prover's choices no
//! longer determine all other variables ([`r1cs::freedom`](crate::r1cs)): then no argument is left that the variable
//! is what it should be. All others are survivors, each of which stands in a list with its reason (the module `survivors`).
//!
//! # Native check against circuit ([`differential`])
//! A token that the native check refuses has no witness to be found, so what is asked is whether the rows hold on the
//! values that an honest prover computes from it: [`best_effort`](crate::token::circuit::best_effort), for the public
//! inputs that fit it best. That no other values do is what mutation, determinism and the lies of the tests are about.
//!
//! What examinations at length came to is kept under `docs/soundness/`, and `docs/soundness.md` is made of it ([`records`]).
//!
//! # Determinism ([`isolation`])
//! With the public inputs fixed, the solutions of the rows are a variety. It is shown that at an honest witness no
//! variable but those listed changes along it, alone or with others: the witness is an isolated solution. That other
//! solutions lie elsewhere (another payload under the same key) is in the nature of the statement. That variables
//! other than the listed choices are *functions* of these is shown by propagation, in the tests of each statement.

pub mod differential;
mod forger;
pub mod isolation;
mod lies;
pub mod mutation;
mod nym;
pub mod records;
mod statements;
mod survivors;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;

pub use nym::NymSubject;
pub use statements::{QuerySubject, TokenSubject};

use crate::Fr;
use crate::r1cs::{Assignment, Cs, Told};

/// A statement with an honest witness.
pub trait Subject: Sync {
    /// Name of the statement, such as `token_768`.
    fn name(&self) -> String;

    /// Runs the circuit; returns the public inputs, before they are hashed to one.
    fn synthesize<C: Cs>(&self, cs: &mut C) -> Vec<C::Num>;

    /// How many ways there are to alter what the statement is about, all else being honest.
    fn alterations(&self) -> usize {
        0
    }

    /// An honest prover's values for the same public inputs, where the issuer has said something else in the n-th way and
    /// a row that is asked about may be all that refuses it.
    fn altered(&self, _n: usize, _is_asked_about: impl Fn(usize) -> bool) -> Option<Assignment> {
        None
    }

    /// Whether a row alone refuses one of the lies that only who knows what it is about can think of.
    fn is_missed(&self, _row: usize) -> bool {
        false
    }

    /// Someone who holds the signing or evaluating key makes what a liar's values need: `values` are one, public
    /// inputs, witness. `None` where nobody can.
    fn with_an_accomplice(&self, values: &[Fr]) -> Option<Assignment>;

    /// The one row that then does not hold, of those that do not hold on `values`.
    fn only_refusal_with_an_accomplice(&self, values: &[Fr], _violated: &[usize]) -> Option<usize> {
        only_violation(&self.with_an_accomplice(values)?)
    }

    /// The one row that refuses these lies, by their variables and in order, where all else is left to the circuit's own
    /// hints, and to an accomplice.
    fn only_refusal(&self, lies: &[(usize, Told)]) -> Option<usize> {
        let (lies, mut told) = (lies.to_vec(), 0);
        let tell = move |_: &str, at: usize, honest: Fr| {
            let Some((_, lie)) = lies.get(told).filter(|(variable, _)| *variable == at) else {
                return honest;
            };
            told += 1;
            match lie {
                Told::Set(value) => *value,
                Told::By(more) => honest + more,
            }
        };
        let values = Assignment::tampered(tell, |cs| self.synthesize(cs));
        match values.violations() {
            [] => None,
            [violation] => Some(violation.row),
            more => {
                let out_of_reach = more.iter().filter(|v| !self.in_reach_of_an_accomplice(v.family));
                (out_of_reach.count() <= 1)
                    .then(|| only_violation(&self.with_an_accomplice(&values.full())?))?
            }
        }
    }

    /// Whether [`Subject::with_an_accomplice`] may make rows of this family hold.
    fn in_reach_of_an_accomplice(&self, family: &str) -> bool;
}

fn only_violation(values: &Assignment) -> Option<usize> {
    match values.violations() {
        [violation] => Some(violation.row),
        _ => None,
    }
}
