//! What is held for whoever asks: reads at once, and answers that were not sent yet. Of the process and not of a face, as its
//! memory is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinError, spawn_blocking};

use super::clients::Client;
use super::problem;

/// Reads of storage at once.
static READS: Semaphore = Semaphore::const_new(32);
/// Bytes of large answers that their readers have not taken yet.
static UNSENT: Pool = Pool::new(256 << 20, 32 << 20);
/// An answer that is no larger is held for as many connections as there are.
const SMALL: u64 = 64 << 10;

/// Reads where waiting for it holds nobody up.
pub(super) async fn read<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let place = READS.acquire().await.expect("nobody closes it");
    spawn_blocking(move || {
        // Whoever asked may be gone before it is done.
        let _place = place;
        run()
    })
    .await
}

/// The answer, held for as long as its reader takes; another one while there is no room for that.
pub(super) async fn answer(response: Response, client: Option<Client>) -> Response {
    let Some(size) = response.body().size_hint().exact().filter(|size| *size > SMALL) else {
        return response;
    };
    let Some(room) = UNSENT.take(size, client) else {
        return problem(503, "log-busy", "too many answers wait for their readers");
    };
    let (parts, body) = response.into_parts();
    // What has a length is there already.
    match body.collect().await {
        Ok(body) => {
            let unsent = Unsent { bytes: body.to_bytes(), _room: room };
            Response::from_parts(parts, Body::from(Bytes::from_owner(unsent)))
        }
        Err(_) => problem(500, "internal-error", "the request could not be answered"),
    }
}

/// An answer, and the room that it takes until it is sent.
struct Unsent {
    bytes: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Room for bytes that wait for somebody, and the most of it that one client may take.
pub(super) struct Pool {
    room: Semaphore,
    share: u64,
    /// Of how many bytes each client has taken that room.
    shares: Mutex<BTreeMap<Client, u64>>,
}

impl Pool {
    pub(super) const fn new(room: usize, share: u64) -> Self {
        Self { room: Semaphore::const_new(room), share, shares: Mutex::new(BTreeMap::new()) }
    }

    /// Room for so many bytes; `None` while there is not as much.
    pub(super) fn take(&'static self, size: u64, client: Option<Client>) -> Option<Room> {
        let of_all = self.room.try_acquire_many(u32::try_from(size).ok()?).ok()?;
        if let Some(client) = client {
            let mut shares = self.shares();
            let taken = shares.get(&client).copied().unwrap_or(0).saturating_add(size);
            if taken > self.share {
                return None;
            }
            shares.insert(client, taken);
        }
        Some(Room { size, client, pool: self, _of_all: of_all })
    }

    /// Nobody panics while they have it.
    fn shares(&self) -> MutexGuard<'_, BTreeMap<Client, u64>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some of the room for all, and of the share of whoever asked.
pub(super) struct Room {
    size: u64,
    client: Option<Client>,
    pool: &'static Pool,
    _of_all: SemaphorePermit<'static>,
}

impl Drop for Room {
    fn drop(&mut self) {
        let Some(client) = self.client else { return };
        let mut shares = self.pool.shares();
        let left = shares.get(&client).map_or(0, |taken| taken.saturating_sub(self.size));
        match left {
            0 => shares.remove(&client),
            left => shares.insert(client, left),
        };
    }
}
