//! Why a config is not accepted.

use serde::de::DeserializeOwned;

/// Why a config was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is no TOML of this shape.
    #[error("the config is malformed: {0}")]
    Malformed(String),
    /// What stands in the environment beside it is no text.
    #[error("{0} in the environment is not UTF-8 text")]
    Environment(&'static str),
    /// It asks for what there is not.
    #[error("{0} is not built yet")]
    NotBuilt(&'static str),
}

impl ConfigError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Environment(_) => "config-malformed",
            Self::NotBuilt(_) => "not-built",
        }
    }
}

crate::failure::failures!(ConfigError);

/// TOML of a shape. What is wrong is said by its line's number: the line itself may hold a password.
pub(crate) fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let place = error.span().map(|span| {
            let before = text.bytes().take(span.start);
            format!("line {}: ", 1 + before.filter(|byte| *byte == b'\n').count())
        });
        ConfigError::Malformed(format!("{}{}", place.unwrap_or_default(), error.message()))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shared {
        #[allow(dead_code, reason = "it is never read")]
        database: String,
    }

    #[test]
    fn a_line_that_cannot_be_is_named_by_its_number_and_not_repeated() {
        let said = |text: &str| from_toml::<Shared>(text).unwrap_err().to_string();
        let unknown = said("database = \"\"\n\npassword = \"hunter2\"");
        assert!(unknown.contains("line 3: unknown field `password`"), "{unknown}");
        let unfinished = said("database = \"\"\npassword = \"hunter2");
        assert!(unfinished.contains("line 2: "), "{unfinished}");
        assert!(!unknown.contains("hunter2") && !unfinished.contains("hunter2"));
    }
}
