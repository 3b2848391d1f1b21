//! `verify`: reads the files, asks the library, says what came out.

use serde_json::json;
use sigveil_vrf_identity::disclosure::{Disclosure, MAX_FILE_BYTES};

use super::args;
use super::output::Report;
use super::roots;
use crate::companion::Companion;
use crate::failure::Failure;
use crate::files::{self, JSON_LIMIT};
use crate::stock::Bundle;
use crate::verify::policy::{Matcher, Requirements};
use crate::verify::{Disclosed, Inputs, Policy, Verdict, verify};

/// Runs the command; its object has the same members whatever the outcome.
pub fn run(arguments: &args::Verify) -> Report {
    match verdict(arguments) {
        Ok(verdict) => report(verdict),
        Err(failure) => refused(failure),
    }
}

fn verdict(arguments: &args::Verify) -> Result<Verdict, Failure> {
    let policy = Policy {
        identity: Matcher::new(arguments.identity.as_deref(), arguments.identity_regexp.as_deref())?,
        issuer: Matcher::new(arguments.issuer.as_deref(), arguments.issuer_regexp.as_deref())?,
        require: Requirements::parse(&arguments.require)?,
    };
    let artifact = files::sha256(&arguments.file)?;
    let bundle = Bundle::from_json(&files::read_text(&arguments.bundle, JSON_LIMIT)?)?;
    let needs_trust = policy.require.beyond_stock() || arguments.disclosure.is_some();
    let trust = needs_trust.then(|| roots::whole(&arguments.roots)).transpose()?;
    let root = match &trust {
        Some(trust) => trust.stock.clone(),
        None => roots::stock(&arguments.roots)?,
    };
    let companion = match &arguments.sigveil {
        Some(path) => Some(Companion::parse(&files::read_text(path, JSON_LIMIT)?)?),
        None => None,
    };
    let disclosure = match &arguments.disclosure {
        Some(path) => Some(Disclosure::parse(&files::read(path, MAX_FILE_BYTES as u64)?)?),
        None => None,
    };
    let inputs = Inputs {
        artifact,
        bundle: &bundle,
        root: &root,
        trust: trust.as_ref(),
        companion: companion.as_ref(),
        disclosure: disclosure.as_ref().map(|disclosure| Disclosed {
            disclosure,
            value: arguments.claim_value.as_deref().unwrap_or_default(),
            context: arguments.context.as_deref().unwrap_or_default(),
        }),
    };
    Ok(verify(&inputs, &policy))
}

fn report(verdict: Verdict) -> Report {
    let checks: Vec<_> =
        verdict.checks.iter().map(|check| json!({"name": check.name, "ok": check.ok})).collect();
    let evidence = verdict.evidence.as_ref();
    let mut object = json!({
        "verified": verdict.refusal.is_none(),
        "reason": verdict.refusal.as_ref().map(crate::verify::VerifyError::reason),
        "san": evidence.map(|evidence| &evidence.san),
        "issuer": evidence.map(|evidence| &evidence.issuer),
        "time": evidence.map(|evidence| evidence.signed_at),
        "checks": checks,
    });
    if verdict.development_keys {
        object["developmentKeys"] = json!(true);
    }
    if let Some(refusal) = verdict.refusal {
        return Report::refused(object, refusal.into());
    }
    let names: Vec<_> = verdict.checks.iter().map(|check| check.name).collect();
    let mut text = format!("verified: {}", names.join(", "));
    if let Some(evidence) = evidence {
        text += &format!("\n  signed by {}\n  issuer    {}", evidence.san, evidence.issuer);
    }
    if verdict.development_keys {
        text += "\n  note: the proofs are under development keys; whoever made those could forge them";
    }
    Report::done(object, text)
}

fn refused(failure: Failure) -> Report {
    let object = json!({
        "verified": false, "reason": failure.reason(), "san": null, "issuer": null, "time": null, "checks": [],
    });
    Report::refused(object, failure)
}
