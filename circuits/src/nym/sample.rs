//! A statement that holds, for tests and benches of whatever proves it.

use rand_core::CryptoRngCore;
use sigveil_vrf_identity::commitment::{Commitment, KeyHash, Rho};
use sigveil_vrf_identity::curve::Scalar;
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::{Label, Mode, Profile, Scope, SlotCount};
use sigveil_vrf_identity::vrf::SecretKey;

use super::{Instance, Witness};
use crate::Fr;
use crate::token::LinkingRandomness;

/// An open issuance under a fresh VRF key, profile `stable`.
pub fn statement(rng: &mut impl CryptoRngCore) -> (Instance, Witness) {
    let secret = SecretKey::generate(rng);
    let identity = Identity::new("https://issuer.example", Kind::Email, "signer@example.org");
    let idf = identity.expect("short and not empty").idf();
    let evaluation = secret.evaluate(Mode::Open, &idf, rng).expect("no identity is known that has no point");
    let output = evaluation.verify(&secret.public_key(), Mode::Open, &idf).expect("evaluated under this key");
    let rho = Rho::from_bytes(&Scalar::random_nonzero(rng).to_bytes()).expect("a scalar's own bytes");
    let linking = LinkingRandomness(Fr::from(77u64));
    let instance = Instance {
        key: secret.public_key(),
        linking_commitment: linking.commit(idf),
        mode: Mode::Open,
        profile: Profile::Stable,
        epoch: Scope::Stable.epoch(),
        slots: SlotCount::new(1 << 16).expect("the largest number of slots"),
        label: Label::derive(&output.monitoring_key, Scope::Stable),
        commitment: Commitment::new(&idf, &rho).expect("nobody finds a ρ that cancels the identity"),
        key_hash: KeyHash::of_spki(b"a key"),
    };
    (instance, Witness::open(idf, linking, rho, &evaluation, 0))
}
