//! The points at which a circuit's rows are interpolated.

use ark_ff::{FftField, Field};
use rayon::prelude::*;

use crate::Fr;

/// The greatest power of two in the size of a domain: F has roots of unity of order 2²⁸, and twice a domain's size is
/// needed.
const MOST_TWOS: u32 = 27;
/// F* has a subgroup of order 9.
const MOST_THREES: u32 = 2;

/// The subgroup of F* of order n = 2^k, 3·2^k or 9·2^k, and the odd coset beside it.
///
/// With ψ of order 2n, the domain is the powers of ω = ψ², and the odd coset is ψ times those; on it xⁿ = −1. For
/// n = 2^k, ω is the generator that ark-poly takes, so that keys and proofs are those of ark-groth16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain {
    twos: u32,
    threes: u32,
    half: Fr,
}

impl Domain {
    /// The smallest domain of at least so many points; `None` where F has none.
    #[must_use]
    pub fn holding(points: usize) -> Option<Self> {
        (0..=MOST_THREES).filter_map(|threes| Self::smallest(points, threes)).min_by_key(Self::size)
    }

    /// The domain of exactly so many points.
    #[must_use]
    pub fn of_size(points: usize) -> Option<Self> {
        Self::holding(points).filter(|domain| domain.size() == points)
    }

    fn smallest(points: usize, threes: u32) -> Option<Self> {
        let twos = points.max(1).div_ceil(3usize.pow(threes)).checked_next_power_of_two()?.ilog2();
        (twos <= MOST_TWOS).then(|| Self { twos, threes, half: root(twos + 1, threes) })
    }

    /// The number n of points.
    #[must_use]
    pub fn size(&self) -> usize {
        3usize.pow(self.threes) << self.twos
    }

    /// How often two and three divide the number of points.
    #[must_use]
    pub fn factors(&self) -> (u32, u32) {
        (self.twos, self.threes)
    }

    /// ω, whose powers are the domain.
    #[must_use]
    pub fn generator(&self) -> Fr {
        self.half.square()
    }

    /// ψ, whose square is ω and whose n-th power is −1.
    #[must_use]
    pub fn half_generator(&self) -> Fr {
        self.half
    }

    /// τⁿ − 1: zero on the domain only.
    #[must_use]
    pub fn vanishing(&self, tau: Fr) -> Fr {
        tau.pow([self.size() as u64]) - Fr::ONE
    }

    /// Lⁿ_i(τ) for i < n: the polynomial of degree below n that is one at ωⁱ and zero at the domain's other points.
    /// `None` where τ is in the domain.
    #[must_use]
    pub fn lagrange(&self, tau: Fr) -> Option<Vec<Fr>> {
        lagrange(self.size(), self.vanishing(tau), tau, Fr::ONE, self.generator(), self.size())
    }

    /// L²ⁿ_{2i+1}(τ) for i < n: the polynomial of degree below 2n that is one at ψ^(2i+1) and zero at ψ's other
    /// powers, hence divisible by xⁿ − 1. `None` where τ is a power of ψ.
    #[must_use]
    pub fn odd_lagrange(&self, tau: Fr) -> Option<Vec<Fr>> {
        let vanishing = tau.pow([2 * self.size() as u64]) - Fr::ONE;
        lagrange(2 * self.size(), vanishing, tau, self.half, self.generator(), self.size())
    }
}

/// (τ^order − 1)/order · x/(τ − x) for the `count` points x = first·stepⁱ, of which each has that order.
fn lagrange(order: usize, vanishing: Fr, tau: Fr, first: Fr, step: Fr, count: usize) -> Option<Vec<Fr>> {
    /// Elements that share one inversion.
    const CHUNK: usize = 1 << 12;
    let scale = vanishing * Fr::from(order as u64).inverse()?;
    if vanishing == Fr::from(0u64) {
        return None;
    }
    let mut out = vec![Fr::ONE; count];
    out.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
        let points = powers(first * step.pow([(chunk * CHUNK) as u64]), step);
        out.iter_mut().zip(points.clone()).for_each(|(out, point)| *out = tau - point);
        ark_ff::fields::batch_inversion(out);
        out.iter_mut().zip(points).for_each(|(out, point)| *out *= scale * point);
    });
    Some(out)
}

/// first, first·ratio, first·ratio², …
pub(super) fn powers(first: Fr, ratio: Fr) -> impl Iterator<Item = Fr> + Clone {
    std::iter::successors(Some(first), move |power| Some(*power * ratio))
}

fn root(twos: u32, threes: u32) -> Fr {
    Fr::get_root_of_unity(3u64.pow(threes) << twos).expect("2^28·9 divides the order of F*")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use ark_ff::Zero;
    use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};

    use super::*;

    #[test]
    fn the_smallest_that_holds_is_taken() {
        let sizes = [(1, 1), (2, 2), (3, 3), (5, 6), (7, 8), (9, 9), (10, 12), (13, 16), (17, 18), (19, 24)];
        let large = [(393_216, 3 << 17), (393_217, 1 << 19), (524_289, 9 << 16), (589_825, 3 << 18)];
        for (points, size) in sizes.into_iter().chain(large) {
            assert_eq!(Domain::holding(points).unwrap().size(), size, "{points}");
        }
        assert_eq!(Domain::holding(9 << 27).unwrap().size(), 9 << 27);
        assert_eq!(Domain::holding((9 << 27) + 1), None);
        assert_eq!(Domain::holding(usize::MAX), None);
        assert_eq!((Domain::of_size(24).unwrap().factors(), Domain::of_size(20)), ((3, 1), None));
    }

    #[test]
    fn generators_have_their_orders() {
        for size in [1, 2, 3, 6, 9, 18, 64, 96, 144, 9 << 27] {
            let domain = Domain::of_size(size).unwrap();
            assert_eq!(domain.half_generator().pow([size as u64]), -Fr::ONE);
            for prime in [2, 3] {
                let proper = size % prime == 0;
                assert!(!proper || domain.generator().pow([(size / prime) as u64]) != Fr::ONE);
            }
        }
        let theirs = Radix2EvaluationDomain::<Fr>::new(64).unwrap();
        assert_eq!(Domain::of_size(64).unwrap().generator(), theirs.group_gen);
    }

    #[test]
    fn lagrange_polynomials_interpolate() {
        let tau = Fr::from(12_345u64);
        for size in [1, 2, 3, 8, 9, 12, 18] {
            let domain = Domain::of_size(size).unwrap();
            // x³ + 1 or a lower power has degree below n, and below 2n.
            let polynomial = |x: Fr| x.pow([3.min(size as u64 - 1)]) + Fr::ONE;
            let at_tau = |values: Vec<Fr>, points: Vec<Fr>| {
                values.iter().zip(points).map(|(l, x)| polynomial(x) * l).sum::<Fr>()
            };
            let even: Vec<Fr> = powers(Fr::ONE, domain.generator()).take(size).collect();
            let odd: Vec<Fr> = even.iter().map(|x| domain.half_generator() * x).collect();
            assert_eq!(at_tau(domain.lagrange(tau).unwrap(), even.clone()), polynomial(tau));
            // L²ⁿ_{2i} = Lⁿ_i·(xⁿ + 1)/2.
            let over = (domain.vanishing(tau) + Fr::from(2u64)) / Fr::from(2u64);
            let all = at_tau(domain.lagrange(tau).unwrap(), even.clone()) * over
                + at_tau(domain.odd_lagrange(tau).unwrap(), odd.clone());
            assert_eq!(all, polynomial(tau));
            assert!(domain.vanishing(even[size - 1]).is_zero());
            assert!(domain.lagrange(even[size - 1]).is_none() && domain.odd_lagrange(odd[0]).is_none());
            assert!(domain.odd_lagrange(even[0]).is_none());
        }
        let theirs = Radix2EvaluationDomain::<Fr>::new(8).unwrap();
        let ours = Domain::of_size(8).unwrap();
        assert_eq!(ours.lagrange(tau).unwrap(), theirs.evaluate_all_lagrange_coefficients(tau));
    }
}
