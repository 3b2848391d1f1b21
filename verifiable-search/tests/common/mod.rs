//! Certificates, entries and logs for the tests of this crate, made by hand.
#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses a part, and may fail loudly")]

#[cfg(feature = "service")]
pub mod running;

use ed25519_dalek::SigningKey as Ed25519;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use sigveil_log::checkpoint::Checkpoint;
use sigveil_log::entry::{
    Entry, HashedRekord, KeyDetails, ReasonCode, RedactionRecord, RedactionStatement, SealedEntry,
    SealedField, SealedPayload, Signature, Stored, Verifier, Withheld, Withholding, sealed_digest,
};
use sigveil_log::hash::Hash;
use sigveil_log::merkle::{empty_root, leaf_hash, node_hash};
use sigveil_log::note::{NoteSigner, SignedNote};
use sigveil_verifiable_search::answer::State;
use sigveil_verifiable_search::index::{Index, LogEntries, Step};
use sigveil_verifiable_search::key_list::EntryKeys;
use sigveil_verifiable_search::output::OutputLeaf;
use sigveil_verifiable_search::reexecute::Source;
use sigveil_verifiable_search::rule::{Redactors, Trust};
use std::collections::BTreeMap;

pub const NOW: u64 = 1_790_000_000;

/// A DER item.
pub fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        n if n < 128 => out.push(n as u8),
        n if n < 256 => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend(content);
    out
}

fn seq(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, &parts.concat())
}

pub const ECDSA_SHA256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
pub const SAN: &[u8] = &[0x55, 0x1d, 0x11];
pub const SCT: &[u8] = &[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2];

/// An authority that signs what it is told to.
pub struct Ca(pub SigningKey);

impl Ca {
    pub fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub fn spki(&self) -> Vec<u8> {
        self.0.verifying_key().to_public_key_der().unwrap().into_vec()
    }

    /// A certificate with these names, 600 s long, with one (empty) list of SCTs.
    pub fn certificate(&self, names: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let names: Vec<u8> = names.iter().flat_map(|(tag, name)| der(*tag, name)).collect();
        self.sign(&body(&[(SAN, der(0x30, &names)), (SCT, der(4, &[0, 0]))], 600))
    }

    pub fn sign(&self, signed: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(signed);
        signed_as(signed, 0, signature.as_bytes())
    }
}

/// A certificate with this signature, of whose last octet so many bits are said to be unused.
pub fn signed_as(signed: &[u8], unused: u8, signature: &[u8]) -> Vec<u8> {
    seq(&[signed, &seq(&[ECDSA_SHA256]), &der(3, &[&[unused], signature].concat())])
}

/// A `TBSCertificate` with these extensions.
pub fn body(extensions: &[(&[u8], Vec<u8>)], lifetime: u64) -> Vec<u8> {
    let time = |at: u64| {
        let time = ::der::asn1::UtcTime::from_unix_duration(std::time::Duration::from_secs(at)).unwrap();
        ::der::Encode::to_der(&time).unwrap()
    };
    let extensions: Vec<u8> =
        extensions.iter().flat_map(|(id, value)| seq(&[&der(6, id), &der(4, value)])).collect();
    let signer = Ca::new(99).spki();
    seq(&[
        &der(0xa0, &der(2, &[2])),
        &der(2, &[1, 2, 3]),
        &seq(&[ECDSA_SHA256]),
        &seq(&[]),
        &seq(&[&time(NOW), &time(NOW + lifetime)]),
        &seq(&[]),
        &signer,
        &der(0xa3, &der(0x30, &extensions)),
    ])
}

pub fn name_of(label: u8) -> String {
    let mut value = [label; 32];
    value[0] = 0;
    format!("urn:sigveil:open:stable:{}", data_encoding::BASE32_NOPAD.encode(&value).to_ascii_lowercase())
}

pub fn label_value(label: u8) -> [u8; 32] {
    let mut value = [label; 32];
    value[0] = 0;
    value
}

/// A stock entry by this certificate; its signature is of no account to the index.
pub fn entry(certificate: Vec<u8>, artifact: u8) -> Vec<u8> {
    let verifier = Verifier::Certificate(certificate);
    let signature = Signature { content: vec![artifact], key_details: KeyDetails::EcdsaP256Sha256, verifier };
    Entry::HashedRekord(HashedRekord::new(vec![artifact; 32], signature).unwrap()).body()
}

/// An entry by `ca` under one canonical label.
pub fn labelled(ca: &Ca, label: u8, artifact: u8) -> Vec<u8> {
    entry(ca.certificate(&[(0x86, name_of(label).into_bytes())]), artifact)
}

/// A sealed entry by `ca` under one canonical label, signed as the log demands, and what it commits to.
pub fn sealed(ca: &Ca, label: u8, values: &[&[u8]]) -> (Entry, SealedPayload) {
    let field = |(at, value): (usize, &&[u8])| SealedField {
        name: format!("field {at}"),
        salt: Hash::of(&[b"salt", &[at as u8], value]).0.to_vec(),
        value: value.to_vec(),
    };
    let payload = SealedPayload { fields: values.iter().enumerate().map(field).collect() };
    let commitments = payload.commitments();
    // The key that `body` puts into every certificate.
    let content: DerSignature = Ca::new(99).0.sign_prehash(&sealed_digest(&commitments).0).unwrap();
    // The second name tells this certificate from those of the other entries under the label.
    let names = [(0x86, name_of(label).into_bytes()), (0x81, b"sealed@example.com".to_vec())];
    let signature = Signature {
        content: content.as_bytes().to_vec(),
        key_details: KeyDetails::EcdsaP256Sha256,
        verifier: Verifier::Certificate(ca.certificate(&names)),
    };
    (Entry::Sealed(SealedEntry { commitments, signature }), payload)
}

/// A trust root whose redaction authority has the seed 9.
pub fn trust(document: &[u8], authorities: &[&Ca]) -> Trust {
    let keys: Vec<_> = authorities.iter().map(|ca| ca.spki()).collect();
    let redactors = vec![Ed25519::from_bytes(&[9; 32]).verifying_key()];
    Trust::new(document, keys.iter().map(Vec::as_slice), (redactors, 1)).unwrap()
}

/// RFC 6962 tree hash by its definition.
pub fn tree_hash(leaves: &[Hash]) -> Hash {
    match leaves.len() {
        0 => empty_root(),
        1 => leaves[0],
        n => {
            let (low, high) = leaves.split_at(n.next_power_of_two() / 2);
            node_hash(&tree_hash(low), &tree_hash(high))
        }
    }
}

/// RFC 6962 audit path by its definition.
pub fn audit_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (low, high) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, beside) = if index < low.len() {
        (audit_path(index, low), high)
    } else {
        (audit_path(index - low.len(), high), low)
    };
    path.push(tree_hash(beside));
    path
}

pub fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::ed25519(name, Ed25519::from_bytes(&[seed; 32])).unwrap()
}

pub fn cosigner(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::cosignature(name, Ed25519::from_bytes(&[seed; 32])).unwrap()
}

/// A log in memory: what it serves, and its leaves.
#[derive(Clone)]
pub struct MemoryLog {
    pub origin: String,
    pub stored: Vec<Stored>,
    pub leaves: Vec<Hash>,
}

impl MemoryLog {
    pub fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned(), stored: Vec::new(), leaves: Vec::new() }
    }

    pub fn push(&mut self, body: Vec<u8>) -> u64 {
        self.leaves.push(leaf_hash(&body));
        self.stored.push(Stored::Body(body));
        self.leaves.len() as u64 - 1
    }

    pub fn withhold(&mut self, index: u64, record: u64) {
        let leaf_hash = self.leaves[index as usize];
        self.stored[index as usize] = Stored::Withheld(Withheld { leaf_hash, record });
    }

    pub fn checkpoint_at(&self, size: usize) -> Checkpoint {
        Checkpoint::new(&self.origin, size as u64, tree_hash(&self.leaves[..size]))
    }

    pub fn checkpoint(&self) -> Checkpoint {
        self.checkpoint_at(self.leaves.len())
    }

    pub fn entries(&self, begin: u64, end: u64) -> LogEntries {
        let entries = self.stored[begin as usize..end as usize].to_vec();
        let records = entries.iter().filter_map(|entry| match entry {
            Stored::Withheld(withheld) => match self.stored.get(withheld.record as usize)? {
                Stored::Body(body) => Some((withheld.record, body.clone())),
                Stored::Withheld(_) => None,
            },
            Stored::Body(_) => None,
        });
        LogEntries { origin: self.origin.clone(), records: records.collect(), entries }
    }
}

/// Signs a checkpoint by all of these, cosigners at `time` (Unix seconds).
pub fn note(checkpoint: &Checkpoint, signers: &[&NoteSigner], time: u64) -> String {
    let mut note = SignedNote::new(checkpoint.to_string()).unwrap();
    for signer in signers {
        note.add(signer.sign(checkpoint, time * 1000));
    }
    note.to_string()
}

/// A record about entry `index` of `log`, signed by the authority with this seed.
pub fn record(log: &MemoryLog, index: u64, keys: &EntryKeys, seed: u8) -> Vec<u8> {
    record_about(&log.origin, index, log.leaves[index as usize], keys, seed).body()
}

/// A record about the entry with this leaf hash, signed by the authority with this seed.
pub fn record_about(origin: &str, index: u64, leaf_hash: Hash, keys: &EntryKeys, seed: u8) -> Entry {
    let statement = RedactionStatement {
        origin: origin.to_owned(),
        index,
        leaf_hash,
        withheld: Withholding::WholeBody,
        key_list_digest: keys.digest(),
        reason: ReasonCode::PersonalData,
        time: NOW,
        certificate_record: None,
    };
    let signatures = vec![statement.sign(&Ed25519::from_bytes(&[seed; 32]))];
    Entry::Redaction(RedactionRecord { statement, map_keys: keys.elements(), signatures })
}

/// Logs and trust roots to replay from.
pub struct MemorySource {
    pub logs: Vec<MemoryLog>,
    pub trusts: Vec<Trust>,
}

impl Source for MemorySource {
    fn trust(&self, digest: &Hash) -> Option<Trust> {
        self.trusts.iter().find(|trust| trust.digest() == *digest).cloned()
    }

    fn redactors(&self) -> Vec<Redactors> {
        self.trusts.iter().map(|trust| trust.redactors().clone()).collect()
    }

    fn entries(&self, origin: &str, begin: u64, end: u64) -> Option<LogEntries> {
        let log = self.logs.iter().find(|log| log.origin == origin)?;
        (end <= log.leaves.len() as u64).then(|| log.entries(begin, end))
    }
}

/// A step under a trust root, the only one that is known.
pub fn step_under(trust: &Trust, logs: Vec<LogEntries>) -> Step {
    Step { trust: trust.clone(), redactors: vec![trust.redactors().clone()], logs }
}

/// An index with its output log.
pub struct World {
    pub index: Index,
    pub output: Vec<Vec<u8>>,
}

impl World {
    pub fn new() -> Self {
        Self { index: Index::new(), output: Vec::new() }
    }

    /// Indexes all that the logs have beyond what is indexed.
    pub fn step(&mut self, trust: &Trust, logs: &[&MemoryLog]) -> OutputLeaf {
        let logs = logs.iter().map(|log| log.entries(self.index.size(&log.origin), log.leaves.len() as u64));
        let leaf = self.index.step(&step_under(trust, logs.collect())).unwrap();
        self.output.push(leaf.to_bytes());
        leaf
    }

    pub fn output_leaves(&self) -> Vec<Hash> {
        self.output.iter().map(|leaf| leaf_hash(leaf)).collect()
    }

    pub fn output_checkpoint(&self) -> Checkpoint {
        Checkpoint::new("index.example", self.output.len() as u64, tree_hash(&self.output_leaves()))
    }

    /// The state as signed by these, and the inputs' checkpoints by theirs.
    pub fn state(&self, signers: &[&NoteSigner], inputs: Vec<String>) -> State {
        use base64::Engine as _;
        let leaves = self.output_leaves();
        State {
            leaf: base64::engine::general_purpose::STANDARD.encode(self.output.last().unwrap()),
            inclusion: audit_path(leaves.len() - 1, &leaves),
            checkpoint: note(&self.output_checkpoint(), signers, NOW),
            inputs,
        }
    }
}

pub fn no_records() -> BTreeMap<u64, Vec<u8>> {
    BTreeMap::new()
}
