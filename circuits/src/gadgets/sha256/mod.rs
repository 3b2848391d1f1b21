//! SHA-256 (FIPS 180-4) of a message whose length only the prover knows.
//!
//! [`Message`] holds the message's bytes and shows its length once; [`digest`] pads it inside the circuit, runs every
//! block of the size class, and takes the state after the block that the length makes the last one. Nothing of the
//! padding is the prover's: see `padding`.
//!
//! Rows per block: message schedule 48·(64 + 35), rounds 64·(128 + 2·36), feed-forward 8·34; 17,824 in all. Exclusive
//! or of three bits and majority take one row each (see [`xor3`] and [`majority`]), and all additions modulo 2³² of
//! one word are folded into one sum before its digits are taken.

mod padding;
mod words;

pub use padding::Message;
pub use words::{majority, xor3};

use words::{Word, choose, sigma};

use super::bits::{Bit, decompose};
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

/// SHA-256 of a message: 256 bits, the most significant first.
pub fn digest<C: Cs>(cs: &mut C, message: &Message<C::Num>) -> [Bit<C::Num>; 256] {
    let mut state = INITIAL.map(Word::constant);
    let mut selected: [C::Num; 8] = std::array::from_fn(|_| C::Num::zero());
    for (block, is_last) in message.padded(cs) {
        state = compress(cs, &state, block);
        cs.family("sha256.select", |cs| {
            for (selected, word) in selected.iter_mut().zip(&state) {
                let term = cs.product(&is_last, word.num());
                selected.add_scaled(&term, Fr::from(1u64));
            }
        });
    }
    let words = cs.family("sha256.select", |cs| selected.map(|word| decompose(cs, &word, 32)));
    std::array::from_fn(|i| words[i / 32][31 - i % 32].clone())
}

/// One block: FIPS 180-4 §6.2.2.
fn compress<C: Cs>(cs: &mut C, state: &[Word<C::Num>; 8], block: [Word<C::Num>; 16]) -> [Word<C::Num>; 8] {
    let schedule = cs.family("sha256.schedule", |cs| schedule(cs, block));
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state.clone();
    for (word, constant) in schedule.iter().zip(ROUND) {
        let (sum0, sum1) = cs.family("sha256.sum", |cs| {
            (sigma(cs, &a, [2, 13, 22], false), sigma(cs, &e, [6, 11, 25], false))
        });
        let choice = cs.family("sha256.choose", |cs| choose(cs, &e, &f, &g));
        let majority = cs.family("sha256.majority", |cs| words::majority_of(cs, &a, &b, &c));
        let mut t1 = C::Num::constant(Fr::from(constant));
        for summand in [h.num(), &sum1, &choice, word.num()] {
            t1.add_scaled(summand, Fr::from(1u64));
        }
        let t2 = sum0.plus(&majority);
        // Six summands below 2³² for the one and seven for the other: the carry is below 8.
        let next = cs.family("sha256.add", |cs| {
            (Word::of_sum(cs, &t1.plus(&t2), 3), Word::of_sum(cs, &d.num().plus(&t1), 3))
        });
        (h, g, f, e, d, c, b, a) = (g, f, e, next.1, c, b, a, next.0);
    }
    let worked = [a, b, c, d, e, f, g, h];
    cs.family("sha256.feed-forward", |cs| {
        std::array::from_fn(|i| Word::of_sum(cs, &state[i].num().plus(worked[i].num()), 1))
    })
}

/// The 64 words of the message schedule: FIPS 180-4 §6.2.2 step 1.
fn schedule<C: Cs>(cs: &mut C, block: [Word<C::Num>; 16]) -> Vec<Word<C::Num>> {
    let mut words = Vec::with_capacity(64);
    words.extend(block);
    for t in 16..64 {
        let small0 = sigma(cs, &words[t - 15], [7, 18, 3], true);
        let small1 = sigma(cs, &words[t - 2], [17, 19, 10], true);
        let sum = small1.plus(words[t - 7].num()).plus(&small0).plus(words[t - 16].num());
        // Four summands below 2³²: the carry is below 4.
        let word = Word::of_sum(cs, &sum, 2);
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests;
