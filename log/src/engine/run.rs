//! The thread of a log: it gathers what was sent into batches, and has a [`Writer`] write them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::freeze::FreezeError;
use super::metrics::{self, Metrics};
use super::sequencer::{Answer, Command, Draft, Interlude};
use super::{Config, Coverage, OpenError, RedactError, Redacted};

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
                // What the log lies on is free once this is answered.
                drop(writer);
                let _ = answer.send(());
                return;
            }
        }
    }
}

/// The next command. Until there is one, what is due is done.
fn next(
    writer: &mut impl Writer,
    timer: &Runtime,
    published: &watch::Sender<u64>,
    commands: &mut mpsc::Receiver<Command>,
) -> Option<Command> {
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
    let (mut batch, opened) = (Vec::new(), Instant::now());
    let mut command = first;
    loop {
        match command {
            Command::Append { draft, answer } => batch.push((draft, answer)),
            Command::Interlude(interlude) => return (batch, Some(interlude)),
        }
        if batch.len() >= config.batch_size {
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
