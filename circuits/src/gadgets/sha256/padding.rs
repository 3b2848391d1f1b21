//! The message, its length, and its padding (FIPS 180-4 §5.1.1).

use ark_ff::Field;

use super::super::bits::{Bit, decompose, pack};
use super::BLOCK;
use super::schedule;
use super::words::{Sum, Word};
use crate::Fr;
use crate::r1cs::{Cs, Num};

/// Bytes that FIPS 180-4 adds at least: 0x80 and the length in bits.
const OVERHEAD: usize = 9;

/// A message of at most N bytes: N bytes of which those from its length on are zero (see [`Message::of_characters`]).
pub struct Message<N> {
    bytes: Vec<[Bit<N>; 8]>,
    /// Whether the position is below the length; falls once, from one to zero.
    before: Vec<Bit<N>>,
}

impl<N: Num> Message<N> {
    /// Allocates a message of at most `capacity` bytes: 10 rows a byte.
    ///
    /// A value longer than `capacity` is cut.
    pub fn allocate<C: Cs<Num = N>>(cs: &mut C, value: &[u8], capacity: usize) -> Self {
        let message = Self::with_bits(cs, value, capacity, 8);
        cs.family("message.bits", |cs| {
            for bit in message.bytes.iter().flatten() {
                Bit::enforced(cs, bit.num().clone());
            }
        });
        cs.family("message.tail-zero", |cs| {
            for i in 0..capacity {
                cs.enforce(&message.byte(i), &message.before[i].num().not(), &N::zero());
            }
        });
        message
    }

    /// Allocates a message of at most `capacity` ASCII characters: one row a character, for the length. That bits are bits,
    /// and zeros from the length on, is *left to the caller*.
    ///
    /// A value longer than `capacity` is cut; of what is no ASCII the highest bits are.
    pub fn of_characters<C: Cs<Num = N>>(cs: &mut C, value: &[u8], capacity: usize) -> Self {
        Self::with_bits(cs, value, capacity, 7)
    }

    /// Bytes of so many bits, which nothing forces to be bits, and flags for the length.
    fn with_bits<C: Cs<Num = N>>(cs: &mut C, value: &[u8], capacity: usize, bits: usize) -> Self {
        let byte = |i: usize| value.get(i).copied().unwrap_or(0);
        let bytes = cs.family("message.bits", |cs| {
            (0..capacity)
                .map(|i| {
                    std::array::from_fn(|k| match 7 - k {
                        place if place < bits => {
                            Bit::forced_elsewhere(cs.hint(&[], |_| Fr::from(byte(i) >> place & 1)))
                        }
                        _ => Bit::constant(false),
                    })
                })
                .collect::<Vec<[_; 8]>>()
        });
        let mut before = Vec::<Bit<N>>::with_capacity(capacity);
        cs.family("message.length", |cs| {
            for i in 0..capacity {
                // b·(a − b) = 0 after a bit a: where a is zero so is b, and where a is one b is a bit.
                let b = cs.hint(&[], |_| Fr::from(i < value.len()));
                let a = before.last().map_or_else(N::one, |bit| bit.num().clone());
                cs.enforce(&b, &a.minus(&b), &N::zero());
                before.push(Bit::forced_elsewhere(b));
            }
        });
        Self { bytes, before }
    }

    /// The most bytes that it can have.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// The bits of the byte at a position, the most significant first.
    pub fn bits(&self, position: usize) -> &[Bit<N>; 8] {
        &self.bytes[position]
    }

    /// The byte at a position, zero from the length on: a linear form.
    pub fn byte(&self, position: usize) -> N {
        self.bytes.get(position).map_or_else(N::zero, |bits| pack(bits.iter().rev()))
    }

    /// Whether the position is below the length: a variable, or a constant beyond the capacity.
    pub fn is_before_end(&self, position: usize) -> Bit<N> {
        self.before.get(position).cloned().unwrap_or(Bit::constant(false))
    }

    /// Whether the position is the length: one for exactly one position from 0 to the capacity.
    pub fn is_end(&self, position: usize) -> Bit<N> {
        let previous = position.checked_sub(1).map_or(N::one(), |i| self.is_before_end(i).num().clone());
        Bit::forced_elsewhere(previous.minus(self.is_before_end(position).num()))
    }

    /// The length: a sum of as many terms as the capacity.
    pub fn length(&self) -> N {
        let mut length = N::zero();
        for bit in &self.before {
            length.add_scaled(bit.num(), Fr::ONE);
        }
        length
    }

    /// The padded blocks, each with whether it is the last.
    pub(super) fn padded<C: Cs<Num = N>>(&self, cs: &mut C) -> Vec<(Block<N>, N)> {
        let blocks = (self.capacity() + OVERHEAD).div_ceil(BLOCK);
        cs.family("sha256.padding", |cs| {
            let length = decompose(cs, &self.length(), length_bits(self.capacity()));
            (0..blocks)
                .map(|b| {
                    let is_last = self.is_last(b);
                    if BLOCK * b >= self.capacity() {
                        return (Block::OfLength(self.schedule_behind(b)), is_last);
                    }
                    let bits = self.padded_block(cs, b, &is_last, &length);
                    let word = |w: usize| self.word(BLOCK * b + 4 * w, &bits[32 * w..32 * (w + 1)]);
                    (Block::OfWords(Box::new(std::array::from_fn(word))), is_last)
                })
                .collect()
        })
    }

    /// The message schedule of a block behind the capacity: no row.
    ///
    /// It is the last block for nine lengths at most, from eight bytes before its begin to the capacity, and of each its
    /// content is a constant; of any other length it is unread, and taken as zeros. One length is the message's: so the
    /// schedule is the sum of the constant ones, each times whether that length is it, and a word of it is a word.
    fn schedule_behind(&self, block: usize) -> Vec<Sum<N>> {
        let begin = BLOCK * block;
        let mut schedule: Vec<Sum<N>> = (0..schedule::WORDS).map(|_| Sum::constant(0)).collect();
        for length in (begin + 1).saturating_sub(OVERHEAD)..=self.capacity() {
            let mut words = [0; 16];
            words[0] = if length == begin { 0x8000_0000 } else { 0 };
            words[15] = 8 * length as u32;
            for (sum, word) in schedule.iter_mut().zip(schedule::of_constants(words)) {
                sum.form.add_scaled(self.is_end(length).num(), Fr::from(word));
            }
        }
        schedule
    }

    /// The padded word at a position, from its 32 bits, the most significant first. Behind the capacity only the last word
    /// of a block is anything but zero: the length.
    fn word(&self, position: usize, bits: &[Bit<N>]) -> Word<N> {
        if position > self.capacity() && position % BLOCK != BLOCK - 4 {
            return Word::constant(0);
        }
        Word::new(bits.iter().rev().cloned().collect())
    }

    /// Whether the length of the message, at most 56 bytes into this block, makes it the last: a difference of two
    /// flags.
    fn is_last(&self, block: usize) -> N {
        let ends_by = |block: usize| self.is_before_end(BLOCK * block + BLOCK - OVERHEAD).num().not();
        match block {
            0 => ends_by(0),
            _ => ends_by(block).minus(&ends_by(block - 1)),
        }
    }

    /// The 512 bits of a padded block, in the order of the message.
    fn padded_block<C: Cs<Num = N>>(
        &self,
        cs: &mut C,
        block: usize,
        is_last: &N,
        length: &[Bit<N>],
    ) -> Vec<Bit<N>> {
        let mut bits = Vec::with_capacity(8 * BLOCK);
        for position in BLOCK * block..BLOCK * (block + 1) {
            match self.bytes.get(position) {
                Some(byte) => bits.extend(byte.iter().cloned()),
                None => bits.extend(std::iter::repeat_n(Bit::constant(false), 8)),
            }
            // The bytes from the length on are zero, so the sum with the end's flag is a bit.
            let first = bits.len() - 8;
            bits[first] = Bit::forced_elsewhere(bits[first].num().plus(self.is_end(position).num()));
        }
        // The length in bits is 8 times that in bytes. In the last block the message has ended at least eight bytes
        // before, and so has 0x80; elsewhere the product is zero: the sum is a bit.
        for (k, bit) in length.iter().enumerate() {
            let at = 8 * BLOCK - 1 - (k + 3);
            let term = cs.product(is_last, bit.num());
            bits[at] = Bit::forced_elsewhere(bits[at].num().plus(&term));
        }
        bits
    }
}

/// What is hashed of one block.
pub(super) enum Block<N> {
    /// Its words.
    OfWords(Box<[Word<N>; 16]>),
    /// Its message schedule, which the length alone decides.
    OfLength(Vec<Sum<N>>),
}

/// Binary digits of the lengths from 0 to `capacity`.
fn length_bits(capacity: usize) -> usize {
    let bits = (usize::BITS - capacity.leading_zeros()) as usize;
    assert!(bits + 3 <= 32, "the length in bits is one word");
    bits
}
