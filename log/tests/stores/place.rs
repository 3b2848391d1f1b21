//! Where a log lies: each of the engine's stores.

use std::path::Path;
#[cfg(all(feature = "postgres", feature = "s3"))]
use std::sync::Arc;

use sigveil_log::batch::Batch;
use sigveil_log::engine::{Config, Shared};
use sigveil_log::store::bucket::Replaced;

use crate::common::*;

/// Where a log lies, and its witness beside it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    shared: Option<Shared>,
    #[cfg(all(feature = "postgres", feature = "s3"))]
    order: Option<Arc<servers::Labelled>>,
}

impl Place {
    pub(crate) fn folder() -> Option<Self> {
        Some(Self {
            folder: tempfile::tempdir().unwrap(),
            shared: None,
            #[cfg(all(feature = "postgres", feature = "s3"))]
            order: None,
        })
    }

    #[cfg(all(feature = "postgres", feature = "s3"))]
    pub(crate) fn shared(objects: bool) -> Option<Self> {
        let label = servers::fresh();
        let order = Arc::new(servers::Labelled::new(&servers::postgres()?.address(), &label));
        let bucket = match objects {
            true => Some(Arc::new(servers::bucket(&servers::s3()?.endpoint(), &label)) as Arc<_>),
            false => None,
        };
        let shared = Some(Shared::new(order.clone(), bucket));
        Some(Self { shared, order: Some(order), ..Self::folder()? })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self) -> Config {
        Config { shared: self.shared.clone(), ..config(self.path()) }
    }

    pub(crate) fn witnessed(&self) -> Config {
        Config { shared: self.shared.clone(), ..witnessed(self.path()) }
    }

    /// Everything that is stored of the log, readable or not.
    pub(crate) fn contents(&self) -> Vec<u8> {
        let mut all = contents(self.path());
        let Some(Shared { journal, bucket, .. }) = &self.shared else { return all };
        let ordered = journal.connect(ORIGIN).unwrap().read(None).unwrap();
        all.extend(ordered.batches.iter().flat_map(Batch::to_record));
        let stored = bucket
            .iter()
            .flat_map(|bucket| bucket.list("").unwrap().into_iter().map(|name| bucket.get(&name)));
        all.extend(stored.flat_map(|object| object.unwrap().unwrap().0));
        all
    }

    /// Puts a checkpoint in the place of the published one, past the engine; returns that.
    pub(crate) fn publish(&self, note: &[u8]) -> Vec<u8> {
        if let Some(bucket) = self.shared.as_ref().and_then(|shared| shared.bucket.as_ref()) {
            let (before, version) = bucket.get("checkpoint").unwrap().unwrap();
            assert!(matches!(bucket.replace("checkpoint", note, &version), Ok(Replaced::Now(_))));
            return before;
        }
        let path = self.path().join("log/checkpoint");
        let before = std::fs::read(&path).unwrap();
        std::fs::write(path, note).unwrap();
        before
    }

    /// Has the order, if it is in a database, altered there past the engine. Returns whether it is.
    pub(crate) async fn alter(&self, statements: &str) -> bool {
        #[cfg(all(feature = "postgres", feature = "s3"))]
        if let Some(order) = &self.order {
            alter(order, statements).await;
            return true;
        }
        let _ = statements;
        false
    }
}

/// What somebody does to a database past the engine: statements, in which `$LOG` is the number of this order.
#[cfg(all(feature = "postgres", feature = "s3"))]
async fn alter(order: &servers::Labelled, statements: &str) {
    let (client, connection) = tokio_postgres::connect(&order.address, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let log = format!("(SELECT id FROM sigveil_log WHERE origin = '{ORIGIN} {}')", order.label);
    client.batch_execute(&statements.replace("$LOG", &log)).await.unwrap();
}
