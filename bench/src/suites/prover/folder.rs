//! Where keys of a statement lie while it is measured: a folder of one name, which a run that was killed leaves to the next.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sigveil_log::store::files::FolderLock;

/// A folder for keys, some hundred megabytes, that nobody else uses; emptied in the end.
pub(super) struct KeyFolder {
    keys: PathBuf,
    /// Held as long as the folder is used; the kernel lets go of it however this process ends.
    _lock: FolderLock,
}

impl KeyFolder {
    /// Takes `prover-keys` below a folder. Fails while another process has it.
    pub(super) fn claim(below: &Path) -> anyhow::Result<Self> {
        let folder = below.join("prover-keys");
        let lock = FolderLock::take(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let lock = lock.with_context(|| format!("another suite prover uses {}", folder.display()))?;
        Ok(Self { keys: folder.join("keys"), _lock: lock })
    }

    /// A folder in it, with nothing inside.
    pub(super) fn empty(&self) -> anyhow::Result<&Path> {
        if self.keys.exists() {
            fs::remove_dir_all(&self.keys)
                .with_context(|| format!("cannot remove {}", self.keys.display()))?;
        }
        fs::create_dir(&self.keys).with_context(|| format!("cannot make {}", self.keys.display()))?;
        Ok(&self.keys)
    }
}

impl Drop for KeyFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = fs::remove_dir_all(&self.keys);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_removed_and_one_that_runs_keeps_its_keys() {
        let target = tempfile::tempdir().unwrap();
        let below = target.path().join("target");
        // As after a kill: the keys are there, and nobody holds the lock.
        fs::create_dir_all(below.join("prover-keys/keys")).unwrap();
        fs::write(below.join("prover-keys/keys/token.key"), "old").unwrap();
        let held = KeyFolder::claim(&below).unwrap();
        let path = held.empty().unwrap();
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
        fs::write(path.join("token.key"), "new").unwrap();
        assert!(KeyFolder::claim(&below).is_err());
        assert!(path.join("token.key").exists());
        let path = path.to_owned();
        drop(held);
        assert!(!path.exists());
        KeyFolder::claim(&below).unwrap();
    }
}
