//! Field elements at the wire: 32 bytes big-endian, less than r (protocol.md §3).

use ark_bn254::Fr;
use ark_ff::{BigInt, BigInteger, PrimeField};
use thiserror::Error;

/// Bytes of a field element on the wire.
pub const FIELD_BYTES: usize = 32;
/// Bytes that [`pack31`] puts into one field element: the most that always fit below r.
pub const PACKED_BYTES: usize = 31;

/// Why bytes are no field element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FieldError {
    /// Not exactly 32 bytes.
    #[error("a field element has 32 bytes, these are {0}")]
    Length(usize),
    /// The number is not below r.
    #[error("the number is not below the field's order")]
    NotReduced,
}

impl FieldError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Length(_) => "field-element-length",
            Self::NotReduced => "field-element-not-reduced",
        }
    }
}

/// The 32 big-endian bytes of `element`.
#[must_use]
pub fn to_bytes(element: &Fr) -> [u8; FIELD_BYTES] {
    limbs_to_bytes(&element.into_bigint())
}

/// Reads 32 big-endian bytes of a number below r.
///
/// # Errors
/// [`FieldError::Length`] for another length, [`FieldError::NotReduced`] for a number not below r.
pub fn from_bytes(bytes: &[u8]) -> Result<Fr, FieldError> {
    let bytes: &[u8; FIELD_BYTES] = bytes.try_into().map_err(|_| FieldError::Length(bytes.len()))?;
    Fr::from_bigint(limbs_from_bytes(bytes)).ok_or(FieldError::NotReduced)
}

/// Packs bytes, big-endian, 31 to an element; the last element's missing bytes are zeros at its end.
#[must_use]
pub fn pack31(bytes: &[u8]) -> Vec<Fr> {
    bytes.chunks(PACKED_BYTES).map(pack_chunk).collect()
}

/// Packs bytes as [`pack31`] does and adds zeros at the end up to `elements`; `None` if they do not fit.
#[must_use]
pub fn pack31_padded(bytes: &[u8], elements: usize) -> Option<Vec<Fr>> {
    let mut packed = pack31(bytes);
    if packed.len() > elements {
        return None;
    }
    packed.resize(elements, Fr::from(0u64));
    Some(packed)
}

fn pack_chunk(chunk: &[u8]) -> Fr {
    let mut bytes = [0; FIELD_BYTES];
    bytes[1..=chunk.len()].copy_from_slice(chunk);
    Fr::from_bigint(limbs_from_bytes(&bytes)).expect("248 bits are below r")
}

/// Big-endian bytes of four little-endian limbs.
pub(crate) fn limbs_to_bytes(limbs: &BigInt<4>) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&limbs.to_bytes_be());
    bytes
}

/// Four little-endian limbs of big-endian bytes.
pub(crate) fn limbs_from_bytes(bytes: &[u8; 32]) -> BigInt<4> {
    let mut limbs = [0u64; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.rchunks(8)) {
        *limb = chunk.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
    BigInt::new(limbs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_is_the_last_byte() {
        let mut bytes = [0; 32];
        bytes[31] = 1;
        assert_eq!(to_bytes(&Fr::from(1u64)), bytes);
        assert_eq!(from_bytes(&bytes), Ok(Fr::from(1u64)));
    }

    #[test]
    fn order_is_refused_and_its_predecessor_accepted() {
        let order = limbs_to_bytes(&Fr::MODULUS);
        assert_eq!(from_bytes(&order), Err(FieldError::NotReduced));
        let mut below = order;
        below[31] -= 1;
        assert_eq!(from_bytes(&below), Ok(-Fr::from(1u64)));
    }

    #[test]
    fn other_lengths_are_refused() {
        assert_eq!(from_bytes(&[0; 31]), Err(FieldError::Length(31)));
        assert_eq!(from_bytes(&[0; 33]), Err(FieldError::Length(33)));
    }

    #[test]
    fn packing_is_big_endian_and_pads_at_the_end() {
        let mut bytes = [0u8; 32];
        bytes[30] = 2;
        bytes[31] = 3;
        let packed = pack31(&bytes);
        assert_eq!(packed[0], Fr::from(2u64));
        assert_eq!(packed[1], Fr::from(BigInt::<4>::from(3u64) << 240));
        assert_eq!(pack31_padded(&bytes, 3).unwrap()[2], Fr::from(0u64));
        assert_eq!(pack31_padded(&bytes, 1), None);
    }

    proptest! {
        #[test]
        fn bytes_round_trip(bytes: [u8; 32]) {
            if let Ok(element) = from_bytes(&bytes) {
                prop_assert_eq!(to_bytes(&element), bytes);
            }
        }

        #[test]
        fn packed_bytes_unpack(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let unpacked: Vec<u8> = pack31(&bytes).iter().flat_map(|element| to_bytes(element)[1..].to_vec()).collect();
            prop_assert_eq!(&unpacked[..bytes.len()], &bytes[..]);
            prop_assert!(unpacked[bytes.len()..].iter().all(|byte| *byte == 0));
        }
    }
}
