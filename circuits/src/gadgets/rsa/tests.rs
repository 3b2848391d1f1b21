#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use ark_ff::{Field, PrimeField};
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use num_bigint::{BigInt, BigUint};
use sha2::{Digest, Sha256};

use super::integer::limbs_of;
use super::layout::field_order;
use super::native::RsaError;
use super::*;
use crate::r1cs::{Assignment, Shape};

const SIZE: Size = Size::Rsa2048;

/// RFC 7515 §A.2: modulus, signing input and signature.
const MODULUS: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg\
665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const SIGNING_INPUT: &str = "eyJhbGciOiJSUzI1NiJ9.\
eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9\
uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12\
jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

#[derive(Clone)]
struct Signed {
    size: Size,
    modulus: Vec<u8>,
    signature: Vec<u8>,
    digest: [u8; 32],
}

impl Signed {
    fn published() -> Self {
        let decode = |text| URL_SAFE_NO_PAD.decode(text).unwrap();
        let digest = Sha256::digest(SIGNING_INPUT).into();
        Self { size: SIZE, modulus: decode(MODULUS), signature: decode(SIGNATURE), digest }
    }

    /// The published signature, and a digest that it does not sign.
    fn forged() -> Self {
        Self { digest: Sha256::digest("another message").into(), ..Self::published() }
    }

    /// Signed, and verified, by aws-lc.
    fn by(key: &KeyPair, size: Size, message: &[u8]) -> Self {
        let mut signature = vec![0; key.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
        let modulus = key.public_key().modulus().big_endian_without_leading_zero().to_vec();
        let public = PublicKeyComponents { n: &modulus[..], e: &[1, 0, 1][..] };
        public.verify(&RSA_PKCS1_2048_8192_SHA256, message, &signature).unwrap();
        Self { size, modulus, signature, digest: Sha256::digest(message).into() }
    }

    fn circuit<C: Cs>(&self, cs: &mut C) -> Vec<C::Num> {
        let digest = std::array::from_fn(|i| {
            let bit = cs.hint(&[], |_| Fr::from(self.digest[i / 8] >> (7 - i % 8) & 1));
            Bit::forced_elsewhere(bit)
        });
        let modulus = Modulus::allocate(cs, self.size, &self.modulus);
        verify(cs, &modulus, &self.signature, &digest);
        modulus.packed()
    }

    fn native(&self) -> Result<(), RsaError> {
        native::verify(self.size, &self.modulus, &self.signature, &self.digest)
    }

    fn holds(&self) -> bool {
        Assignment::of(|cs| drop(self.circuit(cs))).is_satisfied()
    }

    /// Families that refuse when `change` maps (family, number of the hint within it, honest value).
    fn refused_by(&self, mut change: impl FnMut(&str, usize, Fr) -> Fr + 'static) -> BTreeSet<&'static str> {
        let mut seen = std::collections::BTreeMap::new();
        let tamper = move |family, _, value| {
            let count = seen.entry(family).or_insert(0);
            *count += 1;
            change(family, *count - 1, value)
        };
        let values = Assignment::tampered(tamper, |cs| drop(self.circuit(cs)));
        values.violations().iter().map(|violation| violation.family).collect()
    }
}

#[test]
fn a_published_signature_verifies_in_both() {
    let signed = Signed::published();
    assert_eq!(signed.native(), Ok(()));
    assert!(signed.holds());
}

#[test]
fn signatures_by_another_implementation_verify_at_every_size() {
    for (size, key_size) in Size::ALL.into_iter().zip([KeySize::Rsa2048, KeySize::Rsa3072, KeySize::Rsa4096])
    {
        let signed = Signed::by(&KeyPair::generate(key_size).unwrap(), size, b"message");
        assert_eq!(signed.native(), Ok(()));
        assert!(signed.holds());
    }
}

#[test]
fn what_is_not_signed_is_refused_by_both() {
    let good = Signed::published();
    for bit in [0, 1, 7, 100, 255] {
        let mut wrong = good.clone();
        wrong.digest[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(wrong.native(), Err(RsaError::Signature));
        assert!(!wrong.holds());
    }
    for byte in [1, 128, 255] {
        let mut wrong = good.clone();
        wrong.signature[byte] ^= 1;
        assert_eq!(wrong.native(), Err(RsaError::Signature));
        assert!(!wrong.holds());
        let mut wrong = good.clone();
        wrong.modulus[byte - 1] ^= 2;
        assert_eq!(wrong.native(), Err(RsaError::Signature));
        assert!(!wrong.holds());
    }
}

#[test]
fn degenerate_numbers_are_refused_and_never_panic() {
    let good = Signed::published();
    for number in [vec![], vec![0], vec![1], vec![0xff; 256], vec![0xff; 300]] {
        assert!(!Signed { modulus: number.clone(), ..good.clone() }.holds());
        assert!(!Signed { signature: number, ..good.clone() }.holds());
    }
}

#[test]
fn the_native_check_refuses_each_fault() {
    let good = Signed::published();
    let refusal = |change: &dyn Fn(&mut Signed)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad.native().map_err(|e| e.reason())
    };
    assert_eq!(refusal(&|s| s.modulus.insert(0, 0)), Ok(()));
    assert_eq!(refusal(&|s| s.modulus[255] ^= 1), Err("rsa-modulus"));
    assert_eq!(refusal(&|s| s.modulus[0] = 0x7f), Err("rsa-modulus"));
    assert_eq!(refusal(&|s| s.modulus.push(1)), Err("rsa-modulus"));
    assert_eq!(refusal(&|s| s.signature.insert(0, 0)), Err("rsa-signature-length"));
    assert_eq!(refusal(&|s| s.signature.truncate(255)), Err("rsa-signature-length"));
    assert_eq!(refusal(&|s| s.signature = s.modulus.clone()), Err("rsa-signature-not-reduced"));
    assert_eq!(refusal(&|s| s.digest[0] ^= 1), Err("rsa-signature"));
}

#[test]
fn the_circuit_takes_a_signature_plus_the_modulus() {
    // Where its square has a quotient in range, and harmless (module documentation).
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let (mut signed, shifted) = (0u64..)
        .map(|i| Signed::by(&key, SIZE, &i.to_be_bytes()))
        .map(|signed| {
            let sum = BigUint::from_bytes_be(&signed.signature) + BigUint::from_bytes_be(&signed.modulus);
            (signed, sum)
        })
        .find(|(signed, shifted)| {
            (shifted * shifted / BigUint::from_bytes_be(&signed.modulus)).bits() <= 2048
        })
        .unwrap();
    signed.signature = shifted.to_bytes_be();
    assert_eq!(signed.native(), Err(RsaError::SignatureNotReduced));
    assert!(signed.holds());
}

#[test]
fn packing_agrees_with_the_native_packing() {
    let signed = Signed::published();
    let mut packed = Vec::new();
    assert!(Assignment::of(|cs| packed = signed.circuit(cs)).is_satisfied());
    assert_eq!(Some(&packed), native::packed(SIZE, &signed.modulus).as_ref());
    assert_eq!(Size::ALL.map(Size::packed_elements), [9, 13, 17]);
    // 256 = 8 + 8·31: the first element holds eight bytes.
    let first = u64::from_be_bytes(signed.modulus[..8].try_into().unwrap());
    assert_eq!(packed[0], Fr::from(first));
    assert_eq!(native::packed(SIZE, &[1; 257]), None);
}

// A dishonest prover. The last product is where a forger wins or loses: its quotient, its products and its carries
// are his, and everything before is honest. Each case is refused by one family alone.

fn last_quotient(layout: &Layout) -> usize {
    SQUARINGS * 2 * layout.limbs
}

fn last_point(layout: &Layout) -> usize {
    SQUARINGS * layout.coefficients()
}

/// Values of the encoded message's polynomial at the points.
fn message_at_points(layout: &Layout, digest: &[u8; 32]) -> Vec<Fr> {
    let limbs = limbs_of(layout, &native::encoded_message(SIZE, digest));
    Evaluated::new(layout, Integer::of_limbs(limbs)).values().to_vec()
}

#[test]
fn unranged_rsa_carries_are_refused() {
    let (forged, layout) = (Signed::forged(), SIZE.layout());
    let n = BigUint::from_bytes_be(&forged.modulus);
    let signature = BigUint::from_bytes_be(&forged.signature);
    let a = signature.modpow(&BigUint::from(65536u32), &n);
    let message = native::encoded_message(SIZE, &forged.digest);
    let field = |x: &BigUint| Fr::from(x % field_order());
    // q with a·s − q·n = EM modulo r, not over the integers.
    let quotient = (field(&a) * field(&signature) - field(&message)) * field(&n).inverse().unwrap();
    let quotient = limbs_of(layout, &quotient.into_bigint().into());
    let first = last_quotient(layout);
    let refused_by = forged.refused_by(move |family, i, honest| match family {
        "rsa.quotient" if i >= first => quotient[i - first],
        _ => honest,
    });
    assert_eq!(refused_by, ["rsa.carry-range"].into());
}

#[test]
fn a_forged_product_is_refused() {
    let (forged, layout) = (Signed::forged(), SIZE.layout());
    let message = message_at_points(layout, &forged.digest);
    let (quotient, point) = (last_quotient(layout), last_point(layout));
    let refused_by = forged.refused_by(move |family, i, honest| match family {
        "rsa.quotient" if i >= quotient => Fr::from(0u64),
        "rsa.product" if i >= point => message[i - point],
        _ => honest,
    });
    assert_eq!(refused_by, ["rsa.product"].into());
}

#[test]
fn a_forged_product_with_the_quotient_is_refused() {
    let (forged, layout) = (Signed::forged(), SIZE.layout());
    let message = message_at_points(layout, &forged.digest);
    let point = last_point(layout);
    let refused_by = forged.refused_by(move |family, i, honest| match family {
        "rsa.quotient-product" if i >= point => message[i - point],
        _ => honest,
    });
    assert_eq!(refused_by, ["rsa.quotient-product"].into());
}

#[test]
fn what_is_left_at_the_top_is_refused() {
    // a·a = 2^(2·24·85), quotient and remainder zero: every carry is zero, only the last row sees the product.
    let layout = SIZE.layout();
    let bytes = (BigUint::from(1u32) << (LIMB_BITS * (layout.limbs - 1))).to_bytes_be();
    let forge =
        |family: &str, _: usize, honest| if family == "rsa.quotient" { Fr::from(0u64) } else { honest };
    let values = Assignment::tampered(forge, |cs| {
        let a = Integer::allocate(cs, layout, &bytes);
        let n = Integer::allocate(cs, layout, &Signed::published().modulus);
        let (a, n) = (Evaluated::new(layout, a), Evaluated::new(layout, n));
        multiply::remainder(cs, layout, &a, &a, &n);
    });
    let refused_by: BTreeSet<_> = values.violations().iter().map(|violation| violation.family).collect();
    assert_eq!(refused_by, ["rsa.identity"].into());
}

#[test]
fn unranged_rsa_limbs_are_refused() {
    // The same integer with 2^24 moved from one limb to the one below: all else still holds.
    let layout = SIZE.layout();
    let cases = [
        ("rsa.modulus-range", "rsa.modulus-range", 0),
        ("rsa.signature-range", "rsa.signature-range", 0),
        ("rsa.quotient", "rsa.quotient-range", last_quotient(layout)),
        ("rsa.quotient", "rsa.remainder-range", layout.limbs),
    ];
    for (hinted_in, range, first) in cases {
        let at = first + 40;
        let refused_by = Signed::published().refused_by(move |family, i, honest| match i {
            _ if family != hinted_in => honest,
            _ if i == at => honest + Fr::from(1u64 << LIMB_BITS),
            _ if i == at + 1 => honest - Fr::from(1u64),
            _ => honest,
        });
        assert_eq!(refused_by, [range].into());
    }
}

#[test]
fn every_kind_of_hint_is_forced() {
    // Any one value changed by itself leaves a row that does not hold.
    for family in
        ["rsa.quotient", "rsa.product", "rsa.quotient-product", "rsa.carry-range", "rsa.quotient-range"]
    {
        for at in [0, 1, 50, 170] {
            let change = move |f: &str, i, honest| honest + Fr::from(u64::from(f == family && i == at));
            assert!(!Signed::published().refused_by(change).is_empty(), "{family} {at}");
        }
    }
}

#[test]
fn no_row_can_wrap_around_the_field() {
    for size in Size::ALL {
        let layout = size.layout();
        let (mut start, mut carry_in) = (0, (BigInt::from(0), BigInt::from(0)));
        for carry in &layout.carries {
            // Worst cases by whole integers: one product with all limbs full, everything subtracted zero, and back.
            let (mut low, mut high) = carry_in.clone();
            for i in start..carry.end {
                let terms = (0..layout.limbs).filter(|j| i >= *j && i - j < layout.limbs);
                let full = |j: usize| (BigInt::from(1) << layout.limb_bits(j)) - 1;
                let product: BigInt = terms.map(|j| full(j) * full(i - j)).sum();
                let remainder = if i < layout.limbs { full(i) } else { BigInt::from(0) };
                low -= (&product + remainder) << (LIMB_BITS * (i - start));
                high += product << (LIMB_BITS * (i - start));
            }
            let order = BigInt::from(field_order());
            let shift = LIMB_BITS * (carry.end - start);
            if let Some(range) = carry.range {
                let least = -BigInt::from(BigUint::from((-range.low).into_bigint()));
                let most: BigInt = &least + (BigInt::from(1) << range.bits) - 1;
                assert!(&low - (&most << shift) > -&order && &high - (&least << shift) < order);
                // Every honest carry fits.
                assert!(&least << shift < &low + (BigInt::from(1) << shift));
                assert!(&most << shift > &high - (BigInt::from(1) << shift));
                assert!(range.bits <= LIMB_BITS + 10);
                carry_in = (least, most);
            } else {
                assert!(low > -&order && high < order);
            }
            start = carry.end;
        }
        assert_eq!(start, layout.coefficients());
    }
}

#[test]
fn costs_what_is_stated() {
    let shape_of = |size| Shape::of(|cs| drop(Signed { size, ..Signed::published() }.circuit(cs)));
    let shape = shape_of(SIZE);
    let rows = [
        ("rsa.carry-range", 17 * 554),
        ("rsa.identity", 17),
        ("rsa.modulus-range", 2048),
        ("rsa.product", 17 * 171),
        ("rsa.quotient-product", 17 * 171),
        ("rsa.quotient-range", 17 * 2048),
        ("rsa.remainder-range", 16 * 2048),
        ("rsa.signature-range", 2048),
    ];
    assert_eq!(shape.rows_per_family(), rows.into());
    assert_eq!(shape.constraints(), 86_929);
    let entries: usize = shape.rows().iter().flatten().map(|form| form.terms().len()).sum();
    assert_eq!(entries, 1_557_574);
    assert_eq!(shape_of(Size::Rsa3072).constraints(), 130_997);
    assert_eq!(shape_of(Size::Rsa4096).constraints(), 174_861);
}

#[test]
fn a_prover_chooses_quotients_and_remainders_and_nothing_else() {
    let signed = Signed::published();
    let limbs = SIZE.layout().limbs;
    let mut chosen = std::collections::BTreeMap::new();
    let circuit = |cs: &mut Shape| drop(signed.circuit(cs));
    for (family, n) in
        crate::r1cs::freedom::chosen_per_family(circuit, |cs: &mut Assignment| drop(signed.circuit(cs)))
    {
        *chosen.entry(family).or_insert(0) += n;
    }
    let expected = [
        // The digest's bits, which are given.
        ("", 256),
        // The modulus, compared by the caller, and the signature.
        ("rsa.modulus-range", limbs),
        ("rsa.signature-range", limbs),
        // Seventeen quotients, and sixteen remainders but for the limb that the last row leaves: held by their ranges
        // and by the identity over the integers.
        ("rsa.quotient", (SQUARINGS + 1) * limbs + SQUARINGS * (limbs - 1)),
    ];
    assert_eq!(chosen, expected.into());
}
