//! The statement without a circuit: each check here has its rows in [`super::circuit`] (protocol.md §5.2).

use sigveil_vrf_identity::curve::{CurveError, Point};
use sigveil_vrf_identity::elligator::encode_to_curve;
use sigveil_vrf_identity::label::{Epoch, Label, LabelError, Profile, Scope};
use sigveil_vrf_identity::vrf::{VerifiedOutput, VrfError, verify_dleq};

use super::{Instance, Witness};

/// Why the statement does not hold for a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// c_id does not open to the identity.
    #[error("the linking commitment does not open to the identity")]
    LinkingCommitment,
    /// The identity has no point, or β = 0.
    #[error("the blinded point is the identity")]
    Blinding,
    /// Z or Γ is off the curve, the identity, or outside of the prime-order subgroup.
    #[error("an evaluated point is refused: {0}")]
    Point(#[from] CurveError),
    /// The Chaum–Pedersen proof does not verify for (PK, B, Z).
    #[error(transparent)]
    Evaluation(#[from] VrfError),
    /// β·Γ is not Z.
    #[error("the evaluation does not unblind to the point it is said to")]
    Unblinding,
    /// An epoch with `stable`, or a slot without `unlinkable`.
    #[error("the profile has no such epoch or slot")]
    Scope,
    /// The slot is not below SLOTS.
    #[error(transparent)]
    Slot(#[from] LabelError),
    /// L is not the label of the identity in that scope.
    #[error("the label is not that of the identity")]
    Label,
    /// C does not open to the identity.
    #[error("the commitment does not open to the identity")]
    Commitment,
}

impl Refusal {
    /// Stable reason code.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::LinkingCommitment => "nym-linking-commitment",
            Self::Blinding => "nym-blinding",
            Self::Point(error) => error.reason(),
            Self::Evaluation(error) => error.reason(),
            Self::Unblinding => "nym-unblinding",
            Self::Scope => "nym-scope",
            Self::Slot(error) => error.reason(),
            Self::Label => "nym-label",
            Self::Commitment => "nym-commitment",
        }
    }
}

/// Checks that the statement holds.
///
/// # Errors
/// The first [`Refusal`] that applies, in the order of §5.2.
pub fn check(instance: &Instance, witness: &Witness) -> Result<(), Refusal> {
    // c_id opens to idf.
    if witness.linking_randomness.commit(witness.idf) != instance.linking_commitment {
        return Err(Refusal::LinkingCommitment);
    }
    // B = β·H(μ, idf) and is not the identity.
    let base = encode_to_curve(instance.mode, &witness.idf).map_err(|_| Refusal::Blinding)?;
    let blinded = base.multiply(&witness.blinding).map_err(|_| Refusal::Blinding)?;
    // The Chaum–Pedersen proof verifies for (PK, B, Z); β·Γ = Z; all points on the curve.
    let evaluated = Point::from_affine(witness.evaluated)?;
    let gamma = Point::from_affine(witness.gamma)?;
    verify_dleq(&instance.key, &blinded, &evaluated, &witness.proof)?;
    if gamma.multiply(&witness.blinding) != Ok(evaluated) {
        return Err(Refusal::Unblinding);
    }
    // slot < SLOTS; epoch = slot = 0 as the profile says.
    let scope = scope(instance, witness)?;
    // k_id from 8·Γ; L.
    let output = VerifiedOutput::derive(instance.mode, &witness.idf, &gamma.affine());
    if Label::derive(&output.monitoring_key, scope) != instance.label {
        return Err(Refusal::Label);
    }
    // C.
    if instance.commitment.opens_to(&witness.idf, &witness.rho) { Ok(()) } else { Err(Refusal::Commitment) }
}

fn scope(instance: &Instance, witness: &Witness) -> Result<Scope, Refusal> {
    let slot = instance.slots.slot(witness.slot)?;
    match instance.profile {
        Profile::Stable if instance.epoch == Epoch(0) && witness.slot == 0 => Ok(Scope::Stable),
        Profile::Epoch if witness.slot == 0 => Ok(Scope::Epoch(instance.epoch)),
        Profile::Unlinkable => Ok(Scope::Unlinkable(instance.epoch, slot)),
        _ => Err(Refusal::Scope),
    }
}
