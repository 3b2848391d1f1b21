//! Where a run's folder lies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Faulty, Forgetful, Memory, Plan};
use crate::store::disk::{Disk, Posix};
use crate::store::files::Files;

/// A disk with a folder on it, and the plan of what goes wrong there.
pub(super) struct Place {
    pub plan: Arc<Plan>,
    pub memory: Option<Memory>,
    pub folder: PathBuf,
    disk: Arc<dyn Disk>,
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn new(disk: Arc<dyn Disk>, memory: Memory) -> Self {
        let folder = PathBuf::from("/store");
        Self { plan: Arc::default(), memory: Some(memory), folder, disk, _temporary: None }
    }

    pub(super) fn memory() -> Self {
        let memory = Memory::with_folder(Path::new("/store"));
        Self::new(Arc::new(memory.clone()), memory)
    }

    pub(super) fn forgetful(files: fn(&Path) -> bool, folders: fn(&Path) -> bool) -> Self {
        let memory = Memory::with_folder(Path::new("/store"));
        Self::new(Arc::new(Forgetful { memory: memory.clone(), files, folders }), memory)
    }

    pub(super) fn real() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        Self {
            plan: Arc::default(),
            memory: None,
            folder,
            disk: Arc::new(Posix),
            _temporary: Some(temporary),
        }
    }

    /// The files as a process that has just begun sees them.
    pub(super) fn files(&self) -> Files {
        let faulty = Faulty::new(Arc::clone(&self.disk), Arc::clone(&self.plan), self.memory.clone());
        Files::new(Arc::new(faulty))
    }
}
