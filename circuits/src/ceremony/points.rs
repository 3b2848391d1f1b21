//! Fourier transforms and sparse matrices over points, by the prover's batches of additions.
//!
//! Points stay lines of [`curve`](crate::prover::curve) between steps. A transform is by decimation in time, layer after
//! layer: all butterflies of a layer are independent, and a task takes some thousand of them, of which those points that
//! are multiplied by a root of unity go in step ([`scale`]). The threes come first, where the only products are those by
//! a cube root.

use ark_ff::{Field, PrimeField};
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::transform::reciprocal;
use crate::Fr;
use crate::prover::Domain;
use crate::prover::curve::{Factor, Group, Signed, scale, sums};
use crate::prover::lanes::Path;
use crate::r1cs::Shape;

/// Butterflies of a task.
const BUTTERFLIES: usize = 1 << 12;
/// Columns of a task.
const COLUMNS: usize = 1 << 13;

/// Points packed.
pub(super) fn packed<G: Group>(points: &[G::Affine]) -> Vec<G> {
    points.par_iter().map(G::pack).collect()
}

/// Points unpacked.
pub(super) fn unpacked<G: Group>(points: &[G]) -> Vec<G::Affine> {
    points.par_iter().map(G::unpack).collect()
}

/// Each point times its scalar.
pub(super) fn scaled<G: Group>(points: &[G::Affine], scalar: impl Fn(usize) -> Fr + Sync) -> Vec<G> {
    let mut points = packed::<G>(points);
    // A contributor's secret, as often as there are points.
    let factors: Zeroizing<Vec<Factor>> =
        Zeroizing::new((0..points.len()).into_par_iter().map(|i| G::factor(&scalar(i))).collect());
    scale(Path::detect(), &mut points, &factors);
    points
}

/// The sums of groups of points of one array, each group as so many members.
fn grouped<G: Group>(points: &[G], members: &[Signed], sizes: &[u32]) -> Vec<G> {
    let lines = sums::<G>(Path::detect(), G::lines(points), members, sizes);
    lines.chunks_exact(G::LINES).map(|lines| G::pack(&G::sum(lines))).collect()
}

/// The member of a point of an array.
fn member<G: Group>(point: usize, negative: bool) -> Signed {
    Signed::new((point * G::LINES) as u32, negative)
}

/// For each i the sum of `parts[k][i]` over k, negated where the sign says so.
pub(super) fn combined<G: Group>(parts: &[(&[G], bool)]) -> Vec<G> {
    let count = parts.first().map_or(0, |(part, _)| part.len());
    let ranges: Vec<usize> = (0..count).step_by(BUTTERFLIES).collect();
    let sums = ranges.into_par_iter().flat_map_iter(|start| {
        let each = BUTTERFLIES.min(count - start);
        let points: Vec<G> = parts.iter().flat_map(|(part, _)| &part[start..start + each]).copied().collect();
        let members: Vec<Signed> = (0..each)
            .flat_map(|i| (0..parts.len()).map(move |k| (i, k)))
            .map(|(i, k)| member::<G>(k * each + i, parts[k].1))
            .collect();
        grouped(&points, &members, &vec![parts.len() as u32; each])
    });
    sums.collect()
}

/// (1/n)·Σ_j x_j·ω^(−ij) for i < n: the Lagrange polynomials at τ, of the powers of τ.
pub(super) struct Inverse<G> {
    domain: Domain,
    /// ω^(−i).
    roots: Vec<Fr>,
    factors: Vec<Factor>,
    group: std::marker::PhantomData<G>,
}

impl<G: Group> Inverse<G> {
    pub(super) fn new(domain: Domain) -> Self {
        let root = domain.generator().inverse().expect("a root of unity is not zero");
        let roots: Vec<Fr> =
            std::iter::successors(Some(Fr::ONE), |power| Some(*power * root)).take(domain.size()).collect();
        let factors = roots.par_iter().map(G::factor).collect();
        Self { domain, roots, factors, group: std::marker::PhantomData }
    }

    /// The transform of as many points as the domain has, with the factor 1/n.
    pub(super) fn apply(&self, values: &[G]) -> Vec<G> {
        self.apply_times(values, reciprocal(self.domain.size()))
    }

    /// As [`Inverse::apply`], with another factor than 1/n; it joins the roots of the last layer.
    pub(super) fn apply_times(&self, values: &[G], factor: Fr) -> Vec<G> {
        let mut values: Vec<G> = self.order().into_iter().map(|i| values[i]).collect();
        let (twos, threes) = self.domain.factors();
        let radices = std::iter::repeat_n(3, threes as usize).chain(std::iter::repeat_n(2, twos as usize));
        let mut size = 1;
        for radix in radices {
            size *= radix;
            let factor = if size == self.domain.size() { factor } else { Fr::ONE };
            self.layer(&mut values, size, radix, factor);
        }
        values
    }

    /// The value that each place takes at first: digits of its number in the radices, the other way round.
    fn order(&self) -> Vec<usize> {
        let (twos, threes) = self.domain.factors();
        let radices = std::iter::repeat_n(2, twos as usize).chain(std::iter::repeat_n(3, threes as usize));
        let (mut order, mut step) = (vec![0], 1);
        let mut steps = Vec::new();
        for radix in radices {
            steps.push((radix, step));
            step *= radix;
        }
        // From the innermost part outwards.
        for (radix, step) in steps.into_iter().rev() {
            order = (0..radix)
                .flat_map(|first| order.iter().map(move |i| first * step + i).collect::<Vec<_>>())
                .collect();
        }
        order
    }

    /// Joins blocks of size/radix points to blocks of `size`.
    fn layer(&self, values: &mut [G], size: usize, radix: usize, factor: Fr) {
        let part = size / radix;
        let place = |butterfly: usize, i: usize| butterfly / part * size + i * part + butterfly % part;
        let count = values.len() / radix;
        let tasks: Vec<usize> = (0..count).step_by(BUTTERFLIES).collect();
        let read = &*values;
        let joined: Vec<Vec<Vec<G>>> = tasks
            .par_iter()
            .map(|start| {
                let these = *start..count.min(start + BUTTERFLIES);
                let parts = (0..radix).map(|i| {
                    let mut points: Vec<G> =
                        these.clone().map(|butterfly| read[place(butterfly, i)]).collect();
                    let factors: Vec<Factor> = these
                        .clone()
                        .map(|butterfly| self.twiddle(i * (butterfly % part), size, factor))
                        .collect();
                    scale(Path::detect(), &mut points, &factors);
                    points
                });
                self.butterflies(&parts.collect::<Vec<_>>())
            })
            .collect();
        for (start, parts) in tasks.iter().zip(&joined) {
            for (i, part) in parts.iter().enumerate() {
                part.iter().enumerate().for_each(|(j, point)| values[place(start + j, i)] = *point);
            }
        }
    }

    /// The root of order `size` to this power, times the factor.
    fn twiddle(&self, power: usize, size: usize, factor: Fr) -> Factor {
        let at = power * (self.domain.size() / size);
        if factor == Fr::ONE { self.factors[at] } else { G::factor(&(self.roots[at] * factor)) }
    }

    /// Transforms of two or three points.
    fn butterflies(&self, parts: &[Vec<G>]) -> Vec<Vec<G>> {
        let of = |members: &[(usize, bool)]| {
            let members: Vec<(&[G], bool)> =
                members.iter().map(|(part, negative)| (&parts[*part][..], *negative)).collect();
            combined(&members)
        };
        if parts.len() == 2 {
            return vec![of(&[(0, false), (1, false)]), of(&[(0, false), (1, true)])];
        }
        // With a cube root w of one, 1 + w + w² = 0: one product instead of four.
        let mut turned = of(&[(1, false), (2, true)]);
        let cube_root = self.factors[self.domain.size() / 3];
        scale(Path::detect(), &mut turned, &vec![cube_root; parts[0].len()]);
        let also = |second: usize, sign: bool| {
            combined(&[(&parts[0][..], false), (&parts[second], true), (&turned, sign)])
        };
        vec![of(&[(0, false), (1, false), (2, false)]), also(2, false), also(1, true)]
    }
}

/// A matrix by columns: for each variable the rows that it is in, with its coefficients there.
pub(super) struct Columns<'a>(Vec<Vec<(u32, &'a Fr)>>);

static ONE: Fr = Fr::ONE;

impl<'a> Columns<'a> {
    pub(super) fn of(shape: &'a Shape, matrix: usize) -> Self {
        let mut columns = vec![Vec::new(); 1 + shape.publics() + shape.witnesses()];
        for (i, row) in shape.rows().iter().enumerate() {
            for (var, coefficient) in row[matrix].terms() {
                columns[shape.column(*var)].push((i as u32, coefficient));
            }
        }
        // A has a row of its own for each input, so that their columns are linearly independent.
        if matrix == 0 {
            for (input, column) in columns.iter_mut().take(1 + shape.publics()).enumerate() {
                column.push(((shape.constraints() + input) as u32, &ONE));
            }
        }
        Self(columns)
    }

    /// Σ_i basis_i·M_ij for every variable j.
    pub(super) fn apply<G: Group>(&self, basis: &[G]) -> Vec<G> {
        self.apply_some(basis, self.0.len())
    }

    /// As [`Columns::apply`], for the first `count` variables.
    pub(super) fn apply_some<G: Group>(&self, basis: &[G], count: usize) -> Vec<G> {
        self.0[..count].par_chunks(COLUMNS).flat_map_iter(|columns| products(columns, basis)).collect()
    }
}

/// The products of some columns.
fn products<G: Group>(columns: &[Vec<(u32, &Fr)>], basis: &[G]) -> Vec<G> {
    let terms = columns.iter().map(Vec::len).sum();
    let (mut points, mut factors) = (Vec::with_capacity(terms), Vec::with_capacity(terms));
    let mut members = Vec::with_capacity(terms);
    for (row, coefficient) in columns.iter().flatten() {
        // By way of −k where that is shorter: most coefficients are small.
        let negated = -**coefficient;
        let negative = negated.into_bigint() < coefficient.into_bigint();
        members.push(member::<G>(points.len(), negative));
        points.push(basis[*row as usize]);
        factors.push(G::factor(if negative { &negated } else { coefficient }));
    }
    scale(Path::detect(), &mut points, &factors);
    grouped(&points, &members, &columns.iter().map(|column| column.len() as u32).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use ark_ec::{CurveGroup, PrimeGroup};

    use super::super::transform::inverse;
    use super::*;
    use crate::prover::{PackedG1, PackedG2};

    /// Of points whose discrete logarithms are known.
    fn transforms_are_those_of_scalars<G: Group>(sizes: &[usize]) {
        for size in sizes {
            let domain = Domain::of_size(*size).expect("of the form 2^k·3^l");
            let scalars: Vec<Fr> = (0..*size as u64).map(|i| Fr::from(i * i * i + 5)).collect();
            let points = |scalars: &[Fr]| {
                let points: Vec<G::Curve> = scalars.iter().map(|k| G::Curve::generator() * k).collect();
                packed::<G>(&G::Curve::normalize_batch(&points))
            };
            let found = unpacked(&Inverse::<G>::new(domain).apply(&points(&scalars)));
            assert!(found == unpacked(&points(&inverse(domain, &scalars))), "{size}");
        }
    }

    #[test]
    fn transforms_of_points_are_those_of_their_logarithms() {
        transforms_are_those_of_scalars::<PackedG1>(&[1, 2, 3, 6, 9, 12, 16, 18, 72, 256]);
        transforms_are_those_of_scalars::<PackedG2>(&[4, 18]);
    }
}
