//! The public inputs of the statement, and the digests in which they stand (protocol.md §5.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::identity::{Identity, Idf, Kind};
use sigveil_vrf_identity::{field, poseidon};
use zeroize::Zeroize;

use super::Refusal;
use crate::Fr;

/// Elements that the header's characters are packed into.
pub(crate) const HEADER_ELEMENTS: usize = 11;
/// Elements that the issuer is packed into.
pub(crate) const ISSUER_ELEMENTS: usize = 12;
/// Elements that the audience is packed into.
pub(crate) const AUDIENCE_ELEMENTS: usize = 8;
/// Elements that the modulus is packed into.
pub(crate) const MODULUS_ELEMENTS: usize = 9;
/// Most bytes of a header.
pub const MAX_HEADER_BYTES: usize = 248;
/// Most characters of a header as signed: the base64url form of [`MAX_HEADER_BYTES`].
pub const MAX_HEADER_CHARACTERS: usize = 331;
/// Most bytes of an audience.
pub const MAX_AUDIENCE_BYTES: usize = 248;
/// Bytes of an RSA modulus and of a signature.
pub const MODULUS_BYTES: usize = 256;

/// What a proof may be spent for: a certificate never verifies with an evaluation's proof, nor the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Usage {
    /// Issuance of a certificate.
    Certificate = 1,
    /// Blind evaluation of the identity VRF.
    Evaluation = 2,
}

impl Usage {
    /// What precedes the binding in a bound token's nonce or audience.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Certificate => "sigveil:",
            Self::Evaluation => "sigveil-eval:",
        }
    }
}

/// How a token is tied to a key; fixed per issuer in the trust root.
#[derive(Clone, Copy)]
pub enum Binding {
    /// Not at all: what stock clients can do.
    Unbound,
    /// By the nonce, which commits to `bind` under `salt`.
    Nonce {
        /// What is bound: `pkh`, or for an evaluation the digest of the blinded point.
        bind: Fr,
        /// Random and never published, so that the issuer cannot find the certificate from the nonce it saw.
        salt: BindingSalt,
    },
    /// By the audience, for issuers that take no nonce; the configured audience stays in the hash.
    Audience {
        /// As for [`Binding::Nonce`].
        bind: Fr,
        /// As for [`Binding::Nonce`].
        salt: BindingSalt,
    },
}

impl Binding {
    /// The public input: zero if unbound.
    #[must_use]
    pub fn bind(&self) -> Fr {
        match self {
            Self::Unbound => Fr::from(0u64),
            Self::Nonce { bind, .. } | Self::Audience { bind, .. } => *bind,
        }
    }

    /// The salt; zero if unbound.
    pub(crate) fn salt(&self) -> BindingSalt {
        match self {
            Self::Unbound => BindingSalt(Fr::from(0u64)),
            Self::Nonce { salt, .. } | Self::Audience { salt, .. } => *salt,
        }
    }
}

/// The randomness in a bound token's nonce. Secret: with it the issuer could find the certificate.
#[derive(Clone, Copy)]
pub struct BindingSalt(pub Fr);

impl Zeroize for BindingSalt {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// ρ_1, the randomness of `c_id`: fresh for every proof. Secret: with it a guessed identity can be confirmed.
#[derive(Clone, Copy)]
pub struct LinkingRandomness(pub Fr);

impl LinkingRandomness {
    /// `c_id = Poseidon(DOM_CID, idf, ρ_1)`.
    #[must_use]
    pub fn commit(&self, idf: Idf) -> Fr {
        poseidon::hash(Domain::LinkingCommitment, &[idf.0, self.0])
    }
}

impl Zeroize for LinkingRandomness {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// An issuer's RSA-2048 modulus, big-endian; the exponent is 65,537.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Modulus([u8; MODULUS_BYTES]);

impl Modulus {
    /// The modulus of a key in big-endian form, as a JWK's `n` and `e` decode to; leading zeros are ignored.
    ///
    /// # Errors
    /// [`Refusal::ModulusSize`], [`Refusal::ModulusEven`] or [`Refusal::Exponent`].
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, Refusal> {
        let modulus = without_leading_zeros(modulus);
        let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
        let bytes: [u8; MODULUS_BYTES] = modulus.try_into().map_err(|_| Refusal::ModulusSize(bits))?;
        if bits != MODULUS_BYTES * 8 {
            return Err(Refusal::ModulusSize(bits));
        }
        if bytes[MODULUS_BYTES - 1] & 1 == 0 {
            return Err(Refusal::ModulusEven);
        }
        if without_leading_zeros(exponent) != [1, 0, 1] {
            return Err(Refusal::Exponent);
        }
        Ok(Self(bytes))
    }

    /// Big-endian.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; MODULUS_BYTES] {
        &self.0
    }

    /// `Poseidon(DOM_RSA, 9 elements of 31 bytes)`, zeros in front.
    #[must_use]
    pub fn digest(&self) -> Fr {
        let mut padded = [0; MODULUS_ELEMENTS * field::PACKED_BYTES];
        let front = padded.len() - MODULUS_BYTES;
        padded[front..].copy_from_slice(&self.0);
        poseidon::hash(Domain::RsaModulus, &field::pack31(&padded))
    }
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// `Poseidon(DOM_HDR, length, 11 elements)` over the base64url characters of a header, exactly as signed.
///
/// The characters and not the bytes they decode to: that binds the encoding too and needs no decoding in the circuit.
///
/// # Errors
/// [`Refusal::HeaderTooLong`] above 331 characters.
pub fn header_digest(encoded: &str) -> Result<Fr, Refusal> {
    if encoded.len() > MAX_HEADER_CHARACTERS {
        return Err(Refusal::HeaderTooLong(encoded.len() / 4 * 3));
    }
    digest_text(Domain::TokenHeader, encoded.as_bytes(), HEADER_ELEMENTS)
        .ok_or(Refusal::HeaderTooLong(encoded.len()))
}

/// `Poseidon(DOM_ISS, length, 12 elements)` over the issuer.
///
/// # Errors
/// [`Refusal::Identity`] if it is longer than 372 bytes.
pub fn issuer_digest(issuer: &str) -> Result<Fr, Refusal> {
    digest_text(Domain::Issuer, issuer.as_bytes(), ISSUER_ELEMENTS)
        .ok_or(Refusal::Identity(sigveil_vrf_identity::identity::IdentityError::TooLong))
}

/// `Poseidon(DOM_AUD, length, 8 elements)` over the audience that an instance of the CA is configured with.
///
/// # Errors
/// [`Refusal::AudienceTooLong`] above 248 bytes.
pub fn audience_digest(audience: &str) -> Result<Fr, Refusal> {
    digest_text(Domain::Audience, audience.as_bytes(), AUDIENCE_ELEMENTS).ok_or(Refusal::AudienceTooLong)
}

/// What stands for the audience where the issuer binds by it: `Poseidon(DOM_BOUND_AUD, audience digest)`.
///
/// In place of one constant for all: so the proof says not only *that* the audience was a binding, but for which
/// configured audience.
#[must_use]
pub fn bound_audience_digest(audience_digest: Fr) -> Fr {
    poseidon::hash(Domain::BoundAudience, &[audience_digest])
}

/// The string that a token's nonce (or audience) must be: prefix, then base64url of
/// `Poseidon(DOM_BIND, audience digest, bind, salt)`.
#[must_use]
pub fn binding_string(usage: Usage, audience_digest: Fr, bind: Fr, salt: BindingSalt) -> String {
    let digest = poseidon::hash(Domain::TokenBinding, &[audience_digest, bind, salt.0]);
    format!("{}{}", usage.prefix(), URL_SAFE_NO_PAD.encode(field::to_bytes(&digest)))
}

fn digest_text(domain: Domain, text: &[u8], elements: usize) -> Option<Fr> {
    let mut inputs = vec![Fr::from(text.len() as u64)];
    inputs.extend(field::pack31_padded(text, elements)?);
    Some(poseidon::hash(domain, &inputs))
}

/// The public inputs of a `token` statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// [`Modulus::digest`].
    pub modulus: Fr,
    /// [`issuer_digest`].
    pub issuer: Fr,
    /// [`audience_digest`]; for issuers that bind by audience [`bound_audience_digest`].
    pub audience: Fr,
    /// Which claim names the subject.
    pub kind: Kind,
    /// Unix seconds at which the token is valid.
    pub time: u64,
    /// [`header_digest`].
    pub header: Fr,
    /// What the proof may be spent for.
    pub usage: Usage,
    /// What the token is bound to; zero if unbound.
    pub bind: Fr,
    /// `c_id`, the commitment that links this proof to the `nym` proof of the same identity.
    pub linking_commitment: Fr,
}

impl Instance {
    /// Any instance, for whoever only wants the shape.
    pub(crate) fn placeholder() -> Self {
        let zero = Fr::from(0u64);
        Self {
            modulus: zero,
            issuer: zero,
            audience: zero,
            kind: Kind::Sub,
            time: 0,
            header: zero,
            usage: Usage::Certificate,
            bind: zero,
            linking_commitment: zero,
        }
    }

    /// The public inputs in the order in which they are hashed.
    #[must_use]
    pub fn elements(&self) -> [Fr; 9] {
        [
            self.modulus,
            self.issuer,
            self.audience,
            Fr::from(u64::from(self.kind.byte())),
            Fr::from(self.time),
            self.header,
            Fr::from(self.usage as u64),
            self.bind,
            self.linking_commitment,
        ]
    }

    /// The circuit's only public input.
    #[must_use]
    pub fn digest(&self) -> Fr {
        poseidon::hash(Domain::TokenInstance, &self.elements())
    }
}

/// `c_id` of an identity.
#[must_use]
pub fn linking_commitment(identity: &Identity, randomness: LinkingRandomness) -> Fr {
    randomness.commit(identity.idf())
}
