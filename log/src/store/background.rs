//! Calls over the network for code that waits: they run on a thread of their own, so whoever waits may itself be on a
//! thread that serves others.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// After this long without an answer, whether a call was carried out is unknown.
const PATIENCE: Duration = Duration::from_secs(15);

/// A thread on which calls run.
pub(super) struct Background(Option<Runtime>);

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}

impl Background {
    pub(super) fn start() -> io::Result<Self> {
        let mut runtime = Builder::new_multi_thread();
        runtime.worker_threads(1).thread_name("log store").enable_all();
        Ok(Self(Some(runtime.build()?)))
    }

    /// Runs a call, and waits for what comes of it.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        call: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        self.wait_for(PATIENCE, call)
    }

    /// The same for a call that may take longer than others.
    pub(super) fn wait_for<T: Send + 'static>(
        &self,
        patience: Duration,
        call: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let runtime = self.0.as_ref().expect("taken out only when this is dropped");
        runtime.spawn(async move {
            let answer = tokio::time::timeout(patience, call).await;
            // Nobody waits any more when the process ends.
            let _ = sender.send(answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())));
        });
        receiver.recv().unwrap_or_else(|_| Err(io::Error::other("the call's thread failed")))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Waiting for calls that hang would keep from others what this log lies on.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
