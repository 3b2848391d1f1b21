//! What a liar tells the circuit: which row refuses it, by evaluating only the parts that the lies reach.
//!
//! The parts stand one behind the other: public inputs and message, the message's digest, the key, the signature of the
//! digest under it, and what the message says. The first two are all that the others share, and the signature's rows
//! read nothing but key and digest. A part that nothing reaches holds as it does for the honest witness.

use std::collections::BTreeMap;

use super::inputs::Inputs;
use super::{key, key_is, payload, says};
use crate::Fr;
use crate::gadgets::bits::Bit;
use crate::gadgets::rsa;
use crate::gadgets::sha256::{self, Message};
use crate::r1cs::{Cs, Memory, Size, Told, Unmet, Verdict};
use crate::token::{Class, Instance, Witness};

/// So many rows that do not hold are looked at.
const UNMET: usize = 4;

/// Tells lies about one honest witness.
pub(crate) struct Teller {
    class: Class,
    digest: [Fr; 256],
    parts: Parts,
}

/// Where each part ends.
#[derive(Default)]
struct Parts {
    inputs: Size,
    message: Size,
    digest: Size,
    /// Of the key its bits.
    modulus: Size,
    key: Size,
    signature: Size,
    says: Size,
}

/// Which parts are lied about.
struct Reached {
    message: bool,
    digest: bool,
    /// Key or signature.
    signed: bool,
    says: bool,
}

/// What the lies come to apart from the signature.
struct Unsigned {
    violations: Vec<Unmet>,
    digest: [Fr; 256],
}

impl Teller {
    /// # Panics
    /// If the witness is none.
    pub(crate) fn new(memory: &mut Memory, class: Class, instance: &Instance, witness: &Witness) -> Self {
        let mut parts = Parts::default();
        let mut digest = [Fr::default(); 256];
        let (violations, end) = Verdict::told(memory, 0, &[], |cs| {
            let public = cs.family("token.inputs", |cs| Inputs::allocate(cs, instance));
            parts.inputs = cs.at();
            let message = Message::of_characters(cs, &witness.signing_input, class.size.bytes());
            parts.message = cs.at();
            let bits = sha256::digest(cs, &message);
            digest = bits.each_ref().map(|bit| *bit.num());
            parts.digest = cs.at();
            let modulus = rsa::Modulus::allocate(cs, class.modulus, &witness.modulus);
            parts.modulus = cs.at();
            key_is(cs, &modulus, &public.modulus);
            parts.key = cs.at();
            rsa::verify(cs, &modulus, &witness.signature, &bits);
            parts.signature = cs.at();
            says(cs, class, &message, &public, instance, witness);
        });
        assert!(violations.is_empty(), "an honest witness satisfies its statement");
        parts.says = end;
        Self { class, digest, parts }
    }

    /// The only row that refuses these lies, by their variables and in order, where whoever has the issuer's key `sign`s
    /// whatever digest they lead to; `None` where there are none, or more.
    pub(crate) fn only_refusal(
        &self,
        memory: &mut Memory,
        (instance, witness): (&Instance, &Witness),
        lies: &[(usize, Told)],
        sign: impl Fn(&[u8; 32]) -> Vec<u8>,
    ) -> Option<usize> {
        let reached = self.parts.reached(lies);
        let both = reached.signed && (reached.message || reached.digest || reached.says);
        if both {
            let (all, _) = Verdict::told(memory, 1, lies, |cs| {
                super::circuit(cs, self.class, instance, witness);
            });
            let key = self.parts.digest.variables..self.parts.signature.variables;
            let others: Vec<_> = lies.iter().filter(|(at, _)| !key.contains(at)).copied().collect();
            return only(all).or_else(|| self.only_refusal(memory, (instance, witness), &others, sign));
        }
        if reached.signed {
            return only(self.signed(memory, instance, witness, &witness.signature, &self.digest, lies));
        }
        let unsigned = self.unsigned(memory, (instance, witness), lies, &reached);
        self.judged(memory, (instance, witness), &unsigned, sign)
    }

    /// As [`Teller::only_refusal`] for lies about message and claims, where a verifier holds against what they come to:
    /// `stated` are the rows that compare something with a public input, and its variable. The witness may be of another
    /// token under the same header.
    pub(crate) fn only_refusal_of_what_is_stated(
        &self,
        memory: &mut Memory,
        honest: (&Instance, &Witness),
        lies: &[(usize, Told)],
        stated: &BTreeMap<usize, usize>,
        sign: impl Fn(&[u8; 32]) -> Vec<u8>,
    ) -> Option<usize> {
        let mut reached = self.parts.reached(lies);
        if reached.signed {
            return self.only_refusal(memory, honest, lies, sign);
        }
        reached.says = true;
        let unsigned = self.unsigned(memory, honest, lies, &reached);
        let anew = unsigned.violations.iter().filter_map(|unmet| {
            let input = stated.get(&unmet.row)?;
            Some((*input, Told::By(unmet.residue)))
        });
        let mut told: Vec<_> = anew.collect();
        if told.is_empty() || unsigned.violations.len() - told.len() > 1 {
            return self.judged(memory, honest, &unsigned, sign);
        }
        told.extend(lies);
        told.sort_by_key(|(variable, _)| *variable);
        let unsigned = self.unsigned(memory, honest, &told, &reached);
        self.judged(memory, honest, &unsigned, sign)
    }

    /// What lies about what is claimed are refused by, and by how much the rows do not hold.
    pub(crate) fn unmet(
        &self,
        memory: &mut Memory,
        honest: (&Instance, &Witness),
        lies: &[(usize, Told)],
    ) -> Vec<Unmet> {
        let reached = Reached { message: false, digest: false, signed: false, says: true };
        self.unsigned(memory, honest, lies, &reached).violations
    }

    fn judged(
        &self,
        memory: &mut Memory,
        (instance, witness): (&Instance, &Witness),
        unsigned: &Unsigned,
        sign: impl Fn(&[u8; 32]) -> Vec<u8>,
    ) -> Option<usize> {
        let digest = &unsigned.digest;
        match unsigned.violations[..] {
            [Unmet { row, .. }] if *digest == self.digest => Some(row),
            _ if *digest == self.digest => None,
            [] => only(self.signed(memory, instance, witness, &witness.signature, digest, &[])),
            [Unmet { row, .. }] => {
                self.can_be_signed(memory, (instance, witness), digest, sign).then_some(row)
            }
            _ => None,
        }
    }

    /// Where the bytes of a payload are put, and how many bytes there are with the zeros around.
    pub(crate) fn placed(&self, witness: &Witness) -> (usize, usize) {
        (payload::start(witness), payload::placed(witness, self.class.size).len())
    }

    /// The variables of a character's bits, the highest of seven first.
    pub(crate) fn character(&self, position: usize) -> std::ops::Range<usize> {
        let first = self.parts.inputs.variables + 7 * position;
        first..first + 7
    }

    /// The variables by which the key's bits come to its digest.
    pub(crate) fn key_digest(&self) -> std::ops::Range<usize> {
        self.parts.modulus.variables..self.parts.key.variables
    }

    /// Whether a row is one of those that hold once somebody has signed.
    pub(crate) fn is_of_the_signature(&self, row: usize) -> bool {
        (self.parts.digest.rows..self.parts.modulus.rows).contains(&row)
            || (self.parts.key.rows..self.parts.signature.rows).contains(&row)
    }

    /// Whether key and signature hold for a digest, once somebody signs it.
    pub(crate) fn can_be_signed(
        &self,
        memory: &mut Memory,
        (instance, witness): (&Instance, &Witness),
        digest: &[Fr; 256],
        sign: impl Fn(&[u8; 32]) -> Vec<u8>,
    ) -> bool {
        let Some(bytes) = bytes(digest) else { return false };
        self.signed(memory, instance, witness, &sign(&bytes), digest, &[]).is_empty()
    }

    /// The rows that refuse the lies, and more than one of them no further: all but the signature's.
    fn unsigned(
        &self,
        memory: &mut Memory,
        (instance, witness): (&Instance, &Witness),
        lies: &[(usize, Told)],
        reached: &Reached,
    ) -> Unsigned {
        let Parts { message: message_end, digest: digest_end, key: key_end, signature, says: end, .. } =
            self.parts;
        let mut digest = self.digest;
        let (violations, _) = Verdict::told(memory, UNMET - 1, lies, |cs| {
            let public = cs.family("token.inputs", |cs| Inputs::allocate(cs, instance));
            let message = Message::of_characters(cs, &witness.signing_input, self.class.size.bytes());
            if reached.message || reached.digest {
                digest = sha256::digest(cs, &message).each_ref().map(|bit| *bit.num());
            } else {
                cs.skip(digest_end.since(message_end));
            }
            if cs.is_decided() {
                return;
            }
            if reached.message {
                key(cs, self.class, &public.modulus, witness);
            } else {
                cs.skip(key_end.since(digest_end));
            }
            cs.skip(signature.since(key_end));
            if reached.message || reached.says {
                says(cs, self.class, &message, &public, instance, witness);
            } else {
                cs.skip(end.since(signature));
            }
        });
        Unsigned { violations, digest }
    }

    /// The rows of key and signature that do not hold.
    fn signed(
        &self,
        memory: &mut Memory,
        instance: &Instance,
        witness: &Witness,
        signature: &[u8],
        digest: &[Fr; 256],
        lies: &[(usize, Told)],
    ) -> Vec<Unmet> {
        let digest = digest.map(Bit::forced_elsewhere);
        let (violations, _) = Verdict::told(memory, 1, lies, |cs| {
            cs.skip(self.parts.digest);
            let modulus = key(cs, self.class, &instance.modulus, witness);
            rsa::verify(cs, &modulus, signature, &digest);
        });
        violations
    }
}

fn only(violations: Vec<Unmet>) -> Option<usize> {
    match violations[..] {
        [Unmet { row, .. }] => Some(row),
        _ => None,
    }
}

impl Parts {
    fn reached(&self, lies: &[(usize, Told)]) -> Reached {
        let within = |from: Size, to: Size| {
            lies.iter().any(|(variable, _)| (from.variables..to.variables).contains(variable))
        };
        Reached {
            message: within(Size::default(), self.message),
            digest: within(self.message, self.digest),
            signed: within(self.digest, self.signature),
            says: within(self.signature, self.says),
        }
    }
}

/// The bytes of a digest whose bits are bits.
pub(crate) fn bytes(digest: &[Fr; 256]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (i, bit) in digest.iter().enumerate() {
        let bit = if *bit == Fr::from(1u64) { 1 } else { (*bit == Fr::from(0u64)).then_some(0)? };
        bytes[i / 8] |= bit << (7 - i % 8);
    }
    Some(bytes)
}
