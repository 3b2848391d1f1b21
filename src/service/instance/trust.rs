//! The trust root of an instance, from what its roles hold, and every trust root it ever had.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use p256::pkcs8::EncodePublicKey;
use sha2::{Digest, Sha256};
use sigveil_circuits::token::Jwt;
use sigveil_verifiable_search::rule;
use sigveil_vrf_identity::identity::Kind;
use sigveil_vrf_identity::label::{Mode, Profile};
use sigveil_zk_ca::authority::CertificateDer;
use sigveil_zk_ca::jwks::{KeySet, MAX_KEY_SET_BYTES};
use sigveil_zk_ca::service::local_prover::LocalProver;
use sigveil_zk_ca::trust::{
    Allowance, Base64Bytes, Binding, Interval, IssuerKey, IssuerTrust, ProofTrust, VrfEpochs,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode, Reader, SliceReader};

use super::issuers::Discovered;
use super::{InstanceError, certificates, url};
use crate::files;
use crate::service::config::{Config, IssuerConfig};
use crate::service::issuer::Issuer;
use crate::service::material::{Beginning, Material};
use crate::stock::{Authority, KeyDetails, Log, RootContents, TrustedRoot};
use crate::trust::{AuthorityKeys, CaKey, LogKey, MEDIA_TYPE, Section, Trust};

/// The name by which a config means the embedded identity provider.
pub const EMBEDDED: &str = "embedded";
/// Everything is valid from this much before the beginning on: clocks differ.
const BACKDATED_SECONDS: u64 = 3_600;

/// What the roles hold.
pub(super) struct Parts<'a> {
    /// Keys and chains.
    pub(super) material: &'a Material,
    /// The embedded identity provider.
    pub(super) embedded: Option<&'a Issuer>,
    /// The issuers that were found by discovery.
    pub(super) discovered: &'a BTreeMap<String, Discovered>,
}

/// Builds the trust root. The same material gives the same trust root.
pub(super) fn build(
    config: &Config,
    beginning: &Beginning,
    parts: &Parts<'_>,
    circuits: &LocalProver,
) -> Result<Trust, InstanceError> {
    let material = parts.material;
    let start = beginning.created.saturating_sub(BACKDATED_SECONDS);
    let stock = stock(config, beginning, material, start)?;
    let from = Interval::from(start);
    let issuers: Result<Vec<_>, _> =
        config.issuers.iter().map(|configured| issuer_trust(configured, parts, from)).collect();
    let vrf = VrfEpochs {
        public_key: Base64Bytes(material.vrf.public_key().to_bytes().to_vec()),
        slots: config.labels.slots,
        epoch_seconds: config.labels.epoch_seconds,
        first_epoch: 1,
        valid_for: from,
    };
    let section = Section {
        media_type: MEDIA_TYPE.to_owned(),
        trusted_root_sha256: hex::encode(stock.digest()),
        certificate_authority_keys: vec![CaKey {
            key_sha256: hex::encode(Sha256::digest(spki(material.ca.certificate())?)),
            scheme: config.scheme,
            valid_for: from,
        }],
        proofs: ProofTrust { issuers: issuers?, vrf: vec![vrf], circuits: circuits.trust() },
        signature_log: LogKey {
            base_url: url(config, beginning.ports.rekor),
            verifier_key: material.rekor.public().encode(),
        },
        output_log: LogKey {
            base_url: url(config, beginning.ports.index),
            verifier_key: material.output.public().encode(),
        },
        witnesses: AuthorityKeys { threshold: config.cosignatures, keys: witness_keys(config, material) },
        reexecutors: AuthorityKeys { threshold: 1, keys: vec![material.reexecutor.public().encode()] },
        redaction_authorities: AuthorityKeys {
            threshold: 1,
            keys: vec![Base64Bytes(material.redaction.verifying_key().to_bytes().to_vec())],
        },
        witness_delay_seconds: config.witness_delay_seconds,
        deferral_delay_seconds: (config.deferral_delay_seconds > 0).then_some(config.deferral_delay_seconds),
    };
    Ok(Trust::new(stock, section)?)
}

/// Its own first.
fn witness_keys(config: &Config, material: &Material) -> Vec<String> {
    let elsewhere = config.witnesses.iter().map(|witness| witness.key.note_key().encode());
    [material.witness.public().encode()].into_iter().chain(elsewhere).collect()
}

/// Since when the instance's keys are valid, Unix seconds.
pub(super) fn valid_from(trust: &Trust) -> i64 {
    let start = trust.section.proofs.vrf.first().map_or(0, |period| period.valid_for.start);
    i64::try_from(start).unwrap_or(i64::MAX)
}

fn stock(
    config: &Config,
    beginning: &Beginning,
    material: &Material,
    start: u64,
) -> Result<TrustedRoot, InstanceError> {
    let valid_from = i64::try_from(start).unwrap_or(i64::MAX);
    let ports = beginning.ports;
    let authority = |common_name: &str, port: u16, chain: [&CertificateDer; 2]| Authority {
        organization: config.operator.clone(),
        common_name: common_name.to_owned(),
        uri: url(config, port),
        chain: chain.iter().map(|certificate| certificate.as_bytes().to_vec()).collect(),
        valid_from,
    };
    let ca = [material.ca.certificate(), material.ca.root()];
    let [tsa_leaf, tsa_root] = material.tsa.chain();
    let rekor_key = material.rekor_key.verifying_key().to_public_key_der();
    let rekor_key = rekor_key.expect("an Ed25519 key always has an SPKI encoding").into_vec();
    let certificate_log = |base_url: String, key: &p256::ecdsa::VerifyingKey| {
        let public_key = key.to_public_key_der().expect("a P-256 key always has an SPKI encoding").into_vec();
        let key_id = Sha256::digest(&public_key).into();
        Log { base_url, key_id, public_key, details: KeyDetails::EcdsaP256, valid_from }
    };
    // Both: what the own log has signed before stays good.
    let mut ctlogs = vec![certificate_log(url(config, ports.ct), material.ct.verifying_key())];
    if let Some(outside) = &config.certificate_log {
        ctlogs
            .insert(0, certificate_log(outside.url.clone(), &certificates::public_key(&outside.public_key)?));
    }
    Ok(TrustedRoot::build(&RootContents {
        tlogs: vec![Log {
            base_url: url(config, ports.rekor),
            public_key: rekor_key,
            details: KeyDetails::Ed25519,
            key_id: material.rekor.public().log_id().0,
            valid_from,
        }],
        certificate_authorities: vec![authority("sigveil certificate authority", ports.ca, ca)],
        ctlogs,
        timestamp_authorities: vec![authority(
            "sigveil timestamp authority",
            ports.tsa,
            [tsa_leaf, tsa_root],
        )],
    })?)
}

fn spki(certificate: &CertificateDer) -> Result<Vec<u8>, InstanceError> {
    let decoded = Certificate::from_der(certificate.as_bytes()).ok();
    let spki = decoded.and_then(|decoded| decoded.tbs_certificate.subject_public_key_info.to_der().ok());
    spki.ok_or_else(|| InstanceError::Store("the authority's certificate cannot be read".to_owned()))
}

fn issuer_trust(
    configured: &IssuerConfig,
    parts: &Parts<'_>,
    from: Interval,
) -> Result<IssuerTrust, InstanceError> {
    let wrong = |what| InstanceError::IssuerConfig(configured.url.clone(), what);
    let (issuer, keys) = if configured.url == EMBEDDED {
        let issuer = parts.embedded.ok_or_else(|| wrong("the embedded identity provider does not run"))?;
        let keys = KeySet::parse(issuer.jwks().to_string().as_bytes())?;
        (issuer.url().to_owned(), vec![listed(&keys, &issuer.header(), from)?])
    } else if let Some(discovered) = parts.discovered.get(&configured.url) {
        (configured.url.clone(), discovered.listed.clone())
    } else {
        let path = configured.jwks.as_ref().ok_or_else(|| wrong("jwks is missing"))?;
        let keys = key_set(path)?;
        let listed: Result<Vec<_>, _> =
            configured.headers.iter().map(|header| listed(&keys, header, from)).collect();
        (configured.url.clone(), listed?)
    };
    let profile = |name: &String| Profile::from_name(name).ok_or_else(|| wrong("unknown profile"));
    let profiles: Result<Vec<_>, _> = configured.profiles.iter().map(profile).collect();
    Ok(IssuerTrust {
        issuer,
        audience: configured.audience.clone(),
        kind: Kind::from_name(&configured.kind).map_err(|_| wrong("unknown kind"))?,
        binding: match configured.binding.as_str() {
            "none" => Binding::None,
            "nonce" => Binding::Nonce,
            _ => return Err(wrong("binding is neither none nor nonce")),
        },
        default_profile: profile(&configured.default_profile)?,
        allowed: vec![Allowance { modes: vec![Mode::Open], profiles: profiles?, valid_for: from }],
        keys,
    })
}

/// The key that a header names, with that header.
fn listed(keys: &KeySet, header: &str, valid_for: Interval) -> Result<IssuerKey, InstanceError> {
    let parsed: serde_json::Value = serde_json::from_str(header).unwrap_or_default();
    let modulus = keys.modulus(parsed["kid"].as_str())?;
    Ok(IssuerKey {
        modulus: Base64Bytes(modulus.as_bytes().to_vec()),
        header: Base64Bytes(header.as_bytes().to_vec()),
        valid_for,
    })
}

/// A key set in a file.
pub(super) fn key_set(path: &Path) -> Result<KeySet, InstanceError> {
    Ok(KeySet::parse(&files::read(path, MAX_KEY_SET_BYTES as u64)?)?)
}

/// The header of a token, decoded, for a config that accepts that very token.
pub fn header_of(token: &Jwt) -> String {
    String::from_utf8_lossy(token.compact().header()).into_owned()
}

/// Every trust root that the store remembers, the current one last, as the index's rule knows them.
///
/// # Errors
/// When one cannot be read.
pub fn known_trusts(store: &Path) -> Result<Vec<rule::Trust>, InstanceError> {
    let read = |known: &Remembered| {
        let section: Section =
            serde_json::from_slice(&known.document).map_err(|_| damaged("a trust root"))?;
        let redactors = section.redactors()?;
        let keys = spkis(&known.ca_keys).ok_or_else(|| damaged("an authority's key"))?;
        Ok(rule::Trust::new(&known.document, keys, (redactors.keys, redactors.threshold))?)
    };
    remembered(store)?.iter().map(read).collect()
}

fn damaged(what: &str) -> InstanceError {
    InstanceError::Store(format!("{what} of those that were used cannot be read"))
}

/// Keys that stand one after the other.
fn spkis(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut reader, mut keys) = (SliceReader::new(bytes).ok()?, Vec::new());
    while !reader.is_finished() {
        keys.push(reader.tlv_bytes().ok()?);
    }
    Some(keys)
}

/// A trust root that the store remembers.
struct Remembered {
    document: Vec<u8>,
    /// Of all certificates of the authority's chain, one after the other.
    ca_keys: Vec<u8>,
}

fn remembered(store: &Path) -> Result<Vec<Remembered>, InstanceError> {
    let mut found = Vec::new();
    loop {
        let [document, key] = history_files(store, found.len());
        if !document.exists() {
            return Ok(found);
        }
        let document = files::read(&document, files::JSON_LIMIT)?;
        found.push(Remembered { document, ca_keys: files::read(&key, files::JSON_LIMIT)? });
    }
}

fn history_files(store: &Path, number: usize) -> [PathBuf; 2] {
    ["json", "spki"].map(|part| store.join("trust").join(format!("{number:06}.{part}")))
}

/// Adds the trust root to those that the store remembers, if it is not the last one, and gives all of them: every leaf
/// of the output log names one.
pub(super) fn keep_history(
    store: &Path,
    trust: &Trust,
    chain: [&CertificateDer; 2],
) -> Result<Vec<rule::Trust>, InstanceError> {
    files::make_folder(&store.join("trust"))?;
    let known = remembered(store)?;
    let document = trust.document();
    if known.last().is_none_or(|last| last.document != document) {
        let [document_file, key_file] = history_files(store, known.len());
        // The keys first: a document is taken for one of the history, and then has its keys.
        let keys = chain.into_iter().map(spki).collect::<Result<Vec<_>, _>>()?;
        files::write(&key_file, &keys.concat())?;
        files::write(&document_file, &document)?;
    }
    known_trusts(store)
}
