//! `nym` as a subject, with an honest witness drawn by a seed.

use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, Field, One};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sigveil_vrf_identity::commitment::{Commitment, KeyHash, Rho};
use sigveil_vrf_identity::curve::{EdwardsAffine, Point, Scalar, generator, multiply_two_public};
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::elligator::encode_to_curve;
use sigveil_vrf_identity::identity::Idf;
use sigveil_vrf_identity::label::{Epoch, Label, Mode, Scope, SlotCount};
use sigveil_vrf_identity::poseidon;
use sigveil_vrf_identity::vrf::{SecretKey, VerifiedOutput};

use super::Subject;
use super::statements::{FIRST_WITNESS, value};
use crate::Fr;
use crate::nym;
use crate::nym::circuit::Values;
use crate::r1cs::{Assignment, Cs, Lc, Shape, Var};
use crate::token::LinkingRandomness;

/// So many keys are tried in place of the stated one.
const OTHER_KEYS: u64 = 8;

/// `nym`.
pub struct NymSubject {
    secret: SecretKey,
    instance: nym::Instance,
    witness: nym::Witness,
    blinded: [Lc; 2],
    /// Z's place in the witness: what comes before it is a liar's, the rest an accomplice's.
    evaluated_at: usize,
    challenge: LastRound,
}

/// The end of the hash that the challenge is taken from.
struct LastRound {
    /// What the hash is more than what it is said to be: linear in the outputs of the last round's S-boxes.
    gap: Lc,
    /// Rows of these S-boxes, each with the variable that it defines, and whether the gap goes with that variable's square.
    rows: Vec<(usize, usize, bool)>,
}

impl NymSubject {
    /// A blind statement; of three seeds in a row one of each profile.
    ///
    /// # Panics
    /// Never: the statement is true.
    #[must_use]
    pub fn drawn(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let secret = SecretKey::generate(&mut rng);
        let slots = SlotCount::new(1000).expect("a count in range");
        let slot = slots.slot(rng.next_u32() % 1000).expect("a slot in range");
        let epoch = Epoch(20_000 + seed);
        let scope = [Scope::Unlinkable(epoch, slot), Scope::Epoch(epoch), Scope::Stable][seed as usize % 3];
        // Small, so that it plus r has as many bits as r.
        let idf = Idf(Fr::from(rng.next_u64() >> (seed % 8)));
        let randomness = LinkingRandomness(Fr::from(rng.next_u64()));
        let rho = Scalar::random_nonzero(&mut rng).to_bytes();
        let rho = || Rho::from_bytes(&rho).expect("a scalar is in range");
        let base = encode_to_curve(Mode::Blind, &idf).expect("an idf has a point");
        let mut witness = nym::Witness {
            idf,
            linking_randomness: randomness,
            rho: rho(),
            blinding: Scalar::random_nonzero(&mut rng),
            evaluated: base.affine(),
            proof: secret.prove_dleq(&base, &mut rng).expect("a point in the subgroup").1,
            gamma: base.affine(),
            slot: u32::from(scope.slot().number()),
        };
        let blinded = base.multiply(&witness.blinding).expect("neither is zero");
        evaluate(&secret, blinded, &mut witness).expect("a point in the subgroup");
        let output = VerifiedOutput::derive(Mode::Blind, &idf, &witness.gamma);
        let instance = nym::Instance {
            key: secret.public_key(),
            linking_commitment: randomness.commit(idf),
            mode: Mode::Blind,
            profile: scope.profile(),
            epoch: scope.epoch(),
            slots,
            label: Label::derive(&output.monitoring_key, scope),
            commitment: Commitment::new(&idf, &rho()).expect("not the identity"),
            key_hash: KeyHash::of_spki(b"a key"),
        };
        let mut landmarks = None;
        let shape = Shape::of(|cs| landmarks = Some(nym::circuit::synthesize(cs, &Values::default())));
        let nym::circuit::Landmarks { blinded, evaluated, challenge_gap, .. } =
            landmarks.expect("a shape was made");
        let challenge = LastRound::of(&shape, challenge_gap);
        let evaluated_at = match evaluated.x.terms() {
            [(Var::Witness(at), _)] => *at as usize,
            _ => unreachable!("Z is a witness"),
        };
        Self { secret, instance, witness, blinded: [blinded.x, blinded.y], evaluated_at, challenge }
    }

    /// Rows of the challenge's last round, the last first.
    #[cfg(test)]
    pub(super) fn rows_of_the_last_round(&self) -> Vec<usize> {
        self.challenge.rows.iter().map(|(row, ..)| *row).collect()
    }

    /// Evaluates under another key than the stated one, which a proof by that other key does not show, and where `row` is
    /// lacking fits the challenge's hash to the proof: whether that row alone refuses it.
    fn is_refused_under_another_key(&self, row: usize, seed: u64) -> Option<bool> {
        let (_, variable, is_squared) = *self.challenge.rows.iter().find(|(at, ..)| *at == row)?;
        let other = SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(seed));
        let base = encode_to_curve(Mode::Blind, &self.witness.idf).ok()?;
        let blinded = base.multiply(&self.witness.blinding).ok()?;
        let mut witness = self.witness.clone();
        evaluate(&other, blinded, &mut witness)?;
        let lie = Values::new(&self.instance, &witness);
        let told = |value: Fr| {
            let tell = move |_: &str, at: usize, honest| if at == variable { value } else { honest };
            Assignment::tampered(tell, |cs| nym::circuit::synthesize(cs, &lie))
        };
        let gap = |number: Fr| value(&self.challenge.gap, &told(number).full());
        let (at_zero, at_one) = (gap(Fr::ZERO), gap(Fr::ONE));
        let fitting = -at_zero * (at_one - at_zero).inverse()?;
        let fitting = if is_squared { fitting.sqrt()? } else { fitting };
        Some(super::only_violation(&told(fitting)) == Some(row))
    }
}

impl LastRound {
    /// Of an S-box the rows define x², x⁴ and x⁵, one behind the other, and so do their variables.
    fn of(shape: &Shape, gap: Lc) -> Self {
        let outputs = gap.terms().iter().filter_map(|(var, _)| match var {
            Var::Witness(at) => Some(*at as usize),
            _ => None,
        });
        let defines = |row: &[Lc; 3], at: usize| matches!(row[2].terms(), [(Var::Witness(defined), k)] if *defined as usize == at && k.is_one());
        let of_output = |at: usize| {
            let row = shape.rows().iter().rposition(|row| defines(row, at))?;
            let is_sbox = row >= 2 && (1..3).all(|back| defines(&shape.rows()[row - back], at - back));
            is_sbox.then_some((row, at))
        };
        let sboxes = outputs.filter_map(of_output);
        let rows = sboxes.flat_map(|(row, at)| (0..3).map(move |back| (row - back, at - back, back == 2)));
        Self { rows: rows.collect(), gap }
    }
}

/// Z, its proof and Γ for a point in place of B, under the witness's β.
fn evaluate(secret: &SecretKey, blinded: Point, witness: &mut nym::Witness) -> Option<()> {
    let (evaluated, proof) = secret.prove_dleq(&blinded, &mut ChaCha20Rng::seed_from_u64(0)).ok()?;
    witness.gamma = evaluated.multiply(&witness.blinding.inverse()?).ok()?.affine();
    (witness.evaluated, witness.proof) = (evaluated.affine(), proof);
    Some(())
}

impl Subject for NymSubject {
    fn name(&self) -> String {
        "nym".to_owned()
    }

    fn synthesize<C: Cs>(&self, cs: &mut C) -> Vec<C::Num> {
        nym::circuit::synthesize(cs, &Values::new(&self.instance, &self.witness)).elements.to_vec()
    }

    /// Evaluates whatever point the values have in place of B.
    fn with_an_accomplice(&self, values: &[Fr]) -> Option<Assignment> {
        let [x, y] = self.blinded.each_ref().map(|form| value(form, values));
        let blinded = Point::from_affine(EdwardsAffine::new_unchecked(x, y)).ok()?;
        let mut witness = self.witness.clone();
        evaluate(&self.secret, blinded, &mut witness)?;
        let mut honest = Values::new(&self.instance, &witness);
        honest.challenge = challenge(&self.instance, blinded, &witness)?;
        let (kept, values) = (self.evaluated_at, values.to_vec());
        let keep =
            move |_: &str, at: usize, honest| if at < kept { values[FIRST_WITNESS + at] } else { honest };
        Some(Assignment::tampered(keep, |cs| {
            nym::circuit::synthesize(cs, &honest);
        }))
    }

    /// Of half the keys the fitting x² has no root.
    fn is_missed(&self, row: usize) -> bool {
        (0..OTHER_KEYS).any(|seed| self.is_refused_under_another_key(row, seed) == Some(true))
    }

    fn in_reach_of_an_accomplice(&self, _: &str) -> bool {
        true
    }
}

/// The digest of the commitments that the witness's proof has for a point in place of B.
fn challenge(instance: &nym::Instance, blinded: Point, witness: &nym::Witness) -> Option<Fr> {
    let key = instance.key.point().affine();
    let blinded = blinded.affine();
    let (s, minus_c) = (&witness.proof.response, witness.proof.challenge.to_scalar().negated());
    let u = multiply_two_public(s, &generator().affine(), &minus_c, &key).into_affine();
    let v = multiply_two_public(s, &blinded, &minus_c, &witness.evaluated).into_affine();
    let points = [key, blinded, witness.evaluated, u, v];
    Some(poseidon::hash(Domain::ChaumPedersen, &points.map(|p| [p.x, p.y]).concat()))
}
