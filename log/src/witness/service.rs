//! The witness as it runs: state in a folder, a face for HTTP, and a client for it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use super::{AddCheckpoint, CosignError, Cosigner, Refusal, Seen, authenticate, decide, read_answer};
use crate::checkpoint::Checkpoint;
use crate::engine::{Clock, OpenError};
use crate::hash::Hash;
use crate::note::{NoteKey, NoteSignature, NoteSigner};
use crate::store::files::{Files, FolderLock};

/// A running witness.
pub struct Witness {
    files: Files,
    folder: PathBuf,
    signer: NoteSigner,
    logs: Vec<NoteKey>,
    clock: Clock,
    /// By origin: what one log has it store keeps no other waiting.
    watched: HashMap<String, Watched>,
    _lock: FolderLock,
}

/// A log that a witness knows.
struct Watched {
    /// Held from reading the state until the new one is durable: two requests cannot both pass the same size.
    known: Mutex<Known>,
    /// Of those who ask over the network one comes to the state, and the others wait for that without a thread.
    turn: Arc<Semaphore>,
}

impl Default for Watched {
    fn default() -> Self {
        Self { known: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }
}

/// What a running witness knows of what it keeps of one log.
#[derive(Debug, Default)]
struct Known {
    /// What its file says, since that was first read or written.
    seen: Option<Seen>,
    /// What it may say instead: a write that failed may have been done.
    tried: Option<Seen>,
    /// Whether this process has made it durable. What it found when it started can be read, and may not be.
    durable: bool,
    /// The latest time of a cosignature by this process.
    time: u64,
}

impl Known {
    /// Takes up what the file says.
    ///
    /// # Errors
    /// [`Refusal::Storage`] where it does not say any more what it must. Nobody else writes to it, and whoever took one that
    /// is gone or older for what was seen would cosign a fork.
    fn take_up(&mut self, stored: Option<Seen>) -> Result<(), Refusal> {
        if stored == self.seen {
            return Ok(());
        }
        let is_tried = stored.is_some() && stored == self.tried;
        if self.seen.is_some() && !is_tried {
            return Err(Refusal::Storage);
        }
        *self = Self { seen: stored, time: self.time, ..Self::default() };
        Ok(())
    }
}

impl Witness {
    /// A witness with its state in `folder` that cosigns checkpoints of `logs`.
    ///
    /// # Errors
    /// [`OpenError::Locked`] or [`OpenError::Io`].
    pub fn open(
        folder: &Path,
        signer: NoteSigner,
        logs: Vec<NoteKey>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        Self::open_on(Files::default(), folder, signer, logs, clock)
    }

    /// As [`Witness::open`], in a folder of these files.
    ///
    /// # Errors
    /// As [`Witness::open`].
    pub fn open_on(
        files: Files,
        folder: &Path,
        signer: NoteSigner,
        logs: Vec<NoteKey>,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let lock = files.lock(folder)?.ok_or(OpenError::Locked)?;
        files.remove_temporaries(folder, None)?;
        let watched = logs.iter().map(|log| (log.name().to_owned(), Watched::default())).collect();
        Ok(Self { files, folder: folder.to_owned(), signer, logs, clock, watched, _lock: lock })
    }

    fn watched(&self, origin: &str) -> Result<&Watched, Refusal> {
        self.watched.get(origin).ok_or(Refusal::UnknownLog)
    }

    fn path(&self, origin: &str) -> PathBuf {
        self.folder.join(Hash::of(&[origin.as_bytes()]).to_hex())
    }

    fn stored(&self, origin: &str) -> Result<Option<Seen>, Refusal> {
        let read = self.files.read_optional(&self.path(origin)).map_err(|_| Refusal::Storage)?;
        let Some(bytes) = read else { return Ok(None) };
        // Damaged state must not be taken for none: the witness would start over and cosign a fork.
        Seen::parse(&bytes, origin).map(Some).ok_or(Refusal::Storage)
    }

    /// Decides, stores what is new, then cosigns with the clock's time.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<NoteSignature, Refusal> {
        // Before anybody waits for it: what no log has signed costs the others nothing.
        let checkpoint = authenticate(&self.logs, request)?;
        self.add_authentic(&checkpoint, request)
    }

    /// As [`Witness::add_checkpoint`], of a request that is authentic with this checkpoint.
    fn add_authentic(
        &self,
        checkpoint: &Checkpoint,
        request: &AddCheckpoint,
    ) -> Result<NoteSignature, Refusal> {
        let origin = &checkpoint.origin;
        let mut known = self.watched(origin)?.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.take_up(self.stored(origin)?).inspect_err(|_| {
            let file = self.path(origin);
            tracing::error!(file = %file.display(), "this is not what was written: put that back");
        })?;
        decide(known.seen, checkpoint, request)?;
        let seen = Seen { size: checkpoint.size, root: checkpoint.root };
        // Anybody can send the published checkpoint again, as often as they like.
        if !known.durable || known.seen != Some(seen) {
            // Where writing fails, either state may stand there, durable or not.
            (known.tried, known.durable) = (Some(seen), false);
            let stored = self.files.write_durable(&self.path(origin), seen.to_text(origin).as_bytes());
            stored.map_err(|_| Refusal::Storage)?;
            *known = Known { seen: Some(seen), tried: None, durable: true, time: known.time };
        }
        // While nobody can have a larger tree of this log cosigned: the time says that none was seen until then, so that no
        // larger one may have an earlier time, though the clock was set back.
        known.time = known.time.max((self.clock)());
        let time = known.time;
        drop(known);
        Ok(self.signer.sign(checkpoint, time))
    }
}

impl Cosigner for Witness {
    fn key(&self) -> &NoteKey {
        self.signer.public()
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        self.add_checkpoint(request).map_err(|refusal| match refusal {
            Refusal::Conflict(size) => CosignError::Conflict(size),
            refusal => CosignError::Refused(refusal),
        })
    }
}

/// `POST /add-checkpoint` and `GET /healthz`.
pub fn router(witness: Arc<Witness>) -> Router {
    let routes = Router::new().route("/add-checkpoint", post(add_checkpoint)).with_state(witness);
    crate::http::guard(routes.route("/healthz", get(|| async { "ok\n" })))
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    match add_in_turn(witness, body).await {
        Ok(signature) => format!("{signature}\n").into_response(),
        Err(Refusal::Conflict(size)) => {
            let kind = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            (StatusCode::CONFLICT, kind, format!("{size}\n")).into_response()
        }
        Err(refusal) => crate::http::problem(refusal.status(), refusal.reason(), &refusal.to_string()),
    }
}

/// Takes a thread only for what can go on: those who wait for the storage of one log would have them all.
async fn add_in_turn(witness: Arc<Witness>, body: Bytes) -> Result<NoteSignature, Refusal> {
    let asked = Arc::clone(&witness);
    let (checkpoint, request) = apart(move || {
        let request = AddCheckpoint::parse(&body)?;
        Ok((authenticate(&asked.logs, &request)?, request))
    })
    .await?;
    let turn = Arc::clone(&witness.watched(&checkpoint.origin)?.turn).acquire_owned().await;
    let turn = turn.map_err(|_| Refusal::Storage)?;
    apart(move || {
        // Whoever asked may be gone before it is done.
        let _turn = turn;
        witness.add_authentic(&checkpoint, &request)
    })
    .await
}

/// Runs what takes time where that holds up nobody who is served.
async fn apart<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(run).await.unwrap_or(Err(Refusal::Storage))
}

/// Most bytes of a witness's answer that are read.
const MAX_ANSWER: usize = 64 << 10;

/// A witness elsewhere. Whatever it does, an answer is had or given up within the time-out.
pub struct HttpWitness {
    key: NoteKey,
    url: String,
    timeout: Duration,
    client: reqwest::Client,
    /// Its own, because a log asks from a thread without one; taken only when dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl HttpWitness {
    /// The witness at `url`, without the trailing `/add-checkpoint`, which has `timeout` for each answer.
    ///
    /// # Errors
    /// [`CosignError::Other`] when no HTTP client can be made.
    pub fn new(url: &str, key: NoteKey, timeout: Duration) -> Result<Self, CosignError> {
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        let client = client.map_err(|error| CosignError::Other(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = Some(runtime.map_err(|error| CosignError::Other(error.to_string()))?);
        let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
        Ok(Self { key, url, timeout, client, runtime })
    }

    /// Status and body of the answer.
    async fn post(&self, request: String) -> Result<(u16, Vec<u8>), CosignError> {
        let other = |error: reqwest::Error| CosignError::Other(error.to_string());
        let mut answer = self.client.post(&self.url).body(request).send().await.map_err(other)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(other)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(CosignError::Other("the answer is too large".to_owned()));
            }
        }
        Ok((answer.status().as_u16(), body))
    }
}

impl Drop for HttpWitness {
    fn drop(&mut self) {
        // Waiting for a runtime's end is not allowed in async tasks, where the last owner may be.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Cosigner for HttpWitness {
    fn key(&self) -> &NoteKey {
        &self.key
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<NoteSignature, CosignError> {
        let runtime = self.runtime.as_ref().expect("taken only when dropped");
        let post = async { tokio::time::timeout(self.timeout, self.post(request.to_text())).await };
        let answer = runtime.block_on(post).map_err(|_| CosignError::Other("no answer in time".to_owned()));
        let (status, body) = answer??;
        read_answer(&self.key, status, &body)
    }
}
