//! What no config file holds, from the environment.

use std::ffi::OsString;

use zeroize::Zeroizing;

use crate::service::config::ConfigError;

/// What no config file holds.
#[derive(Default)]
pub struct Secrets {
    /// The database's password.
    pub database: Option<Zeroizing<String>>,
    /// Who writes to the bucket.
    pub bucket: Option<BucketSecrets>,
}

/// Who writes to a bucket.
pub struct BucketSecrets {
    /// Access key.
    pub key: String,
    /// Secret access key.
    pub secret: Zeroizing<String>,
    /// Session token, of keys that are lent for a time.
    pub token: Option<Zeroizing<String>>,
}

impl Secrets {
    /// Those of an environment, in which what is empty is not there.
    ///
    /// # Errors
    /// [`ConfigError::Environment`].
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let secret = |name: &'static str| {
            let value = variable(name).filter(|value| !value.is_empty());
            let text = value.map(|value| value.into_string().map_err(|_| ConfigError::Environment(name)));
            Ok::<_, ConfigError>(text.transpose()?.map(Zeroizing::new))
        };
        let key = secret("AWS_ACCESS_KEY_ID")?.zip(secret("AWS_SECRET_ACCESS_KEY")?);
        let token = secret("AWS_SESSION_TOKEN")?;
        let bucket = key.map(|(key, secret)| BucketSecrets { key: String::clone(&key), secret, token });
        Ok(Self { database: secret("PGPASSWORD")?, bucket })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;

    const ALL: [&str; 4] = ["PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

    /// Of variables whose values are their names, but for one.
    fn with(one: &str, value: Option<&[u8]>) -> Result<Secrets, ConfigError> {
        Secrets::read(|name| {
            assert!(ALL.contains(&name));
            let value = if name == one { value } else { Some(name.as_bytes()) };
            value.map(|value| OsString::from_vec(value.to_vec()))
        })
    }

    #[test]
    fn each_is_read_by_its_name() {
        let secrets = with("", None).unwrap();
        let bucket = secrets.bucket.unwrap();
        let read = [secrets.database.unwrap(), bucket.key.into(), bucket.secret, bucket.token.unwrap()];
        assert_eq!(read.each_ref().map(|secret| secret.as_str()), ALL);
    }

    #[test]
    fn what_is_not_there_is_had_by_none() {
        for nothing in [None, Some(&b""[..])] {
            assert!(with("PGPASSWORD", nothing).unwrap().database.is_none());
            assert!(with("AWS_ACCESS_KEY_ID", nothing).unwrap().bucket.is_none());
            assert!(with("AWS_SECRET_ACCESS_KEY", nothing).unwrap().bucket.is_none());
            assert!(with("AWS_SESSION_TOKEN", nothing).unwrap().bucket.unwrap().token.is_none());
        }
    }

    #[test]
    fn what_is_no_text_is_not_taken_for_nothing() {
        for name in ALL {
            let refused = with(name, Some(&[0xff])).err().unwrap().to_string();
            assert!(refused.starts_with(name), "{refused}");
        }
    }
}
