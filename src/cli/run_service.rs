//! Commands that need the running parts.

use std::path::Path;

use serde_json::json;

use super::args::{Serve, Setup, TrustInit};
use super::output::{Progress, Report};
use crate::failure::Failure;
use crate::service::circuits::{self, cache_folder};
use crate::service::config::{TEMPLATE, classes};

/// `serve`.
pub fn serve(arguments: &Serve, cache: Option<&Path>, progress: &Progress) -> Result<Report, Failure> {
    if arguments.print_config {
        return Ok(Report::done(json!({"config": TEMPLATE}), TEMPLATE));
    }
    let path = arguments.config.as_deref().unwrap_or(Path::new(""));
    crate::service::serve::serve(path, cache, arguments.insecure_dev_keys, progress)?;
    Ok(Report::done(json!({}), ""))
}

/// `setup`.
pub fn setup(arguments: &Setup, cache: Option<&Path>, progress: &Progress) -> Result<Report, Failure> {
    let classes = classes(&arguments.size_class, &arguments.modulus_bits);
    let classes = classes.map_err(|unknown| Failure::new("usage", unknown))?;
    let folder = cache_folder(cache)?;
    let circuits = if arguments.check {
        circuits::load(&folder, &classes)?
    } else {
        circuits::load_or_create(&folder, &classes, progress)?
    };
    let keys: Vec<_> = circuits
        .keys()
        .map(|keys| {
            json!({
                "statement": keys.statement().name(),
                "digest": keys.digest().to_string(),
                "verifyingKey": keys.verifying_key().digest().to_string(),
                "provenance": keys.provenance().to_string(),
            })
        })
        .collect();
    let lines: Vec<String> = circuits.keys().map(ToString::to_string).collect();
    Ok(Report::done(json!({"folder": folder, "keys": keys}), lines.join("\n")))
}

/// `trust init`: opens the roles once, so that their keys are made, and writes the public files.
pub fn trust_init(
    arguments: &TrustInit,
    cache: Option<&Path>,
    progress: &Progress,
) -> Result<Report, Failure> {
    use crate::service::config::Config;
    use crate::service::instance::Instance;
    let config = Config::read(&arguments.config)?;
    crate::files::make_folder(&config.store)?;
    let circuits = crate::service::serve::prover(&config, cache, arguments.insecure_dev_keys, progress)?;
    let runtime = crate::service::runtime::runtime()?;
    let _inside = runtime.enter();
    let instance = Instance::open(config, circuits)?;
    instance.publish(&arguments.out)?;
    let digest = hex::encode(instance.trust.digest());
    Ok(Report::done(json!({"digest": digest, "out": arguments.out}), format!("trust root {digest}")))
}
