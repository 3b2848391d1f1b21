//! What each role has learned, and what it has not (protocol.md §1), with this run's own values.

use super::redact::Redaction;
use super::{Stage, claim};

pub(super) fn text(stage: &Stage, redacted: &Redaction) -> String {
    let who = stage.opening.identity.value();
    let san = stage.signed.certificate.san().to_string();
    let issuer = claim(&stage.token, "iss").unwrap_or_default();
    let index = stage.signed.bundle.entry_index();
    let rows = [
        ("identity provider", format!("that {who} logged in"), "what was signed, and which certificate"),
        (
            "authority (open)",
            format!("that {who} asked for {san}, and with it every open event of {who}"),
            "what was signed",
        ),
        ("certificate log", format!("a certificate for {san}"), "who that is"),
        ("signature log", format!("entry {index}: a digest, a signature, the certificate"), "who that is"),
        ("timestamp authority", "the digest of a signature".to_owned(), "everything else"),
        ("index", format!("that somebody asked for {san}"), "who that is"),
        ("witness, re-executor", "what is published".to_owned(), "who that is"),
        ("verifier", format!("that {san} of {issuer} signed"), "who that is, until shown the disclosure"),
        ("reader of everything", format!("that one signer made every event of {san}"), "who that is"),
        ("holder of monitoring.key", "every event of this one identity".to_owned(), "who that is"),
    ];
    let mut text = String::from("What each role has learned, and what it has not:\n");
    for (role, learned, hidden) in rows {
        text += &format!("  {role:<25}{learned}\n  {:<25}not: {hidden}\n", "");
    }
    text += &format!(
        "Entry {} was redacted by record {}; its payload is in no file of store/.\n\
         The circuit keys are development keys: whoever made them could forge proofs.\n",
        redacted.index, redacted.record
    );
    text
}
