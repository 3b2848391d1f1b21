//! What a certificate says, beside what X.509 demands: types and their encodings in the own extensions.
//!
//! Only what a verifier cannot recompute is in here (protocol.md §5.3): which listed issuer key and header signed the
//! token, whether the token was bound to the key, which size class of the circuit proved it.

use std::fmt;

use der::asn1::OctetString;
use der::{Decode, Encode, Sequence};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};
use sigveil_circuits::groth16::Proof;
use sigveil_circuits::token::Modulus;
use sigveil_vrf_identity::{Fr, field};

use super::error::ProfileError;

/// Bytes of a Groth16 proof on BN254, compressed.
pub const PROOF_BYTES: usize = 128;
/// Most sealed claims in one certificate.
pub const MAX_SEALED_CLAIMS: usize = 32;
/// Seconds from notBefore to notAfter.
pub const VALIDITY_SECONDS: u64 = 600;
/// Most bytes of an issuer in a certificate; an identity's encoding holds no more (protocol.md §2).
pub const MAX_ISSUER_BYTES: usize = 367;

/// A serial number: 20 bytes, 159 random bits, drawn before anything that is derived from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 20]);

impl Serial {
    /// Draws a serial number. Zero, which X.509 does not allow, is drawn again.
    pub fn draw(rng: &mut impl CryptoRngCore) -> Self {
        loop {
            let mut bytes = [0; 20];
            rng.fill_bytes(&mut bytes);
            bytes[0] &= 0x7f;
            if bytes != [0; 20] {
                return Self(bytes);
            }
        }
    }

    /// The serial of a DER INTEGER's magnitude, which has no leading zeros.
    pub(super) fn from_magnitude(magnitude: &[u8]) -> Option<Self> {
        let start = 20usize.checked_sub(magnitude.len())?;
        let mut bytes = [0; 20];
        bytes[start..].copy_from_slice(magnitude);
        (bytes[0] < 0x80 && bytes != [0; 20]).then_some(Self(bytes))
    }

    /// The 20 bytes, big-endian, leading zeros included: the form that openings hash (protocol.md §4.4).
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// Suite and circuits that a certificate's proofs belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuiteVersion {
    /// 1: BN254, Baby Jubjub, Poseidon (protocol.md §3).
    pub suite: u8,
    /// Version of both circuits.
    pub circuit_version: u16,
}

impl SuiteVersion {
    /// The only suite so far, with the circuits of this release.
    pub const CURRENT: Self = Self { suite: 1, circuit_version: 1 };

    pub(super) fn encode(self) -> Result<Vec<u8>, ProfileError> {
        SuiteWire { suite: self.suite, circuit_version: self.circuit_version }.to_der().map_err(unencodable)
    }

    pub(super) fn decode(der: &[u8]) -> Result<Self, ProfileError> {
        let wire = SuiteWire::from_der(der).map_err(|_| ProfileError::SuiteMalformed)?;
        let version = Self { suite: wire.suite, circuit_version: wire.circuit_version };
        if version == Self::CURRENT {
            return Ok(version);
        }
        Err(ProfileError::SuiteUnsupported { suite: wire.suite, circuit_version: wire.circuit_version })
    }
}

/// Names one issuer key with one exact header, as the trust root lists them.
///
/// SHA-256 of a domain, the modulus behind its length in bytes (u16), and the header's bytes. It selects; it is never believed: the verifier
/// takes modulus and header from its own list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerKeyId(pub [u8; 32]);

impl IssuerKeyId {
    /// The name of this modulus (big-endian) with this header (the decoded bytes of the JWS protected header).
    pub fn new(modulus: &Modulus, header: &[u8]) -> Self {
        let modulus = modulus.as_bytes();
        let length = u16::try_from(modulus.len()).expect("a modulus has at most 512 bytes");
        let digest = Sha256::new_with_prefix(b"sigveil-issuer-key")
            .chain_update(length.to_be_bytes())
            .chain_update(modulus)
            .chain_update(header);
        Self(digest.finalize().into())
    }
}

impl fmt::Display for IssuerKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A `token` proof and what the verifier needs to recompute its instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEvidence<P> {
    /// Which listed key and header signed the token.
    pub issuer_key: IssuerKeyId,
    /// Whether the token was bound to the certified key (protocol.md §5.1).
    pub bound: bool,
    /// Size class of the circuit: bytes of the padded signing input. The class of the modulus is that of the key.
    pub size_class: u16,
    /// The proof.
    pub proof: P,
}

/// Both proofs of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofPair {
    /// The `token` proof with its instance data.
    pub token: TokenEvidence<Proof>,
    /// The `nym` proof.
    pub nym: Proof,
}

/// Where the proofs of a certificate are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proofs {
    /// In it. Boxed, as it is much larger than the other.
    Inline(Box<ProofPair>),
    /// In a receipt that follows in the log; the certificate holds what they will be about.
    Deferred(InstanceDigest),
}

/// What both proofs of a certificate are about: SHA-256 of a domain and the two statements' public inputs, `token` first,
/// 32 bytes each. Who holds it can no longer choose what to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceDigest(pub [u8; 32]);

impl InstanceDigest {
    /// Of these public inputs.
    pub fn new(token: &Fr, nym: &Fr) -> Self {
        let digest = Sha256::new_with_prefix(b"sigveil-instance")
            .chain_update(field::to_bytes(token))
            .chain_update(field::to_bytes(nym));
        Self(digest.finalize().into())
    }
}

impl<P> TokenEvidence<P> {
    /// The same of another form of the proof.
    pub(crate) fn with<Q>(&self, proof: Q) -> TokenEvidence<Q> {
        let Self { issuer_key, bound, size_class, .. } = *self;
        TokenEvidence { issuer_key, bound, size_class, proof }
    }
}

impl TokenEvidence<Proof> {
    pub(crate) fn to_bytes(&self) -> TokenEvidence<[u8; PROOF_BYTES]> {
        self.with(self.proof.to_bytes())
    }
}

impl TokenEvidence<[u8; PROOF_BYTES]> {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, ProfileError> {
        let wire = TokenWire {
            size_class: self.size_class,
            issuer_key: OctetString::new(self.issuer_key.0).map_err(unencodable)?,
            bound: self.bound,
            proof: OctetString::new(self.proof).map_err(unencodable)?,
        };
        wire.to_der().map_err(unencodable)
    }

    pub(crate) fn decode(der: &[u8]) -> Result<Self, ProfileError> {
        let wire = TokenWire::from_der(der).map_err(|_| ProfileError::TokenEvidence)?;
        Ok(Self {
            issuer_key: IssuerKeyId(
                wire.issuer_key.as_bytes().try_into().map_err(|_| ProfileError::TokenEvidence)?,
            ),
            bound: wire.bound,
            size_class: wire.size_class,
            proof: wire.proof.as_bytes().try_into().map_err(|_| ProfileError::TokenEvidence)?,
        })
    }
}

/// A list of digests as `SEQUENCE OF OCTET STRING`.
pub(super) fn encode_digests(digests: &[[u8; 32]]) -> Result<Vec<u8>, ProfileError> {
    if digests.len() > MAX_SEALED_CLAIMS {
        return Err(ProfileError::Unencodable);
    }
    let strings: Result<Vec<_>, _> = digests.iter().map(|digest| OctetString::new(*digest)).collect();
    strings.and_then(|strings| strings.to_der()).map_err(unencodable)
}

pub(super) fn decode_digests(der: &[u8]) -> Result<Vec<[u8; 32]>, ProfileError> {
    let strings = Vec::<OctetString>::from_der(der).map_err(|_| ProfileError::SealedClaims)?;
    if strings.len() > MAX_SEALED_CLAIMS {
        return Err(ProfileError::SealedClaims);
    }
    strings
        .iter()
        .map(|string| string.as_bytes().try_into().map_err(|_| ProfileError::SealedClaims))
        .collect()
}

pub(super) fn unencodable(_: der::Error) -> ProfileError {
    ProfileError::Unencodable
}

/// `SEQUENCE { suite INTEGER, circuitVersion INTEGER }`
#[derive(Sequence)]
struct SuiteWire {
    suite: u8,
    circuit_version: u16,
}

/// `SEQUENCE { sizeClass INTEGER, issuerKey OCTET STRING (SIZE 32), bound BOOLEAN, proof OCTET STRING (SIZE 128) }`
#[derive(Sequence)]
struct TokenWire {
    size_class: u16,
    issuer_key: OctetString,
    bound: bool,
    proof: OctetString,
}
