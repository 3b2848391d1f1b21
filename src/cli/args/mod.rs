//! Commands and flags. Every long flag can be set by `SIGVEIL_` and its name in capitals; a flag
//! on the command line goes before the variables of those that it excludes.

mod ceremony;
mod environment;
mod index;
mod log;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use ceremony::*;
pub use environment::{command, parse};
pub use index::*;
pub use log::*;

/// Code signing with transparency, without publishing who signs.
#[derive(Debug, Parser)]
#[command(name = "sigveil", version, max_term_width = 110, propagate_version = true)]
pub struct Cli {
    /// How to talk to the caller.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Print one JSON object on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but the result
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Folder for circuit keys [default: sigveil in the user's cache folder]
    #[arg(long, global = true, value_name = "D")]
    pub cache_dir: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole way on this machine, on a real file, with everything embedded
    Demo(Demo),
    /// Run one role or several from one config file
    Serve(Serve),
    /// Make circuit keys, or check those that are there
    Setup(Setup),
    /// Make circuit keys together with others
    #[command(subcommand)]
    Ceremony(Ceremony),
    /// Take circuits, keys and proofs to snarkjs and back
    #[command(subcommand)]
    Export(Export),
    /// Sign files: each gets a stock bundle v0.3 beside it
    Sign(Sign),
    /// Verify a file and its bundle against a trust root, offline
    Verify(Verify),
    /// Make a disclosure for an existing bundle, or check one
    #[command(subcommand)]
    Disclose(Disclose),
    /// Log in, and see your own identity as this system sees it
    #[command(subcommand)]
    Identity(Identity),
    /// Watch one identity's events, the log's consistency, the index and redactions
    Monitor(Monitor),
    /// Ask for the complete list of log entries under one key, with its proof
    Search(Search),
    /// Withdraw an entry's content from the log, never its history
    #[command(subcommand)]
    Redact(Redact),
    /// Serve logs alone; copy, check and follow whole ones
    #[command(subcommand)]
    Log(Log),
    /// Examine an OIDC token
    #[command(subcommand)]
    Token(Token),
    /// Make, show or update a trust root
    #[command(subcommand)]
    Trust(Trust),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// `demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Folder to work in and to leave everything in [default: ./sigveil-demo]
    #[arg(long, value_name = "D")]
    pub dir: Option<PathBuf>,
    /// File to sign [default: a short text that the demo writes]
    #[arg(long, value_name = "F")]
    pub file: Option<PathBuf>,
    /// A real token from outside; its issuer's keys come from --jwks
    #[arg(long, value_name = "F", requires = "jwks")]
    pub token: Option<PathBuf>,
    /// Key set of the token's issuer
    #[arg(long, value_name = "F", requires = "token")]
    pub jwks: Option<PathBuf>,
    /// Go on serving after the last step, until interrupted
    #[arg(long)]
    pub keep_running: bool,
}

/// `serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// The config file, TOML
    #[arg(long, value_name = "F", required_unless_present = "print_config")]
    pub config: Option<PathBuf>,
    /// Print the config with its defaults, and stop
    #[arg(long)]
    pub print_config: bool,
    /// Serve with circuit keys that no ceremony made, making what is missing: whoever made them can forge proofs
    #[arg(long)]
    pub insecure_dev_keys: bool,
    /// What it says of itself
    #[command(flatten)]
    pub logging: Logging,
}

/// What a command that serves says of itself while it runs, on stderr.
#[derive(Clone, Debug, Args)]
pub struct Logging {
    /// What is said, by level and module: error, info, sigveil_log=debug, and several with commas
    #[arg(long, value_name = "FILTER", default_value = "error,sigveil=info")]
    pub log_filter: String,
    /// As text, or as JSON objects, one a line
    #[arg(long, value_name = "FORM", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// The form of what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// `setup`.
#[derive(Clone, Debug, Args)]
pub struct Setup {
    /// Which size class of the token circuit, bytes of signing input; may be given several times
    #[arg(long, value_name = "BYTES", default_values_t = [1024])]
    pub size_class: Vec<usize>,
    /// For issuers whose RSA modulus has so many bits; may be given several times
    #[arg(long, value_name = "BITS", default_values_t = [2048])]
    pub modulus_bits: Vec<usize>,
    /// Check keys against their digests, and make none
    #[arg(long)]
    pub check: bool,
}

/// Where the services are and what they sign with.
#[derive(Clone, Debug, Args)]
pub struct Instance {
    /// Trust root and signing config in one file, as sigstore-python takes them
    #[arg(long, value_name = "F")]
    pub trust_config: PathBuf,
    /// What this system needs beside the trust root [default: trusted_root.sigveil.json in the same folder]
    #[arg(long, value_name = "F")]
    pub sigveil_root: Option<PathBuf>,
}

/// `sign`.
#[derive(Clone, Debug, Args)]
pub struct Sign {
    /// Files to sign
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The instance
    #[command(flatten)]
    pub instance: Instance,
    /// File with the OIDC token; without it, one bound to the key is asked from the instance's embedded issuer
    #[arg(long, value_name = "F")]
    pub token: Option<PathBuf>,
    /// Address to ask the embedded issuer a token for
    #[arg(long, value_name = "ADDRESS", conflicts_with = "token", required_unless_present = "token")]
    pub email: Option<String>,
    /// Also write FILE.disclosure.json, which names the signer to whoever gets it
    #[arg(long)]
    pub disclose: bool,
    /// Replace secrets that stand in the way
    #[arg(long)]
    pub force: bool,
    /// How linkable the label is
    #[arg(long, value_enum)]
    pub profile: Option<ProfileName>,
    /// Who runs the identity check
    #[arg(long, value_enum, default_value_t = ModeName::Open)]
    pub mode: ModeName,
}

/// `--profile`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProfileName {
    /// One label for ever
    Stable,
    /// One label per epoch
    Epoch,
    /// A label that only the owner can link
    Unlinkable,
}

/// `--mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeName {
    /// The authority sees the token
    Open,
    /// The authority does not
    Blind,
}

/// Which trust root a verifier uses.
#[derive(Clone, Debug, Args)]
pub struct Roots {
    /// Stock trust root
    #[arg(long, value_name = "F", required_unless_present = "trust_config")]
    pub trusted_root: Option<PathBuf>,
    /// Stock trust root inside a client trust configuration
    #[arg(long, value_name = "F", conflicts_with = "trusted_root")]
    pub trust_config: Option<PathBuf>,
    /// What this system needs beside the trust root [default: trusted_root.sigveil.json in the same folder]
    #[arg(long, value_name = "F")]
    pub sigveil_root: Option<PathBuf>,
}

/// `verify`.
#[derive(Clone, Debug, Args)]
pub struct Verify {
    /// The file that was signed
    pub file: PathBuf,
    /// Its stock bundle
    #[arg(long, value_name = "B")]
    pub bundle: PathBuf,
    /// The trust root
    #[command(flatten)]
    pub roots: Roots,
    /// The exact SAN
    #[arg(long, value_name = "SAN", required_unless_present = "identity_regexp")]
    pub identity: Option<String>,
    /// A regular expression for the SAN
    #[arg(long, value_name = "REGEXP", conflicts_with = "identity")]
    pub identity_regexp: Option<String>,
    /// The exact issuer
    #[arg(long, value_name = "I", required_unless_present = "issuer_regexp")]
    pub issuer: Option<String>,
    /// A regular expression for the issuer
    #[arg(long, value_name = "REGEXP", conflicts_with = "issuer")]
    pub issuer_regexp: Option<String>,
    /// The file beside the bundle: map proof and receipts
    #[arg(long, value_name = "F")]
    pub sigveil: Option<PathBuf>,
    /// What must hold beyond the stock checks: proof, search, witness=K, reexecutor=K
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub require: Vec<String>,
    /// A disclosure to check
    #[arg(long, value_name = "D", requires = "claim_value")]
    pub disclosure: Option<PathBuf>,
    /// What the disclosure must say
    #[arg(long, value_name = "V", requires = "disclosure")]
    pub claim_value: Option<String>,
    /// The context that the disclosure must have been made for
    #[arg(long, value_name = "TEXT", requires = "disclosure")]
    pub context: Option<String>,
}

/// `disclose`.
#[derive(Clone, Debug, Subcommand)]
pub enum Disclose {
    /// Show who signed
    Open(DiscloseOpen),
    /// Check a disclosure against a bundle, offline
    Check(DiscloseCheck),
    /// Show that the package's owner signed, and not who that is
    Equal,
    /// Show that one of a published list signed, and not which
    Member,
    /// Show selected sealed claims
    Claims,
}

/// `disclose open`.
#[derive(Clone, Debug, Args)]
pub struct DiscloseOpen {
    /// The bundle to disclose
    #[arg(long, value_name = "B")]
    pub bundle: PathBuf,
    /// The opening that `identity login` left
    #[arg(long, value_name = "F")]
    pub opening: PathBuf,
    /// Where to write the disclosure
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
    /// The verifier's context string, which the disclosure is then good for alone
    #[arg(long, value_name = "TEXT")]
    pub context: Option<String>,
    /// Replace a disclosure that stands there
    #[arg(long)]
    pub force: bool,
}

/// `disclose check`.
#[derive(Clone, Debug, Args)]
pub struct DiscloseCheck {
    /// The disclosure
    pub disclosure: PathBuf,
    /// The file that was signed
    #[arg(long, value_name = "F")]
    pub file: PathBuf,
    /// The bundle it belongs to
    #[arg(long, value_name = "B")]
    pub bundle: PathBuf,
    /// The context it must have been made for
    #[arg(long, value_name = "TEXT")]
    pub context: Option<String>,
    /// The trust root
    #[command(flatten)]
    pub roots: Roots,
}

/// `identity`.
#[derive(Clone, Debug, Subcommand)]
pub enum Identity {
    /// Turn a token into this identity's monitoring and opening keys
    Login(Login),
    /// Say what a monitoring key is for
    Show(IdentityShow),
    /// Print the label (SAN) that a certificate of this identity carries
    Label(IdentityLabel),
}

/// `identity login`.
#[derive(Clone, Debug, Args)]
pub struct Login {
    /// The instance
    #[command(flatten)]
    pub instance: Instance,
    /// File with the OIDC token
    #[arg(long, value_name = "F")]
    pub token: PathBuf,
    /// Where to write the monitoring key
    #[arg(long, value_name = "F", default_value = "monitoring.key")]
    pub key: PathBuf,
    /// Where to write the opening key
    #[arg(long, value_name = "F", default_value = "opening.json")]
    pub opening: PathBuf,
    /// Replace keys that stand there
    #[arg(long)]
    pub force: bool,
}

/// `identity show`.
#[derive(Clone, Debug, Args)]
pub struct IdentityShow {
    /// The monitoring key
    #[arg(long, value_name = "F")]
    pub key: PathBuf,
}

/// `identity label`.
#[derive(Clone, Debug, Args)]
pub struct IdentityLabel {
    /// The monitoring key
    #[arg(long, value_name = "F")]
    pub key: PathBuf,
    /// The trust root
    #[command(flatten)]
    pub roots: Roots,
    /// How linkable the label is
    #[arg(long, value_enum, default_value_t = ProfileName::Stable)]
    pub profile: ProfileName,
    /// The moment, Unix seconds [default: now]
    #[arg(long, value_name = "UNIX")]
    pub time: Option<i64>,
    /// The slot, for unlinkable labels
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub slot: u32,
}

/// `token`.
#[derive(Clone, Debug, Subcommand)]
pub enum Token {
    /// Would this token be accepted, and can it be proven?
    Check(TokenCheck),
}

/// A token and what is expected of it.
#[derive(Clone, Debug, Args)]
pub struct ExpectedToken {
    /// File with the token
    pub token: PathBuf,
    /// Key set of its issuer
    #[arg(long, value_name = "F")]
    pub jwks: PathBuf,
    /// The issuer it must name
    #[arg(long, value_name = "I")]
    pub issuer: String,
    /// The audience it must name
    #[arg(long, value_name = "A")]
    pub audience: String,
    /// The moment to judge it by, Unix seconds
    #[arg(long, value_name = "UNIX")]
    pub time: u64,
    /// The identity claim
    #[arg(long, value_name = "CLAIM", default_value = "email")]
    pub claim: String,
}

/// `token check`.
#[derive(Clone, Debug, Args)]
pub struct TokenCheck {
    /// The token
    #[command(flatten)]
    pub expected: ExpectedToken,
    /// Also evaluate the statement's constraints
    #[arg(long)]
    pub circuit: bool,
}

/// `trust`.
#[derive(Clone, Debug, Subcommand)]
pub enum Trust {
    /// Make the keys and the trust root of a new instance from a serve config
    Init(TrustInit),
    /// Show a trust root
    Show(TrustShow),
    /// Fetch a newer trust root
    Update,
}

/// `trust init`.
#[derive(Clone, Debug, Args)]
pub struct TrustInit {
    /// The config file that `serve` takes
    #[arg(long, value_name = "F")]
    pub config: PathBuf,
    /// Folder to write the trust root files into
    #[arg(long, value_name = "D")]
    pub out: PathBuf,
    /// Take circuit keys that no ceremony made, making what is missing: whoever made them can forge proofs
    #[arg(long)]
    pub insecure_dev_keys: bool,
}

/// `trust show`.
#[derive(Clone, Debug, Args)]
pub struct TrustShow {
    /// The trust root
    #[command(flatten)]
    pub roots: Roots,
}
