//! `token check`: would this token be accepted, and can it be proven?

use serde_json::{Value, json};
use sigveil_circuits::token::{Binding, Expectation, Jwt, Modulus, Usage, check};
use sigveil_vrf_identity::identity::Kind;
use sigveil_zk_ca::jwks::{KeySet, MAX_KEY_SET_BYTES};

use super::args;
use super::output::Report;
use crate::failure::Failure;
use crate::files;

/// Largest file that is read as a token: above what any token may have, so that "too large" is said by the check.
const TOKEN_LIMIT: u64 = 64 << 10;

/// Runs the command; its object has the same members whatever the outcome.
pub fn run(arguments: &args::TokenCheck) -> Report {
    let mut circuit = Value::Null;
    let outcome = examine(arguments, &mut circuit);
    let reason = outcome.as_ref().err().map(Failure::reason);
    let object = json!({"accepted": outcome.is_ok(), "reason": reason, "circuit": circuit});
    match outcome {
        Ok(()) => Report::done(object, "accepted"),
        Err(failure) => Report::refused(object, failure),
    }
}

/// The native verdict; `trial` says what the circuit finds, wherever it can be asked.
fn examine(arguments: &args::TokenCheck, trial: &mut Value) -> Result<(), Failure> {
    let text = files::read_text(&arguments.token, TOKEN_LIMIT)?;
    let token = text.trim_end_matches(['\r', '\n']);
    let keys = KeySet::parse(&files::read(&arguments.jwks, MAX_KEY_SET_BYTES as u64)?)?;
    let kind = kind(&arguments.claim)?;
    if arguments.circuit {
        *trial = circuit(token, &keys, arguments, kind);
    }
    native(token, &keys, arguments, kind)
}

/// The kind that `--claim` names: a kind's own name, or the claim it is taken from.
fn kind(name: &str) -> Result<Kind, Failure> {
    let by_claim = || Kind::ALL.into_iter().find(|kind| kind.claim() == name);
    Kind::from_name(name).ok().or_else(by_claim).ok_or_else(|| {
        Failure::new("usage", format!("{name:?} is no identity claim: email, sub, workflow, …"))
    })
}

fn native(token: &str, keys: &KeySet, arguments: &args::TokenCheck, kind: Kind) -> Result<(), Failure> {
    let jwt = Jwt::parse(token)?;
    let modulus = keys.modulus(jwt.key_id())?;
    check(&jwt, &expectation(arguments, modulus, kind))?;
    Ok(())
}

fn expectation<'a>(arguments: &'a args::TokenCheck, modulus: &'a Modulus, kind: Kind) -> Expectation<'a> {
    Expectation {
        modulus,
        issuer: &arguments.issuer,
        audience: &arguments.audience,
        kind,
        time: arguments.time,
        usage: Usage::Certificate,
        binding: Binding::Unbound,
    }
}

/// Whether the statement's rows hold for this token; null where no statement can be made of it at all: no compact form,
/// or no key that a circuit could take.
#[cfg(feature = "service")]
fn circuit(token: &str, keys: &KeySet, arguments: &args::TokenCheck, kind: Kind) -> Value {
    use sigveil_circuits::token::Compact;
    use sigveil_circuits::token::circuit::best_effort;
    let Ok(compact) = Compact::parse(token) else { return Value::Null };
    let header: Value = serde_json::from_slice(compact.header()).unwrap_or_default();
    let Ok(modulus) = keys.modulus(header["kid"].as_str()) else { return Value::Null };
    let trial = best_effort(&compact, &expectation(arguments, modulus, kind));
    json!({
        "satisfied": trial.satisfied,
        "constraints": trial.constraints,
        "size_class": trial.class.size.bytes(),
        "modulus_bits": trial.class.modulus.bits(),
    })
}

/// A verifier has no prover, and evaluates no circuit.
#[cfg(not(feature = "service"))]
fn circuit(_: &str, _: &KeySet, _: &args::TokenCheck, _: Kind) -> Value {
    Value::Null
}
