//! Signing a checkpoint, having it cosigned, and publishing it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::tree::{CommittedTree, RecentTiles};
use super::{AppendError, Clock, Config, OpenError};
use crate::batch::Batch;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::merkle::{consistency_proof, root};
use crate::note::{NoteKey, NoteSignature, NoteSigner, SignedNote};
use crate::store::{Objects, Reader, Standing};
use crate::tile::TileTree;
use crate::witness::{AddCheckpoint, CosignError, Cosigner};

/// How much longer it is waited for cosignatures when there are enough.
const GRACE: Duration = Duration::from_millis(200);
/// How long it is waited for enough of them: longer than a witness should take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Publishes the checkpoints of one log.
pub(super) struct Publisher {
    objects: Objects,
    standing: Standing,
    /// All that sign, the log's first key first.
    signers: Vec<NoteSigner>,
    clock: Clock,
    /// Latest time signed.
    time: u64,
    witnesses: Vec<Asked>,
    threshold: usize,
    /// How long it is waited for as many.
    patience: Duration,
    published: Option<Published>,
    /// Whether that has the signatures of all who are to sign now.
    whole: bool,
}

/// A checkpoint as readers see it.
#[derive(Clone)]
pub(super) struct Published {
    pub checkpoint: Checkpoint,
    pub note: Arc<str>,
}

impl Publisher {
    pub(super) fn new(config: &Config) -> Self {
        let asked = |witness| Asked { witness, known: Arc::default(), busy: Arc::default() };
        Self {
            objects: config.objects(),
            standing: Standing::default(),
            signers: config.signers().cloned().collect(),
            clock: Arc::clone(&config.clock),
            time: 0,
            witnesses: config.witnesses.iter().map(Arc::clone).map(asked).collect(),
            threshold: config.witness_threshold,
            // A lease that ran out meanwhile would have another front end ask the same ones. It is prolonged at a third.
            patience: config.shared.as_ref().map_or(PATIENCE, |shared| PATIENCE.min(shared.lease / 2)),
            published: None,
            whole: false,
        }
    }

    /// Reads what was published, and returns the size of its tree.
    pub(super) fn recover(&mut self, config: &Config) -> Result<u64, OpenError> {
        let (bytes, standing) = self.objects.checkpoint()?;
        self.standing = standing;
        let Some(bytes) = bytes else { return Ok(0) };
        let opened = config.open_checkpoint(&bytes)?;
        let checkpoint = opened.checkpoint().clone();
        let size = checkpoint.size;
        self.time = opened.log_time().unwrap_or(0);
        self.witnesses.iter().for_each(|asked| asked.known.store(checkpoint.size, Ordering::SeqCst));
        self.published = Some(Published { checkpoint, note: opened.note().to_string().into() });
        Ok(size)
    }

    /// Compares what was published with what was ordered, before anything is stored of that, and who has signed it with who is
    /// to.
    pub(super) fn compare(&mut self, reader: Reader, batches: &[Batch]) -> Result<(), OpenError> {
        let Some(Published { checkpoint, note }) = &self.published else { return Ok(()) };
        let tiles = RecentTiles::of(reader, batches, checkpoint.size)?;
        let committed = root(&TileTree::new(tiles, checkpoint.size), checkpoint.size)?;
        if committed != checkpoint.root {
            return Err(OpenError::PublishedDiffers);
        }
        let note = SignedNote::parse(note.as_bytes()).map_err(CheckpointError::from)?;
        let keys: Vec<_> = self.signers.iter().map(|signer| signer.public().clone()).collect();
        // A line that does not verify is as none: it is made anew.
        let signed = |keys: &[NoteKey]| note.verify(keys).map_or(0, |lines| lines.len());
        self.whole = signed(&keys) == keys.len() && signed(&self.witness_keys()) >= self.threshold;
        Ok(())
    }

    pub(super) fn published(&self) -> Option<&Published> {
        self.published.as_ref()
    }

    /// Entries under what is published.
    pub(super) fn published_size(&self) -> u64 {
        self.published().map_or(0, |published| published.checkpoint.size)
    }

    /// What is published, if it is the tree of `size` leaves and has all signatures that it is to have. With a new key or more
    /// cosignatures it has to be published again, though nothing is appended: readers may know only those who have not signed.
    pub(super) fn whole(&self, size: u64) -> Option<&Published> {
        self.published().filter(|published| self.whole && published.checkpoint.size == size)
    }

    pub(super) fn witness_keys(&self) -> Vec<NoteKey> {
        self.witnesses.iter().map(|asked| asked.witness.key().clone()).collect()
    }

    pub(super) fn log_key(&self) -> &NoteKey {
        self.signers[0].public()
    }

    /// Signs, has cosigned and publishes a tree.
    pub(super) fn publish(&mut self, tree: &CommittedTree) -> Result<Published, AppendError> {
        let (tiles, size, latest) = (tree.tiles(), tree.size(), tree.latest());
        let tree = TileTree::new(tiles.clone(), size);
        let root = root(&tree, size).map_err(|error| {
            tracing::error!(%error, "the committed tree cannot be read");
            AppendError::Unavailable
        })?;
        let checkpoint = Checkpoint::new(self.log_key().name(), size, root);
        let mut note = SignedNote::new(checkpoint.to_string()).map_err(|_| AppendError::Unavailable)?;
        // Clocks are set back, and those of front ends differ; each tree head of a certificate log is later than the one
        // before, and no older than the newest promise in it (RFC 6962 §3.5).
        self.time = self.time.saturating_add(1).max((self.clock)()).max(latest);
        for signer in &self.signers {
            note.add(signer.sign(&checkpoint, self.time));
        }
        // A cosignature is over the text, which is renewed with the same one: of a witness that does not answer the old one
        // stays, and what stands loses none.
        let standing = self.cosignatures(size);
        let renewed = self.cosign(&mut note, tiles, size);
        let kept: Vec<_> = standing.into_iter().filter(|line| !note.has_key_of(line)).collect();
        let is_in_vain = renewed == 0 && !kept.is_empty() && !self.log_key().is_rfc6962();
        if renewed + kept.len() < self.threshold || is_in_vain {
            return Err(AppendError::Unwitnessed);
        }
        kept.into_iter().for_each(|line| note.add(line));
        let text: Arc<str> = note.to_string().into();
        self.objects.publish(text.as_bytes(), &mut self.standing).map_err(|error| {
            tracing::error!(%error, "the checkpoint cannot be written");
            AppendError::Unavailable
        })?;
        let published = Published { checkpoint, note: text };
        (self.published, self.whole) = (Some(published.clone()), true);
        Ok(published)
    }

    /// The cosignatures on what stands, if it is only to be renewed.
    fn cosignatures(&self, size: u64) -> Vec<NoteSignature> {
        let note = self.whole(size).and_then(|published| SignedNote::parse(published.note.as_bytes()).ok());
        let keys = self.witness_keys();
        let Some(note) = note.filter(|note| note.verify(&keys).is_ok()) else { return Vec::new() };
        let is_known = |line: &&NoteSignature| keys.iter().any(|key| line.is_by(key));
        note.signatures().iter().filter(is_known).cloned().collect()
    }

    /// Asks all witnesses at once, so that several slow ones cost no more than one, and waits for as many as are needed and a
    /// moment for the others. One that has not answered the last time yet is not asked.
    fn cosign(&mut self, note: &mut SignedNote, tiles: &RecentTiles, size: u64) -> usize {
        let (sender, answers) = mpsc::channel();
        for (place, asked) in self.witnesses.iter().enumerate() {
            let tree = TileTree::new(tiles.clone(), size);
            if let Err(error) = asked.ask(note.clone(), tree, place, sender.clone()) {
                tracing::warn!(%error, witness = asked.witness.key().name(), "not asked for a cosignature");
            }
        }
        drop(sender);
        let (mut deadline, mut cosigned) = (Instant::now() + self.patience, 0);
        loop {
            if cosigned >= self.threshold {
                deadline = deadline.min(Instant::now() + GRACE);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // An end comes when all have answered.
            let Ok((place, answer)) = answers.recv_timeout(left) else { return cosigned };
            match answer {
                Ok(signature) => {
                    note.add(signature);
                    cosigned += 1;
                }
                Err(error) => {
                    let witness = self.witnesses[place].witness.key().name();
                    tracing::warn!(%error, witness, "no cosignature");
                }
            }
        }
    }
}

/// A witness as it is asked.
struct Asked {
    witness: Arc<dyn Cosigner>,
    /// The size it last cosigned, as far as is known: from its answer, also one that came too late to be waited for.
    known: Arc<AtomicU64>,
    /// Whether it has not answered yet.
    busy: Arc<AtomicBool>,
}

/// What a witness said, and which one it is.
type Answer = (usize, Result<NoteSignature, CosignError>);

impl Asked {
    /// Asks on a thread of its own.
    fn ask(
        &self,
        note: SignedNote,
        tree: TileTree<RecentTiles>,
        place: usize,
        answers: mpsc::Sender<Answer>,
    ) -> io::Result<()> {
        if self.busy.swap(true, Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "it has not answered the last time yet"));
        }
        let free = Free(Arc::clone(&self.busy));
        let (witness, known) = (Arc::clone(&self.witness), Arc::clone(&self.known));
        let thread = std::thread::Builder::new().name("witness".to_owned());
        let asked = move || {
            let answer = ask(witness.as_ref(), &known, &note, &tree);
            // Whoever takes the answer may ask again at once.
            drop(free);
            let _ = answers.send((place, answer));
        };
        thread.spawn(asked).map(drop)
    }
}

/// Has a witness free again when this is dropped, however its thread ends.
struct Free(Arc<AtomicBool>);

impl Drop for Free {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Asks one witness; if it is at another size than thought, once more from there. What it says of its size is kept.
fn ask(
    witness: &dyn Cosigner,
    known: &AtomicU64,
    note: &SignedNote,
    tree: &TileTree<RecentTiles>,
) -> Result<NoteSignature, CosignError> {
    let request = |old: u64| {
        let proof = if old == 0 || old >= tree.size() {
            Vec::new()
        } else {
            consistency_proof(tree, old, tree.size())
                .map_err(|error| CosignError::Other(error.to_string()))?
        };
        witness.cosign(&AddCheckpoint { old_size: old, proof, note: note.clone() })
    };
    let thought = known.load(Ordering::SeqCst);
    let signature = match request(thought) {
        Err(CosignError::Conflict(size)) if size != thought && size <= tree.size() => {
            known.store(size, Ordering::SeqCst);
            request(size)
        }
        answer => answer,
    }?;
    let mut check = SignedNote::new(note.text().to_owned()).map_err(|e| CosignError::Other(e.to_string()))?;
    check.add(signature.clone());
    match check.verify(std::slice::from_ref(witness.key())) {
        Ok(verified) if verified.len() == 1 => {
            known.store(tree.size(), Ordering::SeqCst);
            Ok(signature)
        }
        _ => Err(CosignError::Other("its cosignature does not verify".to_owned())),
    }
}
