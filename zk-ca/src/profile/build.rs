//! From content to certificate: TBS, precertificate, log's answer, certificate (RFC 6962 §3.1 to §3.3).

use der::Encode;
use der::asn1::{Ia5String, Null, OctetString};
use der::flagset::FlagSet;
use sigveil_circuits::groth16::Proof;
use sigveil_log::sct::{self, PrecertEntry, SctError, SignedCertificateTimestamp};
use sigveil_vrf_identity::Fr;
use sigveil_vrf_identity::commitment::Commitment;
use sigveil_vrf_identity::field;
use sigveil_vrf_identity::label::San;
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::name::RdnSequence;

use super::content::{
    MAX_ISSUER_BYTES, Serial, SuiteVersion, TokenEvidence, VALIDITY_SECONDS, encode_digests, unencodable,
};
use super::error::ProfileError;
use crate::authority::{
    CertificateAuthority, CertificateDer, Draft, ValidityPeriod, extension, key_identifiers, raw_extension,
    sign,
};
use crate::key::SubjectKey;
use crate::oid;

/// Everything a leaf certificate says.
#[derive(Clone, Debug)]
pub struct CertificateContent {
    /// Drawn first: openings derive from it.
    pub serial: Serial,
    /// Unix seconds; the token proof's `t`, and notBefore.
    pub time: u64,
    /// The certified key.
    pub key: SubjectKey,
    /// Mode, profile and label.
    pub san: San,
    /// The token's `iss`.
    pub issuer: String,
    /// C.
    pub commitment: Commitment,
    /// c_id, which both proofs carry.
    pub linking_commitment: Fr,
    /// The `token` proof.
    pub token: TokenEvidence<Proof>,
    /// The `nym` proof.
    pub nym: Proof,
    /// Digests of the sealed claims, in the issuer kind's order.
    pub sealed_claims: Vec<[u8; 32]>,
}

impl CertificateContent {
    fn extensions(&self, authority: &SubjectKey) -> Result<Vec<Extension>, ProfileError> {
        if self.issuer.is_empty() || self.issuer.len() > MAX_ISSUER_BYTES {
            return Err(ProfileError::Unencodable);
        }
        let san = Ia5String::new(&self.san.to_string()).map_err(unencodable)?;
        let san = SubjectAltName(vec![GeneralName::UniformResourceIdentifier(san)]);
        let link = OctetString::new(field::to_bytes(&self.linking_commitment)).map_err(unencodable)?;
        let commitment = OctetString::new(self.commitment.to_bytes()).map_err(unencodable)?;
        let token = TokenEvidence {
            issuer_key: self.token.issuer_key,
            bound: self.token.bound,
            size_class: self.token.size_class,
            proof: self.token.proof.to_bytes(),
        };
        let nym = OctetString::new(self.nym.to_bytes()).map_err(unencodable)?;
        let [subject_key_id, authority_key_id] = key_identifiers(&self.key, authority)?;
        Ok(vec![
            extension(oid::KEY_USAGE, true, &KeyUsage(FlagSet::from(KeyUsages::DigitalSignature)))?,
            extension(oid::EXTENDED_KEY_USAGE, false, &ExtendedKeyUsage(vec![oid::CODE_SIGNING]))?,
            subject_key_id,
            authority_key_id,
            extension(oid::SUBJECT_ALT_NAME, true, &san)?,
            raw_extension(oid::FULCIO_ISSUER_RAW, false, self.issuer.clone().into_bytes())?,
            extension(oid::FULCIO_ISSUER, false, &self.issuer)?,
            raw_extension(oid::SUITE, false, SuiteVersion::CURRENT.encode()?)?,
            extension(oid::COMMITMENT, false, &commitment)?,
            extension(oid::LINKING_COMMITMENT, false, &link)?,
            raw_extension(oid::TOKEN_PROOF, false, token.encode()?)?,
            extension(oid::NYM_PROOF, false, &nym)?,
            raw_extension(oid::SEALED_CLAIMS, false, encode_digests(&self.sealed_claims)?)?,
        ])
    }
}

/// A signed precertificate, waiting for the log's answer. It becomes a certificate once: [`Precertificate::finish`].
pub struct Precertificate {
    /// The TBSCertificate that the SCT signs: neither poison nor SCT list.
    entry: TbsCertificate,
    der: CertificateDer,
}

impl Precertificate {
    /// Signs the precertificate of `content` with the authority's own key.
    pub fn create(
        content: &CertificateContent,
        authority: &CertificateAuthority,
    ) -> Result<Self, ProfileError> {
        let not_after = content.time.checked_add(VALIDITY_SECONDS).ok_or(ProfileError::Unencodable)?;
        let draft = Draft {
            serial: content.serial,
            issuer: authority.name(),
            subject: RdnSequence::default(),
            validity: ValidityPeriod { not_before: content.time, not_after },
            key: &content.key,
            extensions: content.extensions(&authority.key().public_key())?,
        };
        let entry = draft.tbs()?;
        let mut poisoned = entry.clone();
        poisoned.extensions.get_or_insert_default().push(extension(oid::PRECERTIFICATE_POISON, true, &Null)?);
        let der = sign(poisoned, authority.key())?;
        Ok(Self { entry, der })
    }

    /// The precertificate, as submitted to the certificate log.
    pub fn certificate(&self) -> &CertificateDer {
        &self.der
    }

    /// What the log signs: the issuing key's hash and the TBSCertificate.
    pub fn entry(&self, authority: &CertificateAuthority) -> Result<PrecertEntry, SctError> {
        let issuer_key_hash = sct::issuer_key_hash(authority.certificate().as_bytes())?;
        Ok(PrecertEntry { issuer_key_hash, tbs: self.entry.to_der().map_err(|_| SctError::Certificate)? })
    }

    /// Embeds the log's answer and signs the certificate.
    pub fn finish(
        self,
        sct: &SignedCertificateTimestamp,
        authority: &CertificateAuthority,
    ) -> Result<CertificateDer, ProfileError> {
        let mut certified = self.entry;
        let list = raw_extension(oid::SCT_LIST, false, sct::extension_value(sct))?;
        certified.extensions.get_or_insert_default().push(list);
        sign(certified, authority.key())
    }
}
