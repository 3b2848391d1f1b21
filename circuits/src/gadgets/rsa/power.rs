//! A power of the signature as a fraction, and what ties one to the next.
//!
//! A power x modulo n is written `u/v`: `v·x ≡ u`, with u and v half as long as n. Such u and v always exist (rational
//! reconstruction). So one squaring takes the bits of u, v and q, three halves of n in place of the four that quotient and
//! remainder have:
//!
//! ```text
//! u'·v² − v'·u² = q·n,   0 < v, v' < 2^half,   −2^half ≤ u, u' < 2^half,   −2^(half + 2) ≤ q < 2^(half + 2)
//! ```
//!
//! Each side is a polynomial in the limbs, whose values at small points are products of the limbs' (two rows a point for
//! the squares, three for the rest); `super::carries` shows it to be zero at 2^21. A square has fewer coefficients than the
//! whole has points: further values of it are linear forms.

use num_bigint::{BigInt, BigUint};
use num_integer::Integer as _;
use num_traits::{One, Signed, Zero};

use super::integer::{Integer, integer_of, limbs_of};
use super::layout::{Extension, Layout};
use crate::Fr;
use crate::gadgets::bits::enforce_not_zero;
use crate::r1cs::{Cs, Num};

/// An integer and the values of its polynomial at the layout's points.
pub(super) struct Evaluated<N> {
    integer: Integer<N>,
    values: Vec<N>,
}

impl<N: Num> Evaluated<N> {
    /// Evaluates at the first `count` of 0, 1, −1, 2, −2, …: with P(x) = E(x²) + x·O(x²), a point and its negative share
    /// their work.
    pub(super) fn new(layout: &Layout, integer: Integer<N>, count: usize) -> Self {
        let limbs = integer.limbs();
        let mut values = vec![limbs[0].clone()];
        for powers in &layout.powers[..count / 2] {
            let (even, odd) = (combine(limbs, powers, 0), combine(limbs, powers, 1));
            values.extend([even.plus(&odd), even.minus(&odd)]);
        }
        values.truncate(count);
        Self { integer, values }
    }

    /// The values, in the order of the points.
    pub(super) fn values(&self) -> &[N] {
        &self.values
    }
}

/// The sum over every second limb from `first`.
fn combine<N: Num>(limbs: &[N], powers: &[Fr], first: usize) -> N {
    let mut out = N::zero();
    for (limb, power) in limbs.iter().zip(powers).skip(first).step_by(2) {
        out.add_scaled(limb, *power);
    }
    out
}

/// u/v, the denominator not zero.
pub(super) struct Power<N> {
    numerator: Evaluated<N>,
    denominator: Evaluated<N>,
}

/// The values of u² and v² at the points of a squaring.
pub(super) struct Squares<N> {
    numerator: Vec<N>,
    denominator: Vec<N>,
}

impl<N: Num> Power<N> {
    /// Allocates numerator and denominator of a power that is computed from the integers `inputs`, the last of them the
    /// modulus; forces their ranges, and that the denominator is not zero: its limbs are none of them negative, and their
    /// sum is not zero.
    fn allocate<C: Cs<Num = N>>(
        cs: &mut C,
        layout: &Layout,
        inputs: &[&Integer<N>],
        power: impl FnOnce(&[BigInt]) -> BigInt,
    ) -> Self {
        let (u, v) = (layout.numerator, layout.denominator);
        let mut numerator = hint(cs, u.limbs() + v.limbs(), inputs, |integers| {
            let modulus = integers.last().expect("the modulus is given");
            let (numerator, denominator) = fraction(&power(integers), modulus, v.bits());
            [limbs_of(u, &numerator), limbs_of(v, &denominator)].concat()
        });
        let denominator = Integer::of_limbs(numerator.split_off(u.limbs()));
        let numerator = Integer::of_limbs(numerator);
        numerator.range_check(cs, u);
        denominator.range_check(cs, v);
        let sum = denominator.limbs().iter().fold(N::zero(), |sum, limb| sum.plus(limb));
        enforce_not_zero(cs, &sum);
        let points = layout.squaring.points();
        let [numerator, denominator] =
            [numerator, denominator].map(|integer| Evaluated::new(layout, integer, points));
        Self { numerator, denominator }
    }

    /// A signature, which the prover reads from its bytes, big-endian.
    pub(super) fn signature<C: Cs<Num = N>>(
        cs: &mut C,
        layout: &Layout,
        signature: &[u8],
        modulus: &Evaluated<N>,
    ) -> Self {
        let signature = BigUint::from_bytes_be(signature);
        cs.family("rsa.signature-range", |cs| {
            Self::allocate(cs, layout, &[&modulus.integer], |_| signature.into())
        })
    }

    /// The squares of numerator and denominator: two rows for each coefficient of one.
    pub(super) fn squares<C: Cs<Num = N>>(&self, cs: &mut C, layout: &Layout) -> Squares<N> {
        let mut square = |values: &[N]| {
            let known = values.iter().take(layout.squares.from);
            let known = cs.family("rsa.square", |cs| known.map(|x| cs.product(x, x)).collect());
            extended(known, &layout.squares)
        };
        let numerator = square(self.numerator.values());
        Squares { numerator, denominator: square(self.denominator.values()) }
    }

    /// The square of this power, of which the squares are given, as a fraction again.
    pub(super) fn squared<C: Cs<Num = N>>(
        &self,
        cs: &mut C,
        layout: &Layout,
        squares: &Squares<N>,
        modulus: &Evaluated<N>,
    ) -> Self {
        let this = [&self.numerator.integer, &self.denominator.integer, &modulus.integer];
        let next = cs.family("rsa.power-range", |cs| {
            Self::allocate(cs, layout, &this, |v| square_of_fraction(&v[0], &v[1], &v[2]))
        });
        let inputs = [&next.numerator.integer, &next.denominator.integer, this[0], this[1], &modulus.integer];
        let quotient = cs.family("rsa.quotient", |cs| {
            hint(cs, layout.quotient.limbs(), &inputs, |v| {
                limbs_of(layout.quotient, &divided(&v[0] * &v[3] * &v[3] - &v[1] * &v[2] * &v[2], &v[4]))
            })
        });
        let quotient = Integer::of_limbs(quotient);
        cs.family("rsa.quotient-range", |cs| quotient.range_check(cs, layout.quotient));
        let quotient = Evaluated::new(layout, quotient, layout.squaring.points());
        let terms = cs.family("rsa.product", |cs| {
            let terms = next.numerator.values().iter().zip(&squares.denominator);
            let terms: Vec<_> = terms.map(|(u, v)| cs.product(u, v)).collect();
            less(cs, &terms, next.denominator.values(), &squares.numerator)
        });
        let rest =
            cs.family("rsa.quotient-product", |cs| less(cs, &terms, quotient.values(), modulus.values()));
        layout.squaring.enforce(cs, &rest);
        next
    }

    /// Enforces that the square of this power, of which the squares are given, times the first power is `message`:
    /// `u²·u0 − EM·v²·v0 = q·n`.
    pub(super) fn square_times_is<C: Cs<Num = N>>(
        &self,
        cs: &mut C,
        layout: &Layout,
        (squares, first): (&Squares<N>, &Self),
        message: Integer<N>,
        modulus: &Evaluated<N>,
    ) {
        let [u, v] = [&self.numerator.integer, &self.denominator.integer];
        let [u0, v0] = [&first.numerator.integer, &first.denominator.integer];
        let quotient = cs.family("rsa.quotient", |cs| {
            hint(cs, layout.last_quotient.limbs(), &[u, v, u0, v0, &message, &modulus.integer], |x| {
                let product = &x[0] * &x[0] * &x[2] - &x[1] * &x[1] * &x[3] * &x[4];
                limbs_of(layout.last_quotient, &divided(product, &x[5]))
            })
        });
        let quotient = Integer::of_limbs(quotient);
        cs.family("rsa.quotient-range", |cs| quotient.range_check(cs, layout.last_quotient));
        let points = layout.last.points();
        let [quotient, message] = [quotient, message].map(|integer| Evaluated::new(layout, integer, points));
        let terms = cs.family("rsa.product", |cs| {
            let mut triple = |squares: &[N], first: &[N]| {
                let known = squares.iter().zip(first).take(layout.triples.from);
                extended(known.map(|(square, x)| cs.product(square, x)).collect(), &layout.triples)
            };
            let numerators = triple(&squares.numerator, first.numerator.values());
            let denominators = triple(&squares.denominator, first.denominator.values());
            less(cs, &numerators, &denominators, message.values())
        });
        let rest =
            cs.family("rsa.quotient-product", |cs| less(cs, &terms, quotient.values(), modulus.values()));
        layout.last.enforce(cs, &rest);
    }
}

/// The values of a polynomial at further points.
fn extended<N: Num>(mut values: Vec<N>, extension: &Extension) -> Vec<N> {
    let further = extension.weights.iter().map(|weights| {
        let mut out = N::zero();
        for (value, weight) in values.iter().zip(weights) {
            out.add_scaled(value, *weight);
        }
        out
    });
    let further: Vec<N> = further.collect();
    values.extend(further);
    values
}

/// `terms − a·b`, one row each.
fn less<C: Cs>(cs: &mut C, terms: &[C::Num], a: &[C::Num], b: &[C::Num]) -> Vec<C::Num> {
    let factors = a.iter().zip(b).zip(terms);
    factors
        .map(|((a, b), term)| {
            let rest = cs.hint(&[term, a, b], |v| v[0] - v[1] * v[2]);
            cs.enforce(a, b, &term.minus(&rest));
            rest
        })
        .collect()
}

/// Allocates `n` limbs that are computed from integers.
fn hint<C: Cs>(
    cs: &mut C,
    n: usize,
    inputs: &[&Integer<C::Num>],
    limbs: impl FnOnce(&[BigInt]) -> Vec<Fr>,
) -> Vec<C::Num> {
    let lengths: Vec<usize> = inputs.iter().map(|integer| integer.limbs().len()).collect();
    let inputs: Vec<_> = inputs.iter().flat_map(|integer| integer.limbs()).collect();
    cs.hint_many(n, &inputs, |mut values| {
        let integers = lengths.iter().map(|length| {
            let (limbs, rest) = values.split_at(*length);
            values = rest;
            integer_of(limbs)
        });
        limbs(&integers.collect::<Vec<_>>())
    })
}

/// ⌊a/n⌋, zero for a modulus of zero.
fn divided(a: BigInt, n: &BigInt) -> BigInt {
    if n.is_zero() { BigInt::zero() } else { a.div_floor(n) }
}

/// (u/v)² modulo n, zero where v has no inverse.
fn square_of_fraction(u: &BigInt, v: &BigInt, n: &BigInt) -> BigInt {
    let inverse = if n.is_positive() { v.modinv(n) } else { None };
    let power = u * inverse.unwrap_or_default();
    if n.is_positive() { (&power * &power).mod_floor(n) } else { BigInt::zero() }
}

/// u and v > 0 with `v·x ≡ u` modulo n: rational reconstruction.
///
/// In Euclid's algorithm on n and x each remainder is r_i ≡ t_i·x with r_{i−1}·|t_i| ≤ n. The first remainder below 2^half
/// is preceded by one that is not, so with n < 2^(2·half) its t_i is below 2^half as well.
pub(super) fn fraction(x: &BigInt, n: &BigInt, half: usize) -> (BigInt, BigInt) {
    if !n.is_positive() {
        return (BigInt::zero(), BigInt::zero());
    }
    let (mut above, mut remainder) = (n.clone(), x.mod_floor(n));
    let (mut t_above, mut t) = (BigInt::zero(), BigInt::one());
    while remainder.bits() as usize > half {
        let (quotient, next) = above.div_rem(&remainder);
        (above, remainder) = (remainder, next);
        let next = t_above - quotient * &t;
        (t_above, t) = (t, next);
    }
    if t.is_negative() { (-remainder, -t) } else { (remainder, t) }
}
