use ark_ec::{AdditiveGroup as _, AffineRepr, CurveGroup};
use ark_ed_on_bn254::{EdwardsProjective, Fr as Residue};
use ark_ff::{BigInt, BigInteger, MontFp, PrimeField, UniformRand};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sigveil_vrf_identity::curve::{Scalar, generator};
use sigveil_vrf_identity::elligator;

use super::*;
use crate::r1cs::{Assignment, Shape};

/// A point of order 8: (x, y) = ERC-2494's generator of the whole curve in our form, times l.
fn order_eight() -> EdwardsAffine {
    let x: Fr = MontFp!("995203441582195749578291179787384436505546430278305826713579947235728471134");
    let y: Fr = MontFp!("5472060717959818805561601436314318772137091100104008585924551046643952123905");
    let whole = EdwardsAffine::new_unchecked(x * Fr::from(168_700u64).sqrt().unwrap(), y);
    assert!(whole.is_on_curve());
    whole.mul_bigint(Residue::MODULUS).into_affine()
}

/// Points of every order that there is: all of small order, and some with and without a small-order part.
fn points() -> Vec<EdwardsAffine> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut torsion = EdwardsProjective::ZERO;
    let mut points = Vec::new();
    for _ in 0..8 {
        let random = generator().affine() * Residue::rand(&mut rng);
        points.extend([
            torsion.into_affine(),
            (random + torsion).into_affine(),
            (torsion - random).into_affine(),
        ]);
        torsion += order_eight();
    }
    points
}

/// What a circuit with one point as its result computes; that all its rows hold is checked.
fn point(circuit: impl FnOnce(&mut Assignment) -> Point<Fr>) -> EdwardsAffine {
    let mut out = None;
    let values = Assignment::of(|cs| out = Some(circuit(cs)));
    assert_eq!(values.violations(), []);
    let out = out.unwrap();
    EdwardsAffine::new_unchecked(out.x, out.y)
}

#[test]
fn sums_are_those_of_the_group_for_points_of_all_orders() {
    for p in points() {
        assert_eq!(point(|cs| Point::witness(cs, &p).double(cs)), (p + p).into_affine());
        for q in points() {
            let sum = point(|cs| {
                let (p, q) = (Point::witness(cs, &p), Point::witness(cs, &q));
                p.add(cs, &q)
            });
            assert_eq!(sum, (p + q).into_affine());
        }
    }
}

#[test]
fn points_off_the_curve_are_refused() {
    let good = generator().affine();
    for bad in [
        EdwardsAffine::new_unchecked(good.x + Fr::ONE, good.y),
        EdwardsAffine::new_unchecked(good.x, good.y + Fr::ONE),
        EdwardsAffine::new_unchecked(Fr::ZERO, Fr::ZERO),
    ] {
        let values = Assignment::of(|cs| {
            Point::witness(cs, &bad);
        });
        assert!(values.violations().iter().all(|v| v.family == "point-on-curve") && !values.is_satisfied());
    }
}

#[test]
fn negation_and_selection() {
    let p = generator().affine();
    assert_eq!(point(|cs| Point::witness(cs, &p).negated()), -p);
    for (bit, expected) in [(true, p), (false, EdwardsAffine::zero())] {
        let selected = point(|cs| {
            let bit = Bit::hint(cs, &[], |_| bit);
            Point::witness(cs, &p).only_if(cs, &bit)
        });
        assert_eq!(selected, expected);
    }
}

fn bits_of(number: &BigInt<4>, count: usize) -> Vec<bool> {
    (0..count).map(|i| number.get_bit(i)).collect()
}

#[test]
fn multiples_by_odd_scalars() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let largest = BigInt::new([u64::MAX, u64::MAX, u64::MAX, (1 << 60) - 1]);
    let mut numbers = vec![BigInt::from(1u64), BigInt::from(3u64), largest, Residue::MODULUS];
    numbers.extend((0..3).map(|_| OddScalar::<Fr>::lift(&Scalar::random_nonzero(&mut rng))));
    for number in numbers {
        for p in points().into_iter().step_by(5) {
            let product = point(|cs| {
                let scalar = OddScalar::witness(cs, &number);
                let p = Point::witness(cs, &p);
                multiply(cs, &[(scalar.digits(), &p)])
            });
            assert_eq!(product, p.mul_bigint(number).into_affine());
        }
        let offset = generator().affine();
        let table = FixedBase::new(&(offset + offset).into_affine(), &offset, OddScalar::<Fr>::BITS);
        let product = point(|cs| {
            let scalar = OddScalar::witness(cs, &number);
            table.multiply(cs, scalar.bits(), None)
        });
        assert_eq!(product, offset.mul_bigint(number).into_affine());
    }
}

fn scalar(number: u64) -> Scalar {
    Scalar::from_field(&Fr::from(number))
}

#[test]
fn lifted_scalars_are_odd_and_the_same_modulo_l() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let random = Scalar::random_nonzero(&mut rng);
    for scalar in [Scalar::ZERO, scalar(1), scalar(2), scalar(1).negated(), random] {
        let number = OddScalar::<Fr>::lift(&scalar);
        assert!(number.is_odd() && number.num_bits() as usize <= OddScalar::<Fr>::BITS + 1);
        let residue = Residue::from_le_bytes_mod_order(&number.to_bytes_le());
        assert_eq!(residue.into_bigint(), scalar.to_field().into_bigint());
    }
}

#[test]
fn sums_of_multiples_by_given_bits() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let [p, q] = std::array::from_fn(|i| points()[7 * i + 4]);
    for low in [0u64, 1, 2, 1 << 20, u64::MAX] {
        let given = BigInt::new([low, 7, low, (low & 0xFF) << 40]);
        let odd = OddScalar::<Fr>::lift(&Scalar::random_nonzero(&mut rng));
        let sum = point(|cs| {
            let odd = OddScalar::witness(cs, &odd);
            let bits = Bit::hint_many(cs, 248, &[], |_| bits_of(&given, 248));
            let given = GivenScalar::new(cs, &bits);
            let (p, q) = (Point::witness(cs, &p), Point::witness(cs, &q));
            let sum = multiply(cs, &[(odd.digits(), &p), (given.digits(), &q)]);
            given.correct(cs, &sum, &q)
        });
        assert_eq!(sum, (p.mul_bigint(odd) + q.mul_bigint(given)).into_affine());
    }
}

#[test]
fn fixed_bases_of_any_number_of_bits() {
    let base = points()[4];
    let start = points()[7];
    for bits in 1..=10 {
        let table = FixedBase::new(&base, &EdwardsAffine::zero(), bits);
        for number in [0, 1, 2, 3, 5, 0x2AA, (1 << bits) - 1] {
            let number = BigInt::from(number & ((1u64 << bits) - 1));
            let sum = point(|cs| {
                let bits = Bit::hint_many(cs, bits, &[], |_| bits_of(&number, bits));
                let start = Point::witness(cs, &start);
                table.multiply(cs, &bits, Some(start))
            });
            assert_eq!(sum, (start + base.mul_bigint(number)).into_affine());
        }
    }
}

fn map<C: Cs>(cs: &mut C, u: Fr) -> Point<C::Num> {
    let u = cs.hint(&[], |_| u);
    map_to_subgroup(cs, &u)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_map_is_the_native_one(limbs: [u64; 4]) {
        let u = Fr::from_le_bytes_mod_order(&limbs.map(u64::to_le_bytes).concat());
        prop_assert_eq!(point(|cs| map(cs, u)), elligator::map_to_subgroup(&u).unwrap().affine());
    }
}

/// Runs the map with y in place of the honest ordinate, decomposed into the bits of `number`.
fn map_with(u: Fr, y: Fr, number: BigInt<4>) -> Assignment {
    let index_of_y = {
        // u, 1/u, u², x1, x1², g(x1), g(x2).
        7
    };
    let tamper = move |family: &str, at: usize, honest: Fr| match family {
        _ if at == index_of_y => y,
        "canonical-bits" if (1..=254).contains(&(at - index_of_y)) => {
            Fr::from(number.get_bit(at - index_of_y - 1))
        }
        _ => honest,
    };
    Assignment::tampered(tamper, |cs| {
        map(cs, u);
    })
}

#[test]
fn the_other_root_and_the_other_branch_are_refused() {
    let mut branches = [0, 0];
    // At u = 1 the root of g(other)/Z is the honest one.
    for u in (2u64..40).map(Fr::from) {
        let honest = elligator::map_to_montgomery(&u);
        let inverse_k = elligator::MONTGOMERY_K.inverse().unwrap();
        let y = honest.t * inverse_k;
        branches[usize::from(honest.first_branch)] += 1;
        assert!(map_with(u, y, y.into_bigint()).is_satisfied());
        // −H: the parity then asks for the other branch, whose g has no root.
        assert!(!map_with(u, -y, (-y).into_bigint()).is_satisfied());
        // The other branch: the number nearest to a root that there is, one of Z·g or g/Z.
        let (x1, z) = (honest.s * inverse_k, elligator::ELLIGATOR_Z);
        let other = -x1 - elligator::MONTGOMERY_J * inverse_k;
        assert!(other.square() != x1.square());
        let g = |x: Fr| {
            x.square() * x + elligator::MONTGOMERY_J * inverse_k * x.square() + x * inverse_k.square()
        };
        assert!(g(other).sqrt().is_none());
        for root in [(g(other) * z).sqrt(), (g(other) / z).sqrt()].into_iter().flatten() {
            assert!(!map_with(u, root, root.into_bigint()).is_satisfied());
            assert!(!map_with(u, -root, (-root).into_bigint()).is_satisfied());
        }
    }
    assert!(branches.iter().all(|count| *count > 5));
}

#[test]
fn an_aliased_ordinate_is_refused() {
    // −y read as −y + r has the parity of y: without the comparison −H would pass.
    let slack = {
        let mut limit = BigInt::new([0, 0, 0, 1 << 62]);
        limit.sub_with_borrow(&Fr::MODULUS);
        limit
    };
    let inverse_k = elligator::MONTGOMERY_K.inverse().unwrap();
    let (u, y) = (1u64..200)
        .map(Fr::from)
        .map(|u| (u, -elligator::map_to_montgomery(&u).t * inverse_k))
        .find(|(_, y)| y.into_bigint() < slack)
        .expect("one in eighteen is small enough");
    let mut aliased = y.into_bigint();
    aliased.add_with_carry(&Fr::MODULUS);
    let values = map_with(u, y, aliased);
    let families: Vec<_> = values.violations().iter().map(|v| v.family).collect();
    assert!(
        !families.is_empty() && families.iter().all(|family| *family == "canonical-bits"),
        "{families:?}"
    );
}

#[test]
fn zero_is_not_mapped() {
    let values = Assignment::of(|cs| {
        map(cs, Fr::ZERO);
    });
    assert!(values.violations().iter().any(|v| v.family == "map-to-curve"));
}

/// Every variable of every gadget is determined by what goes in.
#[test]
fn no_variable_is_free() {
    fn circuit<C: Cs>(cs: &mut C) -> usize {
        let number = BigInt::from(0x1234_5678_9abc_def1u64);
        let mut inputs = 0;
        let mut count = |n: usize| inputs += n;
        let scalar = OddScalar::witness(cs, &number);
        count(OddScalar::<Fr>::BITS);
        let p = Point::witness(cs, &generator().affine());
        multiply(cs, &[(scalar.digits(), &p)]);
        map(cs, Fr::from(7u64));
        inputs
    }
    let shape = Shape::of(|cs| {
        circuit(cs);
    });
    // Bits and coordinates are what a prover may choose; x and y, in that order, come after bits and digits.
    let chosen = |at: usize| at < OddScalar::<Fr>::BITS || (376..378).contains(&at);
    for variable in (0..shape.witnesses()).filter(|at| !chosen(*at)).step_by(3) {
        let change = move |_: &str, at, value| if at == variable { value + Fr::ONE } else { value };
        let values = Assignment::tampered(change, |cs| {
            circuit(cs);
        });
        assert!(!values.is_satisfied(), "variable {variable}");
    }
}
