//! SHA-256 (FIPS 180-4) of a message whose length only the prover knows.
//!
//! [`Message`] holds the message's bytes and shows its length once; [`digest`] pads it inside the circuit, runs every
//! block of the size class, and takes the state after the block that the length makes the last one. Nothing of the
//! padding is the prover's: see `padding`.
//!
//! Rows per block: 14,983 for the sixth, a few less before it. Message schedule 46·92 + 2·57, rounds 32·328, and 7 more in the
//! first and the last two for their larger carries; b, c, f and g of the feed-forward 4·33; 2 for the selection. What
//! keeps them few: an exclusive or of three bits takes one row (`words`), two of two bits share one; Ch and Maj of two
//! rounds share one a place (`rounds`); all additions of one word are one sum before its bits are taken; the
//! feed-forward of a and e is part of the last rounds' sums, and that of d and h is never reduced, since nothing reads
//! their bits before the digest does. A block behind the capacity, which holds nothing but the end of the padding, has
//! no rows for its schedule.

mod padding;
mod rounds;
mod schedule;
mod words;

pub use padding::Message;

use padding::Block;
use rounds::{State, two_rounds};
use schedule::schedule;
use words::{Sum, Word, carried, power};

use ark_ff::PrimeField;

use super::bits::Bit;
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Bytes of a block.
pub const BLOCK: usize = 64;

/// FIPS 180-4 §5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// FIPS 180-4 §4.2.2.
#[rustfmt::skip]
const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// Words to a number in the selection of the last block, and bits from one to the next.
const PACKED: (usize, u32) = (4, 48);

/// SHA-256 of a message: 256 bits, the most significant first.
pub fn digest<C: Cs>(cs: &mut C, message: &Message<C::Num>) -> [Bit<C::Num>; 256] {
    let mut state = State::constant(INITIAL);
    let mut selected: [C::Num; 8 / PACKED.0] = std::array::from_fn(|_| C::Num::zero());
    for (block, is_last) in message.padded(cs) {
        state = compress(cs, &state, block);
        cs.family("sha256.select", |cs| {
            for (selected, words) in selected.iter_mut().zip(state.sums().chunks(PACKED.0)) {
                let term = cs.product(&is_last, &packed(words));
                selected.add_scaled(&term, Fr::from(1u64));
            }
        });
    }
    // Bounds only grow from block to block, so those of the last hold for the one that is selected.
    let sums = state.sums();
    let words: Vec<_> = cs.family("sha256.select", |cs| {
        let halves = selected.iter().zip(sums.chunks(PACKED.0));
        halves.flat_map(|(number, sums)| unpacked(cs, number, sums)).collect()
    });
    std::array::from_fn(|i| words[i / 32].bit(31 - i % 32).clone())
}

/// Numbers that are not negative, and below 2^48, as one.
fn packed<N: Num>(sums: &[Sum<N>]) -> N {
    let mut out = N::zero();
    for (i, sum) in sums.iter().enumerate() {
        out.add_scaled(&sum.form, power(PACKED.1 * i as u32));
    }
    out
}

/// The words of packed numbers with these bounds, each modulo 2³²: 32 rows a word, and one for each bit of its carry.
fn unpacked<C: Cs>(cs: &mut C, number: &C::Num, sums: &[Sum<C::Num>]) -> Vec<Word<C::Num>> {
    let mut excess = number.clone();
    let mut carries = Vec::with_capacity(sums.len());
    let mut words = Vec::with_capacity(sums.len());
    for (i, sum) in sums.iter().enumerate() {
        let place = PACKED.1 * i as u32;
        assert!(sum.least == 0 && sum.most <= 1 << 15, "a number of this size is below 2^48");
        let word = Word::hint(cs, &[number], |v| (v[0].into_bigint() >> place).0[0] as u32);
        excess.add_scaled(word.num(), -power(place));
        carries.push((place, 0, sum.carry_bits()));
        words.push(word);
    }
    carried(cs, &excess, &carries);
    words
}

/// One block: FIPS 180-4 §6.2.2.
fn compress<C: Cs>(cs: &mut C, start: &State<C::Num>, block: Block<C::Num>) -> State<C::Num> {
    let schedule = match block {
        Block::OfWords(words) => cs.family("sha256.schedule", |cs| schedule(cs, *words)),
        Block::OfLength(schedule) => schedule,
    };
    let summands: Vec<_> =
        schedule.iter().zip(ROUND).map(|(word, constant)| word.plus(&Sum::constant(constant))).collect();
    let (pairs, _) = summands.as_chunks::<2>();
    let mut state = start.clone();
    for (i, [first, second]) in pairs.iter().enumerate() {
        let onto = (i + 1 == pairs.len()).then_some(start);
        state = two_rounds(cs, &state, [first, second], onto);
    }
    let State { a, b, c, d, e, f, g, h } = state;
    cs.family("sha256.feed-forward", |cs| {
        let mut sum = |x: &Word<_>, y: &Word<_>| Sum::of(x).plus(&Sum::of(y)).reduced(cs);
        let (b, c) = (sum(&start.b, &b), sum(&start.c, &c));
        let (f, g) = (sum(&start.f, &f), sum(&start.g, &g));
        State { a, b, c, d: start.d.plus(&d), e, f, g, h: start.h.plus(&h) }
    })
}

#[cfg(test)]
mod tests;
