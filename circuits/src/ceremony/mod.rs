//! Keys made by many, of whom one must be honest.
//!
//! Whoever knows the trapdoor (τ, α, β, δ) behind a key can prove anything. In a ceremony nobody does:
//!
//! - *Phase 1* gives τ, α and β, for all circuits up to a size, and is not run here: a [`Powers`] is read from a
//!   `.ptau` file, as snarkjs and others publish them. What is checked is that the points are powers of one τ with
//!   one α and one β. Who contributed to them, and that one of those was honest, is for the publisher's own
//!   transcript to show; a ceremony names the powers that it used by their digest.
//! - *Phase 2* gives δ for one circuit. Each contributor checks every point that it was given, multiplies δ by a secret
//!   of its own, proves that it knows the secret, and forgets it: see [`Transcript`]. As δ is the product of all secrets,
//!   *one honest contributor who forgot its own is enough*, whatever all others did, together or later. Only what was
//!   checked is multiplied ([`Verified::contribute`]): the points of L and H depend on each other, so that one of
//!   somebody's choice could stand in the place of another, be divided by the secrets of all honest contributors, and
//!   give way again to what belongs there, with a transcript in which nothing of it is seen and a point by which
//!   proofs are forged.
//! - Last, a *beacon*, a value that nobody could know or steer when the last contribution was made, is turned into one
//!   more factor, which everybody can recompute: so that whoever comes last cannot choose among finished keys.
//!
//! Anybody who has the powers can check a [`Ceremony`], and with it the key, against the circuit: [`Ceremony::verify`]
//! believes none of those who made it. It takes random linear combinations of all points instead of making them again:
//! a ceremony with a false point passes with probability about 2^-250.
//!
//! # The key
//! γ is one, as in other ceremonies. In the basis of [`crate::prover`], the points of L and H need τ^(2n−1) for a
//! domain of n points, one power more than phase 1 gives for n = 2^k. It is replaced by τ^(n−1) throughout: each
//! point then differs from the one that [`crate::groth16::setup`] makes by a multiple of τ^(n−1)·(τⁿ − 1)/δ. In a proof
//! those add up to the coefficient of x^(2n−1) in A·B − C, which is zero; so proofs are the same, and the key's points
//! span no more than those of a key in the usual basis do.
//!
//! Operations on secrets are not constant time: contribute on a machine of your own.

mod check;
mod file;
mod initial;
mod phase1;
mod points;
mod record;
mod sums;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests;
mod transcript;
mod transform;

use ark_ec::CurveGroup;
use ark_ff::Field;
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

pub use phase1::{Powers, PowersDigest};
pub use record::{Beacon, Record, Secret, Source};
pub use transcript::{Transcript, TranscriptDigest};

use crate::groth16::{Error as KeyError, VerifyingKey};
use crate::prover::{Domain, Matrices, PackedG1, Parts, ProvingKey};
use crate::r1cs::Shape;

/// Why powers of τ or a ceremony were refused, or a step of it was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is no `.ptau` file that can be taken.
    #[error("malformed .ptau: {0}")]
    PowersMalformed(&'static str),
    /// The points are not powers of one τ with one α and one β.
    #[error("the powers of τ do not belong together: {0}")]
    PowersInconsistent(&'static str),
    /// There are too few powers for the circuit.
    #[error("the circuit needs powers of τ for 2^{needed} points, and these are for 2^{found}")]
    PowersTooFew {
        /// The least power of two that is enough.
        needed: u32,
        /// The one of the file.
        found: u32,
    },
    /// The powers are others than those that the ceremony began with.
    #[error("the ceremony began with other powers of τ")]
    PowersOther,
    /// The file holds no ceremony.
    #[error("malformed ceremony: {0}")]
    Malformed(&'static str),
    /// The ceremony is for another circuit.
    #[error("the ceremony is of another circuit")]
    OtherCircuit,
    /// The points are not those that the last record of the transcript was made for.
    #[error("the transcript is not that of these points: one of them was altered or cut")]
    Altered,
    /// A contributor has not shown that it knows its secret, at this place of this transcript.
    #[error("record {0} does not prove knowledge of its secret at this place of this transcript")]
    Knowledge(usize),
    /// A contribution has a secret that another one had before.
    #[error("record {0} repeats the secret of another contribution")]
    Repeated(usize),
    /// A record changes nothing.
    #[error("record {0} contributes nothing")]
    Empty(usize),
    /// δ after a record is not δ before it, times the record's secret.
    #[error("δ of record {0} does not follow from the one before it")]
    Delta(usize),
    /// The last factor is not that of the beacon's value.
    #[error("the beacon's factor is not that of its value")]
    Beacon,
    /// The beacon has been: nothing may follow.
    #[error("the ceremony is closed: its beacon has been")]
    Closed,
    /// The beacon has not been.
    #[error("the ceremony is open: its beacon is missing")]
    Open,
    /// Nobody has contributed: δ would be known to all.
    #[error("nobody has contributed")]
    NoContribution,
    /// A name or a beacon's value is too long or not plain.
    #[error("not acceptable in a transcript: {0}")]
    Unacceptable(&'static str),
    /// The points are not those that circuit, powers and δ give.
    #[error("the points of {0} do not follow from circuit, powers of τ and δ")]
    Parameters(&'static str),
    /// The circuit has no domain.
    #[error(transparent)]
    Circuit(#[from] KeyError),
    /// A file cannot be read.
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
}

impl Error {
    /// Stable reason code.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::PowersMalformed(_) => "ptau-malformed",
            Self::PowersInconsistent(_) => "ptau-inconsistent",
            Self::PowersTooFew { .. } => "ptau-too-small",
            Self::PowersOther => "ceremony-other-powers",
            Self::Malformed(_) => "ceremony-malformed",
            Self::OtherCircuit => "ceremony-other-circuit",
            Self::Altered => "ceremony-altered",
            Self::Knowledge(_) => "ceremony-knowledge",
            Self::Repeated(_) => "ceremony-repeated",
            Self::Empty(_) => "ceremony-empty",
            Self::Delta(_) => "ceremony-delta",
            Self::Beacon => "ceremony-beacon",
            Self::Closed => "ceremony-closed",
            Self::Open => "ceremony-open",
            Self::NoContribution => "ceremony-no-contribution",
            Self::Unacceptable(_) => "ceremony-unacceptable",
            Self::Parameters(_) => "ceremony-parameters",
            Self::Circuit(error) => error.reason(),
            Self::Io(_) => "file-unreadable",
        }
    }
}

/// A ceremony as it goes from hand to hand: nothing in it is believed. See [`Ceremony::verify`].
pub struct Ceremony {
    /// What it is for, in a word: a statement's name, or whatever the one who began it says.
    pub name: String,
    /// Digest of the circuit's shape.
    pub shape: [u8; 32],
    /// The powers of τ that it began with.
    pub powers: PowersDigest,
    /// The points of the key as they are after the last record.
    pub parts: Parts,
    /// Who contributed.
    pub transcript: Transcript,
}

/// A ceremony whose every point was checked, or made here.
pub struct Verified {
    ceremony: Ceremony,
}

impl Ceremony {
    /// Begins a ceremony: δ is one.
    ///
    /// # Errors
    /// [`Error::PowersTooFew`], and [`Error::Circuit`] if there is no domain for the circuit.
    pub fn begin(name: &str, shape: &Shape, powers: &Powers) -> Result<Verified, Error> {
        let domain = domain(shape)?;
        powers.suffice(domain)?;
        let parts = initial::parts(shape, domain, powers);
        let (shape, powers) = (shape.digest(), powers.digest());
        let transcript = Transcript::begin(name, &shape, powers, &parts)?;
        let ceremony = Self { name: name.to_owned(), shape, powers, parts, transcript };
        Ok(Verified { ceremony })
    }

    /// Checks that the records follow from each other and that the last belongs to the points. Whether the points are
    /// those of the circuit is for [`Ceremony::verify`].
    ///
    /// # Errors
    /// The first record that is not sound, or [`Error::Altered`].
    pub fn check_transcript(&self) -> Result<(), Error> {
        self.transcript.check(&self.name, &self.shape, self.powers, &self.parts)
    }

    /// Adds the beacon, which closes the ceremony. Its factor is known to all, so that points need not be checked before.
    ///
    /// # Errors
    /// As [`Ceremony::check_transcript`] and [`Transcript::accepts`], and [`Error::NoContribution`] before the first one.
    pub fn close(&mut self, name: &str, beacon: Beacon) -> Result<TranscriptDigest, Error> {
        self.check_transcript()?;
        self.transcript.accepts(name)?;
        if self.transcript.contributions() == 0 {
            return Err(Error::NoContribution);
        }
        let secret = beacon.secret(&self.transcript.digest());
        self.multiply(&secret);
        self.transcript.close(name, beacon, &self.parts)
    }

    /// Multiplies δ by a secret, whatever the points are: to try what is refused. See [`Verified::contribute`].
    pub fn multiply(&mut self, secret: &Secret) {
        let parts = &mut self.parts;
        let inverse = Zeroizing::new(secret.0.inverse().expect("a secret is not zero"));
        for points in [&mut parts.l, &mut parts.h] {
            *points = points::unpacked(&points::scaled::<PackedG1>(points, |_| *inverse));
        }
        parts.delta = (parts.delta * secret.0).into_affine();
        let mut points = parts.verifying.points.clone();
        points.delta = (points.delta * secret.0).into_affine();
        parts.verifying = VerifyingKey::new(points);
    }

    /// Checks everything: records, and every point against the circuit and the powers.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(
        self,
        shape: &Shape,
        powers: &Powers,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Verified, Error> {
        if self.shape != shape.digest() {
            return Err(Error::OtherCircuit);
        }
        if self.powers != powers.digest() {
            return Err(Error::PowersOther);
        }
        self.check_transcript()?;
        let domain = domain(shape)?;
        powers.suffice(domain)?;
        check::parts(&self.parts, &Matrices::new(shape), domain, powers, rng)?;
        Ok(Verified { ceremony: self })
    }
}

impl Verified {
    /// The ceremony.
    #[must_use]
    pub fn ceremony(&self) -> &Ceremony {
        &self.ceremony
    }

    /// The ceremony, to be handed on.
    #[must_use]
    pub fn into_ceremony(self) -> Ceremony {
        self.ceremony
    }

    /// Adds a contribution with a secret that is forgotten at the end. Gives the contribution's digest, which the
    /// contributor keeps: it stands for the contribution in every transcript that follows.
    ///
    /// # Errors
    /// As [`Transcript::accepts`].
    pub fn contribute(&mut self, name: &str, rng: &mut dyn CryptoRngCore) -> Result<TranscriptDigest, Error> {
        let ceremony = &mut self.ceremony;
        ceremony.transcript.accepts(name)?;
        let secret = Secret::random(rng);
        ceremony.multiply(&secret);
        ceremony.transcript.contribute(name, &secret, &ceremony.parts, rng)
    }

    /// The key, with the digest of the whole transcript.
    ///
    /// # Errors
    /// [`Error::Open`] before the beacon.
    pub fn into_key(self) -> Result<(ProvingKey, TranscriptDigest), Error> {
        if !self.ceremony.transcript.is_closed() {
            return Err(Error::Open);
        }
        let digest = self.ceremony.transcript.digest();
        Ok((ProvingKey::from_parts(self.ceremony.parts)?, digest))
    }
}

/// The domain of a circuit's key.
pub(super) fn domain(shape: &Shape) -> Result<Domain, Error> {
    Domain::holding(shape.constraints() + 1 + shape.publics())
        .ok_or(Error::Circuit(KeyError::UnsupportedCircuit))
}

/// The points of the domain for which powers must be there.
#[must_use]
pub fn points(shape: &Shape) -> Option<usize> {
    domain(shape).ok().map(|domain| domain.size())
}
