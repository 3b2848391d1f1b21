//! A bucket of an S3-compatible store, call by call: one method, one request.
//!
//! Three properties are asked of it, which S3 has: what was put is read at once by everybody; a put with
//! `If-None-Match: *` creates or changes nothing; one with `If-Match` replaces that version or changes nothing.

use std::fmt;
use std::io;

/// What tells one content of an object from another: its ETag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// What creating an object came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It was created.
    Now(Version),
    /// One stood there, and stands there still.
    Before,
}

/// What replacing an object came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replaced {
    /// It was replaced.
    Now(Version),
    /// Another version than the one asked for stands there, or none.
    Other,
}

/// A bucket, or the part of one below a prefix. Names have slashes, as paths do.
///
/// After an error it is unknown whether the request was carried out, or will be.
#[allow(clippy::missing_errors_doc, reason = "all errors are the store's or the way's to it")]
pub trait Bucket: Send + Sync + fmt::Debug {
    /// What it is called, for messages.
    fn name(&self) -> String;
    /// An object and its version; `None` when it is not there.
    fn get(&self, name: &str) -> io::Result<Option<(Vec<u8>, Version)>>;
    /// Creates an object, durably.
    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<Created>;
    /// Puts an object in the place of this version, durably.
    fn replace(&self, name: &str, bytes: &[u8], version: &Version) -> io::Result<Replaced>;
    /// Puts an object durably, in the place of whatever stands there.
    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Removes an object, if it is there.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// How many calls may be under way at once.
    fn at_once(&self) -> usize {
        16
    }
    /// Names that begin so.
    fn list(&self, prefix: &str) -> io::Result<Vec<String>>;
}

/// The object by which a store shows that it keeps conditions.
const PROBE: &str = "conditions";
const PROBE_TEXT: &[u8] =
    b"Whoever writes this log asks here whether the store keeps If-None-Match and If-Match.\n";

/// Has a store show that it keeps both conditions of puts: without them an object that several front ends write would be
/// that of whoever came last, and a checkpoint an older one. Everybody who asks writes the same.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] of a store that does not; others are the store's or the way's to it.
pub(crate) fn ensure_conditional(bucket: &dyn Bucket) -> io::Result<()> {
    bucket.create(PROBE, PROBE_TEXT)?;
    let created = bucket.create(PROBE, PROBE_TEXT)?;
    let replaced = bucket.replace(PROBE, PROBE_TEXT, &Version("\"none\"".to_owned()))?;
    match (created, replaced) {
        (Created::Before, Replaced::Other) => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("{} overwrites objects that it was asked to leave", bucket.name()),
        )),
    }
}
