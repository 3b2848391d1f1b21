//! The cryptography of one issuance: evaluation, label, commitment, both proofs.

use rand_core::{CryptoRngCore, OsRng};
use sigveil_circuits::nym;
use sigveil_circuits::token::LinkingRandomness;
use sigveil_vrf_identity::commitment::{self, CertificateFacts, Commitment, Rho};
use sigveil_vrf_identity::identity::Identity;
use sigveil_vrf_identity::label::{Epoch, Label, Mode, Profile, San, Scope, SlotCount};
use sigveil_vrf_identity::vrf::{Evaluation, PublicKey, VerifiedOutput};
use zeroize::Zeroizing;

use super::token::AcceptedToken;
use super::{CaParts, IssueError};
use crate::key::SubjectKey;
use crate::profile::{CertificateContent, Serial, TokenEvidence};
use crate::sealed;

/// Has an identity evaluated in mode open, and verifies the answer under the key that verifiers will use.
pub(super) fn evaluate(
    parts: &CaParts,
    identity: &Identity,
    time: u64,
) -> Result<(Evaluation, VerifiedOutput, PublicKey), IssueError> {
    let period = parts.trust.vrf_at(time).ok_or(IssueError::NoVrfKey)?;
    let answer = parts.evaluator.evaluate(Mode::Open, identity, &mut OsRng)?;
    let output = answer.evaluation.verify(period.public_key(), Mode::Open, &identity.idf());
    Ok((answer.evaluation, output.map_err(|_| IssueError::Evaluation)?, *period.public_key()))
}

/// Everything from the accepted token to the certificate's content. The serial is drawn first: openings derive from
/// it.
pub(super) fn prove(
    parts: &CaParts,
    accepted: &AcceptedToken,
    key: SubjectKey,
    profile: Profile,
    time: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<CertificateContent, IssueError> {
    let serial = Serial::draw(rng);
    let identity = accepted.token.identity();
    let (evaluation, output, public_key) = evaluate(parts, identity, time)?;
    let period = parts.trust.vrf_at(time).ok_or(IssueError::NoVrfKey)?;
    let scope = draw_scope(profile, period.epoch(time), period.slots(), rng);
    let label = Label::derive(&output.monitoring_key, scope);
    let facts =
        CertificateFacts { serial: commitment::Serial(*serial.as_bytes()), key_hash: key.key_hash(), time };
    let rho = Rho::derive(&output.opening_key, &facts);
    let commitment = Commitment::new(&identity.idf(), &rho).map_err(|_| IssueError::Evaluation)?;
    let linking = Zeroizing::new(LinkingRandomness::random(rng));

    let token_instance = accepted.token.instance(*linking);
    let nym_instance = nym::Instance {
        key: public_key,
        linking_commitment: token_instance.linking_commitment,
        mode: Mode::Open,
        profile,
        epoch: scope.epoch(),
        slots: period.slots(),
        label,
        commitment,
        key_hash: facts.key_hash,
    };
    let slot = u32::from(scope.slot().number());
    let nym_witness = nym::Witness::open(identity.idf(), *linking, rho, &evaluation, slot);
    let nym = parts.prover.nym(&nym_instance, &nym_witness)?;
    let class = accepted.class;
    let proof = parts.prover.token(class, &token_instance, &accepted.token.witness(*linking))?;
    let size_class = u16::try_from(class.size.bytes()).expect("size classes go up to 2,560 bytes");
    let payload = accepted.token.jwt().compact().payload();
    Ok(CertificateContent {
        serial,
        time,
        key,
        san: San { mode: Mode::Open, profile, label },
        issuer: identity.issuer().to_owned(),
        commitment,
        linking_commitment: token_instance.linking_commitment,
        token: TokenEvidence { issuer_key: accepted.issuer_key, bound: accepted.bound, size_class, proof },
        nym,
        sealed_claims: sealed::seal(payload, identity.kind(), &output.opening_key, &facts, rng),
    })
}

/// The profile's scope at this epoch; slots are drawn at random, never by look-up (protocol.md §4.3).
fn draw_scope(profile: Profile, epoch: Epoch, slots: SlotCount, rng: &mut impl CryptoRngCore) -> Scope {
    match profile {
        Profile::Stable => Scope::Stable,
        Profile::Epoch => Scope::Epoch(epoch),
        Profile::Unlinkable => loop {
            // 16 bits, as many as slots can have; those beyond the last slot are drawn again.
            if let Ok(slot) = slots.slot(rng.next_u32() >> 16) {
                return Scope::Unlinkable(epoch, slot);
            }
        },
    }
}
