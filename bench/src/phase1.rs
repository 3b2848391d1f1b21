//! A phase-1 file for snarkjs' set-up, from a trapdoor that everybody knows: fit to time a prover, for nothing else.
//!
//! It holds the sections that `zkey new` reads for a circuit of exactly 2^[`POWER`] rows at most; the other levels are
//! holes. Computing them takes a minute, where powers of τ by contributions and their preparation would take an hour.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::Context as _;
use ark_bn254::{Fq, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::scalar_mul::BatchMulPreprocessing;
use ark_ec::{CurveGroup, PrimeGroup as _};
use ark_ff::{BigInt, FftField as _, Field as _, PrimeField as _, batch_inversion};

/// Largest circuit: 2^POWER rows.
const POWER: u32 = 20;
const POINTS: u64 = 1 << POWER;
const G1: u64 = 64;
const G2: u64 = 128;
/// What a file is made by: of another source it is another file.
pub(crate) const SOURCE: &str = include_str!("phase1.rs");
/// The trapdoor: τ, α, β.
const TRAPDOOR: [u64; 3] = [0x5167_7665_696c_0001, 3, 5];

/// Writes the file, whole or not at all.
pub(crate) fn write(path: &Path) -> anyhow::Result<()> {
    let [tau, alpha, beta] = TRAPDOOR.map(Fr::from);
    let domain = lagrange(POINTS, tau, 1);
    let odd = lagrange(2 * POINTS, tau, 2);
    let scaled = |factor: Fr| domain.iter().map(|l| *l * factor).collect::<Vec<_>>();
    let g1 = BatchMulPreprocessing::new(G1Projective::generator(), POINTS as usize);
    let g2 = BatchMulPreprocessing::new(G2Projective::generator(), POINTS as usize);

    let folder = path.parent().context("the file lies in a folder")?;
    let mut out = Ptau { file: tempfile::NamedTempFile::new_in(folder)?, end: 12 };
    out.at(0, &[b"ptau".as_slice(), &1u32.to_le_bytes(), &9u32.to_le_bytes()].concat())?;
    let modulus: Vec<u8> = limbs(Fq::MODULUS).collect();
    let header =
        [&32u32.to_le_bytes(), modulus.as_slice(), &POWER.to_le_bytes(), &POWER.to_le_bytes()].concat();
    out.section(1, header.len() as u64, 0, &header)?;
    out.section(2, (2 * POINTS - 1) * G1, 0, &[])?;
    let first = |factor| g1_bytes(&g1.batch_mul(&[factor]));
    out.section(4, G1, 0, &first(alpha))?;
    out.section(5, G1, 0, &first(beta))?;
    out.section(6, G2, 0, &g2_bytes(&[(G2Projective::generator() * beta).into_affine()]))?;

    let level = POINTS - 1;
    let start = out.section(12, (4 * POINTS - 1) * G1, level * G1, &g1_bytes(&g1.batch_mul(&domain)))?;
    // Of the next level only the odd points are read.
    let mut pairs = Vec::with_capacity(2 * (POINTS * G1) as usize);
    for point in g1_bytes(&g1.batch_mul(&odd)).chunks(G1 as usize) {
        pairs.extend_from_slice(&[0; G1 as usize]);
        pairs.extend_from_slice(point);
    }
    out.at(start + (2 * POINTS - 1) * G1, &pairs)?;
    out.section(13, (2 * POINTS - 1) * G2, level * G2, &g2_bytes(&g2.batch_mul(&domain)))?;
    out.section(14, (2 * POINTS - 1) * G1, level * G1, &g1_bytes(&g1.batch_mul(&scaled(alpha))))?;
    out.section(15, (2 * POINTS - 1) * G1, level * G1, &g1_bytes(&g1.batch_mul(&scaled(beta))))?;
    out.file.as_file().set_len(out.end)?;
    out.file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// A file of numbered sections, each behind its number and length.
struct Ptau {
    file: tempfile::NamedTempFile<File>,
    end: u64,
}

impl Ptau {
    fn at(&mut self, offset: u64, bytes: &[u8]) -> anyhow::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        Ok(self.file.write_all(bytes)?)
    }

    /// Adds a section with these bytes `offset` into it and holes elsewhere; returns where its content starts.
    fn section(&mut self, number: u32, length: u64, offset: u64, bytes: &[u8]) -> anyhow::Result<u64> {
        let start = self.end + 12;
        self.at(self.end, &[number.to_le_bytes().as_slice(), &length.to_le_bytes()].concat())?;
        self.at(start + offset, bytes)?;
        self.end = start + length;
        Ok(start)
    }
}

/// Lagrange polynomials of the `size`-th roots of unity at `tau`: every one of them, or with `step` 2 the odd ones.
fn lagrange(size: u64, tau: Fr, step: usize) -> Vec<Fr> {
    let root = Fr::get_root_of_unity(size).expect("the field has 2^28 such roots");
    let scale = (tau.pow([size]) - Fr::from(1u8)) / Fr::from(size);
    let mut point = if step == 1 { Fr::from(1u8) } else { root };
    let mut points = Vec::with_capacity(size as usize / step);
    while points.len() < size as usize / step {
        points.push(point);
        point *= root.pow([step as u64]);
    }
    // L_i(τ) = ω^i (τ^n − 1) / (n (τ − ω^i)); τ is no root of unity of this order.
    let mut differences: Vec<Fr> = points.iter().map(|point| tau - point).collect();
    batch_inversion(&mut differences);
    points.iter().zip(differences).map(|(point, inverse)| scale * point * inverse).collect()
}

fn limbs(number: BigInt<4>) -> impl Iterator<Item = u8> {
    number.0.into_iter().flat_map(u64::to_le_bytes)
}

/// Coordinates as snarkjs keeps them: Montgomery form, little-endian, which is how arkworks holds them.
fn coordinates<'a>(of: impl IntoIterator<Item = &'a Fq>) -> Vec<u8> {
    of.into_iter().flat_map(|coordinate| limbs(coordinate.0)).collect()
}

fn g1_bytes(points: &[G1Affine]) -> Vec<u8> {
    coordinates(points.iter().flat_map(|point| [&point.x, &point.y]))
}

fn g2_bytes(points: &[G2Affine]) -> Vec<u8> {
    coordinates(points.iter().flat_map(|point| [&point.x.c0, &point.x.c1, &point.y.c0, &point.y.c1]))
}
