#![allow(clippy::unwrap_used, reason = "tests")]

use ark_bn254::{Fq, Fr};
use ark_ff::{AdditiveGroup, PrimeField};
use proptest::prelude::*;

use super::{Arithmetic, Base, Cpu, Kernel, Lanes, Line, Path};

/// Elements at a time in these tests: a multiple of every width.
const COUNT: usize = 8;
type Elements<F> = [F; COUNT];

/// Every operation on two vectors, in turn.
struct Operations<F>(Elements<F>, Elements<F>);

impl<F: Base> Kernel for Operations<F> {
    type Output = Vec<Elements<F>>;

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) -> Self::Output {
        let mut results = vec![[F::ZERO; COUNT]; 10];
        let width = C::Lanes::<F>::WIDTH;
        for start in (0..COUNT).step_by(width) {
            let a = C::Lanes::<F>::load(cpu, &self.0[start..]);
            let b = C::Lanes::<F>::load(cpu, &self.1[start..]);
            let mixed = C::Lanes::<F>::select(0b1010_0110, a, b);
            // The last is of operands that went through everything else.
            let deep = ((a - b).square() + (a * b - b.square())).double() * -(a + b + a + b) - (a - b - a);
            let all =
                [a + b, a - b, a * b, -a, a.square(), a.double(), (a - b) + (b - a), a - mixed, mixed, deep];
            for (result, lanes) in results.iter_mut().zip(all) {
                lanes.store(&mut result[start..]);
            }
        }
        results
    }
}

fn operations_agree<F: Base>(a: Elements<F>, b: Elements<F>) {
    for path in Path::all() {
        let results = path.run(Operations(a, b));
        for i in 0..COUNT {
            let (a, b) = (a[i], b[i]);
            // A path of one lane reads the lowest bit of the mask alone, which is 0.
            let mixed = if path != Path::Portable && 0b1010_0110 >> i & 1 == 1 { a } else { b };
            let deep = ((a - b).square() + (a * b - b.square())).double() * -(a + b).double() - (a - b - a);
            let expected = [a + b, a - b, a * b, -a, a.square(), a.double(), F::ZERO, a - mixed, mixed, deep];
            for (j, expected) in expected.iter().enumerate() {
                assert_eq!(results[j][i], *expected, "operation {j}, lane {i}, {}", path.name());
            }
        }
    }
}

/// Representatives from memory that nothing reduced: any below 2p.
struct FromLines<F>(Vec<Line>, core::marker::PhantomData<F>);

impl<F: Base> Kernel for FromLines<F> {
    type Output = (Vec<F>, Vec<Line>, Vec<bool>);

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) -> Self::Output {
        let width = C::Lanes::<F>::WIDTH;
        let mut results = vec![F::ZERO; COUNT];
        let mut lines = vec![Line::default(); COUNT];
        let mut zeros = Vec::new();
        for start in (0..COUNT).step_by(width) {
            // Backwards, so that places are seen to be kept.
            let at: Vec<u32> = (start..start + width).map(|i| (COUNT - 1 - i) as u32).collect();
            let (a, b) = C::Lanes::<F>::gather(cpu, &self.0, &at);
            (a * b + a - b).store(&mut results[start..]);
            C::Lanes::<F>::scatter(a + b, a - b, &mut lines, &at);
            let mask = (a - b).zeros();
            zeros.extend((0..width).map(|i| mask >> i & 1 == 1));
            assert_eq!((a - b).zeros() | a.blanks(), (b - a).zeros() | a.zeros() & a.blanks());
        }
        (results, lines, zeros)
    }
}

/// The limbs of x, plus p where asked.
fn representative<F: Base>(x: F, plus: bool) -> [u64; 4] {
    let mut limbs = x.to_limbs();
    if plus {
        let mut carry = false;
        for (limb, p) in limbs.iter_mut().zip(F::MODULUS_LIMBS) {
            let (sum, over) = limb.overflowing_add(p);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over || again);
        }
    }
    limbs
}

fn lines_agree<F: Base>(a: Elements<F>, b: Elements<F>, plus: [bool; 2 * COUNT]) {
    let lines: Vec<Line> = (0..COUNT)
        .map(|i| Line([representative(a[i], plus[2 * i]), representative(b[i], plus[2 * i + 1])]))
        .collect();
    for path in Path::all() {
        let (results, lines, zeros) = path.run(FromLines::<F>(lines.clone(), core::marker::PhantomData));
        for i in 0..COUNT {
            let place = COUNT - 1 - i;
            let (a, b) = (a[place], b[place]);
            assert_eq!(results[i], a * b + a - b, "{}", path.name());
            assert_eq!(lines[place].0.map(F::from_limbs), [a + b, a - b], "{}", path.name());
            assert_eq!(zeros[i], a == b, "{}", path.name());
        }
    }
}

/// An element: mostly near the bounds at which carries and reductions turn.
fn element<F: Base>() -> impl Strategy<Value = F> {
    let near = |limbs: [u64; 4]| F::new_from_montgomery(limbs);
    prop_oneof![
        (any::<[u64; 4]>()).prop_map(near),
        (0..4u64).prop_map(move |small| near([small, 0, 0, 0])),
        (1..4u64).prop_map(move |small| -near([small, 0, 0, 0])),
        (any::<u64>(), 0..254u32).prop_map(move |(small, bit)| {
            let mut limbs = [0; 4];
            limbs[bit as usize / 64] = 1 << (bit % 64);
            near(limbs) + near([small % 3, 0, 0, 0]) - F::ONE
        }),
        // Halves of p, whose sums and differences are at its multiples.
        (0..3u64).prop_map(move |small| F::from(2u64).inverse().unwrap() + near([small, 0, 0, 0])),
        Just(F::ZERO),
    ]
}

/// Elements from the limbs that memory would hold.
trait FromMontgomery: Base {
    fn new_from_montgomery(limbs: [u64; 4]) -> Self {
        let [a, b, c, d] = limbs;
        // Below 2²⁵⁴ > p, by the highest two bits, then below p.
        let top = d & (u64::MAX >> 2);
        Self::from_limbs([a, b, c, top])
    }
}

impl<F: Base> FromMontgomery for F {}

fn elements<F: Base>() -> impl Strategy<Value = Elements<F>> {
    [(); COUNT].map(|()| element::<F>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_path_has_the_field_of_points(a in elements::<Fq>(), b in elements::<Fq>()) {
        operations_agree(a, b);
    }

    #[test]
    fn every_path_has_the_field_of_scalars(a in elements::<Fr>(), b in elements::<Fr>()) {
        operations_agree(a, b);
    }

    #[test]
    fn lanes_of_equal_and_opposite_elements_are_found(a in elements::<Fq>(), sign in any::<[bool; COUNT]>()) {
        let mut b = a;
        for i in 0..COUNT {
            if sign[i] { b[i] = -b[i]; }
        }
        operations_agree(a, b);
        lines_agree(a, b, [true; 2 * COUNT]);
    }

    #[test]
    fn memory_may_hold_any_representative_below_2p(
        a in elements::<Fq>(), b in elements::<Fq>(), plus in any::<[bool; 2 * COUNT]>()
    ) {
        lines_agree(a, b, plus);
    }
}

/// Turns eight vectors of the matrix with entry 8i + j.
struct Transposed;

impl Kernel for Transposed {
    type Output = Vec<Vec<Fr>>;

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) -> Self::Output {
        let width = C::Lanes::<Fr>::WIDTH;
        let mut rows = Vec::new();
        for i in 0..width {
            let row: Vec<Fr> = (0..width).map(|j| Fr::from((8 * i + j) as u64)).collect();
            rows.push(C::Lanes::<Fr>::load(cpu, &row));
        }
        C::Lanes::<Fr>::transpose(&mut rows);
        let mut results = vec![vec![Fr::ZERO; width]; width];
        for i in 0..width {
            rows[i].store(&mut results[i]);
        }
        results
    }
}

#[test]
fn transposing_exchanges_rows_and_lanes() {
    for path in Path::all() {
        let rows = path.run(Transposed);
        for (i, row) in rows.iter().enumerate() {
            for (j, entry) in row.iter().enumerate() {
                assert_eq!(*entry, Fr::from((8 * j + i) as u64), "{}", path.name());
            }
        }
    }
}

#[test]
fn any_limbs_below_2p_are_an_element() {
    let minus_one = -Fq::from(1u64);
    assert_eq!(Fq::from_limbs(Fq::MODULUS.0), Fq::ZERO);
    assert_eq!(Fq::from_limbs(representative(minus_one, true)), minus_one);
    assert_eq!(Fq::from_limbs(minus_one.to_limbs()), minus_one);
}
