//! `trust show`: what a trust root says, in short.

use serde_json::json;

use super::args;
use super::output::Report;
use super::roots;
use crate::failure::Failure;

/// Runs the command.
pub fn show(arguments: &args::TrustShow) -> Result<Report, Failure> {
    let trust = roots::whole(&arguments.roots)?;
    let section = &trust.section;
    let object = json!({
        "digest": hex::encode(trust.digest()),
        "stockDigest": section.trusted_root_sha256,
        "developmentKeys": trust.proofs.development_keys(),
        "sigveil": section,
    });
    let mut text = format!("trust root {}\n", hex::encode(trust.digest()));
    if trust.proofs.development_keys() {
        text += "  DEVELOPMENT circuit keys: whoever made them could forge proofs (BN254, about 100 bits besides)\n";
    }
    for issuer in &section.proofs.issuers {
        text += &format!(
            "  issuer         {} for audience {}, identity by {}, {} keys\n",
            issuer.issuer,
            issuer.audience,
            issuer.kind,
            issuer.keys.len()
        );
    }
    text += &format!("  signature log  {}\n", trust.signature_log.name());
    text += &format!("  output log     {}\n", trust.output_log.name());
    for (name, threshold, keys) in [
        ("witnesses", trust.witnesses.threshold, trust.witnesses.keys.len()),
        ("re-executors", trust.reexecutors.threshold, trust.reexecutors.keys.len()),
        ("redaction by", trust.redaction_authorities.threshold, trust.redaction_authorities.keys.len()),
    ] {
        text += &format!("  {name:<15}{threshold} of {keys}\n");
    }
    Ok(Report::done(object, text))
}
