//! A real proof of `query`.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sigveil_circuits::Fr;
use sigveil_circuits::groth16;
use sigveil_circuits::keys::{Keys, Statement};
use sigveil_circuits::query::{self, Instance, Witness};
use sigveil_circuits::token::LinkingRandomness;
use sigveil_vrf_identity::identity::{Identity, Kind};
use sigveil_vrf_identity::label::Mode;
use sigveil_vrf_identity::vrf::{Blinded, Blinding};

#[test]
fn a_blinded_point_is_proven_to_be_the_identitys() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let idf = Identity::new("https://issuer.example", Kind::Email, "a@b.example").unwrap().idf();
    let (blinding, linking) = (Blinding::random(&mut rng), LinkingRandomness(Fr::from(77u64)));
    let blinded = Blinded::new(Mode::Blind, &idf, &blinding).unwrap();
    let instance = Instance { linking_commitment: linking.commit(idf), blinded };
    let witness = Witness::new(idf, linking, &blinding);
    assert_eq!(query::check(&instance, &witness), Ok(()));

    let keys = Keys::generate(Statement::Query, &mut rng, &mut |_| {}).unwrap();
    let values = query::circuit::assign(&instance, &witness);
    let proof = keys.prove(&values, &mut rng).unwrap();
    let verdict = |instance: &Instance| groth16::verify(keys.verifying_key(), instance.digest(), &proof);
    assert_eq!(verdict(&instance), Ok(()));
    // The same token, but another point to evaluate; and the same point under another token.
    let another = Blinded::new(Mode::Blind, &idf, &Blinding::random(&mut rng)).unwrap();
    let refused = [
        Instance { blinded: another, ..instance },
        Instance { blinded: Blinded { mode: Mode::Open, ..blinded }, ..instance },
        Instance { linking_commitment: LinkingRandomness(Fr::from(78u64)).commit(idf), ..instance },
    ];
    for other in refused {
        assert_eq!(verdict(&other).map_err(|refusal| refusal.reason()), Err("proof-invalid"));
    }
    // A witness of somebody else is not proven.
    let stranger = Identity::new("https://issuer.example", Kind::Email, "c@d.example").unwrap().idf();
    let stranger = Witness { idf: stranger, ..witness.clone() };
    let values = query::circuit::assign(&instance, &stranger);
    assert_ne!(values.publics(), [instance.digest()]);
}
