//! Poseidon over the scalar field of BN254 (protocol.md §3).
//!
//! The permutation is the one of circomlib: S-box x^5, 8 full rounds, partial rounds by width, round constants and
//! MDS matrix from the Grain LFSR of the Poseidon paper (Grassi et al., USENIX Security 2021, appendix F). With 0 in
//! the first state element a hash equals circomlib's `Poseidon(n)`; the tests check that against published values.
//!
//! The hash puts a domain and the number of inputs there instead ([`crate::domain`]), takes at most 16 inputs, and
//! is one permutation: no sponge, no padding.

mod grain;

use std::sync::OnceLock;

use ark_bn254::Fr;
use ark_ff::{Field, Zero};

use crate::domain::Domain;

/// Most inputs of one hash.
pub const MAX_INPUTS: usize = 16;
/// Full rounds, half of them before and half after the partial ones.
pub const FULL_ROUNDS: usize = 8;
/// Partial rounds for widths 2 to 17 (circomlib, `poseidon.circom`).
pub const PARTIAL_ROUNDS: [usize; MAX_INPUTS] =
    [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];

/// The constants of the permutation of one width.
#[derive(Debug)]
pub struct Parameters {
    /// Number of state elements.
    pub width: usize,
    /// Rounds in which every element passes the S-box.
    pub full_rounds: usize,
    /// Rounds in which only the first element does.
    pub partial_rounds: usize,
    /// `round_constants[round·width + i]` is added to element i before the round's S-box.
    pub round_constants: Vec<Fr>,
    /// After the S-box, element i becomes `Σ_j mds[i][j]·state[j]`.
    pub mds: Vec<Vec<Fr>>,
}

impl Parameters {
    /// The constants of one round, in the order of the rounds.
    pub fn rounds(&self) -> impl Iterator<Item = &[Fr]> {
        self.round_constants.chunks(self.width)
    }

    /// Whether in this round (from 0) every element passes the S-box.
    #[must_use]
    pub fn is_full_round(&self, round: usize) -> bool {
        let half = self.full_rounds / 2;
        round < half || round >= half + self.partial_rounds
    }
}

/// The constants for `width` state elements, computed on first use.
///
/// # Panics
/// Unless `width` is 2 to 17: it is fixed by the statement, never by an input.
#[must_use]
pub fn parameters(width: usize) -> &'static Parameters {
    static PARAMETERS: [OnceLock<Parameters>; MAX_INPUTS] = [const { OnceLock::new() }; MAX_INPUTS];
    assert!((2..=MAX_INPUTS + 1).contains(&width), "Poseidon has widths 2 to 17");
    PARAMETERS[width - 2].get_or_init(|| grain::generate(width, FULL_ROUNDS, PARTIAL_ROUNDS[width - 2]))
}

/// Hashes 1 to 16 field elements under a domain: the first element of the permuted state
/// `[tag + 2^64·n, x_1, …, x_n]`.
///
/// # Panics
/// Unless there are 1 to 16 inputs: their number is fixed by the statement, never by an input.
#[must_use]
pub fn hash(domain: Domain, inputs: &[Fr]) -> Fr {
    hash_with_capacity(domain.capacity(inputs.len()), inputs)
}

fn hash_with_capacity(capacity: Fr, inputs: &[Fr]) -> Fr {
    let mut state = [Fr::zero(); MAX_INPUTS + 1];
    let state = &mut state[..=inputs.len()];
    state[0] = capacity;
    state[1..].copy_from_slice(inputs);
    permute(state);
    state[0]
}

/// The permutation of the state's width.
///
/// # Panics
/// Unless the state has 2 to 17 elements.
pub fn permute(state: &mut [Fr]) {
    let parameters = parameters(state.len());
    for (round, constants) in parameters.rounds().enumerate() {
        for (element, constant) in state.iter_mut().zip(constants) {
            *element += constant;
        }
        let through_sbox = if parameters.is_full_round(round) { state.len() } else { 1 };
        for element in &mut state[..through_sbox] {
            *element *= element.square().square();
        }
        mix(state, &parameters.mds);
    }
}

fn mix(state: &mut [Fr], mds: &[Vec<Fr>]) {
    let mut mixed = [Fr::zero(); MAX_INPUTS + 1];
    for (element, row) in mixed.iter_mut().zip(mds) {
        *element = row.iter().zip(&*state).map(|(m, x)| *m * x).sum();
    }
    state.copy_from_slice(&mixed[..state.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::MontFp;

    fn circomlib(inputs: &[u64]) -> Fr {
        let inputs: Vec<Fr> = inputs.iter().map(|x| Fr::from(*x)).collect();
        hash_with_capacity(Fr::zero(), &inputs)
    }

    /// Values of circomlibjs (`test/poseidon.js`) and go-iden3-crypto (`poseidon/poseidon_test.go`).
    #[test]
    fn published_values() {
        let cases: [(&[u64], Fr); 8] = [
            (&[1], MontFp!("18586133768512220936620570745912940619677854269274689475585506675881198879027")),
            (
                &[1, 2],
                MontFp!("7853200120776062878684798364095072458815029376092732009249414926327459813530"),
            ),
            (
                &[1, 2, 3, 4],
                MontFp!("18821383157269793795438455681495246036402687001665670618754263018637548127333"),
            ),
            (
                &[1, 2, 0, 0, 0],
                MontFp!("1018317224307729531995786483840663576608797660851238720571059489595066344487"),
            ),
            (
                &[1, 2, 0, 0, 0, 0],
                MontFp!("15336558801450556532856248569924170992202208561737609669134139141992924267169"),
            ),
            (
                &[1, 2, 3, 4, 5, 6],
                MontFp!("20400040500897583745843009878988256314335038853985262692600694741116813247201"),
            ),
            (
                &[1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0],
                MontFp!("5540388656744764564518487011617040650780060800286365721923524861648744699539"),
            ),
            (
                &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
                MontFp!("9989051620750914585850546081941653841776809718687451684622678807385399211877"),
            ),
        ];
        for (inputs, expected) in cases {
            assert_eq!(circomlib(inputs), expected, "Poseidon({inputs:?})");
        }
    }

    #[test]
    fn domain_and_length_separate() {
        let one = Fr::from(1u64);
        let hashes = [
            hash(Domain::Identity, &[one]),
            hash(Domain::Label, &[one]),
            hash(Domain::Identity, &[one, Fr::zero()]),
            circomlib(&[1]),
        ];
        for (i, a) in hashes.iter().enumerate() {
            assert!(hashes[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn hash_is_the_permutation_of_capacity_and_inputs() {
        let mut state = [Domain::Label.capacity(2), Fr::from(3u64), Fr::from(4u64)];
        permute(&mut state);
        assert_eq!(hash(Domain::Label, &[Fr::from(3u64), Fr::from(4u64)]), state[0]);
    }
}
