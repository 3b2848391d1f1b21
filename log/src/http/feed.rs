//! The feed of a log: an event for each entry that is in the published tree, in order, as server-sent events.
//!
//! `GET /api/sigveil/v1/events` goes on until the client leaves or the connection's time is over. An event's id is the
//! entry's index: whoever comes back with `Last-Event-ID`, as browsers' `EventSource` does by itself, gets what came after
//! that one, so that nobody misses an entry and some may be told twice. `?from=N` begins at an index; without either, the feed
//! begins with what is published next. Nothing is kept for a reader: events are read from the tree's tiles.
//!
//! ```text
//! id: 17
//! event: entry
//! data: {"index":17,"leafHash":"…","treeSize":20}
//! ```
//!
//! Of a log that is frozen, a reader who has been told all is answered 204, after which `EventSource` does not come back; of
//! one that has stopped otherwise 503, since it may run again.
//!
//! The event is sent once a checkpoint of `treeSize` entries is published. What it says is as good as the server is:
//! whoever needs proof reads the tree.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body as Answer, Bytes};
use axum::extract::{Query, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hyper::body::{Body, Frame};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::clients::{Client, ClientLimits, Clients, Place};
use super::{held, problem};
use crate::checkpoint::parse_decimal;
use crate::engine::Log;
use crate::hash::Hash;
use crate::store::Reader;
use crate::tile::{TILE_WIDTH, TileError, TileSource, TileTree};

/// Readers of one feed at once.
const READERS: usize = 256;
/// Those of one client, where clients are limited at all: nobody holds every place.
const READERS_EACH: usize = 8;
/// How often something is sent where nothing happens, so that both sides learn that the other is gone.
const QUIET: Duration = Duration::from_secs(15);
/// Sent first: how long a client waits before it comes back, milliseconds.
const BEGINNING: &str = "retry: 1000\n\n";

/// What is said of an entry that is in the tree of `size` entries.
pub(crate) fn entry_event(index: u64, leaf: &Hash, size: u64) -> String {
    let leaf = leaf.to_base64();
    format!("{{\"index\":{index},\"leafHash\":\"{leaf}\",\"treeSize\":{size}}}")
}

/// Leaves from `begin` on, as many as its tile has of the tree.
pub(crate) fn leaves<S: TileSource>(tree: &TileTree<S>, begin: u64) -> Result<Vec<(u64, Hash)>, TileError> {
    let number = begin / TILE_WIDTH;
    let tile = tree.tile(0, number)?;
    let all = (number * TILE_WIDTH..).zip(tile.hashes().iter().copied());
    Ok(all.skip_while(|(index, _)| *index < begin).collect())
}

/// A log that can be followed.
#[derive(Debug, Clone)]
pub struct Feed {
    reader: Reader,
    /// Size of the published tree.
    published: watch::Receiver<u64>,
    /// Whether nothing will ever be published after it.
    frozen: Arc<AtomicBool>,
    places: Arc<Semaphore>,
    clients: Arc<Clients>,
}

/// A reader's place among all, and among those of its client.
type Places = (OwnedSemaphorePermit, Option<Place>);

impl Feed {
    /// The feed of what `reader` reads, of which `published` says the size, and nobody whether that is the last.
    pub fn new(reader: Reader, published: watch::Receiver<u64>) -> Self {
        let each = ClientLimits { connections: Some(READERS_EACH), ..ClientLimits::default() };
        let (places, clients) = (Arc::new(Semaphore::new(READERS)), Clients::new(each));
        Self { reader, published, frozen: Arc::default(), places, clients }
    }

    /// The feed of a log that runs here, or is frozen.
    pub(crate) fn of(log: &Log) -> Self {
        Self { frozen: log.frozen(), ..Self::new(log.reader().clone(), log.published()) }
    }

    /// Its address.
    pub fn router(self) -> Router {
        Router::new().route("/api/sigveil/v1/events", get(events)).with_state(self)
    }

    /// What a reader is answered who has been told all that is before `next`, where nobody publishes any more.
    fn over(&self, next: u64) -> Option<Response> {
        // In this order: that a log is frozen is said once its last size is, and before nobody is there to say more.
        let is_gone = self.published.has_changed().is_err();
        let is_frozen = self.frozen.load(Ordering::SeqCst);
        if !(is_gone || is_frozen) || next < *self.published.borrow() {
            return None;
        }
        Some(match is_frozen {
            // This status has an EventSource ask no more.
            true => StatusCode::NO_CONTENT.into_response(),
            false => problem(503, "log-unavailable", "nothing is published now"),
        })
    }

    /// Events of the entries from `begin` on, of at most one tile; also the index after the last.
    fn read(&self, begin: u64, size: u64) -> Result<(String, u64), TileError> {
        let leaves = leaves(&TileTree::new(&self.reader, size), begin)?;
        let mut text = String::new();
        for (index, leaf) in &leaves {
            let data = entry_event(*index, leaf, size);
            writeln!(text, "id: {index}\nevent: entry\ndata: {data}\n").expect("a string takes all");
        }
        Ok((text, begin + leaves.len() as u64))
    }

    /// Sends events until the reader or the log is gone.
    async fn send(mut self, mut next: u64, events: mpsc::Sender<Bytes>, places: Places) {
        if events.send(Bytes::from_static(BEGINNING.as_bytes())).await.is_err() {
            return;
        }
        loop {
            let size = *self.published.borrow_and_update();
            if next < size {
                let feed = self.clone();
                let read = held::read(move || feed.read(next, size)).await;
                let Ok(Ok((text, end))) = read else {
                    tracing::warn!(next, "a feed ends, because its log cannot be read");
                    return;
                };
                if events.send(text.into()).await.is_err() {
                    return;
                }
                next = end;
                continue;
            }
            tokio::select! {
                changed = self.published.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(QUIET) => {
                    if events.send(Bytes::from_static(b": nothing new\n\n")).await.is_err() {
                        return;
                    }
                }
                () = events.closed() => break,
            }
        }
        drop(places);
    }
}

#[derive(Deserialize)]
struct Begin {
    from: Option<String>,
}

async fn events(
    State(feed): State<Feed>,
    Query(begin): Query<Begin>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Response {
    let malformed = || problem(400, "request-malformed", "an event's id is an index");
    let last = headers.get("last-event-id").map(|id| id.to_str().ok().and_then(parse_decimal));
    let next = match (last, begin.from.as_deref().map(parse_decimal)) {
        (Some(None), _) | (None, Some(None)) => return malformed(),
        (Some(Some(last)), _) => last.saturating_add(1),
        (None, Some(Some(from))) => from,
        (None, None) => *feed.published.borrow(),
    };
    if let Some(over) = feed.over(next) {
        return over;
    }
    let client = extensions.get::<Client>().copied();
    let Ok(own) = client.map(|client| feed.clients.hold(client)).transpose() else {
        return problem(429, "too-many-connections", "this address follows this log often enough already");
    };
    let Ok(place) = Arc::clone(&feed.places).try_acquire_owned() else {
        return problem(503, "log-busy", "too many follow this log already");
    };
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(feed.send(next, sender, (place, own)));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Answer::new(Events(receiver))).into_response()
}

/// A body that comes piece by piece.
struct Events(mpsc::Receiver<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
