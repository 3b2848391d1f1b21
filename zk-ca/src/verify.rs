//! Verifying what a certificate claims: recompute both statements from the trust root and the certificate's plain
//! parts, then check both proofs (protocol.md §5.3).
//!
//! Nothing public is taken from the prover's word. Two inputs cannot be recomputed and need not be: c_id and C, which
//! the proofs tie to the identity and to each other. Chain, key usage and timestamps are the stock verifier's.

use p256::ecdsa::VerifyingKey as EcdsaKey;
use sigveil_circuits::groth16;
use sigveil_circuits::nym;
use sigveil_circuits::token::instance::{audience_digest, header_digest, issuer_digest};
use sigveil_circuits::token::{self, Class, ModulusSize, SizeClass, Usage};
use sigveil_log::sct::{self, SctError};
use sigveil_vrf_identity::Fr;
use sigveil_vrf_identity::commitment::Commitment;
use sigveil_vrf_identity::label::{Epoch, Mode, Profile, San};

use crate::authority::CertificateDer;
use crate::key::SubjectKey;
use crate::profile::{
    CertificateContent, CertificateView, InstanceDigest, IssuerKeyId, ProofPair, Proofs, TokenEvidence,
};
use crate::receipt::Receipt;
use crate::trust::{Binding, CheckedTrust, Issuer, VrfPeriod};

/// Seconds by which an SCT may precede notBefore.
pub const SCT_SKEW_SECONDS: u64 = 60;

/// Why a well-formed certificate does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The issuer is not in the trust root.
    #[error("the token's issuer {0} is not trusted")]
    IssuerUntrusted(String),
    /// The issuer has no such key with such a header, or not at notBefore.
    #[error("the issuer's key {0} is not listed, or not valid at the certificate's time")]
    IssuerKeyUntrusted(IssuerKeyId),
    /// The trust root does not allow this mode and profile for the issuer at notBefore.
    #[error("mode {0} with profile {1} is not allowed for this issuer at the certificate's time")]
    NotAllowed(Mode, Profile),
    /// A blind certificate: such proofs are not verified by this version.
    #[error("blind certificates are not supported yet")]
    BlindUnsupported,
    /// Bound evidence for an issuer whose tokens cannot be bound.
    #[error("the certificate says its token was bound, which this issuer's tokens cannot be")]
    BindingUntrusted,
    /// No VRF key at notBefore.
    #[error("the trust root has no VRF key for the certificate's time")]
    NoVrfKey,
    /// No verifying key of this size class for a modulus of so many bits.
    #[error("the trust root has no verifying key for tokens of {0} bytes under RSA-{1}")]
    SizeClassUntrusted(u16, usize),
    /// The certificate's proofs are to follow, and no receipt came along.
    #[error("the certificate's proofs were deferred, and no receipt came with it")]
    ProofPending,
    /// A receipt for a certificate that carries its proofs.
    #[error("a receipt came with a certificate that carries its proofs")]
    ReceiptUnexpected,
    /// The receipt names another certificate.
    #[error("the receipt is of another certificate")]
    ReceiptCertificate,
    /// The receipt names another instance than the certificate.
    #[error("the receipt is about something else than the certificate promised")]
    ReceiptInstance,
    /// What the certificate promised to prove is not what it says.
    #[error("the certificate promised to prove something else than it says")]
    InstanceMismatch,
    /// The `token` proof does not verify.
    #[error("the token proof does not verify")]
    TokenProof,
    /// The `nym` proof does not verify.
    #[error("the nym proof does not verify")]
    NymProof,
    /// The SCT does not verify.
    #[error("the signed certificate timestamp: {0}")]
    Sct(#[from] SctError),
    /// The SCT's time is outside of the certificate's.
    #[error("the certificate was logged outside of its validity")]
    SctTime,
}

impl VerifyError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::IssuerUntrusted(_) => "issuer-untrusted",
            Self::IssuerKeyUntrusted(_) => "issuer-key-untrusted",
            Self::NotAllowed(..) => "profile-not-allowed",
            Self::BlindUnsupported => "blind-unsupported",
            Self::BindingUntrusted => "binding-untrusted",
            Self::NoVrfKey => "vrf-key-missing",
            Self::SizeClassUntrusted(..) => "size-class-untrusted",
            Self::ProofPending => "proof-pending",
            Self::ReceiptUnexpected => "receipt-unexpected",
            Self::ReceiptCertificate => "receipt-other-certificate",
            Self::ReceiptInstance => "receipt-other-instance",
            Self::InstanceMismatch => "instance-mismatch",
            Self::TokenProof => "token-proof-invalid",
            Self::NymProof => "nym-proof-invalid",
            Self::Sct(error) => error.reason(),
            Self::SctTime => "sct-time",
        }
    }
}

/// A certificate whose proofs hold: its label and commitment belong to the identity of a token that the issuer signed.
#[derive(Clone, Debug)]
pub struct ProvenCertificate {
    /// The certificate.
    pub certificate: CertificateView,
    /// Whether the proofs are under development keys, and so prove nothing against whoever made those.
    pub development_keys: bool,
}

/// Verifies both proofs of a certificate that carries them.
pub fn proofs(certificate: CertificateView, trust: &CheckedTrust) -> Result<ProvenCertificate, VerifyError> {
    let pair = certificate.pair().ok_or(VerifyError::ProofPending)?;
    Claims::of_certificate(&certificate).verify(pair, trust)?;
    Ok(ProvenCertificate { certificate, development_keys: trust.development_keys() })
}

/// Verifies both proofs of a deferred certificate, which its receipt holds. That the receipt is in the log, and since
/// when, is not looked at here.
pub fn receipt(
    certificate: CertificateView,
    receipt: &Receipt,
    trust: &CheckedTrust,
) -> Result<ProvenCertificate, VerifyError> {
    let Proofs::Deferred(promised) = certificate.proofs() else { return Err(VerifyError::ReceiptUnexpected) };
    if receipt.certificate != certificate.digest() {
        return Err(VerifyError::ReceiptCertificate);
    }
    if receipt.instance != *promised {
        return Err(VerifyError::ReceiptInstance);
    }
    let claims = Claims::of_certificate(&certificate);
    let [token, nym] = claims.statements(&receipt.proofs, trust)?;
    if InstanceDigest::new(&token.public, &nym.public) != *promised {
        return Err(VerifyError::InstanceMismatch);
    }
    claims.verify(&receipt.proofs, trust)?;
    Ok(ProvenCertificate { certificate, development_keys: trust.development_keys() })
}

/// A statement that a certificate's proof is of.
pub struct Stated<'a> {
    /// The key that it must hold under.
    pub key: &'a groth16::VerifyingKey,
    /// Its public input.
    pub public: Fr,
    /// The proof, not verified.
    pub proof: &'a groth16::Proof,
}

/// What the two proofs of a certificate must prove, `token` first: recomputed from certificate and trust root, for who
/// verifies with other programs.
pub fn statements<'a>(
    certificate: &'a CertificateView,
    trust: &'a CheckedTrust,
) -> Result<[Stated<'a>; 2], VerifyError> {
    let pair = certificate.pair().ok_or(VerifyError::ProofPending)?;
    Claims::of_certificate(certificate).statements(pair, trust)
}

/// Verifies the embedded SCT: by this log's key, over this certificate, within its time. `issuer` is the certificate
/// that issued it.
pub fn sct(
    certificate: &CertificateView,
    issuer: &CertificateDer,
    log: &EcdsaKey,
) -> Result<(), VerifyError> {
    let (timestamp, entry) = sct::embedded(certificate.der(), issuer.as_bytes())?;
    timestamp.verify(log, &entry)?;
    let logged = timestamp.timestamp / 1000;
    if logged + SCT_SKEW_SECONDS < certificate.time() || logged > certificate.not_after() {
        return Err(VerifyError::SctTime);
    }
    Ok(())
}

/// What a certificate, or one still to be signed, claims.
pub(crate) struct Claims<'a> {
    time: u64,
    key: &'a SubjectKey,
    san: &'a San,
    issuer: &'a str,
    commitment: &'a Commitment,
    linking_commitment: Fr,
}

impl<'a> Claims<'a> {
    fn of_certificate(view: &'a CertificateView) -> Self {
        Self {
            time: view.time(),
            key: view.key(),
            san: view.san(),
            issuer: view.issuer(),
            commitment: view.commitment(),
            linking_commitment: view.linking_commitment(),
        }
    }

    /// For the CA's check of its own work before anything is signed.
    #[cfg_attr(not(feature = "service"), allow(dead_code, reason = "only a CA verifies before it signs"))]
    pub(crate) fn of_content(content: &'a CertificateContent) -> Self {
        Self {
            time: content.time,
            key: &content.key,
            san: &content.san,
            issuer: &content.issuer,
            commitment: &content.commitment,
            linking_commitment: content.linking_commitment,
        }
    }

    pub(crate) fn verify(&self, pair: &ProofPair, trust: &CheckedTrust) -> Result<(), VerifyError> {
        let [token, nym] = self.statements(pair, trust)?;
        groth16::verify(token.key, token.public, token.proof).map_err(|_| VerifyError::TokenProof)?;
        groth16::verify(nym.key, nym.public, nym.proof).map_err(|_| VerifyError::NymProof)
    }

    fn statements<'b>(
        &self,
        pair: &'b ProofPair,
        trust: &'b CheckedTrust,
    ) -> Result<[Stated<'b>; 2], VerifyError> {
        let (token, modulus) = self.token_instance(&pair.token, trust)?;
        let nym = self.nym_instance(trust.vrf_at(self.time).ok_or(VerifyError::NoVrfKey)?);
        let class = SizeClass::from_bytes(pair.token.size_class.into()).map(|size| Class { size, modulus });
        let untrusted = || VerifyError::SizeClassUntrusted(pair.token.size_class, modulus.bits());
        let circuit = class.and_then(|class| trust.token_circuit(class)).ok_or_else(untrusted)?;
        // Trust data that has a circuit of `token` has the one of `nym`.
        let nym_circuit = trust.nym_circuit().ok_or_else(untrusted)?;
        Ok([
            Stated { key: circuit, public: token.digest(), proof: &pair.token.proof },
            Stated { key: nym_circuit, public: nym.digest(), proof: &pair.nym },
        ])
    }

    /// With the size of the modulus that it is about.
    fn token_instance(
        &self,
        evidence: &TokenEvidence<groth16::Proof>,
        trust: &CheckedTrust,
    ) -> Result<(token::Instance, ModulusSize), VerifyError> {
        let untrusted = || VerifyError::IssuerUntrusted(self.issuer.to_owned());
        let issuer = trust.issuer(self.issuer).ok_or_else(untrusted)?;
        let San { mode, profile, .. } = *self.san;
        if mode == Mode::Blind {
            return Err(VerifyError::BlindUnsupported);
        }
        if !issuer.allows(mode, profile, self.time) {
            return Err(VerifyError::NotAllowed(mode, profile));
        }
        let bind = self.bind(evidence, issuer)?;
        let untrusted_key = || VerifyError::IssuerKeyUntrusted(evidence.issuer_key);
        let key = issuer.key(&evidence.issuer_key, self.time).ok_or_else(untrusted_key)?;
        // The lengths were checked when the trust data was.
        let digests = issuer_digest(issuer.issuer()).and_then(|iss| {
            Ok((iss, audience_digest(issuer.audience())?, header_digest(&key.encoded_header())?))
        });
        let (iss, audience, header) = digests.map_err(|_| untrusted_key())?;
        let instance = token::Instance {
            modulus: key.modulus().digest(),
            issuer: iss,
            audience,
            kind: issuer.kind(),
            time: self.time,
            header,
            usage: Usage::Certificate,
            bind,
            linking_commitment: self.linking_commitment,
        };
        Ok((instance, key.modulus().size()))
    }

    /// This key's `pkh`, or 0 for an unbound token.
    fn bind(&self, evidence: &TokenEvidence<groth16::Proof>, issuer: &Issuer) -> Result<Fr, VerifyError> {
        match (evidence.bound, issuer.binding()) {
            (false, _) => Ok(Fr::from(0u64)),
            (true, Binding::Nonce) => Ok(self.key.key_hash().to_field()),
            (true, Binding::None | Binding::Audience) => Err(VerifyError::BindingUntrusted),
        }
    }

    fn nym_instance(&self, period: &VrfPeriod) -> nym::Instance {
        let epoch = match self.san.profile {
            Profile::Stable => Epoch(0),
            Profile::Epoch | Profile::Unlinkable => period.epoch(self.time),
        };
        nym::Instance {
            key: *period.public_key(),
            linking_commitment: self.linking_commitment,
            mode: self.san.mode,
            profile: self.san.profile,
            epoch,
            slots: period.slots(),
            label: self.san.label,
            commitment: *self.commitment,
            key_hash: self.key.key_hash(),
        }
    }
}
