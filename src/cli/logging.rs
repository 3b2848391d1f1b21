//! What a process that serves says of itself while it runs: lines on stderr, each with its time, level and module.
//!
//! Modules say reasons, sizes and names of logs, and never who signs, a token, a body or a client's address. What libraries say
//! below errors is left out unless it is asked for, and is theirs.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::args::{LogFormat, Logging};
use crate::failure::Failure;

/// Begins with it, for the rest of the process.
///
/// # Errors
/// When the filter is none.
pub fn start(logging: &Logging) -> Result<(), Failure> {
    let filter = EnvFilter::builder().parse(&logging.log_filter);
    let filter = filter.map_err(|error| Failure::new("usage", format!("--log-filter: {error}")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let plain = std::env::var_os("NO_COLOR").is_some() || !std::io::stderr().is_terminal();
    // A process that embeds this one may say things in its own way.
    let _ = match logging.log_format {
        LogFormat::Text => lines.with_ansi(!plain).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    Ok(())
}
