//! Whether the points of a key follow from circuit, powers and δ: by random linear combinations, so that it costs a
//! few sums of scaled points and no transform of points.
//!
//! For random factors s_j, Σ_j s_j·A_j is the polynomial that the rows A·s interpolate, at τ: its coefficients times the
//! powers. So it is for B, and for L and H with what they consist of.

use std::ops::Range;

use ark_bn254::{G1Projective, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, Field};
use rand_core::CryptoRngCore;

use super::Error;
use super::phase1::Powers;
use super::sums::{factors, same_product, sum, sum_g2};
use super::transform::{inverse, reciprocal};
use crate::Fr;
use crate::prover::{Domain, Matrices, Parts};

/// Checks all points.
pub(super) fn parts(
    parts: &Parts,
    matrices: &Matrices,
    domain: Domain,
    powers: &Powers,
    rng: &mut dyn CryptoRngCore,
) -> Result<(), Error> {
    let check = Check { parts, matrices, domain, powers };
    check.numbers()?;
    check.fixed()?;
    check.a_and_b(rng)?;
    check.inputs(rng)?;
    check.over_delta(rng)
}

struct Check<'a> {
    parts: &'a Parts,
    matrices: &'a Matrices,
    domain: Domain,
    powers: &'a Powers,
}

impl Check<'_> {
    fn numbers(&self) -> Result<(), Error> {
        let (parts, variables) = (self.parts, self.matrices.variables());
        let queries = [parts.a.len(), parts.b_g1.len(), parts.b_g2.len(), parts.l.len()];
        let equal = queries == [variables; 4]
            && parts.h.len() == self.domain.size()
            && parts.domain == self.domain
            && parts.verifying.inputs() == self.matrices.inputs();
        if equal { Ok(()) } else { Err(Error::OtherCircuit) }
    }

    fn fixed(&self) -> Result<(), Error> {
        let points = &self.parts.verifying.points;
        let powers = self.powers;
        let same = points.alpha == powers.alpha[0]
            && points.beta == powers.beta_g2
            && points.gamma == G2Affine::generator()
            && self.parts.beta == powers.beta[0];
        if !same {
            return Err(Error::Parameters("α, β or γ"));
        }
        if points.delta.is_zero() || !self.parts.verifying.is_delta(self.parts.delta) {
            return Err(Error::Parameters("δ"));
        }
        Ok(())
    }

    fn a_and_b(&self, rng: &mut dyn CryptoRngCore) -> Result<(), Error> {
        let (parts, powers) = (self.parts, self.powers);
        let factors = factors(self.matrices.variables(), rng);
        let [a, b] = [0, 1].map(|matrix| self.coefficients(matrix, &factors));
        if sum(&parts.a, &factors) != sum(&powers.tau_g1, &a) {
            return Err(Error::Parameters("A"));
        }
        if sum(&parts.b_g1, &factors) != sum(&powers.tau_g1, &b) {
            return Err(Error::Parameters("B in G1"));
        }
        if sum_g2(&parts.b_g2, &factors) != sum_g2(&powers.tau_g2, &b) {
            return Err(Error::Parameters("B in G2"));
        }
        Ok(())
    }

    fn inputs(&self, rng: &mut dyn CryptoRngCore) -> Result<(), Error> {
        let inputs = 0..self.matrices.inputs();
        let factors = self.factors(inputs.clone(), rng);
        let c = self.coefficients(2, &factors);
        let expected = self.alpha_beta(&factors) + sum(&self.powers.tau_g1, &c);
        let found = sum(&self.parts.verifying.points.inputs, &factors[inputs]);
        if found == expected { Ok(()) } else { Err(Error::Parameters("the public inputs")) }
    }

    /// L and H, all of which are over δ.
    fn over_delta(&self, rng: &mut dyn CryptoRngCore) -> Result<(), Error> {
        let (inputs, variables) = (self.matrices.inputs(), self.matrices.variables());
        let (below, witness) = (self.factors(0..inputs, rng), self.factors(inputs..variables, rng));
        let l =
            sum(&self.parts.l[..inputs], &below[..inputs]) + sum(&self.parts.l[inputs..], &witness[inputs..]);
        // C·(τⁿ − 1)/2 for the inputs, C·(τⁿ + 1)/2 for the witness.
        let mut expected = self.folded(&self.coefficients(2, &below), -Fr::ONE);
        add(&mut expected, &self.folded(&self.coefficients(2, &witness), Fr::ONE));
        let expected = self.alpha_beta(&witness) + sum(&self.powers.tau_g1, &expected);
        let one = G2Affine::generator();
        let delta = self.parts.verifying.points.delta;
        if !same_product((l, delta), (expected, one)) {
            return Err(Error::Parameters("L"));
        }
        let factors = factors(self.domain.size(), rng);
        let h = sum(&self.parts.h, &factors);
        if !same_product((h, delta), (sum(&self.powers.tau_g1, &self.odd(&factors)), one)) {
            return Err(Error::Parameters("H"));
        }
        Ok(())
    }

    /// A factor for each variable, random in the range and zero elsewhere.
    fn factors(&self, range: Range<usize>, rng: &mut dyn CryptoRngCore) -> Vec<Fr> {
        let mut out = vec![Fr::ZERO; self.matrices.variables()];
        out[range.clone()].copy_from_slice(&factors(range.len(), rng));
        out
    }

    /// The coefficients of Σ_j factors_j·M_j.
    fn coefficients(&self, matrix: usize, factors: &[Fr]) -> Vec<Fr> {
        inverse(self.domain, &self.matrices.interpolated(matrix, self.domain.size(), factors))
    }

    /// β·A + α·B at τ, of the combination with these factors.
    fn alpha_beta(&self, factors: &[Fr]) -> G1Projective {
        sum(&self.powers.beta, &self.coefficients(0, factors))
            + sum(&self.powers.alpha, &self.coefficients(1, factors))
    }

    /// The coefficients of p·(xⁿ ± 1)/2, with x^(n−1) in the place of x^(2n−1).
    fn folded(&self, p: &[Fr], sign: Fr) -> Vec<Fr> {
        let half = reciprocal(2);
        let high = p.iter().map(|c| *c * half);
        fold(p.iter().map(|c| *c * half * sign).chain(high).collect())
    }

    /// The coefficients of Σ_i factors_i·L²ⁿ_{2i+1}, with x^(n−1) in the place of x^(2n−1).
    fn odd(&self, factors: &[Fr]) -> Vec<Fr> {
        let twist = self.domain.half_generator().inverse().expect("a root of unity is not zero");
        let twists = std::iter::successors(Some(reciprocal(2)), |power| Some(*power * twist));
        let low: Vec<Fr> =
            inverse(self.domain, factors).iter().zip(twists).map(|(c, twist)| *c * twist).collect();
        let high: Vec<Fr> = low.iter().map(|c| -*c).collect();
        fold([low, high].concat())
    }
}

/// 2n coefficients, the last added to that of x^(n−1).
fn fold(mut coefficients: Vec<Fr>) -> Vec<Fr> {
    let half = coefficients.len() / 2;
    let last = coefficients.pop().expect("a domain has points");
    coefficients[half - 1] += last;
    coefficients
}

fn add(to: &mut [Fr], other: &[Fr]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += other);
}
