//! The bodies of requests, which are held until they are whole and worked off.

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
            taken.push(&data, pool, client)?;
        }
    }
    Ok(if taken.rooms.is_empty() { taken.bytes.into() } else { Bytes::from_owner(taken) })
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
    struct Buffer(Vec<u8>, Arc<AtomicUsize>);

    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Buffer {
        fn drop(&mut self) {
            self.1.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// A body of so many chunks, of each of which `chunk` bytes are taken out of a buffer of its own; without a length that is
    /// told before.
    struct Chunks {
        left: usize,
        chunk: usize,
        held: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
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
            let held = self.held.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(held, Ordering::SeqCst);
            let buffer = Buffer(vec![7; self.chunk.max(64 << 10)], Arc::clone(&self.held));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(buffer).slice(..self.chunk)))))
        }
    }

    /// A body, and how many of its buffers were held at once at most.
    fn chunks(left: usize, chunk: usize) -> (Body, Arc<AtomicUsize>) {
        let most = Arc::<AtomicUsize>::default();
        (Body::new(Chunks { left, chunk, held: Arc::default(), most: Arc::clone(&most) }), most)
    }

    #[tokio::test]
    async fn a_body_of_single_bytes_holds_no_buffer_by_which_they_came() {
        let (body, most) = chunks(MAX_REQUEST, 1);
        assert_eq!(whole(body, None).await.unwrap(), vec![7; MAX_REQUEST]);
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert_eq!(whole(chunks(MAX_REQUEST + 1, 1).0, None).await, Err(NotTaken::TooLarge));
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
