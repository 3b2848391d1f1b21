//! Where what readers see of a log lies: tiles, bundles, checkpoint, and what is kept beside entries. A folder, or a
//! bucket of an S3-compatible store.
//!
//! In a bucket nothing that can be read is ever overwritten but the checkpoint, and what is withheld. A tile, partial or
//! full, is created once: its name says how many entries it covers, and the entries before an index never change, so that
//! whoever writes it, however late or often, writes the same. The checkpoint is created where none stands, and replaced only
//! by whoever knows what stands there, and so is a bundle, by itself without what is withheld.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::bucket::{Bucket, Created, Replaced, Version};
use super::disk::Kind;
use super::files::Files;
use crate::tile::TilePath;

/// Pauses after which an object is asked for that is said to be there, and is not: somebody else may be about to put it.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(250)];
/// What the names of what is kept beside entries begin with.
const SEALED: &str = "sealed/";
/// How often an object is replaced that others replace meanwhile.
const REWRITES: usize = 8;

/// The readable part of a log. Clones are the same.
#[derive(Debug, Clone)]
pub enum Objects {
    /// A folder.
    Folder(Files, PathBuf),
    /// A bucket, or the part of one below a prefix, and whether content may be withheld there.
    Bucket(Arc<dyn Bucket>, bool),
}

/// Which checkpoint stands there, for whoever replaces it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing(Option<Version>);

fn overtaken() -> io::Error {
    io::Error::other("another writer published meanwhile")
}

/// A name at which a store says that an object stands, and has none. What may change there is not put without a condition:
/// such a request takes the place of what stands there when it arrives, which may be newer.
fn torn(name: &str) -> io::Error {
    let text = format!("{name} is said to stand there and cannot be read: remove it by hand");
    io::Error::new(io::ErrorKind::NotFound, text)
}

/// A name at which a bucket holds something else than what belongs there.
fn differs(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{name} stands there with other content"))
}

#[allow(clippy::missing_errors_doc, reason = "all errors are the store's")]
impl Objects {
    /// Where a name is, for messages.
    pub(crate) fn locate(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(_, folder) => folder.join(name),
            Self::Bucket(bucket, _) => PathBuf::from(format!("{}/{name}", bucket.name())),
        }
    }

    /// A whole object; `None` when it is not there.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Folder(files, folder) => files.read_optional(&folder.join(name)),
            Self::Bucket(bucket, _) => Ok(bucket.get(name)?.map(|(bytes, _)| bytes)),
        }
    }

    /// Has an object with this content stand there durably.
    pub(crate) fn ensure_durable(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Folder(files, folder) => files.ensure_durable(&folder.join(name), bytes),
            Self::Bucket(bucket, withholds) => create(bucket.as_ref(), name, bytes, *withholds),
        }
    }

    /// As [`Objects::ensure_durable`] for several.
    pub(crate) fn ensure_all_durable(&self, contents: &[(String, &[u8])]) -> io::Result<()> {
        match self {
            Self::Folder(files, folder) => {
                let contents: Vec<_> =
                    contents.iter().map(|(name, bytes)| (folder.join(name), *bytes)).collect();
                files.ensure_all_durable(&contents)
            }
            Self::Bucket(bucket, withholds) => {
                let put = |(name, bytes): &(String, &[u8])| create(bucket.as_ref(), name, bytes, *withholds);
                contents.chunks(bucket.at_once().max(1)).try_for_each(|some| match some {
                    [one] => put(one),
                    some => std::thread::scope(|scope| {
                        let start = |one| std::thread::Builder::new().spawn_scoped(scope, move || put(one));
                        let puts = some.iter().map(start).collect::<io::Result<Vec<_>>>()?;
                        let failed = |_| Err(io::Error::other("a put's thread failed"));
                        puts.into_iter().try_for_each(|put| put.join().unwrap_or_else(failed))
                    }),
                })
            }
        }
    }

    /// Writes what may stand there already without being durable.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Folder(files, folder) => files.write_durable(&folder.join(name), bytes),
            Self::Bucket(bucket, withholds) => create(bucket.as_ref(), name, bytes, *withholds),
        }
    }

    /// Writes partial tiles, which can be derived again.
    pub(crate) fn write_partials(&self, tiles: &[(TilePath, &[u8])]) -> io::Result<()> {
        match self {
            Self::Folder(files, folder) => tiles.iter().try_for_each(|(tile, bytes)| {
                let path = folder.join(tile.to_string());
                // It is there already only at replay.
                match files.read_optional(&path)? {
                    Some(old) if old == *bytes => Ok(()),
                    Some(_) => files.erase(&path, Some(bytes)),
                    None => files.write_derived(&path, bytes),
                }
            }),
            Self::Bucket(..) => {
                let named: Vec<_> = tiles.iter().map(|(tile, bytes)| (tile.to_string(), *bytes)).collect();
                self.ensure_all_durable(&named)
            }
        }
    }

    /// Removes a partial tile that was outgrown, if it is there.
    pub(crate) fn remove_partial(&self, tile: &TilePath) -> io::Result<()> {
        match self {
            Self::Folder(files, folder) => files.remove_derived(&folder.join(tile.to_string())),
            Self::Bucket(bucket, _) => bucket.remove(&tile.to_string()),
        }
    }

    /// Removes what is left of a tile's partial ones once it is full. In a bucket there is nothing to do: those that one
    /// writer wrote, it removes one by one.
    pub(crate) fn remove_partials_of(&self, tile: &TilePath) -> io::Result<()> {
        match self {
            Self::Folder(files, folder) => files.remove_derived_folder(&folder.join(partials(tile))),
            Self::Bucket(..) => Ok(()),
        }
    }

    /// How wide the partial tiles are that stand at a tile's place.
    pub(crate) fn widths(&self, tile: &TilePath) -> io::Result<Vec<u16>> {
        let prefix = partials(tile);
        match self {
            Self::Folder(files, folder) => {
                let names = files.list(&folder.join(prefix))?;
                Ok(names.iter().filter_map(|(name, _)| name.to_str()?.parse().ok()).collect())
            }
            Self::Bucket(bucket, _) => {
                let names = bucket.list(&format!("{prefix}/"))?;
                Ok(names.iter().filter_map(|name| name.rsplit_once('/')?.1.parse().ok()).collect())
            }
        }
    }

    /// Puts in the place of an object what `change` makes of it, or removes it where that is nothing; of what is kept beside an
    /// entry, in a bucket, an empty object is left. What stood there is overwritten, in a bucket as far as that overwrites
    /// anything.
    pub(crate) fn rewrite(
        &self,
        name: &str,
        change: impl Fn(&[u8]) -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        match self {
            Self::Folder(files, folder) => {
                let path = folder.join(name);
                let Some(old) = files.read_optional(&path)? else { return Ok(()) };
                match change(&old)? {
                    new if new.is_empty() => files.erase(&path, None),
                    // What is as it should be may be what a crash left before it was durable.
                    new => files.ensure_durable(&path, &new),
                }
            }
            Self::Bucket(bucket, _) => rewrite(bucket.as_ref(), name, change),
        }
    }

    /// Removes temporary files that a crash left. A bucket has none.
    pub(crate) fn remove_temporaries(&self) -> io::Result<()> {
        match self {
            // Certificates are written at any time, by whoever checks a chain: a temporary one may be about to get its name.
            Self::Folder(files, folder) => files.remove_temporaries(folder, Some("issuer")),
            Self::Bucket(..) => Ok(()),
        }
    }

    /// Removes the partial tiles that a crash left beside those `kept`, and beside full ones.
    pub(crate) fn remove_stray_partials(&self, kept: &[TilePath]) -> io::Result<()> {
        match self {
            Self::Folder(files, folder) => {
                for tile in kept {
                    let beside = folder.join(partials(tile));
                    for (name, _) in files.list(&beside)? {
                        let path = beside.join(name);
                        if path != folder.join(tile.to_string()) {
                            files.erase(&path, None)?;
                        }
                    }
                }
                remove_outgrown(files, &folder.join("tile"))
            }
            // Wider ones may be those of a writer that has taken over since.
            Self::Bucket(bucket, _) => kept.iter().try_for_each(|tile| {
                let narrower = self.widths(tile)?.into_iter().filter(|width| *width < tile.width);
                narrower
                    .map(|width| TilePath { width, ..*tile })
                    .try_for_each(|path| bucket.remove(&path.to_string()))
            }),
        }
    }

    /// The published checkpoint, and what replacing it takes.
    pub(crate) fn checkpoint(&self) -> io::Result<(Option<Vec<u8>>, Standing)> {
        match self {
            Self::Folder(..) => Ok((self.read("checkpoint")?, Standing(None))),
            Self::Bucket(bucket, _) => Ok(match bucket.get("checkpoint")? {
                Some((bytes, version)) => (Some(bytes), Standing(Some(version))),
                None => (None, Standing(None)),
            }),
        }
    }

    /// Publishes a checkpoint in the place of the one that `standing` says. In a folder that holds because only the
    /// holder of its lock writes.
    pub(crate) fn publish(&self, bytes: &[u8], standing: &mut Standing) -> io::Result<()> {
        let bucket = match self {
            Self::Folder(files, folder) => return files.write_durable(&folder.join("checkpoint"), bytes),
            Self::Bucket(bucket, _) => bucket,
        };
        let replaced = match &standing.0 {
            Some(version) => bucket.replace("checkpoint", bytes, version)?,
            None => match bucket.create("checkpoint", bytes)? {
                Created::Now(version) => Replaced::Now(version),
                Created::Before => Replaced::Other,
            },
        };
        standing.0 = match replaced {
            Replaced::Now(version) => Some(version),
            // A put that was delivered twice finds itself there.
            Replaced::Other => match bucket.get("checkpoint")? {
                Some((there, version)) if there == bytes => Some(version),
                None if standing.0.is_none() => Some(await_first(bucket.as_ref(), bytes)?),
                _ => return Err(overtaken()),
            },
        };
        Ok(())
    }
}

/// Waits for the first checkpoint where a store says that one stands, and has none: somebody else may be about to put it. A
/// store that was killed in the midst of that may say so for ever.
fn await_first(bucket: &dyn Bucket, bytes: &[u8]) -> io::Result<Version> {
    for pause in PAUSES {
        std::thread::sleep(pause);
        if let Some((there, version)) = bucket.get("checkpoint")? {
            return if there == bytes { Ok(version) } else { Err(overtaken()) };
        }
    }
    Err(torn("checkpoint"))
}

/// Creates an object, or finds it there as it should be.
///
/// A store that was killed while it created one, or took it away, may say for ever that it stands there, and not have it. Its
/// place is then taken without a condition, by what anybody would put there; but not where that may be what was withheld
/// since, which a request that comes late would bring back.
fn create(bucket: &dyn Bucket, name: &str, bytes: &[u8], withholds: bool) -> io::Result<()> {
    for pause in PAUSES {
        std::thread::sleep(pause);
        if let Created::Now(_) = bucket.create(name, bytes)? {
            return Ok(());
        }
        match bucket.get(name)? {
            Some((there, _)) if there == bytes => return Ok(()),
            Some(_) => return Err(differs(name)),
            None => {}
        }
    }
    if withholds && (name.starts_with("tile/entries/") || name.starts_with(SEALED)) {
        return Err(torn(name));
    }
    bucket.overwrite(name, bytes)
}

/// Replaces exactly what was changed: others may be at the same.
fn rewrite(bucket: &dyn Bucket, name: &str, change: impl Fn(&[u8]) -> io::Result<Vec<u8>>) -> io::Result<()> {
    for _ in 0..REWRITES {
        let Some((old, version)) = bucket.get(name)? else { return Ok(()) };
        let new = change(&old)?;
        if new == old {
            return Ok(());
        }
        // Where nothing stood, who was overtaken could still create what is withheld.
        if new.is_empty() && !name.starts_with(SEALED) {
            return bucket.remove(name);
        }
        if let Replaced::Now(_) = bucket.replace(name, &new, &version)? {
            return Ok(());
        }
    }
    Err(io::Error::other(format!("{name} is replaced by others again and again")))
}

/// Name of the folder of a tile's partial ones.
fn partials(tile: &TilePath) -> String {
    format!("{}.p", TilePath { width: 256, ..*tile })
}

/// Removes partial files beside full ones. Their removal was not synced, and after a power failure they may be back, with
/// anything in them.
fn remove_outgrown(files: &Files, folder: &Path) -> io::Result<()> {
    let names = files.list(folder)?;
    let full: HashSet<&OsStr> =
        names.iter().filter(|(_, kind)| *kind == Kind::File).map(|(name, _)| name.as_os_str()).collect();
    for (name, _) in names.iter().filter(|(_, kind)| *kind == Kind::Folder) {
        let path = folder.join(name);
        match Path::new(name).file_stem() {
            Some(stem) if path.extension() == Some(OsStr::new("p")) => {
                if full.contains(stem) {
                    files
                        .list(&path)?
                        .iter()
                        .try_for_each(|(width, _)| files.erase(&path.join(width), None))?;
                    files.remove_derived_folder(&path)?;
                }
            }
            _ => remove_outgrown(files, &path)?,
        }
    }
    Ok(())
}
