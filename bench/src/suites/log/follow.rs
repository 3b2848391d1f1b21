//! Somebody who reads a log's feed while it is under load: each entry is told once it is published.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// How an event begins that is an entry.
const ENTRY: &[u8] = b"event: entry";
/// How long the last events may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A reader, until it is asked what it was told.
pub(crate) struct Follower {
    stream: TcpStream,
    told: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Follower {
    /// Of the entries from an index on.
    pub(crate) fn from(address: &str, index: u64) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        let request = format!("GET /api/sigveil/v1/events?from={index} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let (told, mut feed) = (Arc::new(AtomicU64::new(0)), stream.try_clone()?);
        let counted = Arc::clone(&told);
        let thread = std::thread::spawn(move || {
            let (mut buffer, mut filled) = (vec![0; 1 << 16], 0);
            while let Ok(more @ 1..) = feed.read(&mut buffer[filled..]) {
                filled += more;
                let found = buffer[..filled].windows(ENTRY.len()).filter(|bytes| *bytes == ENTRY).count();
                counted.fetch_add(found as u64, Ordering::Relaxed);
                // What may be the beginning of one.
                let rest = filled.min(ENTRY.len() - 1);
                buffer.copy_within(filled - rest..filled, 0);
                filled = rest;
            }
        });
        Ok(Self { stream, told, thread })
    }

    /// Goes, whatever it was told.
    pub(crate) fn leave(self) -> anyhow::Result<()> {
        self.stream.shutdown(Shutdown::Both).ok();
        self.thread.join().ok().context("the reader of the feed died")
    }

    /// Waits until it was told of so many, and refuses if it was not.
    pub(crate) fn finish(self, entries: u64) -> anyhow::Result<()> {
        let begun = Instant::now();
        let told = || self.told.load(Ordering::Relaxed);
        while told() < entries && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        let told = told();
        self.leave()?;
        ensure!(told == entries, "{entries} entries, and the feed told of {told}");
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A feed that tells of two entries, in pieces that end within a word.
    fn feed() -> String {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let (mut reader, _) = server.accept().unwrap();
            reader.set_nodelay(true).unwrap();
            for piece in ["id: 0\nevent: en", "try\ndata: {}\n\nid: 1\neve", "nt: entry\ndata: {}\n\n"] {
                reader.write_all(piece.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
            // Until the reader goes.
            while let Ok(1..) = reader.read(&mut [0; 256]) {}
        });
        address
    }

    #[test]
    fn each_entry_counts_once_however_it_comes() {
        Follower::from(&feed(), 0).unwrap().finish(2).unwrap();
        let refused = Follower::from(&feed(), 0).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(refused.finish(1).unwrap_err().to_string().contains("told of 2"));
    }
}
