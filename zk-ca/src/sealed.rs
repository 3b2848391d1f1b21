//! Sealed claims (protocol.md §6): which claims of a token a certificate commits to, and how.
//!
//! The list is fixed per kind, in order and number, so that a certificate does not show which claims its token had:
//! an absent claim gets a random digest.

use rand_core::CryptoRngCore;
use sigveil_circuits::token::json::Object;
use sigveil_vrf_identity::commitment::{CertificateFacts, ClaimSalt, sealed_claim};
use sigveil_vrf_identity::identity::Kind;
use sigveil_vrf_identity::vrf::OpeningKey;

/// Names of the sealed claims of a kind, in order.
pub fn claim_names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Email => &["sub", "hd"],
        Kind::Sub => &["email", "hd"],
        Kind::Workflow | Kind::WorkflowProtected => &[
            "repository",
            "repository_id",
            "repository_owner",
            "repository_owner_id",
            "repository_visibility",
            "ref",
            "sha",
            "event_name",
            "job_workflow_ref",
            "runner_environment",
            "run_id",
            "run_attempt",
        ],
        Kind::CiConfig | Kind::CiConfigProtected => &[
            "project_path",
            "project_id",
            "namespace_path",
            "namespace_id",
            "project_visibility",
            "ref",
            "sha",
            "pipeline_source",
            "runner_environment",
            "pipeline_id",
            "job_id",
            "ci_config_sha",
        ],
    }
}

/// The digest list of a checked token's payload. A claim's value is its JSON text as it stands in the token, without
/// the quotes if it is a string; one that occurs twice or is too long counts as absent.
pub fn seal(
    payload: &[u8],
    kind: Kind,
    key: &OpeningKey,
    facts: &CertificateFacts,
    rng: &mut (impl CryptoRngCore + ?Sized),
) -> Vec<[u8; 32]> {
    let members = Object::parse(payload).map(|object| object.members().to_vec()).unwrap_or_default();
    let value = |name: &str| {
        let mut found = members.iter().filter(|member| &payload[member.key.clone()] == name.as_bytes());
        let member = found.next().filter(|_| found.next().is_none())?;
        Some(unquoted(&payload[member.value.clone()]))
    };
    let names = claim_names(kind).iter().zip(0u16..);
    let digest = |(name, index): (&&str, u16)| {
        let salt = ClaimSalt::derive(key, facts, index);
        value(name).and_then(|value| sealed_claim(&salt, name, value).ok()).unwrap_or_else(|| {
            let mut random = [0; 32];
            rng.fill_bytes(&mut random);
            random
        })
    };
    names.map(digest).collect()
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}
