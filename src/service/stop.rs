//! The end of what a process serves.

use std::time::Duration;

use sigveil_log::http::Shutdown;

/// How long answers may take that are owed when the process is asked to stop: a proof of all, not a reader of a feed.
const OWED: Duration = Duration::from_secs(10);
/// The same once the logs have stopped, with which feeds end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Stops faces, then the logs behind them: what was sent is answered, and what is answered is durable.
pub async fn stop(shutdown: &Shutdown, logs: impl Future<Output = ()>) {
    shutdown.begin();
    if !shutdown.ended(OWED).await {
        tracing::info!("connections are cut off that have not ended");
    }
    logs.await;
    shutdown.ended(LAST_WORDS).await;
    tracing::info!("stopped");
}
