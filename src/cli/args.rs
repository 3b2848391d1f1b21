//! Commands and flags, as cli.md names them. Every long flag can be set by `SIGVEIL_` and its name in capitals; a flag
//! on the command line goes before the variables of those that it excludes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Id, Parser, Subcommand, ValueEnum};

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

/// `ceremony`.
#[derive(Clone, Debug, Subcommand)]
pub enum Ceremony {
    /// Begin a ceremony for one circuit, on powers of tau that others made
    Init(CeremonyInit),
    /// Multiply in a secret of this machine's, and forget it: one honest contributor is enough
    Contribute(CeremonyContribute),
    /// Check a transcript and every point of the key against the circuit, believing nobody
    Verify(CeremonyVerify),
    /// Close a ceremony with a public random value, and turn it into keys
    Finalize(CeremonyFinalize),
}

/// What a ceremony is for, and what it is built on.
#[derive(Clone, Debug, Args)]
pub struct CeremonyOf {
    /// The statement, such as nym.v1 [default: the one that the ceremony names]
    #[arg(long, value_name = "NAME", conflicts_with = "r1cs")]
    pub statement: Option<String>,
    /// A circuit of others instead of a statement
    #[arg(long, value_name = "F")]
    pub r1cs: Option<PathBuf>,
    /// Powers of tau, a file of the snarkjs format
    #[arg(long, value_name = "F")]
    pub ptau: PathBuf,
}

/// `ceremony init`.
#[derive(Clone, Debug, Args)]
pub struct CeremonyInit {
    /// The circuit and the powers of tau
    #[command(flatten)]
    pub of: CeremonyOf,
    /// Where to write the ceremony
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
}

/// `ceremony contribute`.
#[derive(Clone, Debug, Args)]
pub struct CeremonyContribute {
    /// The ceremony, as the one before you left it
    pub ceremony: PathBuf,
    /// Who you are, as the transcript is to say
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    /// Where to write the ceremony with your contribution
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
}

/// `ceremony verify`.
#[derive(Clone, Debug, Args)]
pub struct CeremonyVerify {
    /// The ceremony
    pub ceremony: PathBuf,
    /// The circuit and the powers of tau
    #[command(flatten)]
    pub of: CeremonyOf,
    /// A contribution that must be in it, by the digest that `contribute` printed; may be given several times
    #[arg(long, value_name = "HEX")]
    pub includes: Vec<String>,
    /// Also write the verifying key, as snarkjs reads it
    #[arg(long, value_name = "F")]
    pub verifying_key: Option<PathBuf>,
}

/// `ceremony finalize`.
#[derive(Clone, Debug, Args)]
pub struct CeremonyFinalize {
    /// The ceremony
    pub ceremony: PathBuf,
    /// The circuit and the powers of tau
    #[command(flatten)]
    pub of: CeremonyOf,
    /// A public value, hexadecimal, that nobody knew before the last contribution
    #[arg(long, value_name = "HEX")]
    pub beacon: String,
    /// Where the value is from, as the transcript is to say
    #[arg(long, value_name = "TEXT")]
    pub beacon_name: String,
    /// The value is hashed 2^N times
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub iterations: u8,
    /// Where to write the closed ceremony
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
    /// Folder to store the proving key in, as --cache-dir names it to other commands [default: none is stored]
    #[arg(long, value_name = "D")]
    pub keys: Option<PathBuf>,
    /// Replace a proving key that stands there
    #[arg(long)]
    pub force: bool,
}

/// `export`.
#[derive(Clone, Debug, Subcommand)]
pub enum Export {
    /// Write a statement's circuit as an .r1cs file
    R1cs(ExportR1cs),
    /// Write the values of a token's statement as a .wtns file: a secret that holds the whole token
    Witness(ExportWitness),
    /// Write a statement's verifying key, as snarkjs reads it
    Key(ExportKey),
    /// Write the proofs of a bundle's certificate with their keys and public inputs, as snarkjs reads them
    Proofs(ExportProofs),
    /// Verify a proof in snarkjs's form
    Check(ExportCheck),
}

/// `export r1cs`.
#[derive(Clone, Debug, Args)]
pub struct ExportR1cs {
    /// The statement, such as nym.v1
    #[arg(long, value_name = "NAME")]
    pub statement: String,
    /// Where to write it
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
}

/// `export witness`.
#[derive(Clone, Debug, Args)]
pub struct ExportWitness {
    /// The token
    #[command(flatten)]
    pub expected: ExpectedToken,
    /// Where to write it
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
    /// Replace a secret that stands there
    #[arg(long)]
    pub force: bool,
}

/// `export key`.
#[derive(Clone, Debug, Args)]
pub struct ExportKey {
    /// The statement, such as nym.v1; its keys must be in the folder of --cache-dir
    #[arg(long, value_name = "NAME")]
    pub statement: String,
    /// Where to write it
    #[arg(long, value_name = "F")]
    pub out: PathBuf,
}

/// `export proofs`.
#[derive(Clone, Debug, Args)]
pub struct ExportProofs {
    /// The bundle
    #[arg(long, value_name = "B")]
    pub bundle: PathBuf,
    /// The trust root
    #[command(flatten)]
    pub roots: Roots,
    /// Folder to write them into
    #[arg(long, value_name = "D")]
    pub out: PathBuf,
}

/// `export check`.
#[derive(Clone, Debug, Args)]
pub struct ExportCheck {
    /// The verifying key
    #[arg(long, value_name = "F")]
    pub key: PathBuf,
    /// The proof
    #[arg(long, value_name = "F")]
    pub proof: PathBuf,
    /// The public inputs
    #[arg(long, value_name = "F")]
    pub public: PathBuf,
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
    /// The opening that `sign` or `identity login` left
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

/// The whole command with an environment variable for every long flag.
pub fn command() -> clap::Command {
    with_environment(Cli::command(), &BTreeSet::new())
}

/// Parses this process's arguments.
///
/// # Errors
/// clap's own, which knows how to print itself; asking for help is one of them.
pub fn parse() -> Result<Cli, clap::Error> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = with_environment(Cli::command(), &long_flags(&arguments));
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// The long flags that a command line gives; nothing after `--` is one.
fn long_flags(arguments: &[OsString]) -> BTreeSet<String> {
    let texts = arguments.iter().filter_map(|argument| argument.to_str());
    let flags = texts.take_while(|text| *text != "--").filter_map(|text| text.strip_prefix("--"));
    flags.map(|flag| flag.split('=').next().unwrap_or(flag).to_owned()).collect()
}

/// Gives every long flag its variable, but where one of the flags `given` excludes it: what is typed goes before what
/// is set for all commands.
fn with_environment(command: clap::Command, given: &BTreeSet<String>) -> clap::Command {
    let overruled = overruled(&command, given);
    let command = command.mut_args(|argument| {
        // Help and version are questions, not settings.
        match argument.get_long() {
            Some(long) if !matches!(long, "help" | "version") && !overruled.contains(argument.get_id()) => {
                let variable = format!("SIGVEIL_{}", long.replace('-', "_").to_ascii_uppercase());
                let switch = matches!(argument.get_action(), clap::ArgAction::SetTrue);
                let argument = argument.env(variable).hide_env_values(true);
                // A switch is on for 1, yes or true, and off for 0, no, false or nothing.
                if switch { argument.value_parser(FalseyValueParser::new()) } else { argument }
            }
            _ => argument,
        }
    });
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |subcommand| with_environment(subcommand, given))
    })
}

/// The arguments of a command that cannot stand beside one of the flags given.
fn overruled(command: &clap::Command, given: &BTreeSet<String>) -> BTreeSet<Id> {
    let is_given = |argument: &Arg| argument.get_long().is_some_and(|long| given.contains(long));
    let mut overruled = BTreeSet::new();
    for argument in command.get_arguments() {
        for other in command.get_arg_conflicts_with(argument) {
            // A conflict is declared on one side and holds on both.
            for (flag, excluded) in [(argument, other), (other, argument)] {
                if is_given(flag) && !is_given(excluded) {
                    overruled.insert(excluded.get_id().clone());
                }
            }
        }
    }
    for group in command.get_groups().filter(|group| !(*group).clone().is_multiple()) {
        let members =
            command.get_arguments().filter(|argument| group.get_args().any(|id| id == argument.get_id()));
        let (flags, others): (Vec<&Arg>, Vec<&Arg>) = members.partition(|argument| is_given(argument));
        if !flags.is_empty() {
            overruled.extend(others.into_iter().map(|argument| argument.get_id().clone()));
        }
    }
    overruled
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn a_flag_overrules_the_variables_of_those_it_excludes_alone() {
        let variables = |line: &[&str], name: &str| -> Vec<bool> {
            let line: Vec<OsString> = line.iter().map(OsString::from).collect();
            let command = with_environment(Cli::command(), &long_flags(&line));
            let command = command.find_subcommand(name).unwrap();
            let flags = command.get_arguments().filter(|argument| {
                matches!(argument.get_long(), Some("trusted-root" | "trust-config" | "dir" | "url"))
            });
            flags.map(|argument| argument.get_env().is_some()).collect()
        };
        assert_eq!(variables(&["sigveil", "verify", "x"], "verify"), [true, true]);
        assert_eq!(variables(&["sigveil", "verify", "--trust-config", "x"], "verify"), [false, true]);
        assert_eq!(variables(&["sigveil", "verify", "--trusted-root=x"], "verify"), [true, false]);
        assert_eq!(variables(&["sigveil", "verify", "--", "--trusted-root"], "verify"), [true, true]);
        // By declaration in a group: dir, url, trusted-root.
        assert_eq!(variables(&["sigveil", "search", "--url", "x"], "search"), [false, true, true]);
    }

    #[test]
    fn every_long_flag_of_every_command_has_its_variable() {
        fn walk(command: &clap::Command, seen: &mut usize) {
            for argument in command.get_arguments() {
                let Some(long) = argument.get_long() else { continue };
                if matches!(long, "help" | "version") {
                    continue;
                }
                let expected = format!("SIGVEIL_{}", long.replace('-', "_").to_ascii_uppercase());
                assert_eq!(argument.get_env().unwrap().to_str().unwrap(), expected, "{}", command.get_name());
                *seen += 1;
            }
            command.get_subcommands().for_each(|sub| walk(sub, seen));
        }
        let mut seen = 0;
        walk(&command(), &mut seen);
        assert!(seen > 50);
    }
}
