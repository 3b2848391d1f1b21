//! Flags of `monitor`, `search` and `redact`: what asks an index or a log.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Where the index is asked.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Place {
    /// A demo's folder, read without any server
    #[arg(long, value_name = "D")]
    pub dir: Option<PathBuf>,
    /// A running instance's index; for `redact apply`, its signature log
    #[arg(long, value_name = "U")]
    pub url: Option<String>,
}

/// `monitor`.
#[derive(Clone, Debug, Args)]
pub struct Monitor {
    /// The monitoring key
    #[arg(long, value_name = "F")]
    pub key: PathBuf,
    /// Where to look
    #[command(flatten)]
    pub place: Place,
    /// Trust root, needed with --url
    #[arg(long, value_name = "F")]
    pub trusted_root: Option<PathBuf>,
    /// What earlier runs have seen: only what is new is told, and both logs must continue what they were
    #[arg(long, value_name = "F")]
    pub memory: Option<PathBuf>,
}

/// `search`.
#[derive(Clone, Debug, Args)]
pub struct Search {
    /// What to look for, KIND:VALUE with KIND one of label, sha256, key, sealed
    pub key: String,
    /// Where to look
    #[command(flatten)]
    pub place: Place,
    /// Trust root, needed with --url
    #[arg(long, value_name = "F")]
    pub trusted_root: Option<PathBuf>,
    /// Hide the key from the server: bucket or pir
    #[arg(long, value_name = "HOW")]
    pub private: Option<String>,
}

/// `redact`.
#[derive(Clone, Debug, Subcommand)]
pub enum Redact {
    /// Write down which entry is to be withdrawn and why
    Request(RedactRequest),
    /// Sign a request as a redaction authority
    Approve(RedactApprove),
    /// Put the signed record into the log, then erase the content
    Apply(RedactApply),
    /// Compare what is withheld with the records
    Audit(RedactAudit),
}

/// `redact request`.
#[derive(Clone, Debug, Args)]
pub struct RedactRequest {
    /// Where the log is
    #[command(flatten)]
    pub place: Place,
    /// Trust root, needed with --url
    #[arg(long, value_name = "F")]
    pub trusted_root: Option<PathBuf>,
    /// The entry's index
    #[arg(long, value_name = "N")]
    pub index: u64,
    /// Why: personal-data, leaked-secret, legal-order or unlawful-content
    #[arg(long, value_name = "CODE", default_value = "personal-data")]
    pub why: String,
    /// Where to write the request
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
}

/// `redact approve`.
#[derive(Clone, Debug, Args)]
pub struct RedactApprove {
    /// Where the log is; in a demo folder the authority's key is found under store/keys
    #[command(flatten)]
    pub place: Place,
    /// The request
    #[arg(long, value_name = "F")]
    pub request: PathBuf,
    /// The authority's key
    #[arg(long, value_name = "F")]
    pub key: Option<PathBuf>,
    /// Where to write the signed request
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
}

/// `redact apply`.
#[derive(Clone, Debug, Args)]
pub struct RedactApply {
    /// Where the log is
    #[command(flatten)]
    pub place: Place,
    /// The signed request
    #[arg(long, value_name = "F")]
    pub request: PathBuf,
}

/// `redact audit`.
#[derive(Clone, Debug, Args)]
pub struct RedactAudit {
    /// Where the log is
    #[command(flatten)]
    pub place: Place,
    /// Trust root, needed with --url
    #[arg(long, value_name = "F")]
    pub trusted_root: Option<PathBuf>,
}
