//! The command line: flags in, one report out. What a command does is in the library; here it is only called.

pub mod args;
pub mod output;
mod plain;
mod roots;

use args::{Ceremony, Cli, Command, Disclose, Trust};
use output::Report;

use crate::failure::Failure;

/// Runs one command.
pub fn run(cli: Cli) -> Report {
    dispatch(cli).unwrap_or_else(Report::from)
}

fn dispatch(cli: Cli) -> Result<Report, Failure> {
    match cli.command {
        Command::Completions { shell } => Ok(plain::completions(shell)),
        Command::Man => plain::manual(),
        Command::Ceremony(step) => Err(Failure::not_built(match step {
            Ceremony::Init => "ceremony init",
            Ceremony::Contribute => "ceremony contribute",
            Ceremony::Verify => "ceremony verify",
            Ceremony::Finalize => "ceremony finalize",
        })),
        Command::Disclose(Disclose::Equal) => Err(Failure::not_built("disclose equal")),
        Command::Disclose(Disclose::Member) => Err(Failure::not_built("disclose member")),
        Command::Disclose(Disclose::Claims) => Err(Failure::not_built("disclose claims")),
        Command::Trust(Trust::Update) => Err(Failure::not_built("trust update")),
        _ => Err(Failure::not_built("this command")),
    }
}
