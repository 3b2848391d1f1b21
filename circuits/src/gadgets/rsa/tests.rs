#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use ark_ff::{Field, PrimeField};
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use num_bigint::{BigInt, BigUint};
use num_integer::Integer as _;
use num_traits::Signed as _;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::carries::{Interval, difference, field_order, product};
use super::integer::limbs_of;
use super::native::RsaError;
use super::power::fraction;
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
    for number in [vec![], vec![0], vec![0xff; 256], vec![0xff; 300]] {
        assert!(!Signed { modulus: number.clone(), ..good.clone() }.holds());
        assert!(!Signed { signature: number, ..good.clone() }.holds());
    }
    // Modulo one all is one: that a modulus has its length is left to the native check.
    assert!(Signed { modulus: vec![1], ..good }.holds());
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
    // It knows the residue alone; harmless (module documentation).
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let (mut signed, shifted) = (0u64..)
        .map(|i| Signed::by(&key, SIZE, &i.to_be_bytes()))
        .map(|signed| {
            let sum = BigUint::from_bytes_be(&signed.signature) + BigUint::from_bytes_be(&signed.modulus);
            (signed, sum)
        })
        .find(|(_, shifted)| shifted.bits() <= 2048)
        .unwrap();
    signed.signature = shifted.to_bytes_be();
    assert_eq!(signed.native(), Err(RsaError::SignatureNotReduced));
    assert!(signed.holds());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_residue_is_a_fraction_of_halves(
        n in proptest::collection::vec(any::<u8>(), 256),
        x in proptest::collection::vec(any::<u8>(), 0..260),
        is_extreme in any::<bool>(),
    ) {
        let mut n = BigUint::from_bytes_be(&n);
        n.set_bit(2047, true);
        let (n, mut x) = (BigInt::from(n), BigInt::from(BigUint::from_bytes_be(&x)));
        if is_extreme {
            x = &n - 1 - (x >> 1040);
        }
        let (u, v) = fraction(&x, &n, 1024);
        prop_assert!(v.is_positive() && v.bits() <= 1024 && u.bits() <= 1024);
        prop_assert!((v * x - u).mod_floor(&n) == BigInt::default());
    }
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

// A dishonest prover. The last identity is where a forger wins or loses: its quotient, its products and its carries
// are his, and everything before is honest. Each case is refused by one family alone.

/// Points of a squaring, of the last identity, and of its products of three.
fn points(layout: &Layout) -> [usize; 3] {
    [layout.squaring.points(), layout.last.points(), layout.triples.from]
}

fn last_quotient(layout: &Layout) -> usize {
    SQUARINGS * layout.quotient.limbs()
}

/// The first of the last identity's differences of products.
fn last_difference(layout: &Layout) -> usize {
    let [squaring, _, triple] = points(layout);
    SQUARINGS * 2 * squaring + 2 * triple
}

/// Limbs of u and v, and all hints that the allocation of a power makes.
fn hints_of_a_power(layout: &Layout) -> [usize; 3] {
    let (u, v) = (layout.numerator, layout.denominator);
    let bits = |width: layout::Width| width.bits() - width.limbs();
    [u.limbs(), v.limbs(), u.limbs() + v.limbs() + bits(u) + bits(v) + 1]
}

#[test]
fn unranged_rsa_carries_are_refused() {
    let (forged, layout) = (Signed::forged(), SIZE.layout());
    let n = BigInt::from(BigUint::from_bytes_be(&forged.modulus));
    let signature = BigInt::from(BigUint::from_bytes_be(&forged.signature));
    let (u0, v0) = fraction(&signature, &n, 1024);
    let (u, v) = fraction(&signature.modpow(&(1 << SQUARINGS).into(), &n), &n, 1024);
    let message = BigInt::from(native::encoded_message(SIZE, &forged.digest));
    let order = BigInt::from(field_order());
    let field = |x: &BigInt| Fr::from(x.mod_floor(&order).to_biguint().unwrap());
    // q with u²·u0 − EM·v²·v0 = q·n modulo r, not over the integers.
    let quotient = field(&(&u * &u * u0 - message * &v * &v * v0)) * field(&n).inverse().unwrap();
    let quotient = limbs_of(layout.last_quotient, &BigUint::from(quotient.into_bigint()).into());
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
    let (quotient, difference) = (last_quotient(layout), last_difference(layout));
    let refused_by = forged.refused_by(move |family, i, honest| match family {
        "rsa.quotient" if i >= quotient => Fr::from(0u64),
        "rsa.product" if i >= difference => Fr::from(0u64),
        _ => honest,
    });
    assert_eq!(refused_by, ["rsa.product"].into());
}

#[test]
fn a_forged_product_with_the_quotient_is_refused() {
    let (forged, layout) = (Signed::forged(), SIZE.layout());
    let first = SQUARINGS * points(layout)[0];
    let refused_by = forged.refused_by(move |family, i, honest| match family {
        "rsa.quotient-product" if i >= first => Fr::from(0u64),
        _ => honest,
    });
    assert_eq!(refused_by, ["rsa.quotient-product"].into());
}

#[test]
fn a_forged_square_is_refused() {
    // Squares of zero, of numbers that are not: then 0 − EM·0 = 0·n.
    let (forged, layout) = (Signed::forged(), SIZE.layout());
    let (square, quotient) = (SQUARINGS * 2 * layout.squares.from, last_quotient(layout));
    let refused_by = forged.refused_by(move |family, i, honest| match family {
        "rsa.square" if i >= square => Fr::from(0u64),
        "rsa.quotient" if i >= quotient => Fr::from(0u64),
        _ => honest,
    });
    assert_eq!(refused_by, ["rsa.square"].into());
}

#[test]
fn a_fraction_of_zeros_is_refused() {
    // 0/0 is what everything comes to: the last power, or the signature.
    let [u, v, all] = hints_of_a_power(SIZE.layout());
    for (family, first) in [("rsa.power-range", (SQUARINGS - 1) * all), ("rsa.signature-range", 0)] {
        let limbs = first..first + u + v;
        let refused_by = Signed::forged().refused_by(move |hinted_in, i, honest| {
            if hinted_in == family && limbs.contains(&i) { Fr::from(0u64) } else { honest }
        });
        assert_eq!(refused_by, [family].into());
    }
}

#[test]
fn what_is_left_at_the_top_is_refused() {
    // u'·v² = 2^(3·21·48), the other integers zero but v' = 1: every carry is zero, only the last row sees the product.
    let layout = SIZE.layout();
    let [u, v, _] = hints_of_a_power(layout);
    let mut seen = std::collections::BTreeMap::new();
    let forge = move |family: &'static str, _: usize, honest: Fr| {
        let count = seen.entry(family).or_insert(0usize);
        let at = *count;
        *count += 1;
        match (family, at) {
            ("rsa.signature-range", at) if at < u + v => Fr::from(u64::from(at == u + v - 1)),
            ("rsa.power-range", at) if at < u + v => Fr::from(u64::from(at == u - 1 || at == u)),
            ("rsa.quotient", _) => Fr::from(0u64),
            _ => honest,
        }
    };
    let values = Assignment::tampered(forge, |cs| {
        let published = Signed::published();
        let modulus = Modulus::allocate(cs, SIZE, &published.modulus);
        let power = Power::signature(cs, layout, &published.signature, &modulus.evaluated);
        let squares = power.squares(cs, layout);
        power.squared(cs, layout, &squares, &modulus.evaluated);
    });
    let refused_by: BTreeSet<_> = values.violations().iter().map(|violation| violation.family).collect();
    assert_eq!(refused_by, ["rsa.identity"].into());
}

#[test]
fn unranged_rsa_limbs_are_refused() {
    // The same integer with 2^21 moved from one limb to the one below: all else still holds.
    let layout = SIZE.layout();
    let [u, _, all] = hints_of_a_power(layout);
    let cases = [
        ("rsa.modulus-range", "rsa.modulus-range", 40),
        ("rsa.signature-range", "rsa.signature-range", 20),
        ("rsa.signature-range", "rsa.signature-range", u + 20),
        ("rsa.power-range", "rsa.power-range", 3 * all + 20),
        ("rsa.power-range", "rsa.power-range", 3 * all + u + 20),
        ("rsa.quotient", "rsa.quotient-range", 20),
        ("rsa.quotient", "rsa.quotient-range", last_quotient(layout) + 60),
    ];
    for (hinted_in, range, at) in cases {
        let refused_by = Signed::published().refused_by(move |family, i, honest| match i {
            _ if family != hinted_in => honest,
            _ if i == at => honest + Fr::from(1u64 << LIMB_BITS),
            _ if i == at + 1 => honest - Fr::from(1u64),
            _ => honest,
        });
        assert_eq!(refused_by, [range].into(), "{hinted_in} {at}");
    }
}

#[test]
fn every_kind_of_hint_is_forced() {
    // Any one value changed by itself leaves a row that does not hold.
    for family in [
        "rsa.carry-range",
        "rsa.power-range",
        "rsa.product",
        "rsa.quotient",
        "rsa.quotient-product",
        "rsa.quotient-range",
        "rsa.signature-range",
        "rsa.square",
    ] {
        for at in [0, 1, 50, 170] {
            let change = move |f: &str, i, honest| honest + Fr::from(u64::from(f == family && i == at));
            assert!(!Signed::published().refused_by(change).is_empty(), "{family} {at}");
        }
    }
}

#[test]
fn intervals_hold_what_their_corners_come_to() {
    let interval = |low: i64, high: i64| (BigInt::from(low), BigInt::from(high));
    let (a, b) = ([interval(0, 7), interval(-3, 2)], [interval(0, 5), interval(-4, 4), interval(0, 1)]);
    let within = |x: i64, (low, high): &Interval| *low <= x.into() && BigInt::from(x) <= *high;
    let (products, differences) = (product(&a, &b), difference(&a, &b));
    let mut reached = vec![(i64::MAX, i64::MIN); products.len()];
    for corner in 0..32u32 {
        let end = |i: usize, low: i64, high: i64| if corner >> i & 1 == 0 { low } else { high };
        let x = [end(0, 0, 7), end(1, -3, 2), 0];
        let y = [end(2, 0, 5), end(3, -4, 4), end(4, 0, 1)];
        for (k, (least, most)) in reached.iter_mut().enumerate() {
            let sum =
                (0..2).filter(|i| (0..3).contains(&(k.wrapping_sub(*i)))).map(|i| x[i] * y[k - i]).sum();
            assert!(within(sum, &products[k]));
            (*least, *most) = ((*least).min(sum), (*most).max(sum));
        }
        assert!((0..3).all(|i| within(x[i] - y[i], &differences[i])));
    }
    // The ends of the first coefficient, where one product stands, are reached.
    assert_eq!(products[0], interval(reached[0].0, reached[0].1));
}

#[test]
fn no_row_can_wrap_around_the_field() {
    for layout in Size::ALL.map(Size::layout) {
        for identity in [&layout.squaring, &layout.last] {
            let (mut start, mut carry_in) = (0, Interval::default());
            for carry in &identity.carries {
                let (mut low, mut high) = carry_in.clone();
                for i in start..carry.end {
                    let (least, most) = &identity.coefficients[i];
                    low += least << (LIMB_BITS * (i - start));
                    high += most << (LIMB_BITS * (i - start));
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
                    carry_in = (least, most);
                } else {
                    assert!(low > -&order && high < order);
                }
                start = carry.end;
            }
            assert_eq!(start, identity.points());
        }
    }
}

#[test]
fn quotients_fit_for_every_modulus_of_full_length() {
    for layout in Size::ALL.map(Size::layout) {
        let bits = layout.size.bits();
        let power = |n: usize| BigInt::from(1) << n;
        let least_modulus = power(bits - 1);
        let half = power(bits / 2);
        let cube = &half * &half * &half;
        let message = power(bits - 15);
        assert_eq!(layout.numerator.bits(), bits / 2 + 1);
        assert_eq!(layout.denominator.bits(), bits / 2);
        assert!((&cube + &cube) / &least_modulus <= power(layout.quotient.bits() - 1));
        assert!(&cube * (message + 1) / &least_modulus < power(layout.last_quotient.bits() - 1));
        let highest = native::encoded_message(layout.size, &[0xff; 32]).bits() as usize;
        assert_eq!(layout.message.bits(), highest);
    }
}

#[test]
fn costs_what_is_stated() {
    let shape_of = |size| Shape::of(|cs| drop(Signed { size, ..Signed::published() }.circuit(cs)));
    let shape = shape_of(SIZE);
    let rows = [
        ("rsa.carry-range", 15 * 787 + 2249),
        ("rsa.identity", 15 + 1),
        ("rsa.modulus-range", 2048),
        ("rsa.power-range", 15 * (1025 + 1024 + 1)),
        ("rsa.product", 15 * 2 * 146 + 2 * 145 + 243),
        ("rsa.quotient-product", 15 * 146 + 243),
        ("rsa.quotient-range", 15 * 1027 + 3060),
        ("rsa.signature-range", 1025 + 1024 + 1),
        ("rsa.square", 16 * 2 * 97),
    ];
    assert_eq!(shape.rows_per_family(), rows.into());
    assert_eq!(shape.constraints(), 77_833);
    let entries: usize = shape.rows().iter().flatten().map(|form| form.terms().len()).sum();
    assert_eq!(entries, 1_582_213);
    assert_eq!(shape_of(Size::Rsa3072).constraints(), 118_421);
    assert_eq!(shape_of(Size::Rsa4096).constraints(), 158_292);
}

#[test]
fn a_prover_chooses_fractions_and_quotients_and_nothing_else() {
    let signed = Signed::published();
    let layout = SIZE.layout();
    let mut chosen = std::collections::BTreeMap::new();
    let circuit = |cs: &mut Shape| drop(signed.circuit(cs));
    for (family, n) in
        crate::r1cs::freedom::chosen_per_family(circuit, |cs: &mut Assignment| drop(signed.circuit(cs)))
    {
        *chosen.entry(family).or_insert(0) += n;
    }
    let fraction = layout.numerator.limbs() + layout.denominator.limbs();
    let expected = [
        // The digest's bits, which are given.
        ("", 256),
        // The modulus, compared by the caller, and the signature.
        ("rsa.modulus-range", layout.modulus.limbs()),
        ("rsa.signature-range", fraction),
        // Fifteen powers and sixteen quotients: held by their ranges and by the identities over the integers.
        ("rsa.power-range", SQUARINGS * fraction),
        ("rsa.quotient", SQUARINGS * layout.quotient.limbs() + layout.last_quotient.limbs()),
    ];
    assert_eq!(chosen, expected.into());
}
