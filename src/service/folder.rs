//! A demo's folder, or any published store beside its trust root, read without a server.

use std::path::{Path, PathBuf};

use rand_core::OsRng;
use sigveil_log::store::Reader;
use sigveil_verifiable_search::answer::Answer;
use sigveil_verifiable_search::key::MapKey;

use super::config::Config;
use super::instance::{InstanceError, LogSide, known_trusts};
use super::material::{Beginning, Material};
use super::mirror::Mirror;
use crate::failure::Failure;
use crate::files;
use crate::stock::TrustedRoot;
use crate::trust::Trust;

/// Where the demo keeps its config, below its folder.
pub const CONFIG: &str = "store/serve.toml";

/// The folder and what verifiers of it trust.
pub struct Folder {
    path: PathBuf,
    /// The trust root in it.
    pub trust: Trust,
}

impl Folder {
    /// Reads the trust root in the folder.
    ///
    /// # Errors
    /// When it is missing or not accepted.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let stock = files::read_text(&path.join("trusted_root.json"), files::JSON_LIMIT)?;
        let stock = TrustedRoot::from_json(&stock)?;
        let trust = Trust::read(stock, &path.join("trusted_root.sigveil.json"))?;
        Ok(Self { path: path.to_owned(), trust })
    }

    fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    fn config(&self) -> Result<Config, Failure> {
        Ok(Config { store: self.store(), ..Config::read(&self.path.join(CONFIG))? })
    }

    fn material(&self, config: &Config) -> Result<Material, Failure> {
        let beginning = Beginning::read(&config.store)?;
        Ok(Material::open(config, beginning.created, &mut OsRng)?)
    }

    /// The signature log's folder.
    pub fn rekor(&self) -> Reader {
        Reader::new(&self.store().join("rekor"))
    }

    /// The logs, with the index recomputed from them. The store is only read; its re-executor's key signs the
    /// checkpoint again, because the store keeps none of those lines.
    ///
    /// # Errors
    /// When the store is damaged, or its log is ahead of its index.
    pub async fn mirror(&self) -> Result<Mirror, Failure> {
        let reexecutor = self.material(&self.config()?)?.reexecutor.clone();
        Mirror::of_store(&self.store(), &self.trust, known_trusts(&self.store())?, Some(reexecutor)).await
    }

    /// The answer for a key.
    ///
    /// # Errors
    /// As [`Self::mirror`].
    pub async fn answer(&self, key: &MapKey) -> Result<Answer, Failure> {
        Ok(self.mirror().await?.index.answer(key, None).await.map_err(InstanceError::from)?)
    }

    /// Log and index for writing, while nobody else runs on the store.
    ///
    /// # Errors
    /// When another process does, or the store is damaged.
    pub fn logs(&self) -> Result<LogSide, Failure> {
        let history = known_trusts(&self.store())?;
        let config = self.config()?;
        Ok(LogSide::open(&config, &self.material(&config)?, &self.trust, history)?)
    }

    /// The redaction authority's key.
    ///
    /// # Errors
    /// When the store has none.
    pub fn redaction_key(&self) -> Result<ed25519_dalek::SigningKey, Failure> {
        Ok(self.material(&self.config()?)?.redaction)
    }
}
