//! The statement without a circuit: each check here has its rows in [`super::circuit`] (protocol.md §5.2).

use sigveil_vrf_identity::elligator::encode_to_curve;

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
    /// B is not β·H(μ, idf).
    #[error("the blinded point is not that of the identity")]
    BlindedPoint,
}

impl Refusal {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::LinkingCommitment => "query-linking-commitment",
            Self::Blinding => "query-blinding",
            Self::BlindedPoint => "query-blinded-point",
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
    // B = β·H(μ, idf); B ≠ identity.
    let base = encode_to_curve(instance.blinded.mode, &witness.idf).map_err(|_| Refusal::Blinding)?;
    let blinded = base.multiply(&witness.blinding).map_err(|_| Refusal::Blinding)?;
    if blinded == instance.blinded.point { Ok(()) } else { Err(Refusal::BlindedPoint) }
}
