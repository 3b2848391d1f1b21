//! Flags of `ceremony` and `export`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ExpectedToken, Roots};

/// `ceremony`.
#[derive(Clone, Debug, Subcommand)]
pub enum Ceremony {
    /// Begin a ceremony for one circuit, on powers of tau that others made
    Init(CeremonyInit),
    /// Check every point, multiply in a secret of this machine's, and forget it: one honest contributor is enough
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
    /// The circuit and the powers of tau: no secret is multiplied into points that do not follow from them
    #[command(flatten)]
    pub of: CeremonyOf,
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
    /// The value that the beacon must have, hexadecimal, as it was announced
    #[arg(long, value_name = "HEX")]
    pub beacon: Option<String>,
    /// It was announced to be hashed 2^N times
    #[arg(long, value_name = "N", default_value_t = 10, requires = "beacon")]
    pub iterations: u8,
    /// Also write the verifying key of the closed ceremony, as snarkjs reads it
    #[arg(long, value_name = "F")]
    pub verifying_key: Option<PathBuf>,
    /// The proving key
    #[command(flatten)]
    pub stored: CeremonyKeys,
}

/// Where a closed ceremony's proving key goes.
#[derive(Clone, Debug, Args)]
pub struct CeremonyKeys {
    /// Folder to store the proving key in, as --cache-dir names it to other commands [default: none is stored]
    #[arg(long, value_name = "D")]
    pub keys: Option<PathBuf>,
    /// Replace a proving key that stands there
    #[arg(long, requires = "keys")]
    pub force: bool,
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
    /// The proving key
    #[command(flatten)]
    pub stored: CeremonyKeys,
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
