//! What every parser of the log has to hold on any input: it answers, and what it accepts is what it writes.
//!
//! One function for each fuzz target; each names the parsers that took the input. `tests/parsers.rs` gives them what
//! proptest draws, and the corpus.

use std::sync::LazyLock;

use sigveil_log::batch::{self, Batch};
use sigveil_log::ca_key::CaKey;
use sigveil_log::checkpoint::{Checkpoint, VerifiedCheckpoint};
use sigveil_log::entry::{Entry, HashedRekord, SealedPayload, Stored, Withheld};
use sigveil_log::note::{NoteKey, NoteSignature, SignedNote};
use sigveil_log::sct::{
    AcceptedRoots, AddChain, AddChainAnswer, EntryKind, SignedCertificateTimestamp, Submission, TileLeaf,
    embedded, extension_value, parse_list,
};
use sigveil_log::tile::{HashTile, TileKind, TilePath};
use sigveil_log::witness::{AddCheckpoint, CosignError, Seen, read_answer};
use sigveil_log::{Hash, bundle};

/// Names of parsers.
pub type Taken = Vec<&'static str>;

/// Keys by which the corpus's notes are signed.
pub static KNOWN: LazyLock<[NoteKey; 3]> = LazyLock::new(|| {
    let known = [
        "log.example+1cc758f9+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
        "witness.example+ade2488a+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR",
        // Rekor v1's.
        "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc=",
    ];
    known.map(|key| NoteKey::parse(key).expect("keys of the tests"))
});

/// Notes, checkpoints, keys, tile paths, what a witness is asked, what it answers and what it keeps.
pub fn text(bytes: &[u8]) -> Taken {
    let text = String::from_utf8_lossy(bytes);
    let mut taken = Taken::new();
    if let Ok(note) = SignedNote::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        let signed = note.verify(&*KNOWN).is_ok_and(|lines| !lines.is_empty());
        if signed {
            taken.push("signed");
        }
        if VerifiedCheckpoint::open(bytes, &KNOWN[0], &KNOWN[1..]).is_ok() {
            assert!(signed);
            taken.push("opened");
        }
        taken.push("note");
    }
    if let Ok(line) = NoteSignature::parse(&text) {
        assert_eq!(line.to_string(), text);
        taken.push("signature-line");
    }
    if let Ok(checkpoint) = Checkpoint::parse(&text) {
        assert_eq!(checkpoint.to_string(), text);
        taken.push("checkpoint");
    }
    if let Ok(key) = NoteKey::parse(&text) {
        assert_eq!(key.encode(), text);
        taken.push("key");
    }
    if let Some(path) = TilePath::parse(&text) {
        assert_eq!(path.to_string(), text);
        taken.push("tile-path");
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_text().as_bytes(), bytes);
        taken.push("add-checkpoint");
    }
    if let Some(seen) = Seen::parse(bytes, KNOWN[0].name()) {
        assert_eq!(seen.to_text(KNOWN[0].name()).as_bytes(), bytes);
        taken.push("witness-state");
    }
    for status in [200, 409, 500] {
        match read_answer(&KNOWN[1], status, bytes) {
            Ok(line) => {
                assert_eq!((status, &*line.name, line.key_id), (200, KNOWN[1].name(), KNOWN[1].key_id()));
                assert!(text.lines().any(|written| written == line.to_string()));
                taken.push("witness-answer");
            }
            Err(CosignError::Conflict(size)) => {
                assert_eq!((status, text.trim_end()), (409, &*size.to_string()));
                taken.push("witness-conflict");
            }
            Err(_) => {}
        }
    }
    taken
}

/// Entries, what stands in their place, and the requests and answers that are JSON.
pub fn json(bytes: &[u8]) -> Taken {
    let mut taken = Taken::new();
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.body(), bytes);
        taken.push("entry");
    }
    if let Some(withheld) = Withheld::parse(bytes) {
        assert_eq!(withheld.body(), bytes);
        let stored = Stored::parse(bytes.to_vec(), &withheld.leaf_hash);
        assert_eq!(stored, Ok(Stored::Withheld(withheld)));
        taken.push("withheld");
    }
    if let Ok(payload) = SealedPayload::parse(bytes) {
        assert_eq!(payload.to_bytes(), bytes);
        taken.push("payload");
    }
    if let Ok(rekord) = HashedRekord::from_request(bytes) {
        // A request may be spelt in several ways; the entry is spelt in one.
        let body = Entry::HashedRekord(rekord.clone()).body();
        assert_eq!(HashedRekord::from_request(&rekord.to_request()), Ok(rekord));
        assert!(body.len() > sigveil_log::entry::MAX_BODY || Entry::parse(&body).is_ok());
        taken.push("request");
    }
    if let Ok((entry, payload)) = SealedPayload::from_request(bytes) {
        // Spelt in several ways too; what is kept of it is not.
        assert_eq!(Entry::parse(&entry.body()), Ok(entry));
        assert_eq!(SealedPayload::parse(&payload.to_bytes()), Ok(payload));
        taken.push("sealed-request");
    }
    if let Ok(chain) = AddChain::parse(bytes) {
        taken.extend(submit(chain));
        taken.push("add-chain");
    }
    if let Ok(Ok(sct)) = serde_json::from_slice(bytes).map(|answer: AddChainAnswer| answer.try_into()) {
        let again = serde_json::to_vec(&AddChainAnswer::from(&sct)).expect("numbers and strings serialise");
        assert_eq!(
            serde_json::from_slice(&again).map(|answer: AddChainAnswer| answer.try_into()).ok(),
            Some(Ok(sct))
        );
        taken.push("timestamp-answer");
    }
    taken
}

/// SCTs, leaves of certificate logs, bundles, tiles, records of batches, certificates and keys in DER.
pub fn binary(bytes: &[u8]) -> Taken {
    let mut taken = Taken::new();
    if let Some((leaf, rest)) = TileLeaf::parse_prefix(bytes) {
        assert_eq!(leaf.to_bytes(), bytes[..bytes.len() - rest.len()]);
        taken.push("leaf");
    }
    if let Ok(sct) = SignedCertificateTimestamp::parse(bytes) {
        assert_eq!(sct.to_bytes(), bytes);
        taken.push("timestamp");
    }
    if let Ok(scts) = parse_list(bytes) {
        assert!(scts.len() != 1 || extension_value(&scts[0]) == bytes);
        taken.push("list");
    }
    for width in [0, 1, 2, 3, 256] {
        if let Ok(entries) = bundle::split(bytes, width) {
            let mut joined = Vec::new();
            entries.iter().for_each(|entry| bundle::push(&mut joined, entry).expect("as long as it was"));
            assert_eq!((entries.len(), joined.as_slice()), (width, bytes));
            taken.extend(submit(entries.iter().map(|entry| entry.to_vec()).collect()));
            taken.push("bundle");
        }
    }
    let path = TilePath { kind: TileKind::Hashes(0), number: 0, width: 2 };
    if HashTile::parse(&path, bytes).is_ok() {
        assert_eq!(bytes.len(), 64);
        taken.push("tile");
    }
    if CaKey::from_spki(bytes).is_ok() {
        taken.push("ca-key");
    }
    taken.extend(records(bytes));
    taken
}

/// What a write-ahead log may hold, and, as no input finds its own checksum, a record of what could be under one.
fn records(bytes: &[u8]) -> Taken {
    let mut taken = Taken::new();
    let (batches, length) = batch::read(bytes);
    let written: Vec<u8> = batches.iter().flat_map(Batch::to_record).collect();
    assert_eq!((written.as_slice(), written.len() as u64), (&bytes[..written.len()], length));
    if !batches.is_empty() {
        taken.push("record");
    }
    let length = u32::try_from(bytes.len()).expect("inputs are short").to_be_bytes();
    let record = [&b"SVWB"[..], &length, &Hash::of(&[bytes]).0, bytes].concat();
    if let Some(batch) = Batch::from_record(&record) {
        assert_eq!(batch.to_record(), record);
        assert!(batch.end() >= batch.first);
        taken.push("batch");
    }
    taken
}

/// Submits a chain to a log that accepts its last certificate.
fn submit(chain: Vec<Vec<u8>>) -> Taken {
    let mut taken = Taken::new();
    if let [certificate, issuer, ..] = chain.as_slice()
        && embedded(certificate, issuer).is_ok()
    {
        taken.push("embedded");
    }
    let Ok(roots) = AcceptedRoots::new(chain.last().cloned()) else { return taken };
    for kind in [EntryKind::Certificate, EntryKind::Precertificate] {
        let Ok(Submission { entry, issuers }) = Submission::check(chain.clone(), kind, &roots) else {
            continue;
        };
        let chain = issuers.iter().map(|issuer| Hash::of(&[issuer])).collect();
        let leaf = TileLeaf { entry, timestamp: 1, leaf_index: 1, chain };
        let bytes = leaf.to_bytes();
        assert_eq!(TileLeaf::parse_prefix(&bytes), Some((leaf, [].as_slice())));
        taken.push("submission");
    }
    taken
}
