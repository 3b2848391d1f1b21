//! The `sigveil` command: flags in, one report out.

use std::process::ExitCode;

use sigveil::cli;

fn main() -> ExitCode {
    match cli::args::parse() {
        Ok(command) => {
            let global = command.global.clone();
            let report = cli::run(command);
            ExitCode::from(cli::output::print(&global, &report))
        }
        // clap's own text and status: 0 for help and version, 2 for a wrong call.
        Err(error) => error.exit(),
    }
}
