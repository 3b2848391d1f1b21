//! The message schedule: FIPS 180-4 §6.2.2 step 1.

use super::super::bits::Bit;
use super::words::{Sum, Word, power, xor2_pair, xor3};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Words of a message schedule.
pub(super) const WORDS: usize = 64;

/// The message schedule of a constant block.
pub(super) fn of_constants(block: [u32; 16]) -> [u32; WORDS] {
    let mut words = [0u32; WORDS];
    words[..16].copy_from_slice(&block);
    for t in 16..WORDS {
        let (x, y) = (words[t - 15], words[t - 2]);
        let sigma0 = x.rotate_right(7) ^ x.rotate_right(18) ^ x >> 3;
        let sigma1 = y.rotate_right(17) ^ y.rotate_right(19) ^ y >> 10;
        words[t] = [sigma0, sigma1, words[t - 7]].iter().fold(words[t - 16], |sum, w| sum.wrapping_add(*w));
    }
    words
}

/// The 64 words of the message schedule, as summands of the rounds. 92 rows for each word behind the sixteenth, but 57
/// for the last two, whose bits nothing reads: they remain sums.
pub(super) fn schedule<C: Cs>(cs: &mut C, block: [Word<C::Num>; 16]) -> Vec<Sum<C::Num>> {
    let mut words = block.to_vec();
    let mut sums: Vec<_> = words.iter().map(Sum::of).collect();
    for t in 16..WORDS {
        let is_read = t < 62;
        let sigmas = sigmas(cs, &words[t - 15], &words[t - 2], is_read);
        let sum = sigmas.plus(&sums[t - 7]).plus(&sums[t - 16]);
        if is_read {
            // Four summands below 2³²: the carry is below 4.
            words.push(sum.reduced(cs));
            sums.extend(words.last().map(Sum::of));
        } else {
            sums.push(sum);
        }
    }
    sums
}

/// A place of a word, and two bits whose exclusive or belongs there.
type Place<'a, N> = (usize, [&'a Bit<N>; 2]);

/// σ0(x) + σ1(y), modulo 2³²; below 2·2³² if `strict`, else below 4·2³². 58 rows, 57 if not strict.
///
/// Where a shift has moved zeros in, an exclusive or of two bits is left: 3 places of σ0 and 10 of σ1. Two of them at
/// places of equal parity share a row. The sum of two bits exceeds their exclusive or by 0 or 2, so that in the highest
/// place it will do where the result is read modulo 2³² alone.
fn sigmas<C: Cs>(cs: &mut C, x: &Word<C::Num>, y: &Word<C::Num>, strict: bool) -> Sum<C::Num> {
    let mut form = C::Num::zero();
    let mut of_two: [Vec<Place<'_, C::Num>>; 2] = [Vec::new(), Vec::new()];
    for (word, [r1, r2, shift]) in [(x, [7, 18, 3]), (y, [17, 19, 10])] {
        if let Some(word) = word.known() {
            let sigma = word.rotate_right(r1 as u32) ^ word.rotate_right(r2 as u32) ^ word >> shift;
            form.add_scaled(&C::Num::one(), Fr::from(sigma));
            continue;
        }
        for i in 0..32 {
            let pair = [word.bit(i + r1), word.bit(i + r2)];
            if i + shift < 32 {
                let out = xor3(cs, pair[0], pair[1], word.bit(i + shift));
                form.add_scaled(out.num(), power(i as u32));
            } else if i < 31 || strict {
                of_two[i % 2].push((i, pair));
            } else {
                form.add_scaled(&pair[0].num().plus(pair[1].num()), power(31));
            }
        }
    }
    for places in &mut of_two {
        places.sort_by_key(|(place, _)| *place);
        let (pairs, rest) = places.as_chunks::<2>();
        for [(low, one), (high, other)] in pairs {
            let out = xor2_pair(cs, (high - low) as u32 / 2, *one, *other);
            form.add_scaled(&out, power(*low as u32));
        }
        for (place, [p, q]) in rest {
            form.add_scaled(p.xor(cs, q).num(), power(*place as u32));
        }
    }
    Sum { form, least: 0, most: if strict { 2 } else { 4 } }
}
