//! What a config asks for, checked: the logs as the engine opens them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand_core::CryptoRngCore;
use sigveil_log::engine::{Config as EngineConfig, Shared};
use sigveil_log::note::{NoteKey, NoteSigner};
use sigveil_log::shards::Period;
use sigveil_log::store::bucket::Bucket;
use sigveil_log::store::postgres::Postgres;
use sigveil_log::store::s3::{S3, S3Config};
use sigveil_log::witness::{Cosigner, HttpWitness};
use zeroize::Zeroizing;

use super::LogsError;
use super::config::{BucketConfig, LogConfig, LogsConfig, SharedConfig, WitnessConfig};
use crate::service::config::ConfigError;
use crate::service::instance::clock;
use crate::service::keys::KeyStore;

/// What no config file holds.
#[derive(Default)]
pub struct Secrets {
    /// The database's password.
    pub database: Option<Zeroizing<String>>,
    /// The bucket's access key, and its secret access key.
    pub bucket: Option<(String, Zeroizing<String>)>,
}

/// What one process serves.
pub enum Plan {
    /// One log.
    One(Box<EngineConfig>),
    /// Logs that follow one another.
    Shards(Vec<Period>),
}

fn wrong<T>(what: impl Into<String>) -> Result<T, LogsError> {
    Err(ConfigError::Malformed(what.into()).into())
}

impl LogsConfig {
    /// The logs of this config, with keys that are there.
    ///
    /// # Errors
    /// When members contradict each other, name nothing that there can be, or a key is missing.
    pub fn plan(&self, secrets: &Secrets) -> Result<Plan, LogsError> {
        let keys = KeyStore::open(&self.keys)?;
        let plan = match self.logs.as_slice() {
            [] => return wrong("there is no [[log]]"),
            [one] if one.shard.is_none() => Plan::One(Box::new(one.engine(&keys, secrets)?)),
            several => {
                let periods = several.iter().map(|log| log.period(&keys, secrets));
                Plan::Shards(periods.collect::<Result<_, _>>()?)
            }
        };
        self.check_distinct()?;
        Ok(plan)
    }

    /// Names, origins and folders: of two logs with one folder or one origin the second would be no log of its own.
    fn check_distinct(&self) -> Result<(), LogsError> {
        let (mut names, mut origins, mut folders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for log in &self.logs {
            let name = log.shard.as_ref().map(|shard| &shard.name);
            if !names.insert(name) || !origins.insert(&log.origin) || !folders.insert(&log.folder) {
                return wrong(format!("{} has the origin, folder or name of another log", log.origin));
            }
        }
        Ok(())
    }

    /// Makes the keys that are missing; the verifier key of each log's every key, with the key's name.
    ///
    /// # Errors
    /// When a file cannot be read or written, or a log has no possible name.
    pub fn make_keys(&self, rng: &mut impl CryptoRngCore) -> Result<Vec<(String, NoteKey)>, LogsError> {
        let keys = KeyStore::open(&self.keys)?;
        let mut made = Vec::new();
        for log in &self.logs {
            for role in log.key_names()? {
                let key = NoteKey::ed25519(&log.origin, keys.ed25519(role, rng)?.verifying_key())?;
                made.push((role.to_owned(), key));
            }
        }
        Ok(made)
    }
}

impl LogConfig {
    /// The first key and those that sign too.
    fn key_names(&self) -> Result<Vec<&str>, LogsError> {
        let names: Vec<_> = [&self.key].into_iter().chain(&self.also_signed_by).map(String::as_str).collect();
        match names.iter().find(|name| !is_plain(name)) {
            Some(name) => wrong(format!("{name:?} cannot name a key")),
            None => Ok(names),
        }
    }

    fn period(&self, keys: &KeyStore, secrets: &Secrets) -> Result<Period, LogsError> {
        let Some(shard) = &self.shard else {
            return wrong(format!("{} is one of several logs and has no [log.shard]", self.origin));
        };
        if !is_plain(&shard.name) || shard.from >= shard.until {
            return wrong(format!("{:?} is no shard: its name or its period cannot be", shard.name));
        }
        let (from, until) = (shard.from.milliseconds(), shard.until.milliseconds());
        Ok(Period { name: shard.name.clone(), from, until, config: self.engine(keys, secrets)? })
    }

    fn engine(&self, keys: &KeyStore, secrets: &Secrets) -> Result<EngineConfig, LogsError> {
        let signer = |role: &str| -> Result<NoteSigner, LogsError> {
            Ok(NoteSigner::ed25519(&self.origin, keys.existing_ed25519(role)?)?)
        };
        let mut signers = self.key_names()?.into_iter().map(signer).collect::<Result<Vec<_>, _>>()?;
        if self.cosignatures > self.witnesses.len() {
            return wrong(format!("{} asks fewer witnesses than must cosign", self.origin));
        }
        let also_signed_by = signers.split_off(1);
        let signer = signers.pop().expect("the first of at least one name");
        Ok(EngineConfig {
            also_signed_by,
            witnesses: self.witnesses.iter().map(WitnessConfig::open).collect::<Result<_, _>>()?,
            witness_threshold: self.cosignatures,
            shared: self.shared.as_ref().map(|shared| shared.open(secrets)).transpose()?,
            ..EngineConfig::new(&self.folder, signer, clock())
        })
    }
}

/// What may stand in an address and in a file's name.
fn is_plain(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(fits)
}

impl WitnessConfig {
    fn open(&self) -> Result<Arc<dyn Cosigner>, LogsError> {
        let (key, timeout) = (self.key.note_key().clone(), Duration::from_millis(self.timeout_ms));
        Ok(Arc::new(HttpWitness::new(&self.url, key, timeout).map_err(LogsError::Witness)?))
    }
}

impl SharedConfig {
    fn open(&self, secrets: &Secrets) -> Result<Shared, LogsError> {
        let database = Postgres::new(&self.database);
        let database = database.map_err(|error| ConfigError::Malformed(format!("database: {error}")))?;
        if database.has_password() {
            return wrong("a database's password belongs into PGPASSWORD, not into the config");
        }
        let database = match &secrets.database {
            Some(password) => database.with_password(password),
            None => database,
        };
        let bucket = self.bucket.as_ref().map(|bucket| bucket.open(secrets)).transpose()?;
        Ok(Shared::new(Arc::new(database), bucket))
    }
}

impl BucketConfig {
    fn open(&self, secrets: &Secrets) -> Result<Arc<dyn Bucket>, LogsError> {
        if !self.prefix.is_empty() && !self.prefix.ends_with('/') {
            return wrong("a bucket's prefix is empty or ends with a slash");
        }
        let Some((key, secret)) = &secrets.bucket else {
            return wrong("a bucket needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment");
        };
        let bucket = S3::new(S3Config {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            bucket: self.name.clone(),
            prefix: self.prefix.clone(),
            key: key.clone(),
            secret: String::clone(secret),
        });
        Ok(Arc::new(bucket.map_err(|error| ConfigError::Malformed(format!("bucket: {error}")))?))
    }
}
