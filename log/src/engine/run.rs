//! The thread of a log: it gathers what was sent into batches, and has a [`Writer`] write them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::command::{Answer, Command, Draft, Interlude};
use super::freeze::FreezeError;
use super::metrics::{self, Metrics};
use super::{Config, Coverage, OpenError, RedactError, Redacted};

/// Entries that may be ordered and not published, and bytes of them.
const MOST_UNPUBLISHED: (u64, usize) = (1 << 16, 256 << 20);

/// What one writer has ordered and not seen published. Nothing more is taken while that is too much, since witnesses that are
/// away for long would have storage fill, and of several front ends whoever leads next reads all of it at once.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: usize,
}

impl Backlog {
    /// So many bytes are ordered.
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// All that this writer ordered is published.
    pub(super) fn clear(&mut self) {
        self.bytes = 0;
    }

    /// Whether it is too much, of an order of `ordered` entries, of which as many are `published`.
    pub(super) fn is_full(&mut self, ordered: u64, published: u64) -> bool {
        if ordered <= published {
            self.clear();
        }
        let (entries, bytes) = MOST_UNPUBLISHED;
        ordered.saturating_sub(published) >= entries || self.bytes >= bytes
    }
}

/// What a log's thread drives.
pub(super) trait Writer: Send + Sized + 'static {
    /// How the log runs.
    fn config(&self) -> &Config;
    /// Where it counts.
    fn metrics(&mut self) -> &mut Arc<Metrics>;
    /// When there is something to do even if nothing is sent.
    fn due(&self) -> Option<Instant>;
    /// Does that.
    fn tend(&mut self);
    /// Commits a batch, publishes, and answers.
    fn process(&mut self, batch: Vec<(Draft, Answer)>);
    /// Withholds what a record says.
    fn redact(&mut self, record: u64, coverage: &dyn Coverage) -> Result<Redacted, RedactError>;
    /// Has nothing appended after this, for ever.
    fn freeze(&mut self) -> Result<(), FreezeError>;
    /// Brings the gauges up to date.
    fn measure(&self);
}

/// Starts the thread of a log that is open.
pub(super) fn start(
    mut writer: impl Writer,
    metrics: Arc<Metrics>,
    published: watch::Sender<u64>,
    commands: mpsc::Receiver<Command>,
) -> Result<(), OpenError> {
    *writer.metrics() = metrics;
    tell(&mut writer, &published);
    let timer = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let name = format!("log {}", writer.config().signer.public().name());
    let thread = std::thread::Builder::new().name(name.chars().take(15).collect());
    thread.spawn(move || run(writer, &timer, &published, commands))?;
    Ok(())
}

/// Brings up to date what others see: the gauges, and the size of the published tree, which never goes back.
fn tell(writer: &mut impl Writer, published: &watch::Sender<u64>) {
    writer.measure();
    let size = writer.metrics().published();
    published.send_if_modified(|known| *known < size && std::mem::replace(known, size) < size);
}

/// Runs until the last sender is gone or asks for it.
fn run(
    mut writer: impl Writer,
    timer: &Runtime,
    published: &watch::Sender<u64>,
    mut commands: mpsc::Receiver<Command>,
) {
    while let Some(command) = next(&mut writer, timer, published, &mut commands) {
        let (batch, interlude) = gather(writer.config(), command, &mut commands);
        let begun = Instant::now();
        if !batch.is_empty() {
            writer.process(batch);
        }
        let spent = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        metrics::add(&writer.metrics().batch_microseconds, spent);
        tell(&mut writer, published);
        match interlude {
            None => {}
            Some(Interlude::Redact { record, coverage, answer }) => {
                let _ = answer.send(writer.redact(record, coverage.as_ref()));
            }
            Some(Interlude::Freeze { ended, answer }) => {
                let frozen = writer.freeze();
                tell(&mut writer, published);
                if frozen.is_ok() {
                    ended.store(true, Ordering::SeqCst);
                    drop(writer);
                    let _ = answer.send(frozen);
                    return;
                }
                let _ = answer.send(frozen);
            }
            Some(Interlude::Stop { answer }) => {
                // Once this is answered, what the log lies on is free, and nobody takes it for running.
                drop(writer);
                drop(commands);
                let _ = answer.send(());
                return;
            }
        }
    }
}

/// The next command. Until there is one, what is due is done; and once before it, so that a queue that is never empty keeps
/// nothing from being done.
fn next(
    writer: &mut impl Writer,
    timer: &Runtime,
    published: &watch::Sender<u64>,
    commands: &mut mpsc::Receiver<Command>,
) -> Option<Command> {
    if writer.due().is_some_and(|due| due <= Instant::now()) {
        writer.tend();
        tell(writer, published);
    }
    loop {
        let Some(due) = writer.due() else { return commands.blocking_recv() };
        match timer.block_on(async { tokio::time::timeout_at(due.into(), commands.recv()).await }) {
            Ok(command) => return command,
            Err(_) => {
                writer.tend();
                tell(writer, published);
            }
        }
    }
}

/// A batch: what comes within its age, up to its size or what ends it.
fn gather(
    config: &Config,
    first: Command,
    commands: &mut mpsc::Receiver<Command>,
) -> (Vec<(Draft, Answer)>, Option<Interlude>) {
    let (mut batch, mut bytes, opened) = (Vec::new(), 0, Instant::now());
    let mut command = first;
    loop {
        match command {
            Command::Append { draft, answer, room } => {
                bytes += draft.bytes();
                batch.push((draft, answer));
                drop(room);
            }
            Command::Interlude(interlude) => return (batch, Some(interlude)),
        }
        if batch.len() >= config.batch_size || bytes >= config.batch_bytes {
            return (batch, None);
        }
        command = loop {
            match commands.try_recv() {
                Ok(command) => break command,
                Err(mpsc::error::TryRecvError::Empty) if opened.elapsed() < config.batch_age => {
                    std::thread::sleep(config.batch_age / 10);
                }
                Err(_) => return (batch, None),
            }
        };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::time::Duration;

    use tokio::sync::{Semaphore, oneshot};

    use super::super::common;
    use super::*;

    /// Counts how often it did what was due.
    struct Due {
        config: Config,
        metrics: Arc<Metrics>,
        at: Instant,
        tended: usize,
    }

    impl Due {
        fn new(config: Config, at: Instant) -> Self {
            Self { config, metrics: Arc::default(), at, tended: 0 }
        }
    }

    impl Writer for Due {
        fn config(&self) -> &Config {
            &self.config
        }

        fn metrics(&mut self) -> &mut Arc<Metrics> {
            &mut self.metrics
        }

        fn due(&self) -> Option<Instant> {
            Some(self.at)
        }

        fn tend(&mut self) {
            self.tended += 1;
        }

        fn process(&mut self, _: Vec<(Draft, Answer)>) {}

        fn redact(&mut self, _: u64, _: &dyn Coverage) -> Result<Redacted, RedactError> {
            Err(RedactError::Unavailable)
        }

        fn freeze(&mut self) -> Result<(), FreezeError> {
            Err(FreezeError::Unavailable)
        }

        fn measure(&self) {}
    }

    /// So many commands that wait, of as many bytes each.
    fn waiting(count: usize, bytes: usize) -> mpsc::Receiver<Command> {
        let (sender, receiver) = mpsc::channel(count);
        for _ in 0..count {
            let room = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
            let (answer, draft) = (oneshot::channel().0, Draft::fixed(vec![0; bytes], Vec::new()));
            assert!(sender.try_send(Command::Append { draft, answer, room }).is_ok());
        }
        receiver
    }

    #[test]
    fn what_is_due_is_done_though_the_queue_is_never_empty() {
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (published, _seen) = watch::channel(0);
        let mut commands = waiting(3, 1);
        let mut writer = Due::new(common::config(folder.path()), Instant::now());
        for tended in 1..=2 {
            assert!(next(&mut writer, &timer, &published, &mut commands).is_some());
            assert_eq!(writer.tended, tended, "once for each");
        }
        writer.at = Instant::now() + Duration::from_secs(3600);
        assert!(next(&mut writer, &timer, &published, &mut commands).is_some());
        assert_eq!(writer.tended, 2, "not before it is due");
    }

    #[test]
    fn what_is_not_published_is_limited_in_entries_and_in_bytes() {
        let mut backlog = Backlog::default();
        assert!(!backlog.is_full(70_000, 70_000 - 65_535) && backlog.is_full(70_000, 70_000 - 65_536));
        let most = 256 << 20;
        backlog.add(most - 1);
        assert!(!backlog.is_full(2, 1));
        backlog.add(1);
        assert!(backlog.is_full(2, 1), "some of it may be the one that is not published");
        assert!(!backlog.is_full(2, 2) && !backlog.is_full(3, 2), "all of it was published");
        backlog.add(most);
        backlog.clear();
        assert!(!backlog.is_full(4, 2));
    }

    #[test]
    fn a_batch_is_whole_at_its_entries_or_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let gathered = |batch_size, batch_bytes| {
            let batch_age = Duration::from_secs(3600);
            let config = Config { batch_size, batch_bytes, batch_age, ..common::config(folder.path()) };
            let mut commands = waiting(9, 100);
            let first = commands.try_recv().unwrap();
            gather(&config, first, &mut commands).0.len()
        };
        assert_eq!(gathered(4, usize::MAX), 4);
        assert_eq!(gathered(usize::MAX, 201), 3);
        // Nobody sends more: there is nothing to wait for.
        assert_eq!(gathered(usize::MAX, usize::MAX), 9);
    }
}
