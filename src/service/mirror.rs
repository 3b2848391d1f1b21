//! Logs at hand with the index recomputed from them: nothing is believed of the index, and nobody is told what is
//! looked for in it (protocol.md §8).
//!
//! They are a demo's folder, or a running instance's logs copied over the reading faces that anybody may use. A copy is
//! made at the state that the index has published, so that log and index are of one size.

use std::path::Path;
use std::sync::Arc;

use der::{Decode, Encode};
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::note::NoteKey;
use sigveil_log::store::Reader;
use sigveil_log::tile::{MAX_LEVEL, TileKind, TilePath};
use sigveil_verifiable_search::answer::State;
use sigveil_verifiable_search::rule;
use sigveil_verifiable_search::service::{FolderLog, Indexer, Inputs, LocalReexecutor, Reexecutor};
use x509_cert::Certificate;

use super::adapters::ReadOnlyOutput;
use super::client::Client;
use super::instance::InstanceError;
use crate::failure::Failure;
use crate::files;
use crate::trust::Trust;

/// Logs larger than this are not copied, entries: a copy and its index then cost minutes and gigabytes.
const LARGEST_COPY: u64 = 1 << 20;

/// Logs and the index recomputed from them.
pub struct Mirror {
    /// The index.
    pub index: Indexer,
    /// The signature log.
    pub rekor: Reader,
    /// The output log.
    pub output: Reader,
    /// Every key that an entry's certificate may be issued by.
    pub ca_keys: Vec<rule::CaKey>,
    _copy: Option<tempfile::TempDir>,
}

impl Mirror {
    /// Recomputes the index of a store from its two logs' folders, under every trust root that its leaves name. A
    /// re-executor here cosigns the state; without one the state carries the lines that the index published.
    ///
    /// # Errors
    /// When a folder is damaged, or the index is not what its logs give.
    pub async fn of_store(
        store: &Path,
        trust: &Trust,
        history: Vec<rule::Trust>,
        reexecutor: Option<sigveil_log::note::NoteSigner>,
    ) -> Result<Self, Failure> {
        let (rekor, output) = (store.join("rekor"), store.join("index"));
        let ca_keys = history.iter().flat_map(|trust| trust.ca_keys().to_vec()).collect();
        let log = FolderLog::new(&rekor, trust.signature_log.clone());
        let inputs = Inputs::new(vec![Arc::new(log)], history).map_err(InstanceError::from)?;
        let reexecutors: Vec<Arc<dyn Reexecutor>> = reexecutor
            .map(|key| {
                let local = LocalReexecutor::new(inputs.clone(), key, super::instance::clock());
                Arc::new(local) as Arc<dyn Reexecutor>
            })
            .into_iter()
            .collect();
        let required = reexecutors.len();
        let leaves = Arc::new(ReadOnlyOutput::new(&output, trust.output_log.clone()));
        let index = Indexer::new(inputs, leaves, reexecutors, required);
        index.update().await.map_err(InstanceError::from)?;
        Ok(Self { index, rekor: Reader::new(&rekor), output: Reader::new(&output), ca_keys, _copy: None })
    }

    /// What an index has published, not checked yet.
    ///
    /// # Errors
    /// When it cannot be reached, or answers something else.
    pub fn state(client: &Client, index_url: &str) -> Result<State, Failure> {
        let state = client.fetch("the index", &format!("{}/state", index_url.trim_end_matches('/')))?;
        serde_json::from_value(state)
            .map_err(|error| Failure::new("search-answer-malformed", error.to_string()))
    }

    /// Copies what an instance's index has published, and the log under it, into a folder that goes with the value.
    ///
    /// # Errors
    /// When a log cannot be reached or is too large to be copied.
    pub fn copy(client: &Client, index_url: &str, state: &State, trust: &Trust) -> Result<Copied, Failure> {
        let index_url = index_url.trim_end_matches('/');
        let [input] = state.inputs.as_slice() else {
            return Err(Failure::new("search-answer-malformed", "the index has not exactly one input log"));
        };
        let folder =
            tempfile::tempdir().map_err(|error| Failure::new("file-unwritable", error.to_string()))?;
        let rekor_url = format!("{}/api/v2", trust.section.signature_log.base_url.trim_end_matches('/'));
        let rekor = Served { service: "the signature log", url: &rekor_url, key: &trust.signature_log };
        let output = Served { service: "the index", url: index_url, key: &trust.output_log };
        rekor.copy(client, input, &folder.path().join("rekor"))?;
        output.copy(client, &state.checkpoint, &folder.path().join("index"))?;
        Ok(Copied(folder))
    }
}

/// A copy of an instance's logs, not recomputed yet.
pub struct Copied(tempfile::TempDir);

impl Copied {
    /// The signature log.
    pub fn rekor(&self) -> Reader {
        Reader::new(&self.0.path().join("rekor"))
    }

    /// The index, recomputed from the copy under the trust root.
    ///
    /// # Errors
    /// As [`Mirror::of_store`]; also when leaves were published under an older trust root.
    pub async fn recompute(self, trust: &Trust) -> Result<Mirror, Failure> {
        let mirror = Mirror::of_store(self.0.path(), trust, vec![rule_trust(trust)?], None).await?;
        Ok(Mirror { _copy: Some(self.0), ..mirror })
    }
}

/// A log behind its reading face.
struct Served<'a> {
    service: &'static str,
    url: &'a str,
    key: &'a NoteKey,
}

impl Served<'_> {
    /// Copies the tree of a checkpoint; tiles are compared with its root when they are read.
    fn copy(&self, client: &Client, note: &str, folder: &Path) -> Result<(), Failure> {
        let opened = VerifiedCheckpoint::open(note.as_bytes(), self.key, &[])?;
        let size = opened.checkpoint().size;
        if size > LARGEST_COPY {
            return Err(Failure::new(
                "log-too-large-to-copy",
                format!("{} has {size} entries", self.key.name()),
            ));
        }
        let levels = (0..=MAX_LEVEL).map(TileKind::Hashes);
        for kind in levels.chain([TileKind::Entries]) {
            let tiles = (0_u64..).map_while(|number| TilePath::in_tree(kind, number, size));
            for path in tiles.map(|path| path.to_string()) {
                let bytes = client.bytes(self.service, &format!("{}/{path}", self.url))?;
                let file = folder.join(&path);
                files::make_folder(file.parent().unwrap_or(folder))?;
                files::write(&file, &bytes)?;
            }
        }
        files::make_folder(folder)?;
        Ok(files::write(&folder.join("checkpoint"), note.as_bytes())?)
    }
}

/// The trust root as the index's rule knows it: its document, the keys of all certificates that may issue under it, and who
/// may have content withheld.
fn rule_trust(trust: &Trust) -> Result<rule::Trust, Failure> {
    let spki = |certificate: &[u8]| {
        let certificate = Certificate::from_der(certificate).ok()?;
        certificate.tbs_certificate.subject_public_key_info.to_der().ok()
    };
    let keys: Option<Vec<Vec<u8>>> = trust.stock.certificate_authorities().flatten().map(spki).collect();
    let keys =
        keys.ok_or_else(|| Failure::new("trust-root-malformed", "an authority's key cannot be read"))?;
    let redactors = &trust.redaction_authorities;
    let redactors = (redactors.keys.clone(), redactors.threshold);
    let rule = rule::Trust::new(&trust.document(), keys.iter().map(Vec::as_slice), redactors);
    rule.map_err(|error| InstanceError::from(error).into())
}
