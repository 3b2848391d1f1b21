//! The one runtime that roles run on; commands themselves are plain blocking code beside it.

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// A runtime for the roles of this process.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("runtime-unavailable", error.to_string()))
}
