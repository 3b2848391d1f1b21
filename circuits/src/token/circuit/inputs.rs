//! The public inputs inside the circuit.

use sigveil_vrf_identity::domain::Domain;

use crate::gadgets::poseidon;
use crate::r1cs::Cs;
use crate::token::Instance;

/// The public inputs as numbers, in the order of [`Instance::elements`].
pub(crate) struct Inputs<N> {
    pub(super) modulus: N,
    pub(super) issuer: N,
    pub(super) audience: N,
    pub(super) kind: N,
    pub(super) time: N,
    pub(super) header: N,
    pub(super) usage: N,
    pub(super) bind: N,
    pub(super) linking_commitment: N,
}

impl<N: crate::r1cs::Num> Inputs<N> {
    /// Allocates them; their digest is the circuit's only public input.
    pub(crate) fn allocate<C: Cs<Num = N>>(cs: &mut C, instance: &Instance) -> Self {
        let elements = instance.elements().map(|element| cs.hint(&[], |_| element));
        let digest = poseidon::hash(cs, Domain::TokenInstance, &elements);
        cs.public(&digest);
        let [modulus, issuer, audience, kind, time, header, usage, bind, linking_commitment] = elements;
        Self { modulus, issuer, audience, kind, time, header, usage, bind, linking_commitment }
    }

    /// In the order of [`Instance::elements`].
    pub(super) fn elements(self) -> [N; 9] {
        [
            self.modulus,
            self.issuer,
            self.audience,
            self.kind,
            self.time,
            self.header,
            self.usage,
            self.bind,
            self.linking_commitment,
        ]
    }
}
