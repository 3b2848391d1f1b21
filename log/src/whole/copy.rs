//! A copy of a log in a folder: made, brought up to date, completed.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::issuers::unavailable;
use super::walk::{Piece, Tally, walk, withholding_bundle};
use super::{Identity, Source, WholeError};
use crate::checkpoint::{Checkpoint, VerifiedCheckpoint};
use crate::hash::Hash;
use crate::merkle::{consistency_proof, verify_consistency};
use crate::store::files::{Files, FolderLock};
use crate::store::{Objects, Reader, Standing};
use crate::tile::{MAX_LEVEL, TILE_WIDTH, TileKind, TilePath, TileTree};

/// What copying or completing came to.
#[derive(Debug)]
pub struct Copied {
    /// The checkpoint that the folder now has.
    pub checkpoint: VerifiedCheckpoint,
    /// What was looked at: everything, or what was new since the last time.
    pub tally: Tally,
    /// Tiles, bundles and certificates that were written.
    pub written: u64,
}

/// A folder that holds a copy of a log, and its only writer.
#[derive(Debug)]
pub struct LocalCopy {
    identity: Identity,
    objects: Objects,
    reader: Reader,
    /// Size up to which this process has checked the folder.
    known: u64,
    /// Entries that a record withholds and that were not withheld yet where the copy is made from.
    to_withhold: BTreeSet<u64>,
    _lock: FolderLock,
}

impl LocalCopy {
    /// The copy in a folder, which may be empty or not there yet.
    ///
    /// # Errors
    /// [`WholeError::Locked`], [`WholeError::NotACopy`], or from the file system.
    pub fn open(folder: &Path, identity: Identity) -> Result<Self, WholeError> {
        let files = Files::default();
        let lock = files.lock(folder)?.ok_or(WholeError::Locked)?;
        // An engine that was pointed at a copy has left an empty one.
        if files.read_optional(&folder.join("wal"))?.is_some_and(|wal| !wal.is_empty()) {
            return Err(WholeError::NotACopy);
        }
        files.remove_temporaries(folder, None)?;
        let objects = Objects::Folder(files, folder.to_owned());
        let reader = Reader::on(objects.clone());
        Ok(Self { identity, objects, reader, known: 0, to_withhold: BTreeSet::new(), _lock: lock })
    }

    /// The copy, for reading.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Size of the tree that the copy's checkpoint commits to.
    ///
    /// # Errors
    /// When there is one that cannot be read, or is not this log's.
    pub fn size(&self) -> Result<u64, WholeError> {
        Ok(self.own()?.map_or(0, |own| own.size))
    }

    fn own(&self) -> Result<Option<Checkpoint>, WholeError> {
        let Some(bytes) = self.objects.read("checkpoint")? else { return Ok(None) };
        Ok(Some(VerifiedCheckpoint::open(&bytes, &self.identity.key, &[])?.checkpoint().clone()))
    }

    /// Brings the copy up to what the log has published. The first time, what the folder holds is checked and only the
    /// rest is read from the log; after that, only what is new. Readers see the old tree or the new one. What the log has
    /// withheld since is erased here too.
    ///
    /// # Errors
    /// [`WholeError`]; the copy's checkpoint is then the one it had.
    pub fn follow(&mut self, log: &dyn Source) -> Result<Copied, WholeError> {
        let note = log.checkpoint()?;
        let opened = self.identity.open(&note)?;
        let now = opened.checkpoint();
        if let Some(had) = self.own()? {
            self.check_continued(log, &had, now)?;
        }
        let mut keeper = Keeper::new(&self.objects, log);
        let sources: [&dyn Source; 2] = [&self.reader, log];
        let tally = walk(&sources, now, self.identity.layout, self.known, |pieces| keeper.keep(pieces))?;
        let mut written = keeper.written;
        self.to_withhold.extend(&tally.to_withhold);
        written += self.withhold(log, now)?;
        if self.objects.read("checkpoint")?.as_deref() != Some(&note) {
            self.objects.publish(&note, &mut Standing::default())?;
        }
        self.objects.remove_stray_partials(&partials(now.size, self.identity.layout.bundle_kind()))?;
        self.known = now.size;
        Ok(Copied { checkpoint: opened, tally, written })
    }

    /// Refuses a log that is not a continuation of the copy.
    fn check_continued(
        &self,
        log: &dyn Source,
        had: &Checkpoint,
        now: &Checkpoint,
    ) -> Result<(), WholeError> {
        if now.size < had.size {
            return Err(WholeError::Shrank { had: had.size, now: now.size });
        }
        let continued = if had.size == now.size {
            had.root == now.root
        } else if had.size == 0 {
            true
        } else {
            let proof = consistency_proof(&TileTree::new(log, now.size), had.size, now.size)?;
            verify_consistency(had.size, &had.root, now.size, &now.root, &proof).is_ok()
        };
        if !continued {
            // Damaged tiles make a wrong proof too: it is a fork only if the log holds together.
            walk(&[log], now, self.identity.layout, 0, |pieces| {
                pieces.into_iter().try_for_each(|piece| Ok(piece.content.map(drop)?))
            })?;
            return Err(WholeError::Fork { had: had.size, now: now.size });
        }
        Ok(())
    }

    /// Erases what the log has withheld of what is here.
    fn withhold(&mut self, log: &dyn Source, now: &Checkpoint) -> Result<u64, WholeError> {
        let mut written = 0;
        for index in self.to_withhold.clone() {
            if let Some((path, bytes)) = withholding_bundle(log, &self.reader, now, index)? {
                self.objects.ensure_durable(&path.to_string(), &bytes)?;
                self.to_withhold.remove(&index);
                written += 1;
            }
        }
        Ok(written)
    }
}

/// Puts back what is missing or damaged in a folder, from another copy of the same log, up to the folder's own checkpoint.
/// It may be the folder of a log that does not run. What that log has withheld is withheld again when it starts.
///
/// # Errors
/// [`WholeError`]: also when neither has a piece. What was put back until then is there.
pub fn complete(folder: &Path, identity: &Identity, other: &dyn Source) -> Result<Copied, WholeError> {
    let files = Files::default();
    let _lock = files.lock(folder)?.ok_or(WholeError::Locked)?;
    files.remove_temporaries(folder, None)?;
    let objects = Objects::Folder(files, folder.to_owned());
    let own = Reader::on(objects.clone());
    let opened = identity.open(&own.checkpoint()?)?;
    let mut keeper = Keeper::new(&objects, other);
    let sources: [&dyn Source; 2] = [&own, other];
    let tally = walk(&sources, opened.checkpoint(), identity.layout, 0, |pieces| keeper.keep(pieces))?;
    let written = keeper.written;
    Ok(Copied { checkpoint: opened, tally, written })
}

/// Who puts into a folder what was found to hold.
struct Keeper<'a> {
    objects: &'a Objects,
    /// Has what the folder lacks.
    other: &'a dyn Source,
    /// Certificates that are there.
    issuers: BTreeSet<Hash>,
    written: u64,
}

impl<'a> Keeper<'a> {
    fn new(objects: &'a Objects, other: &'a dyn Source) -> Self {
        Self { objects, other, issuers: BTreeSet::new(), written: 0 }
    }

    /// Writes what came from the second source, and of the tree's right edge what is not there under its own name: a wider
    /// tile, of which the own reader cuts it, is erased with the checkpoint that outgrows it or never had it. The
    /// certificates that a bundle names are there before it.
    fn keep(&mut self, pieces: Vec<Piece>) -> Result<(), WholeError> {
        let mut contents = Vec::new();
        for Piece { path, from, content, found } in pieces {
            let bytes = content?;
            if let Some(fingerprint) = found.missing.first() {
                return Err(unavailable(fingerprint).into());
            }
            found.issuers.iter().try_for_each(|fingerprint| self.keep_issuer(fingerprint))?;
            if from > 0 || (!path.is_full() && !stands(self.objects, &path)?) {
                contents.push((path.to_string(), bytes));
            }
        }
        let named: Vec<_> = contents.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice())).collect();
        self.objects.ensure_all_durable(&named)?;
        self.written += named.len() as u64;
        Ok(())
    }

    /// Has a certificate there that a certificate log keeps beside its entries.
    fn keep_issuer(&mut self, fingerprint: &Hash) -> Result<(), WholeError> {
        if self.issuers.contains(fingerprint) {
            return Ok(());
        }
        let name = format!("issuer/{}", fingerprint.to_hex());
        let is_whole = |bytes: &Vec<u8>| Hash::of(&[bytes]) == *fingerprint;
        if !self.objects.read(&name)?.as_ref().is_some_and(is_whole) {
            let bytes = self.other.issuer(fingerprint)?.filter(is_whole);
            self.objects.ensure_durable(&name, &bytes.ok_or_else(|| unavailable(fingerprint))?)?;
            self.written += 1;
        }
        self.issuers.insert(*fingerprint);
        Ok(())
    }
}

/// Whether a partial tile is there, or the full one, which stays.
fn stands(objects: &Objects, path: &TilePath) -> io::Result<bool> {
    let full = TilePath { width: 256, ..*path };
    Ok(objects.read(&path.to_string())?.is_some() || objects.read(&full.to_string())?.is_some())
}

/// The tiles of a tree that are not full.
fn partials(size: u64, bundles: TileKind) -> Vec<TilePath> {
    let kinds = (0..=MAX_LEVEL).map(TileKind::Hashes).chain([bundles]);
    let last = |kind| {
        let items = match kind {
            TileKind::Hashes(level) => size >> (crate::tile::TILE_HEIGHT * u32::from(level)),
            _ => size,
        };
        TilePath::in_tree(kind, items / TILE_WIDTH, size)
    };
    kinds.filter_map(last).collect()
}
