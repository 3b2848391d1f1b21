//! From content to certificate: TBS, precertificate, log's answer, certificate (RFC 6962 §3.1 to §3.3).

use der::Encode;
use der::asn1::{Ia5String, Null, OctetString};
use der::flagset::FlagSet;
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
    MAX_ISSUER_BYTES, Proofs, Serial, SuiteVersion, VALIDITY_SECONDS, encode_digests, unencodable,
};
use super::error::ProfileError;
use crate::authority::{
    CertificateAuthority, CertificateDer, Draft, ValidityPeriod, extension, key_identifiers, raw_extension,
    sign,
};
use crate::key::SubjectKey;
use crate::oid;

/// Everything that a leaf certificate of scheme zk says.
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
    /// Both proofs, or what they will be about.
    pub proofs: Proofs,
    /// Digests of the sealed claims, in the issuer kind's order.
    pub sealed_claims: Vec<[u8; 32]>,
}

impl CertificateContent {
    fn extensions(&self, authority: &SubjectKey) -> Result<Vec<Extension>, ProfileError> {
        let link = OctetString::new(field::to_bytes(&self.linking_commitment)).map_err(unencodable)?;
        let commitment = OctetString::new(self.commitment.to_bytes()).map_err(unencodable)?;
        let mut extensions = common_extensions(&self.key, authority, uri(&self.san)?, &self.issuer)?;
        extensions.extend([
            raw_extension(oid::SUITE, false, SuiteVersion::CURRENT.encode()?)?,
            extension(oid::COMMITMENT, false, &commitment)?,
            extension(oid::LINKING_COMMITMENT, false, &link)?,
        ]);
        match &self.proofs {
            Proofs::Inline(pair) => {
                let nym = OctetString::new(pair.nym.to_bytes()).map_err(unencodable)?;
                extensions.push(raw_extension(oid::TOKEN_PROOF, false, pair.token.to_bytes().encode()?)?);
                extensions.push(extension(oid::NYM_PROOF, false, &nym)?);
            }
            Proofs::Deferred(instance) => {
                let instance = OctetString::new(instance.0).map_err(unencodable)?;
                extensions.push(extension(oid::DEFERRED_INSTANCE, false, &instance)?);
            }
        }
        extensions.push(raw_extension(oid::SEALED_CLAIMS, false, encode_digests(&self.sealed_claims)?)?);
        Ok(extensions)
    }
}

/// Everything that a leaf certificate of a scheme without proofs says: nothing in it can be taken for proven, as
/// [`super::CertificateView`] demands what it has not.
#[derive(Clone, Debug)]
pub struct PlainContent {
    /// The serial number.
    pub serial: Serial,
    /// Unix seconds; notBefore.
    pub time: u64,
    /// The certified key.
    pub key: SubjectKey,
    /// Who signs.
    pub subject: PlainSubject,
    /// The token's `iss`.
    pub issuer: String,
}

/// The subject of a certificate without proofs.
#[derive(Clone, Debug)]
pub enum PlainSubject {
    /// Scheme clear: an e-mail address.
    Email(String),
    /// Scheme hashed: mode, profile and label, by the authority's word.
    Label(San),
}

impl PlainContent {
    fn extensions(&self, authority: &SubjectKey) -> Result<Vec<Extension>, ProfileError> {
        let name = match &self.subject {
            PlainSubject::Email(address) => {
                GeneralName::Rfc822Name(Ia5String::new(address).map_err(unencodable)?)
            }
            PlainSubject::Label(san) => uri(san)?,
        };
        common_extensions(&self.key, authority, name, &self.issuer)
    }
}

fn uri(san: &San) -> Result<GeneralName, ProfileError> {
    Ia5String::new(&san.to_string()).map(GeneralName::UniformResourceIdentifier).map_err(unencodable)
}

/// What certificates of every scheme have, as stock clients want it.
fn common_extensions(
    key: &SubjectKey,
    authority: &SubjectKey,
    name: GeneralName,
    issuer: &str,
) -> Result<Vec<Extension>, ProfileError> {
    if issuer.is_empty() || issuer.len() > MAX_ISSUER_BYTES {
        return Err(ProfileError::Unencodable);
    }
    let [subject_key_id, authority_key_id] = key_identifiers(key, authority)?;
    Ok(vec![
        extension(oid::KEY_USAGE, true, &KeyUsage(FlagSet::from(KeyUsages::DigitalSignature)))?,
        extension(oid::EXTENDED_KEY_USAGE, false, &ExtendedKeyUsage(vec![oid::CODE_SIGNING]))?,
        subject_key_id,
        authority_key_id,
        extension(oid::SUBJECT_ALT_NAME, true, &SubjectAltName(vec![name]))?,
        raw_extension(oid::FULCIO_ISSUER_RAW, false, issuer.as_bytes().to_vec())?,
        extension(oid::FULCIO_ISSUER, false, &issuer.to_owned())?,
    ])
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
        let extensions = content.extensions(&authority.key().public_key())?;
        Self::sign(content.serial, content.time, &content.key, extensions, authority)
    }

    /// The same of a scheme without proofs.
    pub fn plain(content: &PlainContent, authority: &CertificateAuthority) -> Result<Self, ProfileError> {
        let extensions = content.extensions(&authority.key().public_key())?;
        Self::sign(content.serial, content.time, &content.key, extensions, authority)
    }

    fn sign(
        serial: Serial,
        time: u64,
        key: &SubjectKey,
        extensions: Vec<Extension>,
        authority: &CertificateAuthority,
    ) -> Result<Self, ProfileError> {
        let not_after = time.checked_add(VALIDITY_SECONDS).ok_or(ProfileError::Unencodable)?;
        let draft = Draft {
            serial,
            issuer: authority.name(),
            subject: RdnSequence::default(),
            validity: ValidityPeriod { not_before: time, not_after },
            key,
            extensions,
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
