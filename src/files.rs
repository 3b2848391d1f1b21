//! Files as the commands read and write them: bounded reads, whole-or-nothing writes, secrets that nobody else reads.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The most a JSON file of ours or of a stock client may hold: far above any honest one.
pub const JSON_LIMIT: u64 = 4 << 20;

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is missing, is no plain file, or may not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It, or its folder, may not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is larger than any honest file of its kind.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The bound, bytes.
        limit: u64,
    },
    /// A secret stands there already.
    #[error("{0} holds a secret already")]
    SecretExists(PathBuf),
    /// It should be text and is not.
    #[error("{0} is not UTF-8 text")]
    NotText(PathBuf),
}

impl FileError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Read { .. } => "file-unreadable",
            Self::Write { .. } => "file-unwritable",
            Self::TooLarge { .. } => "file-too-large",
            Self::SecretExists(_) => "secret-exists",
            Self::NotText(_) => "file-not-text",
        }
    }
}

crate::failure::failures!(FileError);

/// Whether a secret that stands already may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// Keep it and refuse.
    Never,
    /// Replace it: somebody said so explicitly.
    Always,
}

impl Replace {
    /// What a flag `--force` says.
    pub fn forced(force: bool) -> Self {
        if force { Self::Always } else { Self::Never }
    }
}

fn read_error(path: &Path) -> impl FnOnce(std::io::Error) -> FileError + '_ {
    move |source| FileError::Read { path: path.to_owned(), source }
}

fn write_error(path: &Path) -> impl FnOnce(std::io::Error) -> FileError + '_ {
    move |source| FileError::Write { path: path.to_owned(), source }
}

/// The whole file, if it has at most `limit` bytes.
///
/// # Errors
/// When it cannot be read or is larger.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(read_error(path))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(read_error(path))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// The whole file as text, if it has at most `limit` bytes.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    String::from_utf8(read(path, limit)?).map_err(|_| FileError::NotText(path.to_owned()))
}

/// SHA-256 of a file of any size, read once, in constant memory.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(path: &Path) -> Result<[u8; 32], FileError> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path).map_err(read_error(path))?;
    std::io::copy(&mut file, &mut hasher).map_err(read_error(path))?;
    Ok(hasher.finalize().into())
}

/// Writes the file whole or not at all: a temporary file beside it, made durable, then renamed over it.
///
/// # Errors
/// When the folder or the file cannot be written; whatever stood there is then untouched.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    persist(path, bytes, 0o644, Replace::Always)
}

/// As [`write()`], for what is too large to be held a second time.
///
/// # Errors
/// As [`write()`], and what `contents` says.
pub fn write_with(
    path: &Path,
    contents: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<()>,
) -> Result<(), FileError> {
    let temporary = temporary(path)?;
    let mut out = BufWriter::with_capacity(1 << 20, temporary.as_file());
    contents(&mut out).and_then(|()| out.flush()).map_err(write_error(path))?;
    drop(out);
    finish(temporary, path, 0o644, Replace::Always)
}

/// Writes a secret: as [`write()`], readable by its owner only, and never over another unless told so.
///
/// # Errors
/// As [`write()`], and when a secret stands there and `replace` forbids it.
pub fn write_secret(path: &Path, bytes: &[u8], replace: Replace) -> Result<(), FileError> {
    persist(path, bytes, 0o600, replace)
}

/// Whether a secret may be written there, found out before anything is done for it.
///
/// # Errors
/// When a secret stands there and `replace` forbids it.
pub fn check_free(path: &Path, replace: Replace) -> Result<(), FileError> {
    if replace == Replace::Never && path.symlink_metadata().is_ok() {
        return Err(FileError::SecretExists(path.to_owned()));
    }
    Ok(())
}

/// Whether a file can be read at all, found out without reading it.
///
/// # Errors
/// When it is missing, a folder, or may not be read.
pub fn check_readable(path: &Path) -> Result<(), FileError> {
    let file = File::open(path).map_err(read_error(path))?;
    if file.metadata().map_err(read_error(path))?.is_dir() {
        return Err(read_error(path)(std::io::Error::other("it is a folder")));
    }
    Ok(())
}

/// Copies a file of any size, whole or not at all.
///
/// # Errors
/// When one cannot be read or the other not written.
pub fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    let mut source = File::open(from).map_err(read_error(from))?;
    if source.metadata().map_err(read_error(from))?.is_dir() {
        return Err(read_error(from)(std::io::Error::other("it is a folder")));
    }
    let folder = folder_of(to);
    let mut temporary =
        tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(folder).map_err(write_error(to))?;
    std::io::copy(&mut source, &mut temporary).map_err(write_error(to))?;
    finish(temporary, to, 0o644, Replace::Always)
}

/// Adds to the end of a file that is no secret.
///
/// # Errors
/// When it cannot be written.
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = OpenOptions::new().append(true).open(path).map_err(write_error(path))?;
    file.write_all(bytes).map_err(write_error(path))
}

/// Makes a folder and its parents.
///
/// # Errors
/// When one of them cannot be made.
pub fn make_folder(path: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(path).map_err(write_error(path))
}

/// Makes a folder for secrets, entered by its owner only.
///
/// # Errors
/// When it cannot be made.
pub fn make_secret_folder(path: &Path) -> Result<(), FileError> {
    make_folder(path)?;
    set_mode(path, 0o700).map_err(write_error(path))
}

fn persist(path: &Path, bytes: &[u8], mode: u32, replace: Replace) -> Result<(), FileError> {
    let mut temporary = temporary(path)?;
    temporary.write_all(bytes).map_err(write_error(path))?;
    finish(temporary, path, mode, replace)
}

/// A file beside the one to be written. A leading dot and a fixed prefix: what a killed run leaves behind is
/// recognisable, and removed by the next.
fn temporary(path: &Path) -> Result<tempfile::NamedTempFile, FileError> {
    let file = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(folder_of(path));
    file.map_err(write_error(path))
}

fn finish(
    temporary: tempfile::NamedTempFile,
    path: &Path,
    mode: u32,
    replace: Replace,
) -> Result<(), FileError> {
    set_mode(temporary.path(), mode).map_err(write_error(path))?;
    temporary.as_file().sync_all().map_err(write_error(path))?;
    match replace {
        Replace::Always => temporary.persist(path).map_err(|error| write_error(path)(error.error))?,
        // The file system decides: somebody else may be writing it at this moment.
        Replace::Never => temporary.persist_noclobber(path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => FileError::SecretExists(path.to_owned()),
            _ => write_error(path)(error.error),
        })?,
    };
    sync_folder(folder_of(path)).map_err(write_error(path))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

const TEMPORARY_PREFIX: &str = ".sigveil-partial-";

/// Removes what writers that were killed left in a folder.
///
/// # Errors
/// When the folder cannot be read or written.
pub fn sweep_partial(folder: &Path) -> Result<(), FileError> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            std::fs::remove_file(entry.path()).map_err(write_error(&entry.path()))?;
        }
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    OpenOptions::new().read(true).open(folder)?.sync_all()
}

fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_readable_by_its_owner_only_and_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_secret(&path, b"one", Replace::Never).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let error = write_secret(&path, b"two", Replace::Never).unwrap_err();
        assert_eq!(error.reason(), "secret-exists");
        assert_eq!(read(&path, 10).unwrap(), b"one");
        write_secret(&path, b"two", Replace::Always).unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"two");
    }

    #[test]
    fn a_file_at_the_limit_is_read_and_one_byte_more_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().reason(), "file-too-large");
    }

    #[test]
    fn leftovers_of_killed_writers_are_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("kept"), b"x").unwrap();
        std::fs::write(folder.path().join(".sigveil-partial-abc"), b"half").unwrap();
        sweep_partial(folder.path()).unwrap();
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["kept"]);
    }
}
