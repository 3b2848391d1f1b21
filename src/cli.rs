//! The command line: flags in, one report out. What a command does is in the library; here it is only called.

pub mod args;
#[cfg(feature = "service")]
mod ceremony;
mod export;
#[cfg(feature = "service")]
mod index;
#[cfg(feature = "service")]
mod log;
#[cfg(feature = "service")]
mod logging;
pub mod output;
mod owner;
mod plain;
#[cfg(feature = "service")]
mod redact;
mod roots;
#[cfg(feature = "service")]
mod run_service;
#[cfg(feature = "service")]
mod sign;
mod token;
mod trust;
mod verify;

use args::{Cli, Command, Disclose, Export, Identity, Token, Trust};
use output::{Progress, Report};

use crate::failure::Failure;

/// Runs one command.
pub fn run(cli: Cli) -> Report {
    let progress = Progress::new(&cli.global);
    dispatch(cli, &progress).unwrap_or_else(Report::from)
}

fn dispatch(cli: Cli, progress: &Progress) -> Result<Report, Failure> {
    match cli.command {
        Command::Verify(arguments) => Ok(verify::run(&arguments)),
        Command::Token(Token::Check(arguments)) => Ok(token::run(&arguments)),
        Command::Disclose(command) => disclose(&command, progress),
        Command::Identity(Identity::Show(arguments)) => owner::show(&arguments),
        Command::Identity(Identity::Label(arguments)) => owner::label(&arguments),
        Command::Trust(Trust::Show(arguments)) => trust::show(&arguments),
        Command::Trust(Trust::Update) => Err(Failure::not_built("trust update")),
        Command::Completions { shell } => Ok(plain::completions(shell)),
        Command::Man => plain::manual(),
        Command::Export(Export::Proofs(arguments)) => export::proofs(&arguments),
        Command::Export(Export::Check(arguments)) => export::check(&arguments),
        #[cfg(feature = "service")]
        command => service(command, cli.global.cache_dir.as_deref(), progress),
        #[cfg(not(feature = "service"))]
        _ => Err(Failure::new("verifier-build", "this build verifies only")),
    }
}

fn disclose(command: &Disclose, progress: &Progress) -> Result<Report, Failure> {
    match command {
        Disclose::Open(arguments) => owner::open(arguments, progress),
        Disclose::Check(arguments) => owner::check(arguments),
        Disclose::Equal => Err(Failure::not_built("disclose equal")),
        Disclose::Member => Err(Failure::not_built("disclose member")),
        Disclose::Claims => Err(Failure::not_built("disclose claims")),
    }
}

/// Of a command that serves.
#[cfg(feature = "service")]
fn said_meanwhile(command: &Command) -> Option<&args::Logging> {
    match command {
        Command::Serve(arguments) => Some(&arguments.logging),
        Command::Log(args::Log::Replica(arguments)) => Some(&arguments.logging),
        Command::Log(args::Log::Serve(arguments)) => Some(&arguments.logging),
        #[cfg(feature = "nats")]
        Command::Log(args::Log::Feed(arguments)) => Some(&arguments.logging),
        _ => None,
    }
}

/// Commands that need the running parts.
#[cfg(feature = "service")]
fn service(
    command: Command,
    cache: Option<&std::path::Path>,
    progress: &Progress,
) -> Result<Report, Failure> {
    if let Some(arguments) = said_meanwhile(&command) {
        logging::start(arguments)?;
    }
    match command {
        Command::Demo(arguments) => crate::service::demo::run(&arguments, cache, progress),
        Command::Serve(arguments) => run_service::serve(&arguments, cache, progress),
        Command::Setup(arguments) => run_service::setup(&arguments, cache, progress),
        Command::Ceremony(step) => ceremony::run(&step, progress),
        Command::Export(Export::R1cs(arguments)) => export::r1cs(&arguments),
        Command::Export(Export::Witness(arguments)) => export::witness(&arguments),
        Command::Export(Export::Key(arguments)) => export::key(&arguments, cache),
        Command::Sign(arguments) => sign::run(&arguments, progress),
        Command::Identity(Identity::Login(arguments)) => owner::login(&arguments),
        Command::Search(arguments) => index::search(&arguments),
        Command::Monitor(arguments) => index::monitor(&arguments),
        Command::Log(command) => log::run(&command, progress),
        Command::Redact(arguments) => redact::run(&arguments, progress),
        Command::Trust(Trust::Init(arguments)) => run_service::trust_init(&arguments, cache, progress),
        // `dispatch` has taken every other command.
        other => Err(Failure::new("usage", format!("{other:?} is not a running part"))),
    }
}
