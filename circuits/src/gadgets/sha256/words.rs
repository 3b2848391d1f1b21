//! Words of 32 bits, sums of them, and the exclusive ors of FIPS 180-4 §4.1.2.

use ark_ff::{BigInteger, Field, PrimeField};

use super::super::bits::{Bit, pack};
use super::super::numbers;
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// 32 bits, the lowest first, and the number below 2³² that they are.
#[derive(Clone)]
pub(super) struct Word<N> {
    bits: Vec<Bit<N>>,
    num: N,
    /// The word, if it is a constant of the circuit: what is computed of it costs no rows.
    known: Option<u32>,
}

impl<N: Num> Word<N> {
    /// A constant.
    pub(super) fn constant(word: u32) -> Self {
        let bits = Self::new((0..32).map(|i| Bit::constant(word >> i & 1 == 1)).collect());
        Self { known: Some(word), ..bits }
    }

    /// Exactly 32 bits, the lowest first.
    pub(super) fn new(bits: Vec<Bit<N>>) -> Self {
        let num = pack(&bits);
        Self { bits, num, known: None }
    }

    /// A word that the prover chooses: 32 rows.
    pub(super) fn hint<C: Cs<Num = N>>(cs: &mut C, inputs: &[&N], word: impl FnOnce(&[Fr]) -> u32) -> Self {
        Self::new(Bit::hint_many(cs, 32, inputs, |v| {
            let word = word(v);
            (0..32).map(|i| word >> i & 1 == 1).collect()
        }))
    }

    /// The word, if it is a constant.
    pub(super) fn known(&self) -> Option<u32> {
        self.known
    }

    /// The number.
    pub(super) fn num(&self) -> &N {
        &self.num
    }

    /// The bit of weight 2^(i mod 32).
    pub(super) fn bit(&self, i: usize) -> &Bit<N> {
        &self.bits[i % 32]
    }
}

/// An integer made of words: `least·2³² ≤ number < most·2³²`.
#[derive(Clone)]
pub(super) struct Sum<N> {
    pub(super) form: N,
    pub(super) least: i64,
    pub(super) most: i64,
}

impl<N: Num> Sum<N> {
    /// One word.
    pub(super) fn of(word: &Word<N>) -> Self {
        Self { form: word.num().clone(), least: 0, most: 1 }
    }

    /// A constant word.
    pub(super) fn constant(word: u32) -> Self {
        Self { form: N::constant(Fr::from(word)), least: 0, most: 1 }
    }

    #[must_use]
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            form: self.form.plus(&other.form),
            least: self.least + other.least,
            most: self.most + other.most,
        }
    }

    #[must_use]
    pub(super) fn minus(&self, other: &Self) -> Self {
        Self {
            form: self.form.minus(&other.form),
            // −x is above −most·2³², so its floor is at least −most; and below 1·2³² if x is not negative.
            least: self.least - other.most,
            most: self.most - other.least,
        }
    }

    /// The sum with a number that is not here, but is a word.
    #[must_use]
    pub(super) fn plus_unseen_word(mut self) -> Self {
        self.most += 1;
        self
    }

    /// Bits of the carry, less its least value: of what is left of the integer without its low 32 bits.
    pub(super) fn carry_bits(&self) -> usize {
        (64 - (self.most - self.least - 1).leading_zeros()) as usize
    }

    /// The integer modulo 2³²: 32 rows, and one for each bit of the carry, but at least one.
    pub(super) fn reduced<C: Cs<Num = N>>(&self, cs: &mut C) -> Word<N> {
        let word = Word::hint(cs, &[&self.form], |v| low_word(&v[0]));
        let excess = self.form.minus(word.num());
        carried(cs, &excess, &[(0, self.least, self.carry_bits())]);
        word
    }
}

/// Enforces that an integer is `Σ 2^(32 + place)·carry` with each carry of so many bits above its least value, given
/// as (place, least, bits): one row a bit.
///
/// One bit of all, the lowest, is no variable: what is left when the others are taken away must be zero or its weight.
/// The caller sees to it that places are far enough apart, and the whole far enough below r.
pub(super) fn carried<C: Cs>(cs: &mut C, excess: &C::Num, carries: &[(u32, i64, usize)]) {
    let mut excess = excess.clone();
    for (place, least, _) in carries {
        excess.add_scaled(&C::Num::one(), -power(32 + place) * Fr::from(*least));
    }
    let weights = carries.iter().flat_map(|(place, _, bits)| (0..*bits as u32).map(move |i| 32 + place + i));
    let weights: Vec<u32> = weights.collect();
    let Some((lowest, weights)) = weights.split_first() else { return cs.is_zero(&excess) };
    let bits = Bit::hint_many(cs, weights.len(), &[&excess], |v| {
        let number = v[0].into_bigint();
        weights.iter().map(|at| number.get_bit(*at as usize)).collect()
    });
    for (bit, at) in bits.iter().zip(weights) {
        excess.add_scaled(bit.num(), -power(*at));
    }
    let lowest = C::Num::constant(power(*lowest));
    cs.enforce(&excess, &lowest.minus(&excess), &C::Num::zero());
}

/// 2^n.
pub(super) fn power(n: u32) -> Fr {
    numbers::power(n)
}

/// The low 32 bits of an integer that is less than 2^128 in size, negative or not.
pub(super) fn low_word(number: &Fr) -> u32 {
    (*number + power(128)).into_bigint().0[0] as u32
}

/// x ⊕ y ⊕ z in one row.
///
/// With s = x + y + z the row s·(2o − s) = 3o − 2s reads, for s = 0, 1, 2, 3: o = 0, o = 1, o = 0, o = 1.
pub(super) fn xor3<C: Cs>(cs: &mut C, x: &Bit<C::Num>, y: &Bit<C::Num>, z: &Bit<C::Num>) -> Bit<C::Num> {
    let s = x.num().plus(y.num()).plus(z.num());
    let o = cs.hint(&[&s], |v| numbers::bit(v[0].into_bigint().is_odd()));
    let left = o.times(numbers::small(2)).minus(&s);
    let right = o.times(numbers::small(3)).minus(&s.times(numbers::small(2)));
    cs.enforce(&s, &left, &right);
    Bit::forced_elsewhere(o)
}

/// `(x ⊕ y) + 4^n·(z ⊕ w)` in one row.
///
/// Of bits, x ⊕ y = (x − y)² and z ⊕ w = 1 − (1 − z − w)². So with u = x − y and v = 2^n·(1 − z − w) it is
/// u² − v² + 4^n, and u² − v² = (u − v)·(u + v).
pub(super) fn xor2_pair<C: Cs>(
    cs: &mut C,
    n: u32,
    [x, y]: [&Bit<C::Num>; 2],
    [z, w]: [&Bit<C::Num>; 2],
) -> C::Num {
    let four = power(2 * n);
    let out = cs.hint(&[x.num(), y.num(), z.num(), w.num()], |b| {
        (b[0] - b[1]).square() + (Fr::ONE - (Fr::ONE - b[2] - b[3]).square()) * four
    });
    let u = x.num().minus(y.num());
    let v = z.num().plus(w.num()).not().times(power(n));
    cs.enforce(&u.minus(&v), &u.plus(&v), &out.minus(&C::Num::constant(four)));
    out
}

/// Σ of FIPS 180-4 §4.1.2: the exclusive or of three rotations. 32 rows.
pub(super) fn rotations<C: Cs>(cs: &mut C, word: &Word<C::Num>, by: [usize; 3]) -> Sum<C::Num> {
    if let Some(word) = word.known() {
        return Sum::constant(by.iter().fold(0, |sum, n| sum ^ word.rotate_right(*n as u32)));
    }
    let form = lanes(cs, word, by, 32);
    Sum { form, least: 0, most: 1 }
}

/// As [`rotations`], or that plus 2³²: 31 rows. In the highest place stands the sum of the three bits, which exceeds
/// their exclusive or by 0 or 2 there.
pub(super) fn rotations_modulo<C: Cs>(cs: &mut C, word: &Word<C::Num>, by: [usize; 3]) -> Sum<C::Num> {
    if word.known().is_some() {
        return rotations(cs, word, by);
    }
    let mut form = lanes(cs, word, by, 31);
    for n in by {
        form.add_scaled(word.bit(31 + n).num(), power(31));
    }
    Sum { form, least: 0, most: 2 }
}

fn lanes<C: Cs>(cs: &mut C, word: &Word<C::Num>, by: [usize; 3], places: usize) -> C::Num {
    let bits: Vec<_> = (0..places)
        .map(|i| xor3(cs, word.bit(i + by[0]), word.bit(i + by[1]), word.bit(i + by[2])))
        .collect();
    pack(&bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r1cs::Assignment;

    fn bits(input: usize) -> [Bit<Fr>; 4] {
        std::array::from_fn(|i| Bit::constant(input >> i & 1 == 1))
    }

    /// The outputs among small numbers, and minus small numbers, that the one row accepts.
    fn accepted(gate: impl Fn(&mut Assignment)) -> Vec<i64> {
        let holds = |claim: &i64| {
            let claim = Fr::from(*claim);
            Assignment::tampered(move |_, _, _| claim, &gate).is_satisfied()
        };
        (-20..=20).filter(holds).collect()
    }

    #[test]
    fn one_row_forces_an_exclusive_or_of_three() {
        // The row is linear in the output with the coefficient 2s − 3, which is zero for no s: the output is unique;
        // here it is seen to be the right one.
        for input in 0..8usize {
            let [x, y, z, _] = bits(input);
            let outputs = accepted(|cs| {
                xor3(cs, &x, &y, &z);
            });
            assert_eq!(outputs, [i64::from(input.count_ones()) % 2], "{input:03b}");
        }
    }

    #[test]
    fn one_row_forces_two_exclusive_ors_of_two() {
        // Linear in the output, with the coefficient one.
        for n in 0..3 {
            for input in 0..16usize {
                let [x, y, z, w] = bits(input);
                let outputs = accepted(|cs| {
                    xor2_pair(cs, n, [&x, &y], [&z, &w]);
                });
                let xor = |i: usize, j: usize| (input >> i ^ input >> j) as i64 & 1;
                assert_eq!(outputs, [xor(0, 1) + (xor(2, 3) << (2 * n))], "{input:04b}");
            }
        }
    }

    #[test]
    fn sums_are_reduced_to_one_word_only() {
        let word = |w: u32| Sum::<Fr>::constant(w);
        for (sum, expected) in [
            (word(5), 5u32),
            (word(u32::MAX).plus(&word(1)), 0),
            (word(u32::MAX).plus(&word(u32::MAX)).plus(&word(u32::MAX)), u32::MAX - 2),
            (word(1).minus(&word(2)), u32::MAX),
            (word(0).minus(&word(u32::MAX)).minus(&word(u32::MAX)), 2),
        ] {
            for claim in [expected, expected ^ 1, expected ^ 1 << 31, !expected] {
                let claimed = move |_: &str, i: usize, honest| match i {
                    0..32 => Fr::from(claim >> i & 1),
                    _ => honest,
                };
                let values = Assignment::tampered(claimed, |cs| {
                    assert_eq!(*sum.reduced(cs).num(), Fr::from(claim));
                });
                assert_eq!(values.is_satisfied(), claim == expected, "{claim:x} for {expected:x}");
                assert_eq!(values.constraints(), 32 + sum.carry_bits().max(1));
            }
        }
    }
}
