//! The field elements that circuits are made of, from tables: every value pass takes some hundred thousand.

use std::sync::LazyLock;

use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField};

use crate::Fr;

/// Numbers below this are in the table.
const SMALL: usize = 512;

/// A small number.
pub fn small(number: i64) -> Fr {
    static NUMBERS: [Fr; SMALL] = {
        let mut numbers = [Fr::ZERO; SMALL];
        let mut i = 0;
        while i < SMALL {
            numbers[i] = Fr::new(BigInt::new([i as u64, 0, 0, 0]));
            i += 1;
        }
        numbers
    };
    let size = number.unsigned_abs();
    let magnitude = NUMBERS.get(size as usize).copied().unwrap_or_else(|| Fr::from(size));
    if number < 0 { -magnitude } else { magnitude }
}

/// A bit as a number.
pub fn bit(bit: bool) -> Fr {
    if bit { Fr::ONE } else { Fr::ZERO }
}

/// 2^n.
///
/// # Panics
/// Unless n < 254: from there on the power is reduced.
pub fn power(n: u32) -> Fr {
    static POWERS: LazyLock<Vec<Fr>> = LazyLock::new(|| {
        let powers = std::iter::successors(Some(Fr::ONE), |power| Some(power.double()));
        powers.take(Fr::MODULUS_BIT_SIZE as usize).collect()
    });
    POWERS[n as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_hold_what_they_say() {
        for number in (-600..600).chain([i64::MIN, i64::MAX]) {
            assert_eq!(small(number), Fr::from(number));
        }
        assert_eq!([bit(false), bit(true)], [Fr::from(false), Fr::from(true)]);
        assert!((0..254u32).all(|n| power(n) == Fr::from(2u64).pow([u64::from(n)])));
    }
}
