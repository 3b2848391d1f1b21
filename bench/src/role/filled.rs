//! A signature log with more entries than can be sent to it in the time of a measurement.

use std::path::Path;
use std::sync::Arc;

use p256::pkcs8::EncodePublicKey as _;
use rand_core::OsRng;
use sha2::{Digest as _, Sha256};
use sigveil::service::instance::clock;
use sigveil::service::keys::KeyStore;
use sigveil_log::engine::{Config, Log};
use sigveil_log::entry::{Entry, HashedRekord, KeyDetails, Signature, Verifier};
use sigveil_log::note::NoteSigner;

use crate::said;

/// Entries that wait at once: as many as the engine takes.
const WAITING: u64 = 8_192;
/// Bytes of a signature, as most of P-256 have.
const SIGNATURE: usize = 71;

/// The log in a folder, with a key beside it, so that who opens it again has the same.
pub(super) fn open(folder: &Path) -> anyhow::Result<Log> {
    let keys = KeyStore::open(&folder.with_extension("keys")).map_err(said)?;
    let key = keys.ed25519("log", &mut OsRng).map_err(said)?;
    Ok(Log::open(Config::new(folder, NoteSigner::ed25519("localhost", key)?, clock()))?)
}

/// Entries with public keys, all different and of one length; nobody has made their signatures, and no face asks.
pub(crate) struct Bodies(Vec<u8>);

impl Bodies {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let key = p256::ecdsa::SigningKey::random(&mut OsRng);
        Ok(Self(key.verifying_key().to_public_key_der()?.into_vec()))
    }

    pub(crate) fn body(&self, number: u64) -> anyhow::Result<Vec<u8>> {
        let digest = Sha256::digest(number.to_be_bytes());
        let signature = Signature {
            content: digest.iter().copied().cycle().take(SIGNATURE).collect(),
            key_details: KeyDetails::EcdsaP256Sha256,
            verifier: Verifier::PublicKey(self.0.clone()),
        };
        Ok(Entry::HashedRekord(HashedRekord::new(digest.to_vec(), signature)?).body())
    }
}

/// Fills it up to so many.
pub(super) async fn fill(folder: &Path, entries: u64) -> anyhow::Result<()> {
    let (log, bodies) = (open(folder)?, Arc::new(Bodies::new()?));
    let mut next = *log.published().borrow();
    while next < entries {
        let end = entries.min(next + WAITING);
        let append = |number: u64| {
            let (log, bodies) = (log.clone(), Arc::clone(&bodies));
            tokio::spawn(async move { anyhow::Ok(log.append_opaque(bodies.body(number)?).await?) })
        };
        for entry in (next..end).map(append).collect::<Vec<_>>() {
            entry.await??;
        }
        next = end;
    }
    log.stop().await;
    std::fs::write(filled(folder), "")?;
    Ok(())
}

/// What says that it is.
pub(crate) fn filled(folder: &Path) -> std::path::PathBuf {
    folder.with_extension("filled")
}
