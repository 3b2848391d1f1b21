//! The feed of a log by NATS JetStream, for more readers than a face of the log can hold.
//!
//! A [`NatsFeed`] reads a log's checkpoint and tiles, as any reader does, and publishes one message for each entry under the
//! checkpoint: what the log's own feed says of it (`docs/log.md`), on the log's [`subject`], into a stream of the log's own.
//! There the entry of index *i* has the sequence number *i* + 1. Each message names the one that it follows
//! (`Nats-Expected-Last-Sequence`), and the server refuses it anywhere else: so messages are in order, none is left out and
//! none is there twice, however often publishers end, start anew or run side by side. A publisher keeps nothing, since
//! the stream's last sequence number says where to go on, and a reader begins at any index by its sequence number. Each
//! message has an id too (`Nats-Msg-Id`), by which a reader finds out what it was given again.
//!
//! Only what proves to be under a checkpoint that the log signed is published. While the log or the NATS server is away it is
//! waited for. A server that loses what it acknowledged, as one that ends before its disk has all of it can, gets that again.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, RawMessageErrorKind, Stream};
use async_nats::{Client, ConnectOptions, header};
use serde::Deserialize;

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::http::{entry_event, leaves};
use crate::merkle::{inclusion_proof, verify_inclusion};
use crate::tile::{TileError, TileTree};
use crate::whole::{Identity, Source, WholeError};

/// How long the server may take for one answer.
const ANSWER: Duration = Duration::from_secs(10);

/// What names a log where its origin cannot: the first half of its SHA-256, in hexadecimal.
fn name(origin: &str) -> String {
    hex::encode(&Hash::of(&[origin.as_bytes()]).0[..16])
}

/// The subject of a log's messages.
pub fn subject(origin: &str) -> String {
    format!("sigveil.log.{}", name(origin))
}

/// The stream that holds them.
pub fn stream_name(origin: &str) -> String {
    format!("sigveil-log-{}", name(origin))
}

/// The `Nats-Msg-Id` of an entry's message.
pub fn message_id(origin: &str, index: u64) -> String {
    format!("{}-{index}", name(origin))
}

/// Why a feed does not go on, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The server's address cannot be used.
    #[error("the NATS server cannot be used: {0}")]
    Address(String),
    /// The stream holds what this feed did not publish.
    #[error("the stream {stream} does not hold this log's entries: its message {sequence} is another")]
    Foreign {
        /// Its name.
        stream: String,
        /// The message's number in it.
        sequence: u64,
    },
    /// The server does not answer or refuses: waited for.
    #[error("the NATS server does not take messages: {0}")]
    Unavailable(String),
    /// The log cannot be read or does not hold together: waited for.
    #[error(transparent)]
    Log(#[from] WholeError),
}

impl NatsError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Address(_) => "nats-address",
            Self::Foreign { .. } => "nats-stream-foreign",
            Self::Unavailable(_) => "nats-unavailable",
            Self::Log(error) => error.reason(),
        }
    }

    fn unavailable(error: impl std::error::Error) -> Self {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::Unavailable(format!("{error}{cause}"))
    }
}

impl From<TileError> for NatsError {
    fn from(error: TileError) -> Self {
        Self::Log(error.into())
    }
}

/// Of a message, what shows that it is this log's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    index: u64,
    leaf_hash: String,
}

/// Messages of one tile or less, and the index after the last.
type Messages = (Vec<(u64, String)>, u64);

/// A log, and how often it is looked at.
pub struct NatsFeed {
    log: Arc<dyn Source + Send>,
    identity: Identity,
    every: Duration,
}

impl NatsFeed {
    /// The feed of this log; `every` is how long after one look at its checkpoint the next is.
    pub fn new(log: Arc<dyn Source + Send>, identity: Identity, every: Duration) -> Self {
        Self { log, identity, every }
    }

    /// Publishes to this server, `nats://` or `tls://`, with `user:password@` or `token@` before its host where it asks for
    /// that. The stream is made, of files and without limits, if it is not there; one that is there is taken with
    /// its settings.
    ///
    /// # Errors
    /// [`NatsError::Address`] and [`NatsError::Foreign`]; everything else is waited for.
    pub async fn publish(&self, server: &str) -> Result<Infallible, NatsError> {
        let options = ConnectOptions::new().name("sigveil log feed").retry_on_initial_connect();
        let client = options.connect(server).await.map_err(|error| NatsError::Address(error.to_string()))?;
        loop {
            match self.follow(&client).await {
                Err(error @ NatsError::Foreign { .. }) => return Err(error),
                Err(error) => tracing::warn!(%error, reason = error.reason(), "the feed waits"),
                Ok(never) => match never {},
            }
            tokio::time::sleep(self.every).await;
        }
    }

    /// Goes on after the stream's last message, until something fails.
    async fn follow(&self, client: &Client) -> Result<Infallible, NatsError> {
        let context = ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER).build(client.clone());
        let origin = self.identity.key.name();
        let config = Config {
            name: stream_name(origin),
            subjects: vec![subject(origin)],
            description: Some(format!("entries of the log {origin}")),
            ..Config::default()
        };
        let stream = context.get_or_create_stream(config).await.map_err(NatsError::unavailable)?;
        let mut next = stream.cached_info().state.last_sequence;
        let mut checked = next == 0;
        loop {
            let checkpoint = self.checkpoint().await?;
            if !checked && next <= checkpoint.size {
                self.check_last(&stream, &checkpoint, next).await?;
                checked = true;
            }
            if next > checkpoint.size {
                tracing::warn!(
                    next,
                    size = checkpoint.size,
                    "the stream is ahead of the log: the feed waits"
                );
            }
            while checked && next < checkpoint.size {
                let (messages, end) = self.read(&checkpoint, next).await?;
                self.send(&context, messages).await?;
                next = end;
            }
            tokio::time::sleep(self.every).await;
        }
    }

    async fn checkpoint(&self) -> Result<Checkpoint, NatsError> {
        let (log, identity) = (Arc::clone(&self.log), self.identity.clone());
        blocking(move || Ok(identity.open(&log.checkpoint()?)?.checkpoint().clone())).await
    }

    /// Leaves from `begin` on, as many as its tile has of the tree, proven to be under the checkpoint.
    async fn leaves(&self, checkpoint: &Checkpoint, begin: u64) -> Result<Vec<(u64, Hash)>, NatsError> {
        let (log, size, root) = (Arc::clone(&self.log), checkpoint.size, checkpoint.root);
        blocking(move || {
            let tree = TileTree::new(&*log, size);
            let leaves = leaves(&tree, begin)?;
            // The path from one leaf is made of all others of its tile, so that they are proven with it.
            let proof = inclusion_proof(&tree, begin, size)?;
            let proven = verify_inclusion(&leaves[0].1, begin, size, &proof, &root);
            proven.map_err(|_| TileError::RootMismatch)?;
            Ok(leaves)
        })
        .await
    }

    async fn read(&self, checkpoint: &Checkpoint, begin: u64) -> Result<Messages, NatsError> {
        let leaves = self.leaves(checkpoint, begin).await?;
        let end = begin + leaves.len() as u64;
        let message = |(index, leaf): &(u64, Hash)| (*index, entry_event(*index, leaf, checkpoint.size));
        Ok((leaves.iter().map(message).collect(), end))
    }

    /// Sends them, all before the first is acknowledged: each is taken only behind the one before.
    async fn send(&self, context: &Context, messages: Vec<(u64, String)>) -> Result<(), NatsError> {
        let origin = self.identity.key.name();
        let (subject, stream) = (subject(origin), stream_name(origin));
        let mut acknowledgements = Vec::with_capacity(messages.len());
        for (index, text) in messages {
            let message = PublishMessage::build()
                .payload(text.into())
                .message_id(message_id(origin, index))
                .expected_last_sequence(index)
                .expected_stream(&stream);
            let sent = context.send_publish(subject.clone(), message).await;
            acknowledgements.push(sent.map_err(NatsError::unavailable)?);
        }
        for acknowledgement in acknowledgements {
            acknowledgement.await.map_err(NatsError::unavailable)?;
        }
        Ok(())
    }

    /// The stream's last message is this log's entry before `next`, unless it was removed from there.
    async fn check_last(&self, stream: &Stream, checkpoint: &Checkpoint, next: u64) -> Result<(), NatsError> {
        let message = match stream.get_raw_message(next).await {
            Ok(message) => message,
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(()),
            Err(error) => return Err(NatsError::unavailable(error)),
        };
        let origin = self.identity.key.name();
        let leaf = self.leaves(checkpoint, next - 1).await?[0].1.to_base64();
        let id = message.headers.get(header::NATS_MESSAGE_ID).map(|id| id.as_str().to_owned());
        let published = serde_json::from_slice::<Published>(&message.payload);
        let same = id == Some(message_id(origin, next - 1))
            && published.is_ok_and(|published| published.index == next - 1 && published.leaf_hash == leaf);
        if same { Ok(()) } else { Err(NatsError::Foreign { stream: stream_name(origin), sequence: next }) }
    }
}

/// Reads the log where waiting is allowed.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, WholeError> + Send + 'static,
) -> Result<T, NatsError> {
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.unwrap_or_else(|error| Err(io::Error::other(error).into()));
    read.map_err(NatsError::from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use crate::note::NoteSigner;
    use crate::store::ReadError;
    use crate::tile::{TilePath, TileSource};

    /// A log of one partial tile.
    struct OneTile(Vec<u8>);

    impl TileSource for OneTile {
        fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
            assert_eq!(path.to_string(), "tile/0/000.p/5");
            Ok(self.0.clone())
        }
    }

    impl Source for OneTile {
        fn checkpoint(&self) -> Result<Vec<u8>, ReadError> {
            unreachable!("the checkpoint is given")
        }

        fn issuer(&self, _: &Hash) -> Result<Option<Vec<u8>>, ReadError> {
            unreachable!("a feed reads no certificates")
        }
    }

    fn feed(tile: Vec<u8>) -> NatsFeed {
        let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
        let signer = NoteSigner::ed25519("log.example", key).unwrap();
        NatsFeed::new(Arc::new(OneTile(tile)), Identity::new(signer.public().clone()), Duration::ZERO)
    }

    #[test]
    fn names_are_of_the_origin_and_fit_a_subject() {
        assert_eq!(subject("log.example/a b"), "sigveil.log.4fc137a3b93ec3028bc659775968b9cf");
        assert_ne!(stream_name("log.example"), stream_name("log.example/"));
        assert_ne!(message_id("log.example", 1), message_id("log.example", 11));
    }

    #[tokio::test]
    async fn leaves_that_are_not_under_the_checkpoint_are_not_read() {
        let hashes: Vec<_> = (0..5u8).map(|n| Hash([n; 32])).collect();
        let tile: Vec<_> = hashes.iter().flat_map(|hash| hash.0).collect();
        let root = crate::merkle::root(&TileTree::new(OneTile(tile.clone()), 5), 5).unwrap();
        let checkpoint =
            Checkpoint { origin: "log.example".to_owned(), size: 5, root, extensions: Vec::new() };
        for begin in 0..5 {
            let read = feed(tile.clone()).leaves(&checkpoint, begin).await.unwrap();
            let expected: Vec<_> = (0..).zip(hashes.iter().copied()).skip(begin as usize).collect();
            assert_eq!(read, expected);
            for changed in 0..5 {
                let mut altered = tile.clone();
                altered[changed * 32] ^= 1;
                let refused = feed(altered).leaves(&checkpoint, begin).await.unwrap_err();
                assert_eq!(refused.reason(), TileError::RootMismatch.reason());
            }
        }
    }
}
