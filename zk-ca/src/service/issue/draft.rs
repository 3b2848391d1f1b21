//! The cryptography of one issuance: evaluation, label, commitment, both proofs.

use rand_core::{CryptoRngCore, OsRng};
use sigveil_circuits::token::{Class, LinkingRandomness};
use sigveil_circuits::{nym, token};
use sigveil_vrf_identity::commitment::{self, CertificateFacts, Commitment, Rho};
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::{Epoch, Label, Mode, Profile, San, Scope, SlotCount};
use sigveil_vrf_identity::vrf::{Evaluation, PublicKey, VerifiedOutput};
use zeroize::Zeroizing;

use super::token::AcceptedToken;
use super::{CaParts, IssueError};
use crate::key::SubjectKey;
use crate::profile::{
    CertificateContent, InstanceDigest, PlainContent, PlainSubject, ProofPair, Proofs, Serial, TokenEvidence,
};
use crate::sealed;
use crate::service::prover::{Prover, ProverError};

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

/// What is asked of the authority, once the token is accepted.
pub(super) struct Order {
    pub(super) accepted: AcceptedToken,
    pub(super) key: SubjectKey,
    pub(super) profile: Profile,
    pub(super) time: u64,
}

impl Order {
    fn identity(&self) -> &Identity {
        self.accepted.token.identity()
    }

    /// Scheme clear: the address as it stands in the token.
    pub(super) fn clear(self, rng: &mut impl CryptoRngCore) -> Result<PlainContent, IssueError> {
        let identity = self.identity();
        if identity.kind() != Kind::Email {
            return Err(IssueError::ClearKind);
        }
        let subject = PlainSubject::Email(identity.value().to_owned());
        Ok(self.plain(subject, rng))
    }

    /// Scheme hashed: the label, as [`prepare`] has it.
    pub(super) fn hashed(
        self,
        parts: &CaParts,
        rng: &mut impl CryptoRngCore,
    ) -> Result<PlainContent, IssueError> {
        let (_, output, _) = evaluate(parts, self.identity(), self.time)?;
        let (scope, _) = draw_scope(parts, self.profile, self.time, rng)?;
        let label = Label::derive(&output.monitoring_key, scope);
        let san = San { mode: Mode::Open, profile: self.profile, label };
        Ok(self.plain(PlainSubject::Label(san), rng))
    }

    fn plain(self, subject: PlainSubject, rng: &mut impl CryptoRngCore) -> PlainContent {
        let issuer = self.identity().issuer().to_owned();
        PlainContent { serial: Serial::draw(rng), time: self.time, key: self.key, subject, issuer }
    }
}

/// A certificate of scheme zk whose proofs are still to be made, and what they are made from. Secret as a whole; the
/// witnesses are wiped when it is dropped.
pub(super) struct Prepared {
    /// With the promise of the proofs in their place.
    pub(super) content: CertificateContent,
    pub(super) instance: InstanceDigest,
    evidence: TokenEvidence<()>,
    class: Class,
    token: (token::Instance, token::Witness),
    nym: (nym::Instance, nym::Witness),
}

impl Prepared {
    /// Makes both proofs. Blocks for seconds.
    pub(super) fn prove(&self, prover: &dyn Prover) -> Result<ProofPair, ProverError> {
        let nym = prover.nym(&self.nym.0, &self.nym.1)?;
        let proof = prover.token(self.class, &self.token.0, &self.token.1)?;
        Ok(ProofPair { token: self.evidence.with(proof), nym })
    }
}

/// Everything from the accepted token to the certificate's content but the proofs. The serial is drawn first: openings
/// derive from it.
pub(super) fn prepare(
    parts: &CaParts,
    order: Order,
    class: Class,
    rng: &mut impl CryptoRngCore,
) -> Result<Prepared, IssueError> {
    let serial = Serial::draw(rng);
    let Order { accepted, key, profile, time } = order;
    let identity = accepted.token.identity();
    let (evaluation, output, public_key) = evaluate(parts, identity, time)?;
    let (scope, slots) = draw_scope(parts, profile, time, rng)?;
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
        slots,
        label,
        commitment,
        key_hash: facts.key_hash,
    };
    let slot = u32::from(scope.slot().number());
    let nym_witness = nym::Witness::open(identity.idf(), *linking, rho, &evaluation, slot);
    let size_class = u16::try_from(class.size.bytes()).expect("size classes go up to 2,560 bytes");
    let payload = accepted.token.jwt().compact().payload();
    let instance = InstanceDigest::new(&token_instance.digest(), &nym_instance.digest());
    let content = CertificateContent {
        serial,
        time,
        key,
        san: San { mode: Mode::Open, profile, label },
        issuer: identity.issuer().to_owned(),
        commitment,
        linking_commitment: token_instance.linking_commitment,
        proofs: Proofs::Deferred(instance),
        sealed_claims: sealed::seal(payload, identity.kind(), &output.opening_key, &facts, rng),
    };
    let (issuer_key, bound) = (accepted.issuer_key, accepted.bound);
    Ok(Prepared {
        content,
        instance,
        evidence: TokenEvidence { issuer_key, bound, size_class, proof: () },
        class,
        token: (token_instance, accepted.token.witness(*linking)),
        nym: (nym_instance, nym_witness),
    })
}

/// The profile's scope at this time, and how many slots there are; slots are drawn at random, never by look-up
/// (protocol.md §4.3).
fn draw_scope(
    parts: &CaParts,
    profile: Profile,
    time: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<(Scope, SlotCount), IssueError> {
    let period = parts.trust.vrf_at(time).ok_or(IssueError::NoVrfKey)?;
    let (epoch, slots) = (period.epoch(time), period.slots());
    Ok((drawn(profile, epoch, slots, rng), slots))
}

fn drawn(profile: Profile, epoch: Epoch, slots: SlotCount, rng: &mut impl CryptoRngCore) -> Scope {
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
