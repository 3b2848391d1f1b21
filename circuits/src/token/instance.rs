//! The public inputs of the statement, and the digests in which they stand (protocol.md §5.1).

use ark_ff::UniformRand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::CryptoRngCore;
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::identity::{Identity, Idf, Kind};
use sigveil_vrf_identity::{field, poseidon};
use zeroize::Zeroize;

use super::{ModulusSize, Refusal};
use crate::Fr;
use crate::gadgets::rsa::native::packed;

/// Elements that the header's characters are packed into.
pub(crate) const HEADER_ELEMENTS: usize = 11;
/// Elements that the issuer is packed into.
pub(crate) const ISSUER_ELEMENTS: usize = 12;
/// Places before the issuer that are zero: it is packed as in an identity's encoding.
pub(crate) const ISSUER_OFFSET: usize = 3;
/// Elements that the audience is packed into.
pub(crate) const AUDIENCE_ELEMENTS: usize = 8;
/// Most bytes of a header.
pub const MAX_HEADER_BYTES: usize = 248;
/// Most characters of a header as signed: the base64url form of [`MAX_HEADER_BYTES`].
pub const MAX_HEADER_CHARACTERS: usize = 331;
/// Most bytes of an audience.
pub const MAX_AUDIENCE_BYTES: usize = 248;

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
    /// ρ_1 for one proof.
    #[must_use]
    pub fn random(rng: &mut dyn CryptoRngCore) -> Self {
        Self(Fr::rand(rng))
    }

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

/// An issuer's RSA modulus, big-endian; the exponent is 65,537.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Modulus {
    size: ModulusSize,
    bytes: Vec<u8>,
}

impl Modulus {
    /// The modulus of a key in big-endian form, as a JWK's `n` and `e` decode to; leading zeros are ignored.
    ///
    /// # Errors
    /// [`Refusal::ModulusSize`] unless it has exactly 2,048, 3,072 or 4,096 bits; [`Refusal::ModulusEven`];
    /// [`Refusal::Exponent`].
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, Refusal> {
        let bytes = without_leading_zeros(modulus);
        let bits = bytes.first().map_or(0, |first| bytes.len() * 8 - first.leading_zeros() as usize);
        let size = ModulusSize::from_bits(bits).ok_or(Refusal::ModulusSize(bits))?;
        if bytes.last().is_some_and(|last| last & 1 == 0) {
            return Err(Refusal::ModulusEven);
        }
        if without_leading_zeros(exponent) != [1, 0, 1] {
            return Err(Refusal::Exponent);
        }
        Ok(Self { size, bytes: bytes.to_owned() })
    }

    /// How long it is.
    #[must_use]
    pub fn size(&self) -> ModulusSize {
        self.size
    }

    /// Big-endian, as many bytes as its size has.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `Poseidon(DOM_RSA, elements of 31 bytes)`, zeros in front: 9 elements for 2,048 bits, 13 for 3,072. The 17 for
    /// 4,096 are one more than a permutation takes: there the first two are hashed to one. The number of elements is
    /// in each hash, so moduli of two sizes have no digest in common.
    #[must_use]
    pub fn digest(&self) -> Fr {
        let elements = packed(self.size, &self.bytes).expect("the size is that of the bytes");
        if elements.len() <= poseidon::MAX_INPUTS {
            return poseidon::hash(Domain::RsaModulus, &elements);
        }
        let (first, rest) = elements.split_at(2);
        let first = poseidon::hash(Domain::RsaModulus, first);
        poseidon::hash(Domain::RsaModulus, &[&[first], rest].concat())
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

/// `Poseidon(DOM_ISS, length, 12 elements)` over three zero bytes and the issuer: so it stands in an identity's encoding.
///
/// # Errors
/// [`Refusal::Identity`] if it is longer than 369 bytes.
pub fn issuer_digest(issuer: &str) -> Result<Fr, Refusal> {
    let mut inputs = vec![Fr::from(issuer.len() as u64)];
    let placed = [&[0; ISSUER_OFFSET], issuer.as_bytes()].concat();
    field::pack31_padded(&placed, ISSUER_ELEMENTS)
        .map(|packed| {
            inputs.extend(packed);
            poseidon::hash(Domain::Issuer, &inputs)
        })
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// The odd number of so many bits, all of them set.
    fn full(bits: usize) -> Vec<u8> {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] >>= bytes.len() * 8 - bits;
        bytes
    }

    #[test]
    fn moduli_of_three_sizes_are_taken_and_no_others() {
        for size in ModulusSize::ALL {
            let bytes = full(size.bits());
            let modulus = Modulus::new(&[&[0, 0], &bytes[..]].concat(), &[0, 1, 0, 1]).unwrap();
            assert_eq!((modulus.size(), modulus.as_bytes()), (size, &bytes[..]));
            for bits in [size.bits() - 8, size.bits() - 1, size.bits() + 1, size.bits() + 8] {
                assert_eq!(Modulus::new(&full(bits), &[1, 0, 1]), Err(Refusal::ModulusSize(bits)));
            }
            let mut even = bytes.clone();
            *even.last_mut().unwrap() -= 1;
            assert_eq!(Modulus::new(&even, &[1, 0, 1]), Err(Refusal::ModulusEven));
            for exponent in [&[][..], &[3], &[17], &[1, 0, 0], &[1, 0, 3], &[1, 0, 1, 0], &[1, 1, 0, 1]] {
                assert_eq!(Modulus::new(&bytes, exponent), Err(Refusal::Exponent), "{exponent:?}");
            }
        }
        assert_eq!(Modulus::new(&[0], &[1, 0, 1]), Err(Refusal::ModulusSize(0)));
        for bits in [1, 1024, 8192] {
            assert_eq!(Modulus::new(&full(bits), &[1, 0, 1]), Err(Refusal::ModulusSize(bits)));
        }
    }

    /// Every byte is in the digest, and so is the length: also where the low bytes of two moduli are the same.
    #[test]
    fn digests_tell_moduli_apart() {
        let mut digests = std::collections::BTreeSet::new();
        let mut moduli = 0;
        for size in ModulusSize::ALL {
            let bytes = full(size.bits());
            for at in 0..size.bytes() {
                let mut changed = bytes.clone();
                changed[at] ^= 2;
                digests.insert(field::to_bytes(&Modulus::new(&changed, &[1, 0, 1]).unwrap().digest()));
            }
            digests.insert(field::to_bytes(&Modulus::new(&bytes, &[1, 0, 1]).unwrap().digest()));
            moduli += size.bytes() + 1;
        }
        assert_eq!(digests.len(), moduli);
    }
}
