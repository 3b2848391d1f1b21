//! Every domain separator of the system, in one list (protocol.md §3).
//!
//! [`Domain`] separates the Poseidon hashes, the circuits' included; the constants below separate the SHA-2 hashes.
//! A separator is never reused and never renumbered: a changed meaning gets a new entry.

use ark_bn254::Fr;

/// What a Poseidon hash is for.
///
/// The hash's first state element is `tag + 2^64·n`, with n the number of inputs: so no two purposes, and no two
/// lengths of one purpose, share an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Domain {
    /// `DOM_ID`: the identity field `idf`, over its 12 packed elements (§2).
    Identity = 1,
    /// `DOM_H`: the input of `encode_to_curve`, over (μ, idf) (§4.1).
    EncodeToCurve = 2,
    /// Challenge of the Chaum–Pedersen proof, over PK, H, Γ and both commitments (§4.1).
    ChaumPedersen = 3,
    /// `DOM_VRF`: the monitoring key `k_id`, over (μ, idf, x, y) (§4.1).
    MonitoringKey = 4,
    /// `DOM_OPEN`: the opening key `k_open`, over (μ, idf, x, y) (§4.1).
    OpeningKey = 5,
    /// `DOM_LABEL`: the label L, over (profile, k_id, epoch, slot) (§4.3).
    Label = 6,
    /// The commitment's generators G1 and G2, over their index (§4.4).
    Generator = 7,
    /// `DOM_RHO`: the commitment's randomness, over (k_open, serial, pkh, t) (§4.4).
    CommitmentRandomness = 8,
    /// `DOM_CID`: the linking commitment `c_id`, over (idf, ρ_1) (§5.1).
    LinkingCommitment = 9,
    /// `DOM_HDR`: digest of a token's header (§5.1).
    TokenHeader = 10,
    /// `DOM_ISS`: digest of the issuer claim (§5.1).
    Issuer = 11,
    /// `DOM_AUD`: digest of the audience claim (§5.1).
    Audience = 12,
    /// `DOM_RSA`: digest of the issuer's RSA modulus (§5.1).
    RsaModulus = 13,
    /// `DOM_BIND`: binds a token to a key by its nonce, over (aud digest, bind, salt) (§5.1).
    TokenBinding = 14,
    /// `DOM_EVAL`: binds a token to a blinded point, over (μ, B.x, B.y) (§5.1).
    EvaluationBinding = 15,
    /// Digest of a `token` statement's public inputs (§5).
    TokenInstance = 16,
    /// Digest of a `nym` statement's public inputs (§5).
    NymInstance = 17,
    /// Digest of a `query` statement's public inputs (§5).
    QueryInstance = 18,
    /// Stands for the audience where an issuer binds by it, over the configured audience's digest (§5.1).
    BoundAudience = 19,
}

/// The bytes `sigveil` and a zero byte that the number of the domain replaces.
const NAMESPACE: u64 = u64::from_be_bytes(*b"sigveil\0");

impl Domain {
    /// Every domain there is.
    pub const ALL: [Domain; 19] = [
        Domain::Identity,
        Domain::EncodeToCurve,
        Domain::ChaumPedersen,
        Domain::MonitoringKey,
        Domain::OpeningKey,
        Domain::Label,
        Domain::Generator,
        Domain::CommitmentRandomness,
        Domain::LinkingCommitment,
        Domain::TokenHeader,
        Domain::Issuer,
        Domain::Audience,
        Domain::RsaModulus,
        Domain::TokenBinding,
        Domain::EvaluationBinding,
        Domain::TokenInstance,
        Domain::NymInstance,
        Domain::QueryInstance,
        Domain::BoundAudience,
    ];

    /// The separator as a number: the ASCII bytes `sigveil`, then one byte for the domain.
    #[must_use]
    pub const fn tag(self) -> u64 {
        NAMESPACE | self as u64
    }

    /// The first state element of a hash of `inputs` elements: `tag + 2^64·inputs`.
    #[must_use]
    pub fn capacity(self, inputs: usize) -> Fr {
        Fr::from(u128::from(self.tag()) | (inputs as u128) << 64)
    }
}

/// Prefix of the SHA-256 that derives a sealed claim's salt (§4.4).
pub const CLAIM_SALT: &[u8] = b"sigveil-salt";
/// Prefix of the SHA-256 that seals a claim (§6).
pub const SEALED_CLAIM: &[u8] = b"sigveil-claim";
/// Prefix of the SHA-512 that derives the nonce of a Chaum–Pedersen proof (§4.1).
pub const PROOF_NONCE: &[u8] = b"sigveil-chaum-pedersen-nonce";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tags_are_distinct_and_listed() {
        let tags: BTreeSet<u64> = Domain::ALL.iter().map(|domain| domain.tag()).collect();
        assert_eq!(tags.len(), Domain::ALL.len());
        let numbers: Vec<u8> = Domain::ALL.iter().map(|domain| *domain as u8).collect();
        let expected: Vec<u8> = (1..=19).collect();
        assert_eq!(numbers, expected, "numbers are consecutive, so the list leaves none out");
    }

    #[test]
    fn capacity_holds_tag_and_length_apart() {
        assert_eq!(Domain::Identity.tag(), 0x7369_6776_6569_6c01);
        let expected = Fr::from(0x7369_6776_6569_6c06_u64) + Fr::from(4u64) * Fr::from(1u128 << 64);
        assert_eq!(Domain::Label.capacity(4), expected);
    }
}
