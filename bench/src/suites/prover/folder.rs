//! Where keys of a statement lie while it is measured: a folder of one name, which a run that was killed leaves to the next.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// A folder for keys, some hundred megabytes, that nobody else uses; removed in the end.
pub(super) struct KeyFolder {
    path: PathBuf,
    /// Held as long as the folder is used; the kernel lets go of it however this process ends.
    _lock: File,
}

impl KeyFolder {
    /// Takes `prover-keys` below a folder. Fails while another process has it.
    pub(super) fn claim(below: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(below).with_context(|| format!("cannot make {}", below.display()))?;
        let path = below.join("prover-keys");
        let name = below.join("prover-keys.lock");
        let lock = File::create(&name).with_context(|| format!("cannot make {}", name.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another suite prover uses {}", path.display()),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", name.display()));
            }
        }
        Ok(Self { path, _lock: lock })
    }

    /// The folder, with nothing in it.
    pub(super) fn empty(&self) -> anyhow::Result<&Path> {
        if self.path.exists() {
            fs::remove_dir_all(&self.path)
                .with_context(|| format!("cannot remove {}", self.path.display()))?;
        }
        fs::create_dir(&self.path).with_context(|| format!("cannot make {}", self.path.display()))?;
        Ok(&self.path)
    }
}

impl Drop for KeyFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run.
        let _ = fs::remove_dir_all(&self.path);
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
        fs::create_dir_all(below.join("prover-keys")).unwrap();
        fs::write(below.join("prover-keys/token.key"), "old").unwrap();
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
