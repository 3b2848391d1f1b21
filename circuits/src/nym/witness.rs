//! What the prover knows (protocol.md §5.2).

use sigveil_vrf_identity::commitment::Rho;
use sigveil_vrf_identity::curve::{EdwardsAffine, Point, Scalar};
use sigveil_vrf_identity::identity::Idf;
use sigveil_vrf_identity::vrf::{BlindEvaluation, Blinding, Evaluation, Proof};
use zeroize::Zeroize;

use crate::Fr;
use crate::token::LinkingRandomness;

/// The witness of a `nym` statement. Nothing in it is believed: points are what their coordinates say. Secret as a
/// whole, wiped when dropped.
#[derive(Clone)]
pub struct Witness {
    /// The identity.
    pub idf: Idf,
    /// ρ_1, which opens c_id.
    pub linking_randomness: LinkingRandomness,
    /// ρ, which opens C.
    pub rho: Rho,
    /// β, by which B = β·H was blinded; 1 in open issuance.
    pub blinding: Scalar,
    /// Z = sk·B.
    pub evaluated: EdwardsAffine,
    /// (c, s) for (PK, B, Z).
    pub proof: Proof,
    /// Γ with β·Γ = Z.
    pub gamma: EdwardsAffine,
    /// Slot within the epoch; 0 but for `unlinkable`.
    pub slot: u32,
}

impl Witness {
    /// The witness in open issuance, where β = 1 and Z = Γ.
    #[must_use]
    pub fn open(
        idf: Idf,
        linking_randomness: LinkingRandomness,
        rho: Rho,
        evaluation: &Evaluation,
        slot: u32,
    ) -> Self {
        let gamma = evaluation.gamma.affine();
        let blinding = Scalar::from_field(&Fr::from(1u64));
        let proof = evaluation.proof;
        Self { idf, linking_randomness, rho, blinding, evaluated: gamma, proof, gamma, slot }
    }

    /// The witness in blind issuance, with what the signer kept of its one evaluation: β, Z and its proof, and Γ.
    #[must_use]
    pub fn blind(
        idf: Idf,
        linking_randomness: LinkingRandomness,
        rho: Rho,
        (blinding, evaluation, gamma): (&Blinding, &BlindEvaluation, &Point),
        slot: u32,
    ) -> Self {
        let (blinding, evaluated) = (*blinding.scalar(), evaluation.evaluated.affine());
        let (proof, gamma) = (evaluation.proof, gamma.affine());
        Self { idf, linking_randomness, rho, blinding, evaluated, proof, gamma, slot }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.idf.0.zeroize();
        self.linking_randomness.zeroize();
        self.blinding.zeroize();
        self.proof.response.zeroize();
        for point in [&mut self.evaluated, &mut self.gamma] {
            point.x.zeroize();
            point.y.zeroize();
        }
        self.slot.zeroize();
    }
}
