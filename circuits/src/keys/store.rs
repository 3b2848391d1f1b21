//! A folder of proving keys.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rand_core::CryptoRngCore;

use super::{KeyDigest, Provenance, Statement, file};
use crate::ceremony::TranscriptDigest;
use crate::groth16::{self, Matrices, Proof, ProvingKey, Stage, VerifyingKey, VerifyingKeyDigest};
use crate::prover::map;
use crate::r1cs::{Assignment, Shape};
use crate::{nym, query, token};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The folder or a file in it cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not the key it should be. Deleting it has the key made again.
    #[error("{path}: this key file is {why}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The key is not the one that the trust root names.
    #[error("the key of {statement} is {found}, expected {expected}")]
    Unexpected {
        /// The statement.
        statement: Statement,
        /// The verifying key's digest here.
        found: VerifyingKeyDigest,
        /// The one that was asked for.
        expected: VerifyingKeyDigest,
    },
    /// Another key stands where this one should be stored.
    #[error("{0} is there already")]
    Exists(PathBuf),
    /// Making the key failed.
    #[error(transparent)]
    Setup(#[from] groth16::Error),
}

impl KeyError {
    /// Stable reason code.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Io { .. } => "key-store-io",
            Self::Refused { .. } => "proving-key-malformed",
            Self::Unexpected { .. } => "verifying-key-unexpected",
            Self::Exists(_) => "proving-key-exists",
            Self::Setup(error) => error.reason(),
        }
    }
}

/// The keys of one statement, ready to prove.
pub struct Keys {
    statement: Statement,
    digest: KeyDigest,
    provenance: Provenance,
    key: ProvingKey,
    matrices: Matrices,
}

impl Keys {
    /// Makes keys without a store.
    ///
    /// # Errors
    /// [`KeyError::Setup`].
    pub fn generate(
        statement: Statement,
        rng: &mut dyn CryptoRngCore,
        progress: &mut dyn FnMut(Stage),
    ) -> Result<Self, KeyError> {
        let shape = statement.shape();
        let key = groth16::setup(&shape, rng, progress)?;
        let provenance = Provenance::Development;
        let digest = file::write(&mut io::sink(), statement, provenance, &shape.digest(), &key)
            .expect("a sink takes all");
        Ok(Self { statement, digest, provenance, key, matrices: Matrices::new(&shape) })
    }

    /// The statement.
    #[must_use]
    pub fn statement(&self) -> Statement {
        self.statement
    }

    /// How the keys came to be.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// Digest of the key file.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        self.digest
    }

    /// The key that a trust root names.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    /// Passes the keys on if they are those of this verifying key.
    ///
    /// # Errors
    /// [`KeyError::Unexpected`] if they are others.
    pub fn expect(self, expected: VerifyingKeyDigest) -> Result<Self, KeyError> {
        let found = self.verifying_key().digest();
        if found == expected {
            Ok(self)
        } else {
            Err(KeyError::Unexpected { statement: self.statement, found, expected })
        }
    }

    /// The key that makes proofs.
    #[must_use]
    pub fn proving_key(&self) -> &ProvingKey {
        &self.key
    }

    /// The circuit's matrices.
    #[must_use]
    pub fn matrices(&self) -> &Matrices {
        &self.matrices
    }

    /// Proves the statement for these values.
    ///
    /// # Errors
    /// As [`groth16::prove`].
    pub fn prove(&self, values: &Assignment, rng: &mut dyn CryptoRngCore) -> Result<Proof, groth16::Error> {
        groth16::prove(&self.key, &self.matrices, values, rng)
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.statement, self.provenance(), self.digest)
    }
}

impl Statement {
    /// The circuit's shape.
    #[must_use]
    pub fn shape(self) -> Shape {
        match self {
            Self::Nym => nym::circuit::shape(),
            Self::Query => query::circuit::shape(),
            Self::Token(class) => token::circuit::shape(class),
        }
    }
}

/// A folder of proving keys, one file per statement and shape. Several processes may share it: each key is made under
/// an exclusive lock, and appears under its name only when it is whole.
#[derive(Clone, Debug)]
pub struct KeyStore {
    folder: PathBuf,
}

impl KeyStore {
    /// The store in this folder, which is made when a key is.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Reads the keys of a statement; `None` where there are none of the circuit's present shape.
    ///
    /// # Errors
    /// [`KeyError::Refused`] for a file that is truncated, altered or of another statement; [`KeyError::Io`].
    pub fn load(&self, statement: Statement) -> Result<Option<Keys>, KeyError> {
        self.load_shaped(statement, &statement.shape())
    }

    /// Reads the keys of a statement, or makes and stores them: a setup of minutes for the large circuits.
    ///
    /// # Errors
    /// As [`KeyStore::load`]. A file that is refused is not replaced.
    pub fn load_or_create(
        &self,
        statement: Statement,
        rng: &mut dyn CryptoRngCore,
        progress: &mut dyn FnMut(Stage),
    ) -> Result<Keys, KeyError> {
        let shape = statement.shape();
        if let Some(keys) = self.load_shaped(statement, &shape)? {
            return Ok(keys);
        }
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let lock = self.folder.join(format!("{}.lock", statement.name()));
        // Held until the key is in place; the system releases the lock of a process that dies.
        let _held = lock_file(&lock).map_err(at(&lock))?;
        if let Some(keys) = self.load_shaped(statement, &shape)? {
            return Ok(keys);
        }
        let key = groth16::setup(&shape, rng, progress)?;
        self.put(statement, Provenance::Development, &shape, key)
    }

    /// Stores the key of a ceremony.
    ///
    /// # Errors
    /// [`KeyError::Exists`] if there is another key already, which `replace` allows to go; [`KeyError::Refused`] if the
    /// key is not one for the statement's circuit; [`KeyError::Io`].
    pub fn install(
        &self,
        statement: Statement,
        key: ProvingKey,
        transcript: TranscriptDigest,
        replace: bool,
    ) -> Result<Keys, KeyError> {
        let shape = statement.shape();
        let path = self.path(statement, &shape.digest());
        if !key.fits(&Matrices::new(&shape)) {
            return Err(KeyError::Refused { path, why: "of another size" });
        }
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let lock = self.folder.join(format!("{}.lock", statement.name()));
        let _held = lock_file(&lock).map_err(at(&lock))?;
        if path.exists() && !replace {
            return Err(KeyError::Exists(path));
        }
        self.put(statement, Provenance::Ceremony(transcript.0), &shape, key)
    }

    fn put(
        &self,
        statement: Statement,
        provenance: Provenance,
        shape: &Shape,
        key: ProvingKey,
    ) -> Result<Keys, KeyError> {
        let path = self.path(statement, &shape.digest());
        let digest = store(&path, |out| file::write(out, statement, provenance, &shape.digest(), &key))
            .map_err(at(&path))?;
        Ok(Keys { statement, digest, provenance, key, matrices: Matrices::new(shape) })
    }

    /// Where the keys of a statement are, or would be.
    #[must_use]
    pub fn path_of(&self, statement: Statement) -> PathBuf {
        self.path(statement, &statement.shape().digest())
    }

    fn load_shaped(&self, statement: Statement, shape: &Shape) -> Result<Option<Keys>, KeyError> {
        // Whatever is not needed for the other goes on beside it.
        let (matrices, (path, read)) = rayon::join(
            || Matrices::new(shape),
            || {
                let digest = shape.digest();
                let path = self.path(statement, &digest);
                let file = File::open(&path).and_then(|file| map(&file));
                let read = file.map(|file| file::read(file, statement, &digest));
                (path, read)
            },
        );
        let contents = match read {
            Ok(contents) => contents,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        let contents = contents
            .and_then(|contents| contents.key.fits(&matrices).then_some(contents).ok_or("of another size"))
            .map_err(|why| KeyError::Refused { path, why })?;
        let file::Contents { key, digest, provenance } = contents;
        Ok(Some(Keys { statement, digest, provenance, key, matrices }))
    }

    fn path(&self, statement: Statement, shape: &[u8; 32]) -> PathBuf {
        self.folder.join(format!("{}-{}.v2.key", statement.name(), hex::encode(&shape[..8])))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    |source| KeyError::Io { path, source }
}

fn lock_file(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Writes a file that is whole or not there: a temporary one in the same folder, made durable, then renamed.
fn store<T>(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> io::Result<T> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let (temporary, name) = tempfile::NamedTempFile::new_in(folder)?.into_parts();
    let mut out = BufWriter::with_capacity(1 << 20, temporary);
    let result = write(&mut out)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    name.persist(path)?;
    File::open(folder)?.sync_all()?;
    Ok(result)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fills_up_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        // More than is buffered, so that some of it was written.
        let half = |out: &mut BufWriter<File>| {
            out.write_all(&vec![1; 1 << 22])?;
            Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull))
        };
        assert_eq!(store(&path, half).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        // Nor is a key that is there harmed.
        store(&path, |out| out.write_all(b"whole")).unwrap();
        assert!(store(&path, half).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }
}
