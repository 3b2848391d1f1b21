//! Flags of `log`: whole logs.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Logging;

/// `log`.
#[derive(Clone, Debug, Subcommand)]
pub enum Log {
    /// Copy a log into a folder, or bring a copy up to date: every tile and entry is checked
    Clone(LogClone),
    /// Read a whole log and check every tile and entry
    Verify(LogVerify),
    /// Put back what a log's folder or a copy has lost, from another copy
    Backfill(LogBackfill),
    /// Name everything that does not hold in a log's folder, and change nothing
    Fsck(LogFsck),
    /// Follow a log with a copy, and serve readers from it
    Replica(LogReplica),
    /// Serve signature logs without the other roles: one, or shards, in folders or shared by several front ends
    Serve(LogServe),
    /// Follow a log, and publish each entry once by NATS JetStream
    #[cfg(feature = "nats")]
    Feed(LogFeed),
}

/// Which log it is.
#[derive(Clone, Debug, Args)]
pub struct LogIdentity {
    /// The log's verifier key, NAME+HINT+KEY; of a certificate log NAME=FILE, its public key in PEM
    #[arg(long, value_name = "KEY")]
    pub log_key: String,
    /// Verifier key of a witness that must have cosigned; may be given several times
    #[arg(long, value_name = "KEY")]
    pub witness_key: Vec<String>,
    /// How many of those witnesses are enough [default: all]
    #[arg(long, value_name = "K", requires = "witness_key")]
    pub witnesses: Option<usize>,
}

/// Where a log is read.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct LogPlace {
    /// The folder of a log or of a copy
    #[arg(long, value_name = "D")]
    pub dir: Option<PathBuf>,
    /// A server's address, below which `checkpoint` and `tile/` are; of a signature log it ends in /api/v2
    #[arg(long, value_name = "U")]
    pub url: Option<String>,
}

/// `log clone`.
#[derive(Clone, Debug, Args)]
pub struct LogClone {
    /// Where it is read
    #[command(flatten)]
    pub place: LogPlace,
    /// Which log it is
    #[command(flatten)]
    pub identity: LogIdentity,
    /// The copy's folder
    #[arg(long, value_name = "D")]
    pub out: PathBuf,
}

/// `log verify`.
#[derive(Clone, Debug, Args)]
pub struct LogVerify {
    /// Where it is read
    #[command(flatten)]
    pub place: LogPlace,
    /// Which log it is
    #[command(flatten)]
    pub identity: LogIdentity,
}

/// `log backfill`.
#[derive(Clone, Debug, Args)]
pub struct LogBackfill {
    /// Where the other copy is read
    #[command(flatten)]
    pub place: LogPlace,
    /// Which log it is
    #[command(flatten)]
    pub identity: LogIdentity,
    /// The folder that lacks something; no log may run on it
    #[arg(long, value_name = "D")]
    pub out: PathBuf,
}

/// `log fsck`.
#[derive(Clone, Debug, Args)]
pub struct LogFsck {
    /// The folder of a log or of a copy
    #[arg(long, value_name = "D")]
    pub dir: PathBuf,
    /// Which log it is
    #[command(flatten)]
    pub identity: LogIdentity,
}

/// `log replica`.
#[derive(Clone, Debug, Args)]
pub struct LogReplica {
    /// The log's address, below which `checkpoint` and `tile/` are; of a signature log it ends in /api/v2
    #[arg(long, value_name = "U")]
    pub url: String,
    /// Which log it is
    #[command(flatten)]
    pub identity: LogIdentity,
    /// The copy's folder
    #[arg(long, value_name = "D")]
    pub out: PathBuf,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: String,
    /// Seconds from one look at the log to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub every: u64,
    /// What each client may take
    #[command(flatten)]
    pub clients: LogClients,
    /// What it says of itself
    #[command(flatten)]
    pub logging: Logging,
}

/// What each client may take; unless given, as `serve` has it.
#[derive(Clone, Copy, Debug, Args)]
pub struct LogClients {
    /// Requests per second of one client in the long run; 0: as many as it likes
    #[arg(long, value_name = "N")]
    pub requests_per_second: Option<u32>,
    /// Requests of one client at once
    #[arg(long, value_name = "N")]
    pub burst: Option<u32>,
    /// Connections of one client at once; 0: as many as there are
    #[arg(long, value_name = "N")]
    pub connections: Option<usize>,
}

/// `log serve`.
#[derive(Clone, Debug, Args)]
pub struct LogServe {
    /// The config file, TOML
    #[arg(long, value_name = "F", required_unless_present = "print_config")]
    pub config: Option<PathBuf>,
    /// Print the config with its defaults, and stop
    #[arg(long)]
    pub print_config: bool,
    /// Make the keys that are missing, print the verifier key of each, and stop
    #[arg(long, conflicts_with = "print_config")]
    pub make_keys: bool,
    /// What it says of itself
    #[command(flatten)]
    pub logging: Logging,
}

/// `log feed`.
#[cfg(feature = "nats")]
#[derive(Clone, Debug, Args)]
pub struct LogFeed {
    /// Where it is read
    #[command(flatten)]
    pub place: LogPlace,
    /// Which log it is
    #[command(flatten)]
    pub identity: LogIdentity,
    /// The NATS server, nats://HOST:PORT or tls://HOST:PORT, with user:password@ or token@ before its host if it asks for them
    #[arg(long, value_name = "URL", env = "SIGVEIL_NATS", hide_env_values = true)]
    pub nats: String,
    /// Seconds from one look at the log to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub every: u64,
    /// What it says of itself
    #[command(flatten)]
    pub logging: Logging,
}
