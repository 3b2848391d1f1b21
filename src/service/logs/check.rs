//! What contradicts itself in a config, found before anything is opened.

use std::collections::BTreeSet;

use reqwest::Url;

use super::config::{BucketConfig, LogConfig, LogsConfig, ShardConfig};
use crate::service::config::{ConfigError, check_witnesses};

/// A config without contradictions.
pub(super) enum Checked<'a> {
    /// One log alone.
    One(&'a LogConfig),
    /// Logs that follow one another.
    Shards(Vec<(&'a LogConfig, &'a ShardConfig)>),
}

pub(super) fn wrong<T>(what: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::Malformed(what.into()))
}

/// What may stand in an address and in a file's name.
fn is_plain(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(fits)
}

impl LogsConfig {
    pub(super) fn check(&self) -> Result<Checked<'_>, ConfigError> {
        let checked = match self.logs.as_slice() {
            [] => return wrong("there is no [[log]]"),
            [one] if one.shard.is_none() => Checked::One(one),
            several => Checked::Shards(several.iter().map(LogConfig::check_shard).collect::<Result<_, _>>()?),
        };
        self.check_keys()?;
        self.check_distinct()?;
        self.check_buckets()?;
        self.logs.iter().try_for_each(LogConfig::check_witnesses)?;
        Ok(checked)
    }

    /// Each key is of one log, and signs for it once.
    pub(super) fn check_keys(&self) -> Result<(), ConfigError> {
        let mut names = BTreeSet::new();
        for (log, name) in self.logs.iter().flat_map(|log| log.key_names().map(move |name| (log, name))) {
            if !is_plain(name) {
                return wrong(format!("{name:?} cannot name a key"));
            }
            if !names.insert(name) {
                return wrong(format!("{} has the key {name:?}, which is named before", log.origin));
            }
        }
        Ok(())
    }

    /// Names, origins and folders: of two logs with one folder or one origin the second would be no log of its own.
    fn check_distinct(&self) -> Result<(), ConfigError> {
        let (mut names, mut origins, mut folders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for log in &self.logs {
            let name = log.shard.as_ref().map(|shard| &shard.name);
            if !names.insert(name) || !origins.insert(&log.origin) || !folders.insert(&log.folder) {
                return wrong(format!("{} has the origin, folder or name of another log", log.origin));
            }
        }
        Ok(())
    }

    /// Of two logs in one part of a bucket each would find the other's tiles for its own.
    fn check_buckets(&self) -> Result<(), ConfigError> {
        let buckets = self.logs.iter().filter_map(|log| Some((&log.origin, log.bucket()?)));
        let buckets: Vec<_> = buckets.collect();
        for (index, (origin, bucket)) in buckets.iter().enumerate() {
            if buckets[..index].iter().any(|(_, other)| bucket.overlaps(other)) {
                return wrong(format!("{origin} has a part of a bucket that another log has"));
            }
        }
        Ok(())
    }
}

impl LogConfig {
    /// The first key and those that sign too.
    pub(super) fn key_names(&self) -> impl Iterator<Item = &str> {
        [&self.key].into_iter().chain(&self.also_signed_by).map(String::as_str)
    }

    fn bucket(&self) -> Option<&BucketConfig> {
        self.shared.as_ref()?.bucket.as_ref()
    }

    fn check_shard(&self) -> Result<(&Self, &ShardConfig), ConfigError> {
        let Some(shard) = &self.shard else {
            return wrong(format!("{} is one of several logs and has no [log.shard]", self.origin));
        };
        if !is_plain(&shard.name) || shard.from >= shard.until {
            return wrong(format!("{:?} is no shard: its name or its period cannot be", shard.name));
        }
        Ok((self, shard))
    }

    fn check_witnesses(&self) -> Result<(), ConfigError> {
        check_witnesses(&self.origin, self.cosignatures, 0, &self.witnesses)
    }
}

impl BucketConfig {
    fn overlaps(&self, other: &Self) -> bool {
        (self.address(), &self.name) == (other.address(), &other.name)
            && (self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix))
    }

    /// The endpoint in one spelling, if it is one.
    fn address(&self) -> String {
        let url = Url::parse(&self.endpoint).map_or_else(|_| self.endpoint.clone(), String::from);
        url.trim_end_matches('/').to_owned()
    }
}
