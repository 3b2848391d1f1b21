//! How a command ends badly: one reason code, one sentence for people, one exit status.
//!
//! Library modules have their own error types, each with a stable kebab-case reason. This module alone maps a reason
//! to the status a shell sees and to the sentence that says what to do; `docs/reasons.md` lists the same table.

use crate::failure::Status::{Refused, Unreachable, Usage};

mod table;
pub use table::REASONS;

/// The exit status of a command that did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The input was understood and refused.
    Refused = 1,
    /// The command was called wrongly.
    Usage = 2,
    /// A service or a file could not be reached.
    Unreachable = 3,
}

/// One row of the table: a code, its status and what the reader can do.
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// The stable code, kebab-case.
    pub code: &'static str,
    /// The exit status that goes with it.
    pub status: Status,
    /// One sentence that says what to do.
    pub advice: &'static str,
}

/// Why a command stopped, ready to be shown.
#[derive(Debug)]
pub struct Failure {
    reason: &'static str,
    message: String,
}

impl Failure {
    /// A failure with a code of [`REASONS`] and a sentence about this case.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// A part that is designed and not built.
    pub fn not_built(what: &str) -> Self {
        Self::new("not-built", format!("{what} is not built yet"))
    }

    /// The stable code.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// What happened, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, in one sentence.
    pub fn advice(&self) -> &'static str {
        row(self.reason).map_or("Report this: the code is missing from docs/reasons.md.", |row| row.advice)
    }

    /// The exit status.
    pub fn status(&self) -> Status {
        row(self.reason).map_or(Refused, |row| row.status)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}). {}", self.message, self.reason, self.advice())
    }
}

impl std::error::Error for Failure {}

/// The code as the table writes it, if it is one: for codes that come from outside, such as a service's answer.
pub fn known(code: &str) -> Option<&'static str> {
    row(code).map(|row| row.code)
}

/// What to do about a code, if it is one.
pub fn advice(code: &str) -> Option<&'static str> {
    row(code).map(|row| row.advice)
}

fn row(code: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|row| row.code == code)
}

const fn refused(code: &'static str, advice: &'static str) -> Reason {
    Reason { code, status: Refused, advice }
}

const fn usage(code: &'static str, advice: &'static str) -> Reason {
    Reason { code, status: Usage, advice }
}

const fn unreachable(code: &'static str, advice: &'static str) -> Reason {
    Reason { code, status: Unreachable, advice }
}

/// Lets an error type with an inherent `reason()` become a [`Failure`] by `?`.
macro_rules! failures {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for $crate::failure::Failure {
            fn from(error: $error) -> Self {
                Self::new(error.reason(), error.to_string())
            }
        }
    )*};
}
pub(crate) use failures;

failures!(
    sigveil_circuits::export::Error,
    sigveil_circuits::groth16::Error,
    sigveil_circuits::token::Refusal,
    sigveil_zk_ca::jwks::JwksError,
    sigveil_zk_ca::profile::ProfileError,
    sigveil_zk_ca::verify::VerifyError,
    sigveil_vrf_identity::disclosure::DisclosureError,
    sigveil_vrf_identity::label::SanError,
    sigveil_log::checkpoint::CheckpointError,
    sigveil_verifiable_search::answer::AnswerError,
);
