//! The prover of a CA that proves in its own process.

use std::collections::BTreeMap;

use rand_core::OsRng;
use sigveil_circuits::groth16::Proof;
use sigveil_circuits::keys::Keys;
use sigveil_circuits::token::Class;
use sigveil_circuits::{nym, token};

use super::prover::{Prover, ProverError};
use crate::trust::{Base64Bytes, CircuitTrust, TokenCircuit};

/// The keys that a CA proves with: `nym`, and `token` in some classes.
pub struct LocalProver {
    /// None of an authority whose scheme proves nothing; then there are none of `token` either.
    nym: Option<Keys>,
    token: BTreeMap<Class, Keys>,
}

impl LocalProver {
    /// Of keys made for these statements.
    pub fn new(nym: Keys, token: impl IntoIterator<Item = (Class, Keys)>) -> Self {
        Self { nym: Some(nym), token: token.into_iter().collect() }
    }

    /// Without keys, for an authority whose scheme proves nothing.
    pub fn none() -> Self {
        Self { nym: None, token: BTreeMap::new() }
    }

    /// All keys, `nym` first.
    pub fn keys(&self) -> impl Iterator<Item = &Keys> {
        self.nym.iter().chain(self.token.values())
    }

    /// The verifying keys as a trust root states them.
    pub fn trust(&self) -> CircuitTrust {
        let key = |keys: &Keys| Base64Bytes(keys.verifying_key().to_bytes().to_vec());
        let number = |n: usize| u16::try_from(n).expect("classes have at most 2,560 bytes and 4,096 bits");
        let token = self.token.iter().map(|(class, keys)| TokenCircuit {
            size_class: number(class.size.bytes()),
            modulus_bits: number(class.modulus.bits()),
            verifying_key: key(keys),
        });
        let development = self.keys().any(|keys| keys.provenance().is_development());
        let nym = self.nym.as_ref().map_or(Base64Bytes(Vec::new()), key);
        CircuitTrust { token: token.collect(), nym, development }
    }
}

impl Prover for LocalProver {
    fn token(
        &self,
        class: Class,
        instance: &token::Instance,
        witness: &token::Witness,
    ) -> Result<Proof, ProverError> {
        let keys = self.token.get(&class).ok_or(ProverError::NoKey(class))?;
        let values = token::circuit::assign(class, instance, witness);
        Ok(keys.prove(&values, &mut OsRng)?)
    }

    fn nym(&self, instance: &nym::Instance, witness: &nym::Witness) -> Result<Proof, ProverError> {
        let values = nym::circuit::assign(instance, witness);
        Ok(self.nym.as_ref().ok_or(ProverError::NoKeys)?.prove(&values, &mut OsRng)?)
    }
}
