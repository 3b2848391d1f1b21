//! What the prover knows (protocol.md §5.2).

use sigveil_vrf_identity::curve::Scalar;
use sigveil_vrf_identity::identity::Idf;
use sigveil_vrf_identity::vrf::Blinding;
use zeroize::Zeroize;

use crate::token::LinkingRandomness;

/// The witness of a `query` statement. Nothing in it is believed. Secret as a whole, wiped when dropped.
#[derive(Clone)]
pub struct Witness {
    /// The identity.
    pub idf: Idf,
    /// ρ_1, which opens c_id.
    pub linking_randomness: LinkingRandomness,
    /// β.
    pub blinding: Scalar,
}

impl Witness {
    /// The witness for an identity blinded by β.
    #[must_use]
    pub fn new(idf: Idf, linking_randomness: LinkingRandomness, blinding: &Blinding) -> Self {
        Self { idf, linking_randomness, blinding: *blinding.scalar() }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.idf.0.zeroize();
        self.linking_randomness.zeroize();
        self.blinding.zeroize();
    }
}
