//! Powers of τ, as `.ptau` files of snarkjs hold them.
//!
//! Of a file only the powers that a circuit needs are read, and of these every one is checked. Further sections, such
//! as the list of contributors and what snarkjs prepares for its own setup, are not looked at.

use std::io::{BufReader, Read, Seek, Write};

use ark_bn254::{Fq, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::scalar_mul::ScalarMul;
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::{Field, UniformRand};
use ark_serialize::Valid;
use rand_core::CryptoRngCore;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zerocopy::IntoBytes;

use super::Error;
use super::sums::{factors, same_product, sum, sum_g2};
use crate::Fr;
use crate::binfile::{self, Container, modulus, read_u32};
use crate::prover::{Domain, Packed, PackedG1, PackedG2};

const HEADER: u32 = 1;
const TAU_G1: u32 = 2;
const TAU_G2: u32 = 3;
const ALPHA_G1: u32 = 4;
const BETA_G1: u32 = 5;
const BETA_G2: u32 = 6;
const CONTRIBUTIONS: u32 = 7;
/// F has roots of unity of order 2^28: no file is of more.
const MOST: u32 = 28;
/// Points read or checked by one task.
const CHUNK: usize = 1 << 10;

/// Names the powers that a ceremony used: SHA-256 over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowersDigest(pub [u8; 32]);

/// The powers of τ for a domain of n points, checked: τ is not zero and none of the domain's 2n-th roots of unity, and
/// all points belong together.
pub struct Powers {
    /// τ^i in G1, i < 2n − 1.
    pub(super) tau_g1: Vec<G1Affine>,
    /// τ^i in G2, i < n.
    pub(super) tau_g2: Vec<G2Affine>,
    /// α·τ^i in G1, i < n.
    pub(super) alpha: Vec<G1Affine>,
    /// β·τ^i in G1, i < n.
    pub(super) beta: Vec<G1Affine>,
    /// β in G2.
    pub(super) beta_g2: G2Affine,
    digest: PowersDigest,
}

impl Powers {
    /// Reads the powers for a domain of `points` points and checks them. Memory is that of these powers, however large
    /// the file.
    ///
    /// # Errors
    /// [`Error::PowersMalformed`] for a file that is truncated, of another curve or holds what is no point of its
    /// group; [`Error::PowersTooFew`]; [`Error::PowersInconsistent`].
    pub fn read(file: impl Read + Seek, points: usize, rng: &mut dyn CryptoRngCore) -> Result<Self, Error> {
        let mut file = Container::open(file, b"ptau", 1)?;
        let power = header(&mut file)?;
        let needed = points.checked_next_power_of_two().map_or(u32::MAX, usize::ilog2);
        if power < needed {
            return Err(Error::PowersTooFew { needed, found: power });
        }
        let all = 1 << power;
        let tau_g1 = section::<_, PackedG1>(&mut file, TAU_G1, 2 * all - 1, 2 * points - 1)?;
        let tau_g2 = section::<_, PackedG2>(&mut file, TAU_G2, all, points)?;
        let alpha = section::<_, PackedG1>(&mut file, ALPHA_G1, all, points)?;
        let beta = section::<_, PackedG1>(&mut file, BETA_G1, all, points)?;
        let beta_g2 = section::<_, PackedG2>(&mut file, BETA_G2, 1, 1)?[0];
        let powers = Self::of(tau_g1, tau_g2, alpha, beta, beta_g2);
        powers.check(rng)?;
        Ok(powers)
    }

    fn of(
        tau_g1: Vec<G1Affine>,
        tau_g2: Vec<G2Affine>,
        alpha: Vec<G1Affine>,
        beta: Vec<G1Affine>,
        beta_g2: G2Affine,
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"sigveil-powers-v1");
        hash.update((tau_g2.len() as u64).to_le_bytes());
        let mut g1 = |points: &[G1Affine]| {
            points.iter().for_each(|point| hash.update(PackedG1::pack(point).as_bytes()));
        };
        g1(&tau_g1);
        g1(&alpha);
        g1(&beta);
        tau_g2.iter().chain([&beta_g2]).for_each(|point| hash.update(PackedG2::pack(point).as_bytes()));
        let digest = PowersDigest(hash.finalize().into());
        Self { tau_g1, tau_g2, alpha, beta, beta_g2, digest }
    }

    /// Powers of a τ that this process drew: for tests, and for keys that nobody else relies on.
    ///
    /// # Panics
    /// For zero points.
    #[must_use]
    pub fn development(points: usize, rng: &mut dyn CryptoRngCore) -> Self {
        let mut draw = || Fr::rand(rng);
        Self::from_trapdoor(points, draw(), draw(), draw())
    }

    pub(super) fn from_trapdoor(points: usize, tau: Fr, alpha: Fr, beta: Fr) -> Self {
        let scalars = |first: Fr, count: usize| -> Vec<Fr> {
            std::iter::successors(Some(first), |power| Some(*power * tau)).take(count).collect()
        };
        let g1 = |first: Fr, count: usize| G1Projective::generator().batch_mul(&scalars(first, count));
        let tau_g2 = G2Projective::generator().batch_mul(&scalars(Fr::ONE, points));
        let beta_g2 = (G2Projective::generator() * beta).into_affine();
        Self::of(g1(Fr::ONE, 2 * points - 1), tau_g2, g1(alpha, points), g1(beta, points), beta_g2)
    }

    /// Writes powers of 2^k points as a `.ptau` file without contributors.
    ///
    /// # Errors
    /// What the writer says.
    ///
    /// # Panics
    /// For another number of points.
    pub fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        assert!(self.tau_g2.len().is_power_of_two(), "the format knows powers of two only");
        let power = self.tau_g2.len().ilog2();
        binfile::begin(out, b"ptau", 1, 7)?;
        binfile::section(out, HEADER, 4 + 32 + 4 + 4)?;
        out.write_all(&32u32.to_le_bytes())?;
        out.write_all(&modulus::<Fq>())?;
        // The power of this file, and of the one that it was cut from.
        out.write_all(&[power.to_le_bytes(), power.to_le_bytes()].concat())?;
        put::<PackedG1>(out, TAU_G1, &self.tau_g1)?;
        put::<PackedG2>(out, TAU_G2, &self.tau_g2)?;
        put::<PackedG1>(out, ALPHA_G1, &self.alpha)?;
        put::<PackedG1>(out, BETA_G1, &self.beta)?;
        put::<PackedG2>(out, BETA_G2, &[self.beta_g2])?;
        binfile::section(out, CONTRIBUTIONS, 4)?;
        out.write_all(&0u32.to_le_bytes())
    }

    /// Their digest.
    #[must_use]
    pub fn digest(&self) -> PowersDigest {
        self.digest
    }

    /// Whether they were read for this domain.
    pub(super) fn suffice(&self, domain: Domain) -> Result<(), Error> {
        let power = |points: usize| points.next_power_of_two().ilog2();
        if self.tau_g2.len() == domain.size() {
            Ok(())
        } else {
            Err(Error::PowersTooFew { needed: power(domain.size()), found: power(self.tau_g2.len()) })
        }
    }

    /// Each sequence goes on by τ, with the same τ in both groups, by random combinations: a false one passes with
    /// probability about 2^-250.
    fn check(&self, rng: &mut dyn CryptoRngCore) -> Result<(), Error> {
        let inconsistent = Error::PowersInconsistent;
        let (one, two) = (G1Affine::generator(), G2Affine::generator());
        let points = self.tau_g2.len();
        if self.tau_g1[0] != one || self.tau_g2[0] != two {
            return Err(inconsistent("the first power of τ is not one"));
        }
        let Some(tau) = self.tau_g2.get(1).copied() else {
            return Err(inconsistent("there is one power only"));
        };
        for (points, why) in [
            (&self.tau_g1, "τ in G1 does not go on by τ"),
            (&self.alpha, "α·τ does not go on by τ"),
            (&self.beta, "β·τ does not go on by τ"),
        ] {
            let factors = factors(points.len() - 1, rng);
            if !same_product((sum(points, &factors), tau), (sum(&points[1..], &factors), two)) {
                return Err(inconsistent(why));
            }
        }
        let factors = factors(points - 1, rng);
        let (this, next) = (sum_g2(&self.tau_g2, &factors), sum_g2(&self.tau_g2[1..], &factors));
        let tau_g1 = self.tau_g1[1].into_group();
        if !same_product((tau_g1, this.into_affine()), (one.into_group(), next.into_affine())) {
            return Err(inconsistent("τ in G2 does not go on by τ"));
        }
        if !same_product((self.beta[0].into_group(), two), (one.into_group(), self.beta_g2)) {
            return Err(inconsistent("β is not the same in both groups"));
        }
        // On the domain or its odd coset, where polynomials of a key would vanish.
        if self.tau_g1[points] == one || self.tau_g1[points] == -one {
            return Err(inconsistent("τ is a root of unity"));
        }
        Ok(())
    }
}

/// The power of the file, its curve being the right one.
fn header<R: Read + Seek>(file: &mut Container<R>) -> Result<u32, Error> {
    let bytes = file.whole(HEADER, 1 << 10)?;
    let mut rest = &bytes[..];
    if read_u32(&mut rest)? != 32 || !rest.starts_with(&modulus::<Fq>()) {
        return Err(Error::PowersMalformed("of another curve"));
    }
    rest = &rest[32..];
    let [power, _ceremony] = [read_u32(&mut rest)?, read_u32(&mut rest)?];
    if !rest.is_empty() {
        return Err(Error::PowersMalformed("trailing bytes"));
    }
    if power > MOST {
        return Err(Error::PowersMalformed("more powers than the field has roots of unity"));
    }
    Ok(power)
}

/// The first `wanted` points of a section that must hold `all`: in their groups, and none the identity.
fn section<R: Read + Seek, P: Packed>(
    file: &mut Container<R>,
    number: u32,
    all: usize,
    wanted: usize,
) -> Result<Vec<P::Affine>, Error> {
    let size = size_of::<P>() as u64;
    if file.length(number)? != all as u64 * size {
        return Err(Error::PowersMalformed("a section is not as long as its powers"));
    }
    let mut from = BufReader::with_capacity(1 << 20, file.head(number, wanted as u64 * size)?);
    let mut out = Vec::with_capacity(wanted);
    while out.len() < wanted {
        let mut chunk = vec![P::new_zeroed(); CHUNK.min(wanted - out.len()) * 16];
        chunk.truncate(wanted - out.len());
        from.read_exact(chunk.as_mut_bytes())?;
        let checked: Result<Vec<_>, Error> = chunk.par_iter().with_min_len(CHUNK / 16).map(point).collect();
        out.extend(checked?);
    }
    Ok(out)
}

fn point<P: Packed>(packed: &P) -> Result<P::Affine, Error> {
    let point = packed.checked().map_err(Error::PowersMalformed)?;
    if point.is_zero() {
        return Err(Error::PowersMalformed("a point at infinity"));
    }
    if point.check().is_err() {
        return Err(Error::PowersMalformed("a point out of the subgroup"));
    }
    Ok(point)
}

fn put<P: Packed>(out: &mut impl Write, number: u32, points: &[P::Affine]) -> std::io::Result<()> {
    binfile::section(out, number, (points.len() * size_of::<P>()) as u64)?;
    points.iter().try_for_each(|point| out.write_all(P::pack(point).as_bytes()))
}

impl From<binfile::Error> for Error {
    fn from(error: binfile::Error) -> Self {
        match error {
            binfile::Error::Malformed(why) => Self::PowersMalformed(why),
            binfile::Error::Io(error) => Self::Io(error),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        binfile::Error::from(error).into()
    }
}
