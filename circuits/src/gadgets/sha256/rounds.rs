//! The rounds, two at a time: FIPS 180-4 §6.2.2 step 3.
//!
//! Ch(e, f, g) of one round and Ch(e', e, f) of the next read the same e and f; so do Maj(a, b, c) and Maj(a', a, b)
//! the same a and b. In each place one variable takes both, the second lifted by λ = 2^48, and one row forces it. The
//! sums of both rounds are then one equation, whose halves λ keeps apart. (The idea, and that of a far root, are from
//! the published solutions to zk.golf's sha256-hash, as in aptos-labs/keyless-zk-proofs pull request 124.)
//!
//! # Bounds
//! [`add_pair`] enforces `x + λ·y + Z = o + λ·p + 2³²·(c + λ·d)`, where Z is the sum of the packed variables, o and p are
//! words, and the carries c and d lie above their least values by less than 2^bits. Let Z = z + λ·w with z and w words.
//! Both sides are sums of integers, less than 2^112 in size and so far below r: the equation holds over the integers.
//! And `x + z − o − 2³²·c` is less than 2^48 in size, since x + z and 2³²·c are each within 2^14 times 2³² (asserted), but is a multiple of λ: it is zero. So is then the other half.

use super::super::bits::Bit;
use super::words::{Sum, Word, carried, low_word, power, rotations, rotations_modulo};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// log₂ λ.
const LIFT: u32 = 48;
/// log₂ Ω: how far the wrong root of a majority's row is.
const FAR: u32 = 112;
/// Bits that a carry may have.
const CARRY_BITS: usize = 13;

/// The working variables. Of d and h nothing reads the bits.
#[derive(Clone)]
pub(super) struct State<N> {
    pub(super) a: Word<N>,
    pub(super) b: Word<N>,
    pub(super) c: Word<N>,
    pub(super) d: Sum<N>,
    pub(super) e: Word<N>,
    pub(super) f: Word<N>,
    pub(super) g: Word<N>,
    pub(super) h: Sum<N>,
}

impl<N: Num> State<N> {
    /// FIPS 180-4 §5.3.3.
    pub(super) fn constant([a, b, c, d, e, f, g, h]: [u32; 8]) -> Self {
        let word = Word::constant;
        let (a, b, c, e, f, g) = (word(a), word(b), word(c), word(e), word(f), word(g));
        Self { a, b, c, d: Sum::constant(d), e, f, g, h: Sum::constant(h) }
    }

    /// All eight, as sums.
    pub(super) fn sums(&self) -> [Sum<N>; 8] {
        let [a, b, c] = [&self.a, &self.b, &self.c].map(Sum::of);
        let [e, f, g] = [&self.e, &self.f, &self.g].map(Sum::of);
        [a, b, c, self.d.clone(), e, f, g, self.h.clone()]
    }
}

/// Two rounds, given their summands K + W. To the new a and e is added what `onto` has there: 326 rows, and a few more
/// where sums are larger.
pub(super) fn two_rounds<C: Cs>(
    cs: &mut C,
    state: &State<C::Num>,
    [first, second]: [&Sum<C::Num>; 2],
    onto: Option<&State<C::Num>>,
) -> State<C::Num> {
    let State { a, b, c, d, e, f, g, h } = state;

    let sum = cs.family("sha256.sum", |cs| rotations_modulo(cs, e, [6, 11, 25]));
    let x = d.plus(h).plus(&sum).plus(first).plus_unseen_word();
    let e1 = cs.family("sha256.add", |cs| {
        Word::hint(cs, &[&x.form, e.num(), f.num(), g.num()], |v| {
            let [x, e, f, g] = words(v);
            x.wrapping_add(e & f | !e & g)
        })
    });
    let chosen = cs.family("sha256.choose", |cs| choices(cs, &e1, [e, f, g]));
    let sum = cs.family("sha256.sum", |cs| rotations_modulo(cs, &e1, [6, 11, 25]));
    let mut y = Sum::of(c).plus(&Sum::of(g)).plus(&sum).plus(second).plus_unseen_word();
    if let Some(onto) = onto {
        y = y.plus(&Sum::of(&onto.e));
    }
    let e2 = cs.family("sha256.add", |cs| {
        Word::hint(cs, &[&y.form, e1.num(), e.num(), f.num()], |v| {
            let [y, e, f, g] = words(v);
            y.wrapping_add(e & f | !e & g)
        })
    });
    cs.family("sha256.add", |cs| add_pair(cs, [&x, &y], &chosen, [&e1, &e2]));

    // a1 = T1 + T2, and e1 = d + T1.
    let sum = cs.family("sha256.sum", |cs| rotations(cs, a, [2, 13, 22]));
    let x = Sum::of(&e1).minus(d).plus(&sum).plus_unseen_word();
    let a1 = cs.family("sha256.add", |cs| {
        Word::hint(cs, &[&x.form, a.num(), b.num(), c.num()], |v| {
            let [x, a, b, c] = words(v);
            x.wrapping_add(a & b | a & c | b & c)
        })
    });
    let majorities = cs.family("sha256.majority", |cs| majorities(cs, &a1, [a, b, c]));
    let sum = cs.family("sha256.sum", |cs| rotations(cs, &a1, [2, 13, 22]));
    let mut y = Sum::of(&e2).minus(&Sum::of(c)).plus(&sum).plus_unseen_word();
    if let Some(onto) = onto {
        y = y.plus(&Sum::of(&onto.a)).minus(&Sum::of(&onto.e));
    }
    let a2 = cs.family("sha256.add", |cs| {
        Word::hint(cs, &[&y.form, a1.num(), a.num(), b.num()], |v| {
            let [y, a, b, c] = words(v);
            y.wrapping_add(a & b | a & c | b & c)
        })
    });
    cs.family("sha256.add", |cs| add_pair(cs, [&x, &y], &majorities, [&a1, &a2]));

    State { a: a2, b: a1, c: a.clone(), d: Sum::of(b), e: e2, f: e1, g: e.clone(), h: Sum::of(f) }
}

fn words(values: &[Fr]) -> [u32; 4] {
    std::array::from_fn(|i| low_word(&values[i]))
}

/// Ch(e, f, g) + λ·Ch(u, e, f), packed: a row for each place, or none for constants.
fn choices<C: Cs>(cs: &mut C, u: &Word<C::Num>, [e, f, g]: [&Word<C::Num>; 3]) -> C::Num {
    let known = e.known().zip(f.known()).zip(g.known());
    packed(|i| match known {
        Some(((e, f), g)) => choose_pair_of_constants(u.bit(i), [e, f, g].map(|word| word >> i & 1 == 1)),
        None => choose_pair(cs, u.bit(i), [e, f, g].map(|word| word.bit(i))),
    })
}

/// Maj(a, b, c) + λ·Maj(u, a, b), packed: a row for each place, or none for constants.
fn majorities<C: Cs>(cs: &mut C, u: &Word<C::Num>, [a, b, c]: [&Word<C::Num>; 3]) -> C::Num {
    let known = a.known().zip(b.known()).zip(c.known());
    packed(|i| match known {
        Some(((a, b), c)) => majority_pair_of_constants(u.bit(i), [a, b, c].map(|word| word >> i & 1 == 1)),
        None => majority_pair(cs, u.bit(i), [a, b, c].map(|word| word.bit(i))),
    })
}

/// The sum of 32 forms, each with the weight of its place.
fn packed<N: Num>(mut at: impl FnMut(usize) -> N) -> N {
    let mut sum = N::zero();
    for i in 0..32 {
        sum.add_scaled(&at(i), power(i as u32));
    }
    sum
}

/// Ch(e, f, g) + λ·Ch(u, e, f) in one row.
///
/// Ch(e, f, g) = g + e·f − e·g. With p = f + λ·u, of bits,
/// (g + p − 2e)·(g − p) = g² − p² − 2e·g + 2e·p = g − f − λ²·u − 2λ·f·u − 2e·g + 2e·f + 2λ·e·u,
/// which is 2z − g − (1 + 2λ)·f − λ²·u for the z that is wanted: linear in z, so z is unique.
fn choose_pair<C: Cs>(cs: &mut C, u: &Bit<C::Num>, [e, f, g]: [&Bit<C::Num>; 3]) -> C::Num {
    let (lambda, two) = (power(LIFT), Fr::from(2u64));
    let (u, e, f, g) = (u.num(), e.num(), f.num(), g.num());
    let z = cs.hint(&[u, e, f, g], |v| {
        let [u, e, f, g] = [v[0], v[1], v[2], v[3]];
        let choose = |e: Fr, f: Fr, g: Fr| if e == Fr::from(0u64) { g } else { f };
        choose(e, f, g) + lambda * choose(u, e, f)
    });
    let mut p = f.clone();
    p.add_scaled(u, lambda);
    let mut left = g.plus(&p);
    left.add_scaled(e, -two);
    let mut right = z.times(two).minus(g);
    right.add_scaled(f, -Fr::from(1u64) - lambda * two);
    right.add_scaled(u, -lambda * lambda);
    cs.enforce(&left, &g.minus(&p), &right);
    z
}

/// As [`choose_pair`], of constants e, f and g: a linear form of u.
fn choose_pair_of_constants<N: Num>(u: &Bit<N>, [e, f, g]: [bool; 3]) -> N {
    let mut z = N::constant(Fr::from(if e { f } else { g }) + power(LIFT) * Fr::from(f));
    z.add_scaled(u.num(), power(LIFT) * (Fr::from(e) - Fr::from(f)));
    z
}

/// Maj(a, b, c) + λ·Maj(u, a, b) in one row, or a number beyond reach.
///
/// Where a = b that is (1 + λ)·a, elsewhere c + λ·u. The row allows two roots: the first plus Ω·(a − b), the second plus
/// Ω·(1 − a − b). One of a − b and 1 − a − b is zero, the other is 1 or −1, so one root is right and the other is about
/// Ω away from every right one. Were a wrong root taken anywhere, [`add_pair`]'s equation would hold over the integers
/// a multiple Ω·Σ ε_i·2^i, ε_i in {−1, 0, 1}, less than 2^145 in size and still far below r, and all else less than
/// 2^112 = Ω in size: so that multiple is zero. The lowest ε_i that is not zero would make it an odd multiple of Ω·2^i:
/// there is none.
fn majority_pair<C: Cs>(cs: &mut C, u: &Bit<C::Num>, [a, b, c]: [&Bit<C::Num>; 3]) -> C::Num {
    let (lambda, omega) = (power(LIFT), power(FAR));
    let (u, a, b, c) = (u.num(), a.num(), b.num(), c.num());
    let z =
        cs.hint(&[u, a, b, c], |v| if v[1] == v[2] { v[1] + lambda * v[1] } else { v[3] + lambda * v[0] });
    let mut where_equal = a.times(Fr::from(1u64) + lambda);
    where_equal.add_scaled(&a.minus(b), omega);
    let mut elsewhere = c.clone();
    elsewhere.add_scaled(u, lambda);
    elsewhere.add_scaled(&a.plus(b).not(), omega);
    cs.enforce(&z.minus(&where_equal), &z.minus(&elsewhere), &C::Num::zero());
    z
}

/// As [`majority_pair`], of constants a, b and c: a linear form of u.
fn majority_pair_of_constants<N: Num>(u: &Bit<N>, [a, b, c]: [bool; 3]) -> N {
    if a == b {
        return N::constant(Fr::from(a) * (Fr::from(1u64) + power(LIFT)));
    }
    let mut z = N::constant(Fr::from(c));
    z.add_scaled(u.num(), power(LIFT));
    z
}

/// Enforces that o and p are x + z and y + w modulo 2³², where `packed` is z + λ·w: one row for each bit of the carries.
fn add_pair<C: Cs>(cs: &mut C, [x, y]: [&Sum<C::Num>; 2], packed: &C::Num, [o, p]: [&Word<C::Num>; 2]) {
    for sum in [x, y] {
        assert!(sum.carry_bits() <= CARRY_BITS && sum.least.abs() < 1 << CARRY_BITS, "see the bounds");
    }
    let mut excess = x.form.minus(o.num()).plus(packed);
    excess.add_scaled(&y.form.minus(p.num()), power(LIFT));
    carried(cs, &excess, &[(0, x.least, x.carry_bits()), (LIFT, y.least, y.carry_bits())]);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use crate::r1cs::Assignment;

    fn inputs(input: usize) -> [Bit<Fr>; 4] {
        std::array::from_fn(|i| Bit::constant(input >> i & 1 == 1))
    }

    type Gate = fn(&mut Assignment, &Bit<Fr>, [&Bit<Fr>; 3]) -> Fr;

    /// Those of the claims that the one row of a gate accepts for these inputs.
    fn accepted(gate: Gate, input: usize, claims: &[Fr]) -> Vec<Fr> {
        let [u, x, y, z] = inputs(input);
        let holds = |claim: &Fr| {
            let claim = *claim;
            Assignment::tampered(
                move |_, _, _| claim,
                |cs| {
                    gate(cs, &u, [&x, &y, &z]);
                },
            )
            .is_satisfied()
        };
        claims.iter().filter(|claim| holds(claim)).copied().collect()
    }

    /// Small + λ·small + Ω·small.
    fn claims() -> Vec<Fr> {
        let small = || (-2i64..=2).map(Fr::from);
        let with = |x: Fr, n: u32| small().map(move |k| x + k * power(n));
        small().flat_map(|x| with(x, LIFT)).flat_map(|x| with(x, FAR)).collect()
    }

    #[test]
    fn one_row_forces_both_choices() {
        for input in 0..16 {
            let [u, e, f, g] = [0, 1, 2, 3].map(|i| input >> i & 1);
            let expected = Fr::from(((e & f) | ((1 - e) & g)) as u64)
                + power(LIFT) * Fr::from(((u & e) | ((1 - u) & f)) as u64);
            assert_eq!(accepted(choose_pair, input, &claims()), [expected], "{input:04b}");
        }
    }

    #[test]
    fn one_row_forces_both_majorities_or_is_far_off() {
        for input in 0..16 {
            let [u, a, b, c] = [0, 1, 2, 3].map(|i| input >> i & 1);
            let majority = |x: usize, y: usize, z: usize| Fr::from(((x + y + z) / 2) as u64);
            let expected = majority(a, b, c) + power(LIFT) * majority(u, a, b);
            let (near, far): (Vec<_>, Vec<_>) = accepted(majority_pair, input, &claims())
                .into_iter()
                .partition(|z| (0..4).any(|k| *z == Fr::from(k & 1u64) + power(LIFT) * Fr::from(k >> 1)));
            assert_eq!(near, [expected], "{input:04b}");
            let is_far = |z: &Fr| {
                (0..4).any(|k| {
                    let near = Fr::from(k & 1u64) + power(LIFT) * Fr::from(k >> 1);
                    [power(FAR), -power(FAR)].contains(&(*z - near))
                })
            };
            assert!(far.len() == 1 && is_far(&far[0]), "{input:04b}");
        }
    }

    const STATE: [u32; 8] = [
        0x9e37_79b9,
        0x7f4a_7c15,
        0xf39c_c060,
        0x5ced_c834,
        0x1082_276b,
        0xf3a2_7251,
        0xf86c_6a11,
        0xd0c1_8e95,
    ];

    /// The state as variables.
    fn state() -> State<Fr> {
        let known = State::<Fr>::constant(STATE);
        let unknown = |word: &Word<Fr>| Word::new((0..32).map(|i| word.bit(i).clone()).collect());
        let [a, b, c] = [&known.a, &known.b, &known.c].map(unknown);
        let [e, f, g] = [&known.e, &known.f, &known.g].map(unknown);
        State { a, b, c, e, f, g, ..known }
    }

    #[test]
    fn constants_cost_less_and_come_to_the_same() {
        let word = Sum::constant(0xdead_beef);
        let run = |state: &State<Fr>| {
            let mut next = None;
            let values = Assignment::of(|cs| next = Some(two_rounds(cs, state, [&word, &word], None)));
            assert!(values.is_satisfied());
            (values.constraints(), next.unwrap().sums().map(|sum| sum.form))
        };
        let ((rows, unknown), (fewer, known)) = (run(&state()), run(&State::constant(STATE)));
        assert_eq!(known, unknown);
        assert_eq!(rows - fewer, 31 + 32 + 64);
    }

    fn violated(tamper: impl FnMut(&'static str, usize, Fr) -> Fr + 'static) -> Vec<&'static str> {
        let word = Sum::constant(0xdead_beef);
        let values = Assignment::tampered(tamper, |cs| drop(two_rounds(cs, &state(), [&word, &word], None)));
        let mut families: Vec<_> = values.violations().iter().map(|violation| violation.family).collect();
        families.dedup();
        families
    }

    #[test]
    fn a_far_root_is_refused_in_every_place_and_in_all_at_once() {
        // The honest roots swapped for the far ones in places that a mask selects; the rows of the majorities hold.
        for mask in (0..32).map(|i| 1u32 << i).chain([u32::MAX, 0b11, 0b110, 0x8000_0001]) {
            let mut place = 0;
            let swap = move |family: &'static str, _: usize, honest: Fr| {
                if family != "sha256.majority" {
                    return honest;
                }
                place += 1;
                if mask >> (place - 1) & 1 == 0 {
                    return honest;
                }
                far_root(place - 1)
            };
            assert_eq!(violated(swap), ["sha256.add"], "{mask:x}");
        }
    }

    /// The root of the row at a place that is not the majorities, for the state of these tests.
    fn far_root(place: usize) -> Fr {
        let [mut a1, mut roots] = [Vec::new(), Vec::new()];
        let word = Sum::constant(0xdead_beef);
        Assignment::of(|cs| {
            let next = two_rounds(cs, &state(), [&word, &word], None);
            a1.extend((0..32).map(|i| *next.b.bit(i).num()));
        });
        let State { a, b, c, .. } = state();
        let (a, b, c, u) = (*a.bit(place).num(), *b.bit(place).num(), *c.bit(place).num(), a1[place]);
        let (lambda, omega, one) = (power(LIFT), power(FAR), Fr::from(1u64));
        roots.push((one + lambda) * a + omega * (a - b));
        roots.push(c + lambda * u + omega * (one - a - b));
        roots.swap_remove(usize::from(a == b))
    }

    /// Who refuses a prover that adds one to these hints, each the n-th of its family, where they are zero, and else
    /// computes on from what it said.
    fn violated_by(lies: &[(&'static str, usize)]) -> Vec<&'static str> {
        let lies = lies.to_vec();
        let mut seen = std::collections::BTreeMap::new();
        violated(move |family, _, honest| {
            let count = seen.entry(family).or_insert(0usize);
            *count += 1;
            honest + Fr::from(u64::from(lies.contains(&(family, *count - 1))))
        })
    }

    #[test]
    fn each_family_alone_stops_its_lie() {
        let State { a, b, c, d, e, f, g, h } = State::<Fr>::constant(STATE);
        let [a, b, c, e, f, g] = [a, b, c, e, f, g].map(|word| word.known().unwrap());
        let (d, h) = (low_word(&d.form), low_word(&h.form));
        let rotated = |x: u32, by: [u32; 3]| by.iter().fold(0, |sum, n| sum ^ x.rotate_right(*n));
        let (sum1, sum0) = (rotated(e, [6, 11, 25]), rotated(a, [2, 13, 22]));
        let t1 = [sum1, e & f | !e & g, 0xdead_beef].iter().fold(h, |sum, x| sum.wrapping_add(*x));
        let (e1, a1) = (d.wrapping_add(t1), t1.wrapping_add(sum0).wrapping_add(a & b | a & c | b & c));
        // Lowest places that are zero, so that one more is one bit more. The adders' hints: e1, e2, five carries, a1, …
        let [e1, a1, sum1, sum0] = [e1, a1, sum1, sum0].map(|word| word.trailing_ones() as usize);
        let (first_e, first_a) = (("sha256.add", e1), ("sha256.add", 32 + 32 + 5 + a1));
        assert_eq!(violated_by(&[]), Vec::<&str>::new());
        assert_eq!(violated_by(&[first_e]), ["sha256.add"]);
        assert_eq!(violated_by(&[first_a]), ["sha256.add"]);
        // The word is what the sum comes to when the packed function is one more in that place.
        assert_eq!(violated_by(&[first_e, ("sha256.choose", e1)]), ["sha256.choose"]);
        assert_eq!(violated_by(&[first_a, ("sha256.majority", a1)]), ["sha256.majority"]);
        // The words follow; Σ0(a) comes behind the 31 places of Σ1(e) and those of Σ1(e1).
        assert_eq!(violated_by(&[("sha256.sum", sum1)]), ["sha256.sum"]);
        assert_eq!(violated_by(&[("sha256.sum", 62 + sum0)]), ["sha256.sum"]);
    }

    #[test]
    fn two_rounds_cost_what_is_stated() {
        let word = Sum::constant(1);
        let values = Assignment::of(|cs| drop(two_rounds(cs, &state(), [&word, &word], None)));
        // 128 bits, 32 choices, 32 majorities, 126 places of Σ, carries of 3, 3, 2 and 2 bits.
        assert_eq!(values.constraints(), 128 + 64 + 126 + 10);
        assert!(values.is_satisfied());
    }
}
