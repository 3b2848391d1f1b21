//! Where a run's folder lies.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::disk::{Faulty, Forgetful, Memory, Plan};
use super::remote::{FaultyBucket, FaultyConnect, Late, MemoryBucket, MemoryOrder};
use crate::engine::Shared;
use crate::store::bucket::Bucket;
use crate::store::disk::{Disk, Posix};
use crate::store::files::Files;
use crate::store::shared::Connect;

/// A disk with a folder on it, and the plan of what goes wrong there.
pub(super) struct Place {
    pub plan: Arc<Plan>,
    pub memory: Option<Memory>,
    pub folder: PathBuf,
    /// Remote requests under way.
    pub late: Late,
    /// How long the order may take to find out that a session has ended; in memory it knows at once.
    pub session_lingers: Duration,
    disk: Arc<dyn Disk>,
    order: Option<Arc<dyn Connect>>,
    bucket: Option<Arc<dyn Bucket>>,
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn new(disk: Arc<dyn Disk>, memory: Memory) -> Self {
        Self {
            plan: Arc::default(),
            memory: Some(memory),
            folder: PathBuf::from("/store"),
            late: Late::default(),
            session_lingers: Duration::ZERO,
            disk,
            order: None,
            bucket: None,
            _temporary: None,
        }
    }

    pub(super) fn memory() -> Self {
        Self::on(Memory::with_folder(Path::new("/store")))
    }

    pub(super) fn on(memory: Memory) -> Self {
        Self::new(Arc::new(memory.clone()), memory)
    }

    pub(super) fn forgetful(files: fn(&Path) -> bool, folders: fn(&Path) -> bool) -> Self {
        Self::memory().forgetting(files, folders)
    }

    /// On a disk that says of these files, and of the names in these folders, that they are durable when they are not.
    pub(super) fn forgetting(self, files: fn(&Path) -> bool, folders: fn(&Path) -> bool) -> Self {
        let memory = self.memory.expect("a disk in memory");
        Self::new(Arc::new(Forgetful { memory: memory.clone(), files, folders }), memory)
    }

    pub(super) fn real() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let memory = Memory::with_folder(Path::new("/"));
        let folder = temporary.path().to_owned();
        Self { memory: None, folder, _temporary: Some(temporary), ..Self::new(Arc::new(Posix), memory) }
    }

    /// With the log's order elsewhere, and tiles and checkpoint too if there is a bucket.
    pub(super) fn sharing(self, order: Arc<dyn Connect>, bucket: Option<Arc<dyn Bucket>>) -> Self {
        Self { order: Some(order), bucket, ..self }
    }

    /// With the log's order in a real database.
    pub(super) fn over_database(self, order: Arc<dyn Connect>, bucket: Option<Arc<dyn Bucket>>) -> Self {
        Self { session_lingers: Duration::from_secs(20), ..self.sharing(order, bucket) }
    }

    pub(super) fn memory_and_order() -> Self {
        Self::memory().sharing(Arc::new(MemoryOrder::default()), None)
    }

    pub(super) fn bucket_and_order() -> Self {
        let bucket: Arc<dyn Bucket> = Arc::new(MemoryBucket::default());
        Self::memory().sharing(Arc::new(MemoryOrder::default()), Some(bucket))
    }

    /// The shared stores as a process that has just begun sees them.
    pub(super) fn shared(&self) -> Option<Shared> {
        let (plan, order) = (&self.plan, Arc::clone(self.order.as_ref()?));
        let bucket = self.bucket.as_ref().map(|bucket| {
            let (bucket, plan, late) = (Arc::clone(bucket), Arc::clone(plan), self.late.clone());
            // Which call goes wrong must not depend on which of several threads comes first.
            let at_once = if self.session_lingers.is_zero() { 1 } else { bucket.at_once() };
            Arc::new(FaultyBucket { bucket, plan, late, at_once }) as Arc<dyn Bucket>
        });
        let journal = Arc::new(FaultyConnect { order, plan: Arc::clone(plan) });
        // Looked at once a run by whoever has it, and every time by others: which call goes wrong must not depend on how
        // fast this machine is.
        Some(Shared {
            lease: Duration::from_secs(3600),
            contend: Duration::ZERO,
            patience: Duration::ZERO,
            ..Shared::new(journal, bucket)
        })
    }

    /// The files as a process that has just begun sees them.
    pub(super) fn files(&self) -> Files {
        let faulty = Faulty::new(Arc::clone(&self.disk), Arc::clone(&self.plan), self.memory.clone());
        Files::new(Arc::new(faulty.with(self.late.clone())))
    }
}
