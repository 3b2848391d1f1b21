//! The public inputs of the statement (protocol.md §5.2).

use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::poseidon;
use sigveil_vrf_identity::vrf::Blinded;

use crate::Fr;

/// The public inputs of a `query` statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `c_id`, the commitment that links this proof to the `token` proof of the same identity.
    pub linking_commitment: Fr,
    /// B and μ.
    pub blinded: Blinded,
}

impl Instance {
    /// The public inputs in the order in which they are hashed: c_id, B, μ.
    #[must_use]
    pub fn elements(&self) -> [Fr; 4] {
        let (x, y) = self.blinded.point.coordinates();
        [self.linking_commitment, x, y, self.blinded.mode.to_field()]
    }

    /// The circuit's only public input.
    #[must_use]
    pub fn digest(&self) -> Fr {
        poseidon::hash(Domain::QueryInstance, &self.elements())
    }
}
