//! The public inputs of the statement (protocol.md §5.2).

use sigveil_vrf_identity::commitment::{Commitment, KeyHash};
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::label::{Epoch, Label, Mode, Profile, SlotCount};
use sigveil_vrf_identity::poseidon;
use sigveil_vrf_identity::vrf::PublicKey;

use crate::Fr;

/// The public inputs of a `nym` statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// PK, the VRF key valid at notBefore.
    pub key: PublicKey,
    /// `c_id`, the commitment that links this proof to the `token` proof of the same identity.
    pub linking_commitment: Fr,
    /// μ.
    pub mode: Mode,
    /// Who can link the events.
    pub profile: Profile,
    /// The epoch of notBefore; 0 for `stable`.
    pub epoch: Epoch,
    /// SLOTS at notBefore.
    pub slots: SlotCount,
    /// L.
    pub label: Label,
    /// C.
    pub commitment: Commitment,
    /// `pkh` of the certified key: a proof is spent for one key.
    pub key_hash: KeyHash,
}

impl Instance {
    /// The public inputs in the order in which they are hashed.
    #[must_use]
    pub fn elements(&self) -> [Fr; 11] {
        let (key_x, key_y) = self.key.point().coordinates();
        let (commitment_x, commitment_y) = self.commitment.point().coordinates();
        [
            key_x,
            key_y,
            self.linking_commitment,
            self.mode.to_field(),
            self.profile.to_field(),
            Fr::from(self.epoch.0),
            Fr::from(self.slots.number()),
            self.label.to_field(),
            commitment_x,
            commitment_y,
            self.key_hash.to_field(),
        ]
    }

    /// The circuit's only public input.
    #[must_use]
    pub fn digest(&self) -> Fr {
        poseidon::hash(Domain::NymInstance, &self.elements())
    }
}
