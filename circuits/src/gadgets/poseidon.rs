//! Poseidon in a circuit: the twin of [`sigveil_vrf_identity::poseidon`].
//!
//! One variable for each S-box: `x² = x·x`, `x⁴ = x²·x²`, `x⁵ = x⁴·x`, three rows. All the rest is linear and costs
//! no row. Through the partial rounds all but the first state element stay linear in the outputs of the last full
//! round before them and in the partial S-boxes so far; the coefficients are computed once per width, so that no
//! linear form is longer than width + partial rounds + 1 terms and none is ever multiplied out twice.
//!
//! Rows: `3·(8·width + partial rounds) − 3`; the capacity element is a constant, so its first S-box is free.

use std::sync::OnceLock;

use ark_ff::{AdditiveGroup, Field};
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::poseidon::{MAX_INPUTS, Parameters, parameters};

use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Hashes 1 to 16 numbers under a domain, as `sigveil_vrf_identity::poseidon::hash`. The result is a linear form.
///
/// # Panics
/// Unless there are 1 to 16 inputs: a circuit fixes their number.
pub fn hash<C: Cs>(cs: &mut C, domain: Domain, inputs: &[C::Num]) -> C::Num {
    let capacity = domain.capacity(inputs.len());
    let all: Vec<_> = std::iter::once(C::Num::constant(capacity)).chain(inputs.iter().cloned()).collect();
    cs.remembered(&all, |cs| cs.family("poseidon", |cs| permute_first(cs, capacity, inputs)))
}

/// The first element of the permuted state `[capacity, inputs…]`.
fn permute_first<C: Cs>(cs: &mut C, capacity: Fr, inputs: &[C::Num]) -> C::Num {
    let parameters = parameters(inputs.len() + 1);
    let (width, half) = (parameters.width, parameters.full_rounds / 2);
    let constants = |round: usize| &parameters.round_constants[round * width..(round + 1) * width];

    // The first round: its first element is a constant.
    let first = constants(0);
    let mut state = vec![C::Num::constant(power5(capacity + first[0]))];
    state.extend(inputs.iter().zip(&first[1..]).map(|(x, k)| sbox(cs, &plus_constant(x, *k))));
    for round in 1..half {
        state = full_round(cs, &mix(&parameters.mds, &state), constants(round));
    }
    state = partial_rounds(cs, partial_forms(parameters), state);
    for round in half + parameters.partial_rounds..parameters.full_rounds + parameters.partial_rounds - 1 {
        state = mix(&parameters.mds, &full_round(cs, &state, constants(round)));
    }
    let last = constants(parameters.full_rounds + parameters.partial_rounds - 1);
    let state = full_round(cs, &state, last);
    combine(&parameters.mds[0], &state)
}

/// Adds the round's constants and takes every element through the S-box.
fn full_round<C: Cs>(cs: &mut C, state: &[C::Num], constants: &[Fr]) -> Vec<C::Num> {
    state.iter().zip(constants).map(|(x, k)| sbox(cs, &plus_constant(x, *k))).collect()
}

/// From the S-box outputs of the last full round of the first half to the state that enters the second half.
fn partial_rounds<C: Cs>(cs: &mut C, forms: &PartialForms, mut basis: Vec<C::Num>) -> Vec<C::Num> {
    basis.insert(0, C::Num::one());
    for form in &forms.sboxes {
        let output = sbox(cs, &combine(form, &basis));
        basis.push(output);
    }
    forms.exit.iter().map(|form| combine(form, &basis)).collect()
}

fn sbox<C: Cs>(cs: &mut C, x: &C::Num) -> C::Num {
    let square = cs.product(x, x);
    let fourth = cs.product(&square, &square);
    cs.product(&fourth, x)
}

fn power5(x: Fr) -> Fr {
    x.square().square() * x
}

fn plus_constant<N: Num>(x: &N, k: Fr) -> N {
    let mut out = N::constant(k);
    out.add_scaled(x, Fr::ONE);
    out
}

fn mix<N: Num>(mds: &[Vec<Fr>], state: &[N]) -> Vec<N> {
    mds.iter().map(|row| combine(row, state)).collect()
}

fn combine<N: Num>(coefficients: &[Fr], forms: &[N]) -> N {
    let mut out = N::zero();
    for (k, form) in coefficients.iter().zip(forms) {
        out.add_scaled(form, *k);
    }
    out
}

/// The linear part of all partial rounds, over the basis one, S-box outputs of the full round before them, partial
/// S-box outputs in order.
struct PartialForms {
    /// For each partial round, what enters its S-box.
    sboxes: Vec<Vec<Fr>>,
    /// The state after the last partial round.
    exit: Vec<Vec<Fr>>,
}

/// The forms for a width, computed on first use.
fn partial_forms(parameters: &'static Parameters) -> &'static PartialForms {
    static FORMS: [OnceLock<PartialForms>; MAX_INPUTS] = [const { OnceLock::new() }; MAX_INPUTS];
    FORMS[parameters.width - 2].get_or_init(|| PartialForms::new(parameters))
}

impl PartialForms {
    fn new(parameters: &Parameters) -> Self {
        let (width, half) = (parameters.width, parameters.full_rounds / 2);
        let dimension = 1 + width + parameters.partial_rounds;
        let unit = |at: usize| {
            let mut form = vec![Fr::ZERO; dimension];
            form[at] = Fr::ONE;
            form
        };
        let mut state = dense_mix(&parameters.mds, &(0..width).map(|i| unit(1 + i)).collect::<Vec<_>>());
        let mut sboxes = Vec::with_capacity(parameters.partial_rounds);
        for round in 0..parameters.partial_rounds {
            let constants = parameters.rounds().nth(half + round).expect("there are this many rounds");
            for (form, k) in state.iter_mut().zip(constants) {
                form[0] += k;
            }
            let basis = 1 + width + round;
            sboxes.push(state[0][..basis].to_vec());
            state[0] = unit(basis);
            state = dense_mix(&parameters.mds, &state);
        }
        Self { sboxes, exit: state }
    }
}

fn dense_mix(mds: &[Vec<Fr>], state: &[Vec<Fr>]) -> Vec<Vec<Fr>> {
    let dimension = state[0].len();
    let row =
        |row: &Vec<Fr>| (0..dimension).map(|k| row.iter().zip(state).map(|(m, x)| *m * x[k]).sum()).collect();
    mds.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sigveil_vrf_identity::poseidon;

    use super::*;
    use crate::r1cs::{Assignment, Shape};

    fn circuit<C: Cs>(cs: &mut C, inputs: &[Fr]) -> C::Num {
        let inputs: Vec<_> = inputs.iter().map(|x| cs.hint(&[], |_| *x)).collect();
        hash(cs, Domain::Label, &inputs)
    }

    #[test]
    fn every_width_agrees_with_the_native_hash_at_the_stated_cost() {
        for n in 1..=MAX_INPUTS {
            let inputs: Vec<Fr> = (0..n as u64).map(|i| -Fr::from(i * i + 1)).collect();
            let mut out = Fr::ZERO;
            let values = Assignment::of(|cs| out = circuit(cs, &inputs));
            assert!(values.is_satisfied());
            assert_eq!(out, poseidon::hash(Domain::Label, &inputs));
            let parameters = parameters(n + 1);
            let rows = 3 * (8 * (n + 1) + parameters.partial_rounds) - 3;
            assert_eq!(values.constraints(), rows);
            let shape = Shape::of(|cs| {
                circuit(cs, &inputs);
            });
            assert_eq!((shape.constraints(), shape.witnesses()), (rows, rows + n));
            let longest = shape.rows().iter().flatten().map(|lc| lc.terms().len()).max();
            assert!(longest <= Some(1 + n + 1 + parameters.partial_rounds));
        }
    }

    #[test]
    fn every_variable_is_determined_by_the_inputs() {
        let inputs = [Fr::from(1u64), Fr::from(2u64)];
        let honest = Assignment::of(|cs| {
            circuit(cs, &inputs);
        });
        for variable in inputs.len()..honest.full().len() - 1 {
            let change = move |_: &str, at, value| if at == variable { value + Fr::ONE } else { value };
            let values = Assignment::tampered(change, |cs| {
                circuit(cs, &inputs);
            });
            assert!(!values.is_satisfied(), "variable {variable}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_native_hash(a in any::<[u64; 4]>(), b in any::<u64>()) {
            let inputs = [Fr::from(b), a.iter().fold(Fr::ZERO, |x, limb| x * Fr::from(u64::MAX) + Fr::from(*limb))];
            let mut out = Fr::ZERO;
            let values = Assignment::of(|cs| out = circuit(cs, &inputs));
            prop_assert!(values.is_satisfied());
            prop_assert_eq!(out, poseidon::hash(Domain::Label, &inputs));
        }
    }
}
