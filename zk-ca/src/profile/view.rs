//! The strict reader: a certificate of protocol.md §6, or one reason why it is none.

use der::Encode;
use der::flagset::FlagSet;
use sha2::{Digest, Sha256};
use sigveil_circuits::groth16::Proof;
use sigveil_log::sct::{self, SignedCertificateTimestamp};
use sigveil_vrf_identity::Fr;
use sigveil_vrf_identity::commitment::{self, CertificateFacts, Commitment};
use sigveil_vrf_identity::field;
use sigveil_vrf_identity::label::{Mode, San};
use x509_cert::certificate::{Rfc5280, TbsCertificate, Version};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Time;

use super::content::{
    InstanceDigest, MAX_ISSUER_BYTES, ProofPair, Proofs, Serial, SuiteVersion, TokenEvidence,
    VALIDITY_SECONDS, decode_digests,
};
use super::error::ProfileError;
use super::extensions::Values;
use crate::authority::{self, decode_canonical, ecdsa_with_sha256};
use crate::key::SubjectKey;
use crate::oid;

/// A certificate of the profile. Well-formed in every part; nothing in it is proven or trusted yet.
#[derive(Clone, Debug)]
pub struct CertificateView {
    der: Vec<u8>,
    serial: Serial,
    time: u64,
    key: SubjectKey,
    authority_key_id: [u8; 20],
    san: San,
    issuer: String,
    suite: SuiteVersion,
    commitment: Commitment,
    linking_commitment: Fr,
    proofs: Proofs,
    sealed_claims: Vec<[u8; 32]>,
    sct: SignedCertificateTimestamp,
}

impl CertificateView {
    /// Reads the DER of a leaf certificate.
    pub fn parse(der: &[u8]) -> Result<Self, ProfileError> {
        let certificate = decode_canonical(der)?;
        let tbs = &certificate.tbs_certificate;
        check_frame(tbs)?;
        if certificate.signature_algorithm != ecdsa_with_sha256() || tbs.signature != ecdsa_with_sha256() {
            return Err(ProfileError::SignatureAlgorithm);
        }
        let key_der = tbs.subject_public_key_info.to_der().map_err(|_| ProfileError::Malformed)?;
        let key = SubjectKey::from_der(&key_der).map_err(ProfileError::Key)?;
        let values = Values::collect(tbs)?;
        check_usages(&values)?;
        let subject_key_id =
            values.decode::<SubjectKeyIdentifier>(oid::SUBJECT_KEY_ID, ProfileError::SubjectKeyId)?;
        if subject_key_id.0.as_bytes() != key.key_identifier() {
            return Err(ProfileError::SubjectKeyId);
        }
        let san = parse_san(&values)?;
        let proofs = parse_proofs(&values)?;
        let sealed_claims = decode_digests(values.bytes(oid::SEALED_CLAIMS)?)?;
        if san.mode == Mode::Blind && !sealed_claims.is_empty() {
            return Err(ProfileError::SealedClaimsInBlind);
        }
        match &proofs {
            Proofs::Inline(pair) if san.mode == Mode::Blind && !pair.token.bound => {
                return Err(ProfileError::UnboundInBlind);
            }
            Proofs::Deferred(_) if san.mode == Mode::Blind => return Err(ProfileError::DeferredInBlind),
            _ => {}
        }
        Ok(Self {
            der: der.to_vec(),
            serial: parse_serial(&tbs.serial_number)?,
            time: tbs.validity.not_before.to_unix_duration().as_secs(),
            authority_key_id: parse_authority_key_id(&values)?,
            key,
            san,
            issuer: parse_issuer(&values)?,
            suite: SuiteVersion::decode(values.bytes(oid::SUITE)?)?,
            commitment: parse_commitment(&values)?,
            linking_commitment: parse_linking_commitment(&values)?,
            proofs,
            sealed_claims,
            sct: parse_sct(&values)?,
        })
    }

    /// The certificate's DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the DER.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// The serial number.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// notBefore, which is the token proof's `t`, in Unix seconds.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// notAfter, in Unix seconds.
    pub fn not_after(&self) -> u64 {
        self.time + VALIDITY_SECONDS
    }

    /// The certified key.
    pub fn key(&self) -> &SubjectKey {
        &self.key
    }

    /// Key identifier of the issuing authority: a hint, never evidence.
    pub fn authority_key_id(&self) -> &[u8; 20] {
        &self.authority_key_id
    }

    /// Mode, profile and label.
    pub fn san(&self) -> &San {
        &self.san
    }

    /// The token's `iss`, as both issuer extensions state it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Suite and circuit version.
    pub fn suite(&self) -> SuiteVersion {
        self.suite
    }

    /// C.
    pub fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// c_id.
    pub fn linking_commitment(&self) -> Fr {
        self.linking_commitment
    }

    /// Both proofs, or what they will be about.
    pub fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// Both proofs, if they are in the certificate.
    pub fn pair(&self) -> Option<&ProofPair> {
        match &self.proofs {
            Proofs::Inline(pair) => Some(pair),
            Proofs::Deferred(_) => None,
        }
    }

    /// Digests of the sealed claims.
    pub fn sealed_claims(&self) -> &[[u8; 32]] {
        &self.sealed_claims
    }

    /// The embedded SCT. Its signature is checked by [`crate::verify::sct`].
    pub fn sct(&self) -> &SignedCertificateTimestamp {
        &self.sct
    }

    /// What the owner's openings are derived from (protocol.md §4.4).
    pub fn facts(&self) -> CertificateFacts {
        CertificateFacts {
            serial: commitment::Serial(*self.serial.as_bytes()),
            key_hash: self.key.key_hash(),
            time: self.time,
        }
    }
}

/// Everything outside the extensions that does not depend on content.
fn check_frame(tbs: &TbsCertificate) -> Result<(), ProfileError> {
    if tbs.version != Version::V3 {
        return Err(ProfileError::Version);
    }
    if !tbs.subject.is_empty() {
        return Err(ProfileError::Subject);
    }
    if tbs.issuer_unique_id.is_some() || tbs.subject_unique_id.is_some() {
        return Err(ProfileError::UniqueIdentifier);
    }
    let not_before = seconds(tbs.validity.not_before)?;
    let not_after = seconds(tbs.validity.not_after)?;
    match not_after.checked_sub(not_before) {
        Some(VALIDITY_SECONDS) => Ok(()),
        _ => Err(ProfileError::ValiditySpan),
    }
}

/// Unix seconds of a time in the one form that X.509 has for it.
fn seconds(time: Time) -> Result<u64, ProfileError> {
    let seconds = time.to_unix_duration().as_secs();
    if authority::time(seconds)? == time { Ok(seconds) } else { Err(ProfileError::NotCanonical) }
}

/// The serial, if it is the INTEGER that the same 20 bytes encode to: a negative one is not.
fn parse_serial(number: &SerialNumber) -> Result<Serial, ProfileError> {
    let serial = Serial::from_magnitude(number.as_bytes()).ok_or(ProfileError::Serial)?;
    match SerialNumber::<Rfc5280>::new(serial.as_bytes()) {
        Ok(same) if same.to_der() == number.to_der() => Ok(serial),
        _ => Err(ProfileError::Serial),
    }
}

fn check_usages(values: &Values<'_>) -> Result<(), ProfileError> {
    let usage: KeyUsage = values.decode(oid::KEY_USAGE, ProfileError::KeyUsage)?;
    if usage.0 != FlagSet::from(KeyUsages::DigitalSignature) {
        return Err(ProfileError::KeyUsage);
    }
    let extended: ExtendedKeyUsage =
        values.decode(oid::EXTENDED_KEY_USAGE, ProfileError::ExtendedKeyUsage)?;
    if extended.0 != [oid::CODE_SIGNING] {
        return Err(ProfileError::ExtendedKeyUsage);
    }
    Ok(())
}

fn parse_authority_key_id(values: &Values<'_>) -> Result<[u8; 20], ProfileError> {
    let id: AuthorityKeyIdentifier = values.decode(oid::AUTHORITY_KEY_ID, ProfileError::AuthorityKeyId)?;
    match id {
        AuthorityKeyIdentifier {
            key_identifier: Some(key),
            authority_cert_issuer: None,
            authority_cert_serial_number: None,
        } => key.as_bytes().try_into().map_err(|_| ProfileError::AuthorityKeyId),
        _ => Err(ProfileError::AuthorityKeyId),
    }
}

fn parse_san(values: &Values<'_>) -> Result<San, ProfileError> {
    let names: SubjectAltName = values.decode(oid::SUBJECT_ALT_NAME, ProfileError::SanType)?;
    let [name] = names.0.as_slice() else {
        return Err(ProfileError::SanCount);
    };
    let GeneralName::UniformResourceIdentifier(uri) = name else {
        return Err(ProfileError::SanType);
    };
    uri.as_str().parse::<San>().map_err(ProfileError::San)
}

fn parse_issuer(values: &Values<'_>) -> Result<String, ProfileError> {
    let raw = values.bytes(oid::FULCIO_ISSUER_RAW)?;
    let issuer: String = values.decode(oid::FULCIO_ISSUER, ProfileError::IssuerMalformed)?;
    if issuer.is_empty() || issuer.len() > MAX_ISSUER_BYTES {
        return Err(ProfileError::IssuerMalformed);
    }
    if raw != issuer.as_bytes() {
        return Err(ProfileError::IssuerMismatch);
    }
    Ok(issuer)
}

fn parse_commitment(values: &Values<'_>) -> Result<Commitment, ProfileError> {
    let bytes = values.octets(oid::COMMITMENT, ProfileError::Commitment)?;
    Commitment::from_bytes(&bytes).map_err(|_| ProfileError::Commitment)
}

fn parse_linking_commitment(values: &Values<'_>) -> Result<Fr, ProfileError> {
    let bytes = values.octets(oid::LINKING_COMMITMENT, ProfileError::LinkingCommitment)?;
    field::from_bytes(&bytes).map_err(|_| ProfileError::LinkingCommitment)
}

fn parse_proofs(values: &Values<'_>) -> Result<Proofs, ProfileError> {
    if values.is_deferred() {
        let instance = values.octets(oid::DEFERRED_INSTANCE, ProfileError::DeferredInstance)?;
        let instance = instance.try_into().map_err(|_| ProfileError::DeferredInstance)?;
        return Ok(Proofs::Deferred(InstanceDigest(instance)));
    }
    let wire = TokenEvidence::decode(values.bytes(oid::TOKEN_PROOF)?)?;
    let proof = Proof::from_bytes(&wire.proof).map_err(|_| ProfileError::TokenProof)?;
    Ok(Proofs::Inline(Box::new(ProofPair { token: wire.with(proof), nym: parse_nym(values)? })))
}

fn parse_nym(values: &Values<'_>) -> Result<Proof, ProfileError> {
    let bytes = values.octets(oid::NYM_PROOF, ProfileError::NymProof)?;
    Proof::from_bytes(&bytes).map_err(|_| ProfileError::NymProof)
}

fn parse_sct(values: &Values<'_>) -> Result<SignedCertificateTimestamp, ProfileError> {
    let list = sct::parse_list(values.bytes(oid::SCT_LIST)?).map_err(|_| ProfileError::SctMalformed)?;
    let [sct] = <[_; 1]>::try_from(list).map_err(|_| ProfileError::SctCount)?;
    Ok(sct)
}
