//! Finding and reading the trust root that the flags name.

use std::path::{Path, PathBuf};

#[cfg(feature = "service")]
use super::args::Instance;
use super::args::Roots;
use crate::failure::Failure;
use crate::files::{self, JSON_LIMIT};
use crate::stock::TrustedRoot;
use crate::trust::Trust;

/// The name of the addition in the folder of a trust root.
const SECTION: &str = "trusted_root.sigveil.json";

/// Reads the stock part alone.
pub fn stock(roots: &Roots) -> Result<TrustedRoot, Failure> {
    match (&roots.trusted_root, &roots.trust_config) {
        (Some(path), _) => Ok(TrustedRoot::from_json(&files::read_text(path, JSON_LIMIT)?)?),
        (None, Some(path)) => Ok(TrustedRoot::from_trust_config(&files::read_text(path, JSON_LIMIT)?)?),
        (None, None) => {
            Err(Failure::new("usage", "a trust root is needed: --trusted-root or --trust-config"))
        }
    }
}

/// Reads the stock part and the addition beside it.
pub fn whole(roots: &Roots) -> Result<Trust, Failure> {
    let beside = roots.trusted_root.as_deref().or(roots.trust_config.as_deref());
    Trust::read(stock(roots)?, &section(roots.sigveil_root.as_deref(), beside))
}

/// Reads what `--trust-config` and its addition say.
#[cfg(feature = "service")]
pub fn of_instance(instance: &Instance) -> Result<Trust, Failure> {
    whole(&Roots {
        trusted_root: None,
        trust_config: Some(instance.trust_config.clone()),
        sigveil_root: instance.sigveil_root.clone(),
    })
}

fn section(named: Option<&Path>, beside: Option<&Path>) -> PathBuf {
    named.map_or_else(|| beside.unwrap_or(Path::new("")).with_file_name(SECTION), Path::to_path_buf)
}
