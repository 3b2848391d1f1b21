#![allow(clippy::unwrap_used, reason = "tests")]

use ark_bn254::Fr;
use ark_ec::{CurveGroup, PrimeGroup};
use proptest::prelude::*;

use super::super::lanes::{Line, Path};
use super::super::point::{Packed, PackedG1, PackedG2};
use super::{Group, Signed, sums};

/// Points k·P for small k, so that equal and opposite ones and infinity meet often.
fn multiples<G: Group>(factors: &[i64]) -> Vec<G::Affine> {
    let generator = G::Curve::generator();
    factors.iter().map(|k| (generator * Fr::from(*k)).into_affine()).collect()
}

fn sums_agree<G: Group>(factors: &[i64], signs: &[bool], sizes: &[u32]) {
    let points: Vec<G> = multiples::<G>(factors).iter().map(G::pack).collect();
    let lines = G::lines(&points);
    let members: Vec<Signed> =
        (0..factors.len()).map(|i| Signed::new((i * G::LINES) as u32, signs[i % signs.len()])).collect();
    for path in Path::all() {
        let found = sums::<G>(path, lines, &members, sizes);
        let mut member = 0;
        for (size, found) in sizes.iter().zip(found.chunks(G::LINES)) {
            let mut expected = 0;
            for i in member..member + *size as usize {
                expected += if signs[i % signs.len()] { -factors[i] } else { factors[i] };
            }
            member += *size as usize;
            assert_eq!(G::sum(found), multiples::<G>(&[expected])[0], "{}", path.name());
        }
    }
}

/// Sizes of groups of `count` members in all.
fn sizes(count: usize, cuts: Vec<usize>) -> Vec<u32> {
    let mut sizes = Vec::new();
    let mut rest = count;
    for cut in cuts {
        let size = cut.min(rest);
        sizes.push(size as u32);
        rest -= size;
    }
    sizes.push(rest as u32);
    sizes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn sums_of_small_multiples_are_exact_in_g1(
        factors in prop::collection::vec(-3..4i64, 0..90),
        signs in prop::collection::vec(any::<bool>(), 1..7),
        cuts in prop::collection::vec(0..12usize, 0..12),
    ) {
        let sizes = sizes(factors.len(), cuts);
        sums_agree::<PackedG1>(&factors, &signs, &sizes);
    }

    #[test]
    fn sums_of_small_multiples_are_exact_in_g2(
        factors in prop::collection::vec(-3..4i64, 0..40),
        signs in prop::collection::vec(any::<bool>(), 1..7),
        cuts in prop::collection::vec(0..12usize, 0..12),
    ) {
        let sizes = sizes(factors.len(), cuts);
        sums_agree::<PackedG2>(&factors, &signs, &sizes);
    }

    #[test]
    fn sums_of_any_points_are_exact(
        factors in prop::collection::vec(any::<i64>().prop_map(|k| k >> 8), 0..90),
        cuts in prop::collection::vec(0..40usize, 0..5),
    ) {
        let sizes = sizes(factors.len(), cuts);
        sums_agree::<PackedG1>(&factors, &[false, true], &sizes);
    }
}

#[test]
fn a_group_larger_than_a_block_is_summed_in_rounds() {
    // One point of 20,000 times the generator's small multiples, between groups of few and of none.
    let factors: Vec<i64> = (0..20_003).map(|i| i % 7 - 2).collect();
    sums_agree::<PackedG1>(&factors, &[false], &[2, 0, 20_000, 1]);
    sums_agree::<PackedG2>(&factors[..9_003], &[false, true, true], &[2, 9_000, 1, 0]);
}

#[test]
fn a_point_of_order_two_doubles_to_infinity() {
    // Not on BN254, but on a curve with the same formulas: y = 0.
    let point = Line([[5, 0, 0, 0], [0; 4]]);
    for path in Path::all() {
        let members = [Signed::new(0, false), Signed::new(0, true)];
        assert_eq!(sums::<PackedG1>(path, &[point], &members, &[2])[0], Line::default());
    }
}

#[test]
fn lines_are_those_of_the_points() {
    for point in multiples::<PackedG1>(&[0, 1, -1, 77]) {
        let mut lines = PackedG1::lines(&[Packed::pack(&point)]).to_vec();
        assert_eq!(PackedG1::sum(&lines), point);
        PackedG1::negate(&mut lines);
        assert_eq!(PackedG1::sum(&lines), -point);
    }
    for point in multiples::<PackedG2>(&[0, 1, -1, 77]) {
        let mut lines = PackedG2::lines(&[Packed::pack(&point)]).to_vec();
        assert_eq!(PackedG2::sum(&lines), point);
        PackedG2::negate(&mut lines);
        assert_eq!(PackedG2::sum(&lines), -point);
    }
}
