#![allow(clippy::unwrap_used, reason = "tests")]

use ark_bn254::Fr;
use ark_ec::{CurveGroup, PrimeGroup, VariableBaseMSM};
use ark_ff::{AdditiveGroup, Field, PrimeField, UniformRand};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::super::curve::Group;
use super::super::lanes::Path;
use super::super::point::{PackedG1, PackedG2};
use super::msm;

/// So many different points.
fn points<G: Group>(count: usize) -> Vec<G::Affine> {
    let mut rng = ChaCha20Rng::seed_from_u64(count as u64);
    let (mut point, step) = (G::Curve::rand(&mut rng), G::Curve::rand(&mut rng));
    let points: Vec<G::Curve> = (0..count)
        .map(|_| {
            point += step;
            point
        })
        .collect();
    G::Curve::normalize_batch(&points)
}

/// Every path gives what arkworks gives.
fn agrees<G: Group>(points: &[G::Affine], scalars: &[Fr])
where
    G::Curve: VariableBaseMSM<MulBase = G::Affine>,
{
    let expected = G::Curve::msm(points, scalars).unwrap();
    let packed: Vec<G> = points.iter().map(G::pack).collect();
    for path in Path::all() {
        assert_eq!(msm(path, &packed, scalars), expected, "{} of {}", path.name(), points.len());
    }
}

/// A scalar of any length, at either end of the field.
fn scalar() -> impl Strategy<Value = Fr> {
    let wide = any::<[u64; 4]>().prop_map(|limbs| {
        let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        Fr::from_le_bytes_mod_order(&bytes)
    });
    let power = (0..254u64, -1..2i64).prop_map(|(bits, more)| Fr::from(2u64).pow([bits]) + Fr::from(more));
    prop_oneof![
        wide,
        power.clone(),
        power.prop_map(|power| -power),
        (-3..4i64).prop_map(Fr::from),
        any::<u8>().prop_map(Fr::from),
        (-2..3i64).prop_map(|more| Fr::from(Fr::MODULUS_MINUS_ONE_DIV_TWO) + Fr::from(more)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sums_of_mixed_scalars_are_exact(scalars in prop::collection::vec(scalar(), 0..200)) {
        agrees::<PackedG1>(&points::<PackedG1>(scalars.len()), &scalars);
    }

    #[test]
    fn sums_in_g2_are_exact(scalars in prop::collection::vec(scalar(), 0..40)) {
        agrees::<PackedG2>(&points::<PackedG2>(scalars.len()), &scalars);
    }

    #[test]
    fn sums_of_equal_and_opposite_points_are_exact(
        scalars in prop::collection::vec(scalar(), 0..60),
        factors in prop::collection::vec(-1..2i64, 60),
    ) {
        let generator = <PackedG1 as Group>::Curve::generator();
        let points: Vec<_> =
            factors[..scalars.len()].iter().map(|k| (generator * Fr::from(*k)).into_affine()).collect();
        agrees::<PackedG1>(&points, &scalars);
    }
}

#[test]
fn every_size_agrees() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for count in [0, 1, 2, 7, 8, 9, 1000] {
        let scalars: Vec<Fr> = (0..count).map(|_| Fr::rand(&mut rng)).collect();
        agrees::<PackedG1>(&points::<PackedG1>(count), &scalars);
        agrees::<PackedG2>(&points::<PackedG2>(count), &scalars);
    }
}

#[test]
fn many_points_agree() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let count = 1 << 14;
    let points = points::<PackedG1>(count);
    let wide: Vec<Fr> = (0..count).map(|_| Fr::rand(&mut rng)).collect();
    agrees::<PackedG1>(&points, &wide);
    // Mostly bits, some bytes, some 64-bit words, and few of the whole width.
    let mixed: Vec<Fr> = (0..count)
        .map(|i| match i % 16 {
            0..6 => Fr::ZERO,
            6..12 => Fr::ONE,
            12 => -Fr::ONE,
            13 => Fr::from(wide[i].into_bigint().0[0] as u8),
            14 => -Fr::from(wide[i].into_bigint().0[0]),
            _ => wide[i],
        })
        .collect();
    agrees::<PackedG1>(&points, &mixed);
    agrees::<PackedG1>(&points, &vec![Fr::ONE; count]);
    agrees::<PackedG1>(&points, &vec![wide[0]; count]);
    agrees::<PackedG1>(&vec![points[0]; count], &wide);
    agrees::<PackedG1>(&vec![points[0]; count], &vec![-wide[0]; count]);
}

#[test]
fn points_of_several_parts_keep_their_scalars() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let count = super::PART + 77;
    let points = points::<PackedG2>(count);
    let scalars: Vec<Fr> =
        (0..count).map(|i| if i % 64 == 0 { Fr::rand(&mut rng) } else { Fr::from((i % 3) as u64) }).collect();
    agrees::<PackedG2>(&points, &scalars);
}
