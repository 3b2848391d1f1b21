//! Words of 32 bits and the functions of FIPS 180-4 §4.1.2 over them.

use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};

use super::super::bits::{Bit, pack};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// 32 bits, the lowest first, and the number below 2³² that they are.
#[derive(Clone)]
pub(super) struct Word<N> {
    bits: Vec<Bit<N>>,
    num: N,
}

impl<N: Num> Word<N> {
    /// A constant.
    pub(super) fn constant(word: u32) -> Self {
        Self::new((0..32).map(|i| Bit::constant(word >> i & 1 == 1)).collect())
    }

    /// Exactly 32 bits, the lowest first.
    pub(super) fn new(bits: Vec<Bit<N>>) -> Self {
        let num = pack(&bits);
        Self { bits, num }
    }

    /// The number.
    pub(super) fn num(&self) -> &N {
        &self.num
    }

    /// The sum modulo 2³², where the sum is below 2^(32 + carry): 33 rows and one for each bit of the carry.
    pub(super) fn of_sum<C: Cs<Num = N>>(cs: &mut C, sum: &N, carry: usize) -> Self {
        let mut bits = Bit::hint_many(cs, 32 + carry, &[sum], |v| {
            let number = v[0].into_bigint();
            (0..32 + carry).map(|i| number.get_bit(i)).collect()
        });
        cs.equal(&pack(&bits), sum);
        bits.truncate(32);
        Self::new(bits)
    }
}

/// x ⊕ y ⊕ z in one row.
///
/// With s = x + y + z the row s·(2o − s) = 3o − 2s reads, for s = 0, 1, 2, 3: o = 0, o = 1, o = 0, o = 1.
pub fn xor3<C: Cs>(cs: &mut C, x: &Bit<C::Num>, y: &Bit<C::Num>, z: &Bit<C::Num>) -> Bit<C::Num> {
    let s = x.num().plus(y.num()).plus(z.num());
    let o = cs.hint(&[&s], |v| Fr::from(v[0].into_bigint().is_odd()));
    let left = o.times(Fr::from(2u64)).minus(&s);
    let right = o.times(Fr::from(3u64)).minus(&s.times(Fr::from(2u64)));
    cs.enforce(&s, &left, &right);
    Bit::forced_elsewhere(o)
}

/// Whether two or three of x, y and z are set, in one row.
///
/// With s = x + y + z the row s·(4o − s) = 6o − s reads, for s = 0, 1, 2, 3: o = 0, o = 0, o = 1, o = 1.
pub fn majority<C: Cs>(cs: &mut C, x: &Bit<C::Num>, y: &Bit<C::Num>, z: &Bit<C::Num>) -> Bit<C::Num> {
    let s = x.num().plus(y.num()).plus(z.num());
    let o = cs.hint(&[&s], |v| Fr::from(v[0].into_bigint().get_bit(1)));
    let left = o.times(Fr::from(4u64)).minus(&s);
    let right = o.times(Fr::from(6u64)).minus(&s);
    cs.enforce(&s, &left, &right);
    Bit::forced_elsewhere(o)
}

/// The word's Σ or σ function as a number below 2³²: rotations by the amounts, the last a shift where `shift` says
/// so, combined by exclusive or. 32 rows.
pub(super) fn sigma<C: Cs>(cs: &mut C, word: &Word<C::Num>, by: [usize; 3], shift: bool) -> C::Num {
    weighted((0..32).map(|i| {
        let rotated = |n: usize| &word.bits[(i + n) % 32];
        if shift && i + by[2] >= 32 {
            rotated(by[0]).xor(cs, rotated(by[1]))
        } else {
            xor3(cs, rotated(by[0]), rotated(by[1]), rotated(by[2]))
        }
    }))
}

/// Ch(e, f, g) = g + e·(f − g) as a number below 2³². 32 rows.
pub(super) fn choose<C: Cs>(cs: &mut C, e: &Word<C::Num>, f: &Word<C::Num>, g: &Word<C::Num>) -> C::Num {
    // The product alone is a variable; g joins the sum as a number.
    let mut out = g.num.clone();
    let mut weight = Fr::ONE;
    for i in 0..32 {
        let difference = f.bits[i].num().minus(g.bits[i].num());
        let taken = cs.product(e.bits[i].num(), &difference);
        out.add_scaled(&taken, weight);
        weight.double_in_place();
    }
    out
}

/// Maj(a, b, c) as a number below 2³². 32 rows.
pub(super) fn majority_of<C: Cs>(cs: &mut C, a: &Word<C::Num>, b: &Word<C::Num>, c: &Word<C::Num>) -> C::Num {
    weighted((0..32).map(|i| majority(cs, &a.bits[i], &b.bits[i], &c.bits[i])))
}

fn weighted<N: Num>(bits: impl Iterator<Item = Bit<N>>) -> N {
    pack(&bits.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r1cs::Assignment;

    type Gate = fn(&mut Assignment, &Bit<Fr>, &Bit<Fr>, &Bit<Fr>) -> Bit<Fr>;

    /// The only output that the one row accepts, for each input, among every small value and minus small values.
    fn accepted(gate: Gate, input: usize) -> Vec<i64> {
        (-8i64..=8)
            .filter(|claim| {
                let claim = Fr::from(*claim);
                let values = Assignment::tampered(
                    move |_, _, _| claim,
                    |cs| {
                        let [x, y, z] = [0, 1, 2].map(|i| Bit::constant(input >> i & 1 == 1));
                        gate(cs, &x, &y, &z);
                    },
                );
                values.is_satisfied()
            })
            .collect()
    }

    #[test]
    fn one_row_forces_exclusive_or_and_majority() {
        // The row is linear in the output with a coefficient 2s − 3 or 4s − 6, which is zero for no s: the output
        // is unique; here it is seen to be the right one, and it is a bit.
        for input in 0..8usize {
            let ones = i64::from(input.count_ones());
            assert_eq!(accepted(xor3, input), [ones % 2], "{input:03b}");
            assert_eq!(accepted(majority, input), [i64::from(ones >= 2)], "{input:03b}");
        }
    }
}
