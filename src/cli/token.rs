//! `token check`: would this token be accepted, and can it be proven?

use serde_json::{Value, json};
use sigveil_circuits::token::{Binding, CheckedToken, Expectation, Jwt, Modulus, Usage, check};
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
    let given = Given::read(&arguments.expected)?;
    if arguments.circuit {
        *trial = circuit(&given);
    }
    given.check().map(|_| ())
}

/// A token, its issuer's keys, and what is expected of it.
pub(super) struct Given<'a> {
    arguments: &'a args::ExpectedToken,
    token: String,
    keys: KeySet,
    kind: Kind,
}

impl<'a> Given<'a> {
    pub(super) fn read(arguments: &'a args::ExpectedToken) -> Result<Self, Failure> {
        let text = files::read_text(&arguments.token, TOKEN_LIMIT)?;
        let token = text.trim_end_matches(['\r', '\n']).to_owned();
        let keys = KeySet::parse(&files::read(&arguments.jwks, MAX_KEY_SET_BYTES as u64)?)?;
        Ok(Self { arguments, token, keys, kind: kind(&arguments.claim)? })
    }

    /// The native verdict.
    pub(super) fn check(&self) -> Result<CheckedToken, Failure> {
        let jwt = Jwt::parse(&self.token)?;
        let modulus = self.keys.modulus(jwt.key_id())?;
        Ok(check(&jwt, &self.expectation(modulus))?)
    }

    fn expectation<'b>(&'b self, modulus: &'b Modulus) -> Expectation<'b> {
        Expectation {
            modulus,
            issuer: &self.arguments.issuer,
            audience: &self.arguments.audience,
            kind: self.kind,
            time: self.arguments.time,
            usage: Usage::Certificate,
            binding: Binding::Unbound,
        }
    }
}

/// The kind that `--claim` names: a kind's own name, or the claim it is taken from.
fn kind(name: &str) -> Result<Kind, Failure> {
    let by_claim = || Kind::ALL.into_iter().find(|kind| kind.claim() == name);
    Kind::from_name(name).ok().or_else(by_claim).ok_or_else(|| {
        Failure::new("usage", format!("{name:?} is no identity claim: email, sub, workflow, …"))
    })
}

/// Whether the statement's rows hold for this token; null where no statement can be made of it at all: no compact form,
/// or no key that a circuit could take.
#[cfg(feature = "service")]
fn circuit(given: &Given<'_>) -> Value {
    use sigveil_circuits::token::Compact;
    use sigveil_circuits::token::circuit::best_effort;
    let Ok(compact) = Compact::parse(&given.token) else { return Value::Null };
    let header: Value = serde_json::from_slice(compact.header()).unwrap_or_default();
    let Ok(modulus) = given.keys.modulus(header["kid"].as_str()) else { return Value::Null };
    let trial = best_effort(&compact, &given.expectation(modulus));
    json!({
        "satisfied": trial.satisfied,
        "constraints": trial.constraints,
        "size_class": trial.class.size.bytes(),
        "modulus_bits": trial.class.modulus.bits(),
    })
}

/// A verifier has no prover, and evaluates no circuit.
#[cfg(not(feature = "service"))]
fn circuit(_: &Given<'_>) -> Value {
    Value::Null
}
