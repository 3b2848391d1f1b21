//! The one encoding of a point.

use ark_ec::AffineRepr;

/// Appends the compressed point.
pub(crate) fn put<P: AffineRepr>(out: &mut Vec<u8>, point: &P) {
    point.serialize_compressed(out).expect("writing to a vector does not fail");
}

/// Takes one compressed point off the front of `bytes`.
pub(crate) fn take<P: AffineRepr>(bytes: &mut &[u8]) -> Result<P, &'static str> {
    let length = P::zero().compressed_size();
    let (head, rest) = bytes.split_at_checked(length).ok_or("too short")?;
    let point = P::deserialize_compressed(head).map_err(|_| "not a point of the prime-order group")?;
    if point.is_zero() {
        return Err("point at infinity");
    }
    // The decoder beneath may take more than one spelling of a point; only what it writes itself is the encoding.
    let mut again = Vec::with_capacity(length);
    put(&mut again, &point);
    if again != head {
        return Err("point not in its one encoding");
    }
    *bytes = rest;
    Ok(point)
}
