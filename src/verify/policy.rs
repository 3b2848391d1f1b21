//! What a verifier demands: who may have signed, and which proofs beyond the stock ones.

use regex::Regex;

/// Why a policy cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not a regular expression.
    #[error("{0:?} is not a regular expression: {1}")]
    Pattern(String, regex::Error),
    /// A requirement twice: the one might be less than the other.
    #[error("{0:?} is demanded twice")]
    Twice(String),
    /// Not a requirement.
    #[error("{0:?} is not a requirement: proof, search, witness=K or reexecutor=K")]
    Requirement(String),
}

impl PolicyError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        "usage"
    }
}

crate::failure::failures!(PolicyError);

/// How a string of the certificate is compared.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// Byte for byte.
    Exact(String),
    /// By a regular expression that may match anywhere in it, as in cosign: anchor it if it must not.
    Pattern(Regex),
}

impl Matcher {
    /// The matcher of a pair of flags, of which exactly one is set.
    ///
    /// # Errors
    /// When the expression is none.
    pub fn new(exact: Option<&str>, pattern: Option<&str>) -> Result<Self, PolicyError> {
        match (exact, pattern) {
            (None, Some(pattern)) => Regex::new(pattern)
                .map(Self::Pattern)
                .map_err(|error| PolicyError::Pattern(pattern.into(), error)),
            (exact, _) => Ok(Self::Exact(exact.unwrap_or_default().to_owned())),
        }
    }

    /// Whether it matches.
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(expected) => expected == value,
            Self::Pattern(pattern) => pattern.is_match(value),
        }
    }
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(value) => f.write_str(value),
            Self::Pattern(pattern) => write!(f, "/{pattern}/"),
        }
    }
}

/// What must hold beyond the stock checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The certificate's proofs verify.
    pub proof: bool,
    /// The entry is in the index, under its label, in a list that is proven complete.
    pub search: bool,
    /// So many witnesses saw the entry in time.
    pub witnesses: usize,
    /// So many re-executors recomputed the index.
    pub reexecutors: usize,
}

impl Requirements {
    /// Parses the values of `--require`.
    ///
    /// # Errors
    /// When one is unknown, or its number is none.
    pub fn parse<S: AsRef<str>>(values: &[S]) -> Result<Self, PolicyError> {
        let (mut requirements, mut seen) = (Self::default(), Vec::new());
        for value in values.iter().map(AsRef::as_ref) {
            let unknown = || PolicyError::Requirement(value.to_owned());
            let parts = value.split_once('=');
            let name = parts.map_or(value, |(name, _)| name);
            if seen.contains(&name) {
                return Err(PolicyError::Twice(name.to_owned()));
            }
            seen.push(name);
            match parts {
                None if value == "proof" => requirements.proof = true,
                None if value == "search" => requirements.search = true,
                Some(("witness", count)) => requirements.witnesses = count.parse().map_err(|_| unknown())?,
                Some(("reexecutor", count)) => {
                    requirements.reexecutors = count.parse().map_err(|_| unknown())?
                }
                _ => return Err(unknown()),
            }
        }
        Ok(requirements)
    }

    /// Whether anything beyond the stock checks is demanded.
    pub fn beyond_stock(&self) -> bool {
        *self != Self::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_read_and_unknown_ones_refused() {
        let read = Requirements::parse(&["proof", "search", "witness=2", "reexecutor=1"]).unwrap();
        assert_eq!(read, Requirements { proof: true, search: true, witnesses: 2, reexecutors: 1 });
        for wrong in ["", "Proof", "witness", "witness=", "witness=-1", "proof=1"] {
            assert_eq!(Requirements::parse(&[wrong]).unwrap_err().reason(), "usage", "{wrong}");
        }
        let twice = Requirements::parse(&["witness=2", "proof", "witness=1"]);
        assert!(matches!(twice, Err(PolicyError::Twice(name)) if name == "witness"));
    }

    #[test]
    fn exact_means_byte_for_byte_and_a_pattern_is_not_anchored() {
        let exact = Matcher::new(Some("urn:a"), None).unwrap();
        assert!(exact.matches("urn:a") && !exact.matches("urn:A") && !exact.matches("urn:a "));
        let pattern = Matcher::new(None, Some("rn:[a-b]")).unwrap();
        assert!(pattern.matches("urn:b") && !pattern.matches("urn:c"));
        assert_eq!(Matcher::new(None, Some("(")).unwrap_err().reason(), "usage");
    }
}
