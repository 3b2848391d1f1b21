//! The bodies of requests, which are held until they are whole and worked off.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;

use super::clients::Client;
use super::held::{Pool, Room};
use super::{MAX_REQUEST, problem};

/// Bytes of bodies beyond [`SMALL`]. What one client may have of it is as many of the largest entries with their payloads as it
/// has connections by default.
static BODIES: Pool = Pool::new(128 << 20, 8 << 20);
/// So much is held for as many connections as there are.
const SMALL: usize = 8 << 10;

/// How long nothing more of a refused body comes until it is answered.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a body is not handed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    TooLarge,
    NotWhole,
    Busy,
}

impl NotTaken {
    pub(super) fn problem(&self) -> Response {
        match self {
            Self::TooLarge => problem(413, "request-too-large", "the request's body is too large"),
            Self::NotWhole => problem(400, "request-malformed", "the request's body is not whole"),
            Self::Busy => problem(503, "log-busy", "too many requests are under way"),
        }
    }
}

/// What came of a body, in one piece: as frames, each of its bytes could hold the buffer by which it came.
struct Taken {
    bytes: Vec<u8>,
    /// What it may come to.
    most: usize,
    rooms: Vec<Room>,
}

impl AsRef<[u8]> for Taken {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Taken {
    fn push(&mut self, data: &[u8], pool: &'static Pool, client: Option<Client>) -> Result<(), NotTaken> {
        let needed = self.bytes.len() + data.len();
        if needed > MAX_REQUEST {
            return Err(NotTaken::TooLarge);
        }
        let had = self.bytes.capacity();
        if needed > had {
            let wanted = needed.max((2 * had).min(self.most));
            if wanted > SMALL {
                self.rooms.push(pool.take((wanted - had) as u64, client).ok_or(NotTaken::Busy)?);
            }
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }
}

/// The whole body, which has its room until it is dropped.
pub(super) async fn whole(body: Body, client: Option<Client>) -> Result<Bytes, NotTaken> {
    whole_in(&BODIES, body, client).await
}

async fn whole_in(pool: &'static Pool, mut body: Body, client: Option<Client>) -> Result<Bytes, NotTaken> {
    let most = body.size_hint().upper().and_then(|most| usize::try_from(most).ok());
    let most = most.map_or(MAX_REQUEST, |most| most.min(MAX_REQUEST));
    let mut taken = Taken { bytes: Vec::new(), most, rooms: Vec::new() };
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| NotTaken::NotWhole)?.into_data() {
            let Err(not_taken) = taken.push(&data, pool, client) else { continue };
            drop(taken);
            if not_taken == NotTaken::Busy {
                discard(body).await;
            }
            return Err(not_taken);
        }
    }
    Ok(if taken.rooms.is_empty() { taken.bytes.into() } else { Bytes::from_owner(taken) })
}

/// Reads what is on its way of a body, as far as one may go: left unread, it would have the system end the connection by a
/// reset, which may take the answer with it. Whoever pauses is answered.
async fn discard(mut body: Body) {
    let mut read = 0;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(PAUSE, body.frame()).await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MAX_REQUEST {
            return;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// A buffer of the wire, which is counted while somebody has a part of it.
    struct Buffer(Vec<u8>, Arc<Counted>);

    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Buffer {
        fn drop(&mut self) {
            self.1.held.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// A body of so many chunks, of each of which `chunk` bytes are taken out of a buffer of its own; without a length that is
    /// told before.
    struct Chunks {
        left: usize,
        chunk: usize,
        counted: Arc<Counted>,
    }

    /// Of its buffers.
    #[derive(Default)]
    struct Counted {
        asked: AtomicUsize,
        held: AtomicUsize,
        /// That were held at once.
        most: AtomicUsize,
    }

    impl hyper::body::Body for Chunks {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            self.left -= 1;
            self.counted.asked.fetch_add(1, Ordering::SeqCst);
            let held = self.counted.held.fetch_add(1, Ordering::SeqCst) + 1;
            self.counted.most.fetch_max(held, Ordering::SeqCst);
            let buffer = Buffer(vec![7; self.chunk.max(64 << 10)], Arc::clone(&self.counted));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(buffer).slice(..self.chunk)))))
        }
    }

    fn chunks(left: usize, chunk: usize) -> (Body, Arc<Counted>) {
        let counted = Arc::<Counted>::default();
        (Body::new(Chunks { left, chunk, counted: Arc::clone(&counted) }), counted)
    }

    #[tokio::test]
    async fn a_body_of_single_bytes_holds_no_buffer_by_which_they_came() {
        let (body, counted) = chunks(MAX_REQUEST, 1);
        assert_eq!(whole(body, None).await.unwrap(), vec![7; MAX_REQUEST]);
        assert_eq!(counted.most.load(Ordering::SeqCst), 1);
        assert_eq!(whole(chunks(MAX_REQUEST + 1, 1).0, None).await, Err(NotTaken::TooLarge));
    }

    #[tokio::test]
    async fn what_finds_no_room_is_read_to_its_end_and_no_further_than_a_body_may_go() {
        static NONE: Pool = Pool::new(0, 0);
        for (chunk, count, read) in [(32 << 10, 4, 4), (64 << 10, 100, 6)] {
            let (body, counted) = chunks(count, chunk);
            assert_eq!(whole_in(&NONE, body, None).await, Err(NotTaken::Busy));
            assert_eq!(counted.asked.load(Ordering::SeqCst), read, "{chunk}");
        }
    }

    #[tokio::test]
    async fn what_is_held_has_its_room_until_it_is_dropped() {
        static FEW: Pool = Pool::new(64 << 10, 64 << 10);
        let take = async |left, chunk| whole_in(&FEW, chunks(left, chunk).0, None).await;
        let held = [take(1, 32 << 10).await.unwrap(), take(1, 20 << 10).await.unwrap()];
        assert_eq!(take(2, 10 << 10).await, Err(NotTaken::Busy));
        assert_eq!(take(1, SMALL).await.unwrap().len(), SMALL, "what is small goes on");
        drop(held);
        let all = take(64, 1 << 10).await.unwrap();
        assert_eq!(take(1, SMALL + 1).await, Err(NotTaken::Busy));
        drop(all);
        assert!(take(1, 64 << 10).await.is_ok());
    }
}
