//! Where whole logs are read: a folder or bucket, or the reading face of a server.

use std::io::Read as _;
use std::thread::sleep;
use std::time::Duration;

use crate::hash::Hash;
use crate::sct::chain::MAX_CERTIFICATE;
use crate::store::{ReadError, Reader, truncate};
use crate::tile::{TileError, TilePath, TileSource};

/// Largest tile that is read: 256 entries of a certificate log, each of them a precertificate and what is signed of it,
/// both of the largest size, with the fingerprints of its chain.
const MAX_ANSWER: u64 = 256 * (2 * u16::MAX as u64 + 1024);
/// Time for one answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request without an answer is repeated, and how much longer is waited each time.
const REPEATED: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// A log that can be read whole.
#[allow(clippy::missing_errors_doc, reason = "all errors are those of reading")]
pub trait Source: TileSource + Sync {
    /// The published checkpoint, not verified.
    fn checkpoint(&self) -> Result<Vec<u8>, ReadError>;
    /// The certificate with this SHA-256 that a certificate log keeps beside its entries; `None` when it is not there.
    fn issuer(&self, fingerprint: &Hash) -> Result<Option<Vec<u8>>, ReadError>;
}

impl Source for Reader {
    fn checkpoint(&self) -> Result<Vec<u8>, ReadError> {
        Self::checkpoint(self)
    }

    fn issuer(&self, fingerprint: &Hash) -> Result<Option<Vec<u8>>, ReadError> {
        Self::issuer(self, fingerprint)
    }
}

/// What the first source gives that is whole, or else the first that holds up.
pub(super) fn first_sound<T>(
    sources: &[&dyn Source],
    read: impl Fn(&dyn Source) -> Result<T, ReadError>,
    is_whole: impl Fn(&T) -> bool,
) -> (usize, Result<T, ReadError>) {
    let mut second: Option<(usize, Result<T, ReadError>)> = None;
    for (from, source) in sources.iter().enumerate() {
        let given = read(*source);
        if given.as_ref().is_ok_and(&is_whole) {
            return (from, given);
        }
        if second.as_ref().is_none_or(|(_, before)| before.is_err()) {
            second = Some((from, given));
        }
    }
    second.expect("there is a source")
}

/// A log behind its reading face. Waits for answers, so it is not for async tasks.
#[derive(Debug)]
pub struct Remote {
    url: String,
    client: reqwest::blocking::Client,
}

impl Remote {
    /// The log whose checkpoint is at `url/checkpoint`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str) -> Result<Self, ReadError> {
        let client = reqwest::blocking::Client::builder().timeout(TIMEOUT).build();
        let url = url.trim_end_matches('/').to_owned();
        match client {
            Ok(client) => Ok(Self { url, client }),
            Err(error) => Err(unreachable(&url, &error.to_string())),
        }
    }

    /// What is behind a name, if it has no more than so many bytes; `None` when there is nothing.
    fn get(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let url = format!("{}/{name}", self.url);
        let mut attempt = 0;
        loop {
            let failed = match self.client.get(&url).send() {
                Ok(answer) if answer.status().is_success() => {
                    let mut bytes = Vec::new();
                    match answer.take(most + 1).read_to_end(&mut bytes) {
                        Ok(_) if bytes.len() as u64 > most => {
                            return Err(unreachable(&url, "the answer is larger than any that is asked for"));
                        }
                        Ok(_) => return Ok(Some(bytes)),
                        Err(error) => error.to_string(),
                    }
                }
                Ok(answer) if matches!(answer.status().as_u16(), 404 | 410) => return Ok(None),
                Ok(answer) => format!("status {}", answer.status()),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    cause.unwrap_or_else(|| error.to_string())
                }
            };
            attempt += 1;
            if attempt == REPEATED {
                return Err(unreachable(&url, &failed));
            }
            sleep(PAUSE * attempt);
        }
    }
}

fn unreachable(url: &str, cause: &str) -> ReadError {
    TileError::Unavailable { path: url.to_owned(), cause: cause.to_owned() }.into()
}

impl TileSource for Remote {
    fn read_tile(&self, path: &TilePath) -> Result<Vec<u8>, TileError> {
        let get = |path: &TilePath| match self.get(&path.to_string(), MAX_ANSWER) {
            Err(ReadError::Tile(error)) => Err(error),
            other => Ok(other.ok().flatten()),
        };
        if let Some(bytes) = get(path)? {
            return Ok(bytes);
        }
        // A server may drop a partial tile once the full one is there (tlog-tiles, "Partial Tiles").
        let full = TilePath { width: 256, ..*path };
        let wider = if path.is_full() { None } else { get(&full)? };
        wider.and_then(|bytes| truncate(path.kind, path.width, bytes)).ok_or_else(|| TileError::Unavailable {
            path: format!("{}/{path}", self.url),
            cause: "the server has no such tile".to_owned(),
        })
    }
}

impl Source for Remote {
    fn checkpoint(&self) -> Result<Vec<u8>, ReadError> {
        let none = || unreachable(&format!("{}/checkpoint", self.url), "the server has none");
        self.get("checkpoint", MAX_ANSWER)?.ok_or_else(none)
    }

    fn issuer(&self, fingerprint: &Hash) -> Result<Option<Vec<u8>>, ReadError> {
        self.get(&format!("issuer/{}", fingerprint.to_hex()), MAX_CERTIFICATE as u64)
    }
}
