//! The roles' private keys: each made once, kept under `store/keys`, readable by its owner only.
//!
//! A run that was killed between two keys makes the missing ones at the next start; a key that is there is never
//! replaced. Whoever can write this folder is every role of the instance at once.

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey as Ed25519Key;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rand_core::CryptoRngCore;
use sigveil_zk_ca::key::SigningKeyP256;
use spki::der::pem::LineEnding;
use zeroize::Zeroizing;

use super::issuer::{Issuer, IssuerError};
use crate::files::{self, FileError, Replace};

/// Largest key file, bytes.
const LIMIT: u64 = 16 << 10;

/// Why a role's key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds no key of its type.
    #[error("{0} does not hold a private key of its role")]
    Malformed(PathBuf),
    /// The embedded identity provider's key could not be made.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
}

impl KeyStoreError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::File(error) => error.reason(),
            Self::Malformed(_) => "role-key-malformed",
            Self::Issuer(error) => error.reason(),
        }
    }
}

crate::failure::failures!(KeyStoreError);

/// The folder with the keys.
#[derive(Clone, Debug)]
pub struct KeyStore {
    folder: PathBuf,
}

impl KeyStore {
    /// Opens, and if needed makes, the folder. Others may do so at the same time: of each key all get the one that was
    /// there first.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path) -> Result<Self, KeyStoreError> {
        files::make_secret_folder(folder)?;
        Ok(Self::existing(folder))
    }

    /// The folder as it is, for whoever only reads keys.
    pub fn existing(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// An Ed25519 key, PKCS #8 PEM.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds something else.
    pub fn ed25519(&self, role: &str, rng: &mut impl CryptoRngCore) -> Result<Ed25519Key, KeyStoreError> {
        self.text(&self.path(role, "pem"), || {
            let pem = Ed25519Key::generate(rng).to_pkcs8_pem(LineEnding::LF);
            pem.expect("an Ed25519 key always has a PKCS #8 form")
        })?;
        self.existing_ed25519(role)
    }

    /// An Ed25519 key that is there.
    ///
    /// # Errors
    /// When the file is not there or cannot be read, or holds something else.
    pub fn existing_ed25519(&self, role: &str) -> Result<Ed25519Key, KeyStoreError> {
        let path = self.path(role, "pem");
        let pem = Zeroizing::new(files::read_text(&path, LIMIT)?);
        Ed25519Key::from_pkcs8_pem(&pem).map_err(|_| KeyStoreError::Malformed(path))
    }

    /// An ECDSA P-256 key, PKCS #8 PEM.
    ///
    /// # Errors
    /// As [`Self::ed25519`].
    pub fn p256(&self, role: &str, rng: &mut impl CryptoRngCore) -> Result<SigningKeyP256, KeyStoreError> {
        let path = self.path(role, "pem");
        let pem = self.text(&path, || SigningKeyP256::generate(rng).to_pem())?;
        SigningKeyP256::from_pem(&pem).map_err(|_| KeyStoreError::Malformed(path))
    }

    /// An ECDSA P-256 key as the certificate log signs with it, PKCS #8 PEM.
    ///
    /// # Errors
    /// As [`Self::ed25519`].
    pub fn ecdsa(
        &self,
        role: &str,
        rng: &mut impl CryptoRngCore,
    ) -> Result<p256::ecdsa::SigningKey, KeyStoreError> {
        let path = self.path(role, "pem");
        let pem = self.text(&path, || SigningKeyP256::generate(rng).to_pem())?;
        p256::ecdsa::SigningKey::from_pkcs8_pem(&pem).map_err(|_| KeyStoreError::Malformed(path))
    }

    /// The embedded identity provider's RSA key, PKCS #8 DER.
    ///
    /// # Errors
    /// When the file cannot be read or written, or the key cannot be made.
    pub fn issuer(&self) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        let path = self.path("issuer", "der");
        if !path.exists() {
            write_first(&path, &Issuer::generate_key()?)?;
        }
        Ok(Zeroizing::new(files::read(&path, LIMIT)?))
    }

    /// The file of a role's key.
    pub fn path(&self, role: &str, extension: &str) -> PathBuf {
        self.folder.join(role).with_extension(extension)
    }

    /// A secret in text form, made on first use.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn text(
        &self,
        path: &Path,
        generate: impl FnOnce() -> Zeroizing<String>,
    ) -> Result<Zeroizing<String>, KeyStoreError> {
        if !path.exists() {
            write_first(path, generate().as_bytes())?;
        }
        Ok(Zeroizing::new(files::read_text(path, LIMIT)?))
    }
}

/// Writes a secret unless somebody else was first.
fn write_first(path: &Path, secret: &[u8]) -> Result<(), FileError> {
    match files::write_secret(path, secret, Replace::Never) {
        Err(FileError::SecretExists(_)) => Ok(()),
        written => written,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_make_a_key_both_get_the_one_that_was_first() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyStore::open(folder.path()).unwrap();
        let path = keys.path("role", "pem");
        let second = || {
            std::fs::write(&path, "first").unwrap();
            Zeroizing::new("second".to_owned())
        };
        assert_eq!(keys.text(&path, second).unwrap().as_str(), "first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn opening_the_folder_removes_nothing_that_somebody_else_is_writing() {
        let folder = tempfile::tempdir().unwrap();
        let partial = folder.path().join(".sigveil-partial-abc");
        std::fs::write(&partial, b"half").unwrap();
        KeyStore::open(folder.path()).unwrap();
        assert!(partial.exists());
    }
}
