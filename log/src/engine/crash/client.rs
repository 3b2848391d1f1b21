//! A client that sends until everything is acknowledged, a witness that forgets nothing, and what both check.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::sync::oneshot;

use crate::checkpoint::VerifiedCheckpoint;
use crate::engine::command::Draft;
use crate::engine::common;
use crate::engine::run::Writer;
use crate::engine::{AppendError, Config, Shared};
use crate::entry::Stored;
use crate::hash::Hash;
use crate::merkle::root;
use crate::note::{NoteKey, NoteSignature, NoteSigner};
use crate::store::Reader;
use crate::store::files::Files;
use crate::tile::TileTree;
use crate::witness::{AddCheckpoint, CosignError, Cosigner, Refusal, Seen, authenticate, decide};

use super::place::Place;

/// A witness whose memory no crash touches.
pub(super) struct Unforgetting {
    signer: NoteSigner,
    log: NoteKey,
    pub seen: Mutex<Option<Seen>>,
    /// All trees that the log had signed.
    pub roots: Mutex<BTreeMap<u64, Hash>>,
    /// What it was asked to cosign against what it had seen.
    pub forks: Mutex<Vec<String>>,
}

impl Unforgetting {
    pub(super) fn new(log: NoteKey) -> Self {
        let signer = NoteSigner::cosignature("witness.example", SigningKey::from_bytes(&[3; 32]));
        Self {
            signer: signer.expect("a valid name"),
            log,
            seen: Mutex::default(),
            roots: Mutex::default(),
            forks: Mutex::default(),
        }
    }

    /// Whether all that it cosigned are beginnings of this tree, and it was shown nothing else.
    pub(super) fn agrees(&self, tree: &TileTree<Reader>) -> Result<(), String> {
        let size = tree.size();
        for (signed, known) in self.roots.lock().unwrap().iter() {
            if *signed > size {
                return Err(format!("a tree of {signed} was witnessed and {size} are published"));
            }
            if root(tree, *signed).map_err(|error| unreadable(&error))? != *known {
                return Err(format!("fork: the tree of {signed} was another"));
            }
        }
        match self.forks.lock().unwrap().first() {
            Some(fork) => Err(format!("fork: {fork}")),
            None => Ok(()),
        }
    }
}

pub(super) fn unreadable(error: &dyn std::fmt::Display) -> String {
    format!("the folder cannot be read: {error}")
}

impl Cosigner for Unforgetting {
    fn key(&self) -> &NoteKey {
        self.signer.public()
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        let mut seen = self.seen.lock().unwrap();
        let decided = authenticate(std::slice::from_ref(&self.log), request)
            .and_then(|checkpoint| decide(*seen, &checkpoint, request).map(|()| checkpoint));
        match decided {
            Ok(checkpoint) => {
                let known = *self.roots.lock().unwrap().entry(checkpoint.size).or_insert(checkpoint.root);
                assert_eq!(known, checkpoint.root, "decide refuses two roots of one size");
                *seen = Some(Seen { size: checkpoint.size, root: checkpoint.root });
                Ok(self.signer.sign(&checkpoint, common::NOW))
            }
            Err(Refusal::Conflict(size)) if request.old_size != size => Err(CosignError::Conflict(size)),
            Err(refusal) => {
                self.forks.lock().unwrap().push(format!("{refusal} for {:?}", request.note.text()));
                Err(CosignError::Refused(refusal))
            }
        }
    }
}

/// How many bodies are sent, and how many of them in each batch.
const BATCHES: [usize; 9] = [1, 2, 250, 3, 1, 120, 135, 1, 17];
pub(super) const BODIES: usize = 530;
/// The one that is sent with something to be kept beside the log.
const ATTACHED: usize = 3;

fn body(number: usize) -> Vec<u8> {
    format!("body {number:05}").into_bytes()
}

fn attachment(number: usize) -> Vec<u8> {
    if number == ATTACHED { b"kept beside the log".to_vec() } else { Vec::new() }
}

/// One run over one place, through any number of restarts.
pub(super) struct Run {
    files: Files,
    shared: Option<Shared>,
    pub folder: PathBuf,
    pub witness: Arc<Unforgetting>,
    /// Index under which each body was acknowledged.
    pub acknowledged: BTreeMap<usize, u64>,
    /// Why something was not acknowledged, last.
    pub refusal: Option<AppendError>,
}

impl Run {
    pub(super) fn new(place: &Place) -> Self {
        Self {
            files: place.files(),
            shared: place.shared(),
            folder: place.folder.clone(),
            witness: Arc::new(Unforgetting::new(common::log_signer().public().clone())),
            acknowledged: BTreeMap::new(),
            refusal: None,
        }
    }

    /// From now on, as a process that has just begun.
    pub(super) fn begin(&mut self, place: &Place) {
        (self.files, self.shared) = (place.files(), place.shared());
    }

    pub(super) fn config(&self) -> Config {
        Config {
            files: self.files.clone(),
            shared: self.shared.clone(),
            witnesses: vec![self.witness.clone()],
            witness_threshold: 1,
            witness_retry: Duration::ZERO,
            refresh: Duration::from_secs(3600),
            wal_limit: 4 << 10,
            known_height: 8,
            ..common::config(&self.folder)
        }
    }

    /// Sends what is not acknowledged yet, batch by batch. Returns whether all is acknowledged.
    pub(super) fn send(&mut self, log: &mut impl Writer) -> Result<bool, String> {
        let mut first = 0;
        for size in BATCHES {
            let batch: Vec<_> =
                (first..first + size).filter(|n| !self.acknowledged.contains_key(n)).collect();
            first += size;
            self.send_batch(log, &batch)?;
        }
        assert_eq!(first, BODIES);
        Ok(self.acknowledged.len() == BODIES)
    }

    /// Sends what is not acknowledged of the first batch that is not.
    pub(super) fn send_next(&mut self, log: &mut impl Writer) -> Result<(), String> {
        let mut first = 0;
        for size in BATCHES {
            let batch: Vec<_> =
                (first..first + size).filter(|n| !self.acknowledged.contains_key(n)).collect();
            if !batch.is_empty() {
                return self.send_batch(log, &batch);
            }
            first += size;
        }
        Ok(())
    }

    fn send_batch(&mut self, log: &mut impl Writer, batch: &[usize]) -> Result<(), String> {
        let (drafts, receivers): (Vec<_>, Vec<_>) = batch
            .iter()
            .map(|number| {
                let (answer, receiver) = oneshot::channel();
                ((Draft::fixed(body(*number), attachment(*number)), answer), receiver)
            })
            .unzip();
        log.process(drafts);
        for (number, mut receiver) in batch.iter().zip(receivers) {
            match receiver.try_recv().map_err(|_| "a request without an answer")? {
                Ok(receipt) => {
                    let seen = self.witness.roots.lock().unwrap().get(&receipt.tree_size).copied();
                    if seen != Some(receipt.root) {
                        return Err(format!("a tree of {} that no witness saw", receipt.tree_size));
                    }
                    self.acknowledged.insert(*number, receipt.index);
                }
                Err(AppendError::Duplicate(index)) => drop(self.acknowledged.insert(*number, index)),
                Err(error @ (AppendError::Unavailable | AppendError::Unwitnessed)) => {
                    self.refusal = Some(error);
                    return Ok(());
                }
                Err(error) => return Err(format!("refused: {error}")),
            }
        }
        Ok(())
    }

    /// What anybody with the folder finds: all that was acknowledged, once, in order, and no tree signed that is not a
    /// beginning of the last.
    pub(super) fn check(&self) -> Result<(), String> {
        let reader = Reader::on(self.config().objects());
        let keys = [self.witness.key().clone()];
        let bytes = reader.checkpoint().map_err(|error| unreadable(&error))?;
        let log = common::log_signer().public().clone();
        let opened =
            VerifiedCheckpoint::open_witnessed(&bytes, &log, &keys, 1).map_err(|error| unreadable(&error))?;
        let (size, last) = (opened.checkpoint().size, opened.checkpoint().root);
        if let Some(shared) = &self.shared {
            // Front ends that do not publish answer by this.
            let order = shared.journal.connect(log.name());
            let announced =
                order.and_then(|mut order| order.announced()).map_err(|error| unreadable(&error))?;
            if announced != size {
                return Err(format!("a tree of {size} is published, and {announced} are said to be"));
            }
        }
        let tree = TileTree::open(reader.clone(), size, &last).map_err(|error| unreadable(&error))?;
        let entries = reader.entries(&tree, 0, size).map_err(|error| unreadable(&error))?;
        let mut places = BTreeMap::new();
        for (index, entry) in (0u64..).zip(&entries) {
            let Stored::Body(bytes) = entry else { return Err("a body was withheld".to_owned()) };
            if places.insert(bytes.clone(), index).is_some() {
                return Err(format!("{} stands twice", String::from_utf8_lossy(bytes)));
            }
        }
        let mut before = None;
        for (number, index) in &self.acknowledged {
            if places.get(&body(*number)) != Some(index) {
                return Err(format!("lost: body {number}, acknowledged at {index} of {size}"));
            }
            if before.replace(*index) >= Some(*index) {
                return Err(format!("body {number} stands before one that was acknowledged earlier"));
            }
        }
        if self.acknowledged.contains_key(&ATTACHED) {
            let index = self.acknowledged[&ATTACHED];
            if reader.sealed(index).map_err(|error| unreadable(&error))? != Some(attachment(ATTACHED)) {
                return Err("lost: what is kept beside an entry".to_owned());
            }
        }
        self.witness.agrees(&tree)
    }
}
