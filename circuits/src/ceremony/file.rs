//! The file of a ceremony.
//!
//! ```text
//! magic, 20 bytes: "sigveil-ceremony-v2\n"
//! name: length, 1 byte, then ASCII
//! digest of the circuit's shape, 32 bytes; digest of the powers of τ, 32 bytes
//! points of the domain, columns of the matrices, constant and public inputs: 3 times u64 big-endian
//! transcript (see there)
//! α in G1, β in G2, δ in G2, points of the inputs in G1, β in G1, δ in G1
//! A, B (G1), B (G2), L: as many points as columns; H: as many as the domain has
//! ```
//!
//! Points are those of [`PackedG1`] and [`PackedG2`], as in a `.ptau` and in a proving key. The identity stands where a
//! variable is in no row. Nothing is left out: so the length follows from the three numbers and the transcript.

use std::io::{self, Write};

use ark_bn254::G2Affine;
use ark_ec::AffineRepr;
use ark_serialize::Valid;
use rayon::prelude::*;
use zerocopy::IntoBytes;

use super::record::check_name;
use super::transcript::{Transcript, array, take};
use super::{Ceremony, Error, PowersDigest};
use crate::groth16::{Points, VerifyingKey};
use crate::prover::{Domain, Packed, PackedG1, PackedG2, Parts};

const MAGIC: &[u8; 20] = b"sigveil-ceremony-v2\n";
/// Points written or read by one task.
const CHUNK: usize = 1 << 10;

impl Ceremony {
    /// Writes the file.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (parts, points) = (&self.parts, &self.parts.verifying.points);
        let mut head = MAGIC.to_vec();
        head.push(self.name.len() as u8);
        head.extend(self.name.as_bytes());
        head.extend(self.shape);
        head.extend(self.powers.0);
        for number in [parts.domain.size(), parts.a.len(), points.inputs.len()] {
            head.extend((number as u64).to_be_bytes());
        }
        self.transcript.write(&mut head);
        out.write_all(&head)?;
        put::<PackedG1>(out, &[points.alpha])?;
        put::<PackedG2>(out, &[points.beta, points.delta])?;
        put::<PackedG1>(out, &points.inputs)?;
        put::<PackedG1>(out, &[parts.beta, parts.delta])?;
        put::<PackedG1>(out, &parts.a)?;
        put::<PackedG1>(out, &parts.b_g1)?;
        put::<PackedG2>(out, &parts.b_g2)?;
        put::<PackedG1>(out, &parts.l)?;
        put::<PackedG1>(out, &parts.h)
    }

    /// Reads a file. All points are in their groups afterwards; nothing else is checked.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        parse(bytes).map_err(Error::Malformed)
    }
}

fn put<P: Packed>(out: &mut impl Write, points: &[P::Affine]) -> io::Result<()> {
    for chunk in points.chunks(CHUNK) {
        let packed: Vec<P> = chunk.iter().map(P::pack).collect();
        out.write_all(packed.as_bytes())?;
    }
    Ok(())
}

fn parse(bytes: &[u8]) -> Result<Ceremony, &'static str> {
    let mut rest = bytes;
    if take(&mut rest, MAGIC.len())? != MAGIC {
        return Err("no ceremony of this format");
    }
    let [length] = array(&mut rest)?;
    let name = String::from_utf8(take(&mut rest, length.into())?.to_vec())
        .map_err(|_| "a name that is not ASCII")?;
    check_name(&name).map_err(|_| "a name that is not 1 to 64 printable characters")?;
    let (shape, powers) = (array(&mut rest)?, PowersDigest(array(&mut rest)?));
    let mut number = || {
        let number = u64::from_be_bytes(array(&mut rest)?);
        // Each stands for at least that many bytes that follow: so no memory is asked for that the file does not fill.
        usize::try_from(number).ok().filter(|number| *number <= bytes.len() / 64).ok_or("truncated")
    };
    let (domain, variables, inputs) = (number()?, number()?, number()?);
    let domain = Domain::of_size(domain).ok_or("no domain of that many points")?;
    let transcript = Transcript::read(&mut rest, &name, &shape, powers)?;
    let [alpha] = fixed::<PackedG1, 1>(&mut rest)?;
    let [beta_g2, delta_g2] = fixed::<PackedG2, 2>(&mut rest)?;
    let inputs = points::<PackedG1>(&mut rest, inputs)?;
    let [beta, delta] = fixed::<PackedG1, 2>(&mut rest)?;
    if inputs.iter().any(AffineRepr::is_zero) {
        return Err("a point at infinity");
    }
    let verifying = Points { alpha, beta: beta_g2, gamma: G2Affine::generator(), delta: delta_g2, inputs };
    let parts = Parts {
        verifying: VerifyingKey::new(verifying),
        domain,
        beta,
        delta,
        a: points::<PackedG1>(&mut rest, variables)?,
        b_g1: points::<PackedG1>(&mut rest, variables)?,
        b_g2: points::<PackedG2>(&mut rest, variables)?,
        l: points::<PackedG1>(&mut rest, variables)?,
        h: points::<PackedG1>(&mut rest, domain.size())?,
    };
    if !rest.is_empty() {
        return Err("trailing bytes");
    }
    Ok(Ceremony { name, shape, powers, parts, transcript })
}

fn fixed<P: Packed, const N: usize>(rest: &mut &[u8]) -> Result<[P::Affine; N], &'static str> {
    let points = points::<P>(rest, N)?;
    if points.iter().any(AffineRepr::is_zero) {
        return Err("a point at infinity");
    }
    Ok(std::array::from_fn(|i| points[i]))
}

fn points<P: Packed>(rest: &mut &[u8], count: usize) -> Result<Vec<P::Affine>, &'static str> {
    let bytes = take(rest, count.checked_mul(size_of::<P>()).ok_or("truncated")?)?;
    bytes.par_chunks(size_of::<P>()).with_min_len(CHUNK / 16).map(point::<P>).collect()
}

fn point<P: Packed>(bytes: &[u8]) -> Result<P::Affine, &'static str> {
    let point = P::read_from_bytes(bytes).map_err(|_| "truncated")?.checked()?;
    point.check().map_err(|_| "a point out of the subgroup")?;
    Ok(point)
}
