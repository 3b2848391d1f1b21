//! What a config asks for, checked: the logs as the engine opens them.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use rand_core::CryptoRngCore;
use sigveil_log::engine::{Config as EngineConfig, Shared};
use sigveil_log::note::{NoteKey, NoteSigner};
use sigveil_log::shards::Period;
use sigveil_log::store::bucket::Bucket;
use sigveil_log::store::postgres::Postgres;
use sigveil_log::store::s3::{S3, S3Config};

use super::LogsError;
use super::check::{Checked, wrong};
use super::config::{BucketConfig, LogConfig, LogsConfig, ShardConfig, SharedConfig};
use super::secrets::{BucketSecrets, Secrets};
use crate::service::config::{ConfigError, WitnessConfig};
use crate::service::instance::clock;
use crate::service::keys::KeyStore;

/// What one process serves.
pub enum Plan {
    /// One log.
    One(Box<EngineConfig>),
    /// Logs that follow one another.
    Shards(Vec<Period>),
}

impl LogsConfig {
    /// The logs of this config, with keys that are there. Nothing is written but by those who open them.
    ///
    /// # Errors
    /// When members contradict each other, name nothing that there can be, or a key is missing.
    pub fn plan(&self, secrets: &Secrets) -> Result<Plan, LogsError> {
        let keys = KeyStore::existing(&self.keys);
        Ok(match self.check()? {
            Checked::One(log) => Plan::One(Box::new(log.engine(&keys, secrets)?)),
            Checked::Shards(shards) => {
                let periods = shards.into_iter().map(|(log, shard)| log.period(shard, &keys, secrets));
                Plan::Shards(periods.collect::<Result<_, _>>()?)
            }
        })
    }

    /// Makes the keys that are missing; the verifier key of each log's every key, with the key's name.
    ///
    /// # Errors
    /// When a file cannot be read or written, or a log has no possible name.
    pub fn make_keys(&self, rng: &mut impl CryptoRngCore) -> Result<Vec<(String, NoteKey)>, LogsError> {
        self.check_keys()?;
        let keys = KeyStore::open(&self.keys)?;
        let mut made = Vec::new();
        for log in &self.logs {
            for role in log.key_names() {
                let key = NoteKey::ed25519(&log.origin, keys.ed25519(role, rng)?.verifying_key())?;
                made.push((role.to_owned(), key));
            }
        }
        Ok(made)
    }
}

impl LogConfig {
    fn period(&self, shard: &ShardConfig, keys: &KeyStore, secrets: &Secrets) -> Result<Period, LogsError> {
        let (from, until) = (shard.from.milliseconds(), shard.until.milliseconds());
        Ok(Period { name: shard.name.clone(), from, until, config: self.engine(keys, secrets)? })
    }

    fn engine(&self, keys: &KeyStore, secrets: &Secrets) -> Result<EngineConfig, LogsError> {
        let witnesses = self.witnesses.iter().map(WitnessConfig::open).collect::<Result<_, _>>();
        let witnesses = witnesses.map_err(LogsError::Witness)?;
        let shared = self.shared.as_ref().map(|shared| shared.open(secrets)).transpose()?;
        // Last: what is wrong with the config is said before that a key is missing.
        let signer = |role: &String| -> Result<NoteSigner, LogsError> {
            Ok(NoteSigner::ed25519(&self.origin, keys.existing_ed25519(role)?)?)
        };
        Ok(EngineConfig {
            also_signed_by: self.also_signed_by.iter().map(signer).collect::<Result<_, _>>()?,
            witnesses,
            witness_threshold: self.cosignatures,
            shared,
            ..EngineConfig::new(&self.folder, signer(&self.key)?, clock())
        })
    }
}

impl SharedConfig {
    fn open(&self, secrets: &Secrets) -> Result<Shared, ConfigError> {
        let database = Postgres::new(&self.database).map_err(|error| self.malformed(&error))?;
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

    fn malformed(&self, error: &io::Error) -> ConfigError {
        // The cause names what it does not know, which where a password stands may be a part of that.
        let secret = ["password", "@"].iter().any(|mark| self.database.contains(mark));
        let cause = error.source().filter(|_| !secret).map(|cause| format!(": {cause}"));
        ConfigError::Malformed(format!("database: {error}{}", cause.unwrap_or_default()))
    }
}

impl BucketConfig {
    fn open(&self, secrets: &Secrets) -> Result<Arc<dyn Bucket>, ConfigError> {
        if !self.prefix.is_empty() && !self.prefix.ends_with('/') {
            return wrong("a bucket's prefix is empty or ends with a slash");
        }
        let Some(BucketSecrets { key, secret, token }) = &secrets.bucket else {
            return wrong("a bucket needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment");
        };
        let bucket = S3::new(S3Config {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            bucket: self.name.clone(),
            prefix: self.prefix.clone(),
            key: key.clone(),
            secret: String::clone(secret),
            token: token.as_deref().cloned(),
        });
        Ok(Arc::new(bucket.map_err(|error| ConfigError::Malformed(format!("bucket: {error}")))?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    /// What a bucket's first request asks for, with this session token.
    fn asked(token: Option<&str>) -> String {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let bucket = BucketConfig {
            endpoint: format!("http://{}", server.local_addr().unwrap()),
            region: "us-east-1".to_owned(),
            name: "log".to_owned(),
            prefix: String::new(),
        };
        let key = BucketSecrets {
            key: "access".to_owned(),
            secret: "secret".to_owned().into(),
            token: token.map(|token| token.to_owned().into()),
        };
        let answer = std::thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            let mut lines = BufReader::new(&connection).lines().map(Result::unwrap);
            let first = lines.next().unwrap();
            assert!(lines.any(|line| line.is_empty()));
            connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
            first
        });
        let secrets = Secrets { bucket: Some(key), ..Secrets::default() };
        assert!(bucket.open(&secrets).unwrap().get("checkpoint").unwrap().is_none());
        answer.join().unwrap()
    }

    #[test]
    fn a_session_token_goes_with_what_is_asked_of_a_bucket() {
        assert!(asked(Some("lent")).contains("X-Amz-Security-Token=lent&"));
        assert!(!asked(None).contains("X-Amz-Security-Token"));
    }

    #[test]
    fn what_is_wrong_with_a_databases_address_is_said_without_its_password() {
        let said = |address: &str| {
            let shared = SharedConfig { database: address.to_owned(), bucket: None };
            shared.open(&Secrets::default()).err().unwrap().to_string()
        };
        assert!(said("host=127.0.0.1 port=none").contains("invalid value for option `port`"));
        assert!(said("host=127.0.0.1 usr=x").contains("unknown option `usr`"));
        for address in ["host=127.0.0.1 password=a hunter2=x", "postgresql://x:a@b?hunter2=c@127.0.0.1/db"] {
            let said = said(address);
            assert!(said.contains("database: ") && !said.contains("hunter2"), "{said}");
        }
    }
}
