//! The Grain LFSR in self-shrinking mode, as the Poseidon paper's reference script uses it.

use ark_bn254::Fr;
use ark_ff::{BigInt, Field, PrimeField};

use super::Parameters;
use crate::field::limbs_from_bytes;

/// Round constants by rejection sampling, then the Cauchy matrix 1/(x_i + y_j) from 2·width further elements, which
/// are reduced instead of rejected.
pub(super) fn generate(width: usize, full_rounds: usize, partial_rounds: usize) -> Parameters {
    let mut grain = Grain::new(width, full_rounds, partial_rounds);
    let count = width * (full_rounds + partial_rounds);
    let round_constants = (0..count).map(|_| grain.sample()).collect();
    let xs: Vec<Fr> = (0..width).map(|_| grain.reduced()).collect();
    let ys: Vec<Fr> = (0..width).map(|_| grain.reduced()).collect();
    let cauchy = |x: &Fr, y: &Fr| (*x + y).inverse().expect("the fixed parameters have no x_i + y_j = 0");
    let mds = xs.iter().map(|x| ys.iter().map(|y| cauchy(x, y)).collect()).collect();
    Parameters { width, full_rounds, partial_rounds, round_constants, mds }
}

/// Bits of one LFSR step taken at a time: the highest tap is 62 of 80, so the next 18 bits depend on known ones only.
const BATCH: u32 = 16;

struct Grain {
    /// Bit i is b_i; the oldest is bit 0 of 80.
    state: u128,
    /// Bits produced and not yet read, the next one lowest.
    pending: u128,
    left: u32,
}

impl Grain {
    fn new(width: usize, full_rounds: usize, partial_rounds: usize) -> Self {
        let mut state = 0u128;
        let mut length = 0;
        let mut push = |value: usize, bits: u32| {
            for i in (0..bits).rev() {
                state |= ((value >> i & 1) as u128) << length;
                length += 1;
            }
        };
        push(1, 2); // a prime field
        push(0, 4); // the S-box is a power
        push(Fr::MODULUS_BIT_SIZE as usize, 12);
        push(width, 12);
        push(full_rounds, 10);
        push(partial_rounds, 10);
        push((1 << 30) - 1, 30);
        let mut grain = Self { state, pending: 0, left: 0 };
        for _ in 0..160 {
            grain.raw_bit();
        }
        grain
    }

    /// b_{i+80} = b_{i+62} ⊕ b_{i+51} ⊕ b_{i+38} ⊕ b_{i+23} ⊕ b_{i+13} ⊕ b_i.
    fn raw_bit(&mut self) -> bool {
        if self.left == 0 {
            let s = self.state;
            let new = (s >> 62 ^ s >> 51 ^ s >> 38 ^ s >> 23 ^ s >> 13 ^ s) & ((1 << BATCH) - 1);
            self.state = s >> BATCH | new << (80 - BATCH);
            self.pending = new;
            self.left = BATCH;
        }
        let bit = self.pending & 1 == 1;
        self.pending >>= 1;
        self.left -= 1;
        bit
    }

    /// Of each pair, the second bit where the first is one.
    fn bit(&mut self) -> bool {
        loop {
            let keep = self.raw_bit();
            let bit = self.raw_bit();
            if keep {
                return bit;
            }
        }
    }

    /// 254 bits, the highest first.
    fn number(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for i in (0..Fr::MODULUS_BIT_SIZE as usize).rev() {
            bytes[31 - i / 8] |= u8::from(self.bit()) << (i % 8);
        }
        bytes
    }

    fn sample(&mut self) -> Fr {
        loop {
            let number: BigInt<4> = limbs_from_bytes(&self.number());
            if let Some(element) = Fr::from_bigint(number) {
                return element;
            }
        }
    }

    fn reduced(&mut self) -> Fr {
        Fr::from_be_bytes_mod_order(&self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::MontFp;

    /// First round constant and first matrix entry for width 3, circomlib's `poseidon_constants.circom`.
    #[test]
    fn published_constants_of_width_3() {
        let parameters = generate(3, 8, 57);
        let first: Fr =
            MontFp!("6745197990210204598374042828761989596302876299545964402857411729872131034734");
        assert_eq!(parameters.round_constants[0], first);
        assert_eq!(parameters.round_constants.len(), 3 * 65);
        let entry: Fr =
            MontFp!("7511745149465107256748700652201246547602992235352608707588321460060273774987");
        assert_eq!(parameters.mds[0][0], entry);
    }
}
