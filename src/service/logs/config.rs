//! The config file of `log serve`, as it is written: TOML, every member documented where it is printed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::failure::Failure;
use crate::files;
use crate::service::config::{ClientsConfig, ConfigError, WitnessConfig, from_toml};

/// The defaults, with a comment on every member: what `log serve --print-config` prints. A test holds it to [`LogsConfig`].
pub const TEMPLATE: &str = include_str!("config.toml");

/// Which logs one process serves, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogsConfig {
    /// Address and port to listen on.
    pub listen: String,
    /// Folder of the logs' private keys.
    pub keys: PathBuf,
    /// What each client may take.
    #[serde(default)]
    pub clients: ClientsConfig,
    /// One log, or shards.
    #[serde(rename = "log")]
    pub logs: Vec<LogConfig>,
}

/// One log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Its name.
    pub origin: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Name of its key.
    pub key: String,
    /// Names of further keys that sign its checkpoints.
    #[serde(default)]
    pub also_signed_by: Vec<String>,
    /// How many cosignatures a checkpoint needs to be published.
    #[serde(default)]
    pub cosignatures: usize,
    /// Witnesses that are asked for them.
    #[serde(default, rename = "witness", skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<WitnessConfig>,
    /// What several front ends of it share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedConfig>,
    /// When it takes entries, if others come before or after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardConfig>,
}

/// What several front ends share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedConfig {
    /// Address of the PostgreSQL database that has the log's order, without a password.
    pub database: String,
    /// Where tiles and checkpoint lie, if not in the log's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<BucketConfig>,
}

/// A bucket, or the part of one below a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketConfig {
    /// URL of the store.
    pub endpoint: String,
    /// Its region.
    pub region: String,
    /// Name of the bucket, which must be there.
    pub name: String,
    /// What all names in it begin with; empty, or ends with a slash.
    #[serde(default)]
    pub prefix: String,
}

/// The period of one of several logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardConfig {
    /// Its part of the address.
    pub name: String,
    /// From when on it takes entries.
    pub from: Moment,
    /// When it does not any more.
    pub until: Moment,
}

/// A moment, in the form of RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(OffsetDateTime);

impl Moment {
    /// Milliseconds since the Unix epoch, 0 before it.
    pub fn milliseconds(self) -> u64 {
        u64::try_from(self.0.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        OffsetDateTime::parse(&text, &Rfc3339).map(Self).map_err(|_| format!("{text} is no time of RFC 3339"))
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.0.format(&Rfc3339).expect("what was parsed from RFC 3339 has a form in it")
    }
}

impl LogsConfig {
    /// Parses a config file.
    ///
    /// # Errors
    /// When a member is missing, unknown or of another type.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        from_toml(text)
    }

    /// Reads a config file; relative paths in it start at the file's folder.
    ///
    /// # Errors
    /// When it cannot be read or is not a config.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let mut config = Self::from_toml(&files::read_text(path, files::JSON_LIMIT)?)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in config.logs.iter_mut().map(|log| &mut log.folder).chain([&mut config.keys]) {
            *path = folder.join(&path);
        }
        Ok(config)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn the_printed_template_names_every_member_and_nothing_else() {
        let config = LogsConfig::from_toml(TEMPLATE).unwrap();
        let again: toml::Table = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        let template: toml::Table = toml::from_str(TEMPLATE).unwrap();
        assert_eq!(again, template);
    }

    #[test]
    fn what_the_templates_comments_offer_is_accepted() {
        let members: Vec<_> =
            TEMPLATE.lines().map(|line| line.strip_prefix("#   ").unwrap_or(line)).collect();
        let config = LogsConfig::from_toml(&members.join("\n")).unwrap();
        let [log] = config.logs.as_slice() else { panic!("one log") };
        assert_eq!(log.witnesses.len(), 1);
        assert_eq!(log.shared.as_ref().unwrap().bucket.as_ref().unwrap().prefix, "log/");
        let shard = log.shard.as_ref().unwrap();
        assert_eq!((shard.name.as_str(), shard.from.milliseconds()), ("2026h2", 1_782_864_000_000));
        assert!(shard.from < shard.until);
    }

    #[test]
    fn unknown_members_and_times_that_are_none_are_refused() {
        let refused = |text: String| LogsConfig::from_toml(&text).unwrap_err().reason();
        assert_eq!(refused(format!("surprise = 1\n{TEMPLATE}")), "config-malformed");
        assert_eq!(refused(format!("{TEMPLATE}\nsurprise = 1")), "config-malformed");
        let shard = |from: &str| {
            format!(
                "{TEMPLATE}\n[log.shard]\nname = \"a\"\nfrom = \"{from}\"\nuntil = \"2027-01-01T00:00:00Z\""
            )
        };
        assert!(LogsConfig::from_toml(&shard("2026-01-01T00:00:00Z")).is_ok());
        assert_eq!(refused(shard("2026-01-01")), "config-malformed");
    }

    #[test]
    fn a_witnesses_key_is_none_of_a_log() {
        let key = "log.example+814a2008+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
        let witness = format!("{TEMPLATE}\n[[log.witness]]\nurl = \"http://127.0.0.1\"\nkey = \"{key}\"");
        let refused = LogsConfig::from_toml(&witness).unwrap_err().to_string();
        let line = format!("line {}: ", TEMPLATE.lines().count() + 4);
        assert!(refused.contains(&line) && refused.contains("not a witness's"), "{refused}");
    }
}
