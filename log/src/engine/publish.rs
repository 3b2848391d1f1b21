//! Signing a checkpoint, having it cosigned, and publishing it.

use std::sync::Arc;

use super::tree::RecentTiles;
use super::{AppendError, Clock, Config, OpenError};
use crate::checkpoint::Checkpoint;
use crate::merkle::{consistency_proof, root};
use crate::note::{NoteKey, NoteSigner, SignedNote};
use crate::store::{Objects, Reader, Standing};
use crate::tile::TileTree;
use crate::witness::{AddCheckpoint, CosignError, Cosigner};

/// Publishes the checkpoints of one log.
pub(super) struct Publisher {
    objects: Objects,
    standing: Standing,
    signer: NoteSigner,
    also_signed_by: Vec<NoteSigner>,
    clock: Clock,
    /// Latest time signed, which no later one is before.
    time: u64,
    /// Each witness, and the size it last cosigned as far as is known.
    witnesses: Vec<(Arc<dyn Cosigner>, u64)>,
    threshold: usize,
    published: Option<Published>,
}

/// A checkpoint as readers see it.
#[derive(Clone)]
pub(super) struct Published {
    pub checkpoint: Checkpoint,
    pub note: Arc<str>,
}

impl Publisher {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            objects: config.objects(),
            standing: Standing::default(),
            signer: config.signer.clone(),
            also_signed_by: config.also_signed_by.clone(),
            clock: Arc::clone(&config.clock),
            time: 0,
            witnesses: config.witnesses.iter().map(|witness| (Arc::clone(witness), 0)).collect(),
            threshold: config.witness_threshold,
            published: None,
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
        self.witnesses.iter_mut().for_each(|(_, known)| *known = checkpoint.size);
        self.published = Some(Published { checkpoint, note: opened.note().to_string().into() });
        Ok(size)
    }

    /// Compares what was published with the committed tree.
    pub(super) fn compare(&self, reader: &Reader) -> Result<(), OpenError> {
        let Some(Published { checkpoint, .. }) = &self.published else { return Ok(()) };
        let committed = root(&TileTree::new(reader.clone(), checkpoint.size), checkpoint.size)?;
        if committed == checkpoint.root { Ok(()) } else { Err(OpenError::PublishedDiffers) }
    }

    pub(super) fn published(&self) -> Option<&Published> {
        self.published.as_ref()
    }

    pub(super) fn witness_keys(&self) -> Vec<NoteKey> {
        self.witnesses.iter().map(|(witness, _)| witness.key().clone()).collect()
    }

    pub(super) fn log_key(&self) -> &NoteKey {
        self.signer.public()
    }

    /// Signs, has cosigned and publishes the tree of `size` leaves.
    pub(super) fn publish(&mut self, tiles: &RecentTiles, size: u64) -> Result<Published, AppendError> {
        let tree = TileTree::new(tiles.clone(), size);
        let root = root(&tree, size).map_err(|error| {
            tracing::error!(%error, "the committed tree cannot be read");
            AppendError::Unavailable
        })?;
        let checkpoint = Checkpoint::new(self.signer.public().name(), size, root);
        let mut note = SignedNote::new(checkpoint.to_string()).map_err(|_| AppendError::Unavailable)?;
        // Clocks are set back; tree heads must not be.
        self.time = self.time.max((self.clock)());
        for signer in std::iter::once(&self.signer).chain(&self.also_signed_by) {
            note.add(signer.sign(&checkpoint, self.time));
        }
        let cosigned = self.cosign(&mut note, &tree);
        if cosigned < self.threshold {
            return Err(AppendError::Unwitnessed);
        }
        let text: Arc<str> = note.to_string().into();
        self.objects.publish(text.as_bytes(), &mut self.standing).map_err(|error| {
            tracing::error!(%error, "the checkpoint cannot be written");
            AppendError::Unavailable
        })?;
        let published = Published { checkpoint, note: text };
        self.published = Some(published.clone());
        Ok(published)
    }

    /// Asks all witnesses at once, so that several slow ones cost no more than one.
    fn cosign(&mut self, note: &mut SignedNote, tree: &TileTree<RecentTiles>) -> usize {
        let unsigned = note.clone();
        let answers: Vec<_> = std::thread::scope(|scope| {
            let asked = |(witness, known): &(Arc<dyn Cosigner>, u64)| {
                let (witness, known, unsigned) = (Arc::clone(witness), *known, &unsigned);
                scope.spawn(move || ask(witness.as_ref(), known, unsigned, tree))
            };
            let threads: Vec<_> = self.witnesses.iter().map(asked).collect();
            let failed = || Err(CosignError::Other("the witness's client failed".to_owned()));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| failed())).collect()
        });
        let mut cosigned = 0;
        for ((witness, known), answer) in self.witnesses.iter_mut().zip(answers) {
            match answer {
                Ok(signature) => {
                    *known = tree.size();
                    note.add(signature);
                    cosigned += 1;
                }
                Err(error) => tracing::warn!(%error, witness = witness.key().name(), "no cosignature"),
            }
        }
        cosigned
    }
}

/// Asks one witness; if it is at another size than thought, once more from there.
fn ask(
    witness: &dyn Cosigner,
    known: u64,
    note: &SignedNote,
    tree: &TileTree<RecentTiles>,
) -> Result<crate::note::NoteSignature, CosignError> {
    let request = |old: u64| {
        let proof = if old == 0 || old >= tree.size() {
            Vec::new()
        } else {
            consistency_proof(tree, old, tree.size())
                .map_err(|error| CosignError::Other(error.to_string()))?
        };
        witness.cosign(&AddCheckpoint { old_size: old, proof, note: note.clone() })
    };
    let signature = match request(known) {
        Err(CosignError::Conflict(size)) if size != known && size <= tree.size() => request(size),
        answer => answer,
    }?;
    let mut check = SignedNote::new(note.text().to_owned()).map_err(|e| CosignError::Other(e.to_string()))?;
    check.add(signature.clone());
    match check.verify(std::slice::from_ref(witness.key())) {
        Ok(verified) if verified.len() == 1 => Ok(signature),
        _ => Err(CosignError::Other("its cosignature does not verify".to_owned())),
    }
}
