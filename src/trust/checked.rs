//! Both files, decoded and checked once.

use std::collections::BTreeSet;
use std::path::Path;

use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};
use sigveil_log::note::NoteKey;
use sigveil_zk_ca::trust::CheckedTrust;

use super::wire::{AuthorityKeys, CaKey, MEDIA_TYPE, Section};
use crate::failure::Failure;
use crate::files;
use crate::stock::TrustedRoot;

/// Why the addition to a trust root was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It is not that format.
    #[error("the sigveil part of the trust root is malformed: {0}")]
    Malformed(String),
    /// It belongs to another stock trust root.
    #[error("the sigveil part belongs to another trust root")]
    OtherRoot,
    /// A rule about issuers, VRF keys or circuits is broken.
    #[error(transparent)]
    Proofs(#[from] sigveil_zk_ca::trust::TrustError),
    /// More signatures are demanded than there are keys, none at all, or one key twice.
    #[error("the threshold of the {0} cannot be met as it should: count and keys do not fit")]
    Threshold(&'static str),
    /// A key cannot be read.
    #[error("a key of the {0} cannot be read")]
    Key(&'static str),
}

impl TrustError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "trust-section-malformed",
            Self::OtherRoot => "trust-section-other-root",
            Self::Proofs(error) => error.reason(),
            Self::Threshold(_) => "trust-threshold",
            Self::Key(_) => "trust-key-malformed",
        }
    }
}

crate::failure::failures!(TrustError);

/// Keys of which `threshold` must agree.
#[derive(Clone, Debug)]
pub struct Quorum<K> {
    /// How many, from 1 to the number of keys.
    pub threshold: usize,
    /// The keys, each once.
    pub keys: Vec<K>,
}

impl<K> Quorum<K> {
    /// How many have to agree where a verifier demands so many: never fewer than the trust root says.
    pub fn at_least(&self, demanded: usize) -> usize {
        self.threshold.max(demanded)
    }
}

/// A trust root of this system, checked.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The stock part.
    pub stock: TrustedRoot,
    /// The addition as it stood in its file.
    pub section: Section,
    /// Issuers, VRF keys and circuits.
    pub proofs: CheckedTrust,
    /// The signature log's key.
    pub signature_log: NoteKey,
    /// The output log's key.
    pub output_log: NoteKey,
    /// Who witnesses.
    pub witnesses: Quorum<NoteKey>,
    /// Who re-executes.
    pub reexecutors: Quorum<NoteKey>,
    /// Who may have content withheld.
    pub redaction_authorities: Quorum<VerifyingKey>,
}

impl Trust {
    /// Checks the two parts together.
    ///
    /// # Errors
    /// When the addition is of another stock root, or breaks a rule of protocol.md §10.
    pub fn new(stock: TrustedRoot, section: Section) -> Result<Self, TrustError> {
        if section.media_type != MEDIA_TYPE {
            return Err(TrustError::Malformed(format!("media type {}", section.media_type)));
        }
        if section.trusted_root_sha256 != hex::encode(stock.digest()) {
            return Err(TrustError::OtherRoot);
        }
        let trust = Self {
            proofs: CheckedTrust::new(&section.proofs)?,
            signature_log: note_key("signature log", &section.signature_log.verifier_key)?,
            output_log: note_key("output log", &section.output_log.verifier_key)?,
            witnesses: quorum("witnesses", &section.witnesses, |key| NoteKey::parse(key).ok())?,
            reexecutors: quorum("re-executors", &section.reexecutors, |key| NoteKey::parse(key).ok())?,
            redaction_authorities: section.redactors()?,
            stock,
            section,
        };
        trust.check_distinct()?;
        Ok(trust)
    }

    /// Whoever signs as one of these signs as no other, under whatever name: one holder would count as two.
    fn check_distinct(&self) -> Result<(), TrustError> {
        let logs = [&self.signature_log, &self.output_log];
        let mut seen = BTreeSet::new();
        let all = logs.into_iter().chain(&self.witnesses.keys).chain(&self.reexecutors.keys);
        if all.into_iter().all(|key| seen.insert(key.fingerprint().0)) {
            Ok(())
        } else {
            Err(TrustError::Threshold("logs, witnesses and re-executors"))
        }
    }

    /// Parses both files.
    ///
    /// # Errors
    /// As [`Self::new`], and when one is not its format.
    pub fn parse(stock: TrustedRoot, section: &str) -> Result<Self, TrustError> {
        let section =
            serde_json::from_str(section).map_err(|error| TrustError::Malformed(error.to_string()))?;
        Self::new(stock, section)
    }

    /// Reads a stock trust root and the addition beside it.
    ///
    /// # Errors
    /// When a file cannot be read or is not accepted.
    pub fn read(stock: TrustedRoot, section: &Path) -> Result<Self, Failure> {
        Ok(Self::parse(stock, &files::read_text(section, files::JSON_LIMIT)?)?)
    }

    /// The addition as a file, with a final newline.
    pub fn section_json(&self) -> String {
        let json = serde_json::to_string_pretty(&self.section).expect("plain data always has a JSON form");
        format!("{json}\n")
    }

    /// SHA-256 over the RFC 8785 form of the addition, which names the stock part: the digest of the trust root.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.document()).into()
    }

    /// The bytes behind [`Self::digest`]: what an index calls the trust root.
    pub fn document(&self) -> Vec<u8> {
        serde_json_canonicalizer::to_vec(&self.section).expect("plain data always has a canonical form")
    }

    /// Where the certificate authority answers: the first one that the stock part names.
    ///
    /// # Errors
    /// When it names none.
    pub fn authority_url(&self) -> Result<String, TrustError> {
        let uri = self.stock.value()["certificateAuthorities"][0]["uri"].as_str();
        uri.map(str::to_owned).ok_or_else(|| TrustError::Malformed("no certificate authority".to_owned()))
    }

    /// The entry for the key that issues a certificate, if the trust root names it.
    pub fn ca_key(&self, spki: &[u8]) -> Option<&CaKey> {
        let digest = hex::encode(Sha256::digest(spki));
        self.section.certificate_authority_keys.iter().find(|key| key.key_sha256 == digest)
    }
}

impl Section {
    /// Who may have content withheld.
    ///
    /// # Errors
    /// [`TrustError::Threshold`] or [`TrustError::Key`].
    pub fn redactors(&self) -> Result<Quorum<VerifyingKey>, TrustError> {
        quorum("redaction authorities", &self.redaction_authorities, |key| {
            VerifyingKey::from_bytes(key.0.as_slice().try_into().ok()?).ok()
        })
    }
}

fn note_key(whose: &'static str, text: &str) -> Result<NoteKey, TrustError> {
    NoteKey::parse(text).map_err(|_| TrustError::Key(whose))
}

fn quorum<W: PartialEq, K>(
    whose: &'static str,
    wire: &AuthorityKeys<W>,
    parse: impl Fn(&W) -> Option<K>,
) -> Result<Quorum<K>, TrustError> {
    let twice = wire.keys.iter().enumerate().any(|(at, key)| wire.keys[..at].contains(key));
    if wire.threshold == 0 || wire.threshold > wire.keys.len() || twice {
        return Err(TrustError::Threshold(whose));
    }
    let keys: Option<Vec<K>> = wire.keys.iter().map(parse).collect();
    Ok(Quorum { threshold: wire.threshold, keys: keys.ok_or(TrustError::Key(whose))? })
}
