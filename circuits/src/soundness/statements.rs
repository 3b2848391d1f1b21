//! The statements as subjects, each with an honest witness drawn by a seed.

use std::cell::RefCell;

use ::base64::Engine;
use ::base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ark_ec::CurveGroup;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};
use sigveil_vrf_identity::commitment::{Commitment, KeyHash, Rho};
use sigveil_vrf_identity::curve::{EdwardsAffine, Point, Scalar, generator, multiply_two_public};
use sigveil_vrf_identity::domain::Domain;
use sigveil_vrf_identity::elligator::encode_to_curve;
use sigveil_vrf_identity::identity::{Idf, Kind};
use sigveil_vrf_identity::label::{Epoch, Label, Mode, Scope, SlotCount};
use sigveil_vrf_identity::poseidon;
use sigveil_vrf_identity::vrf::{Blinded, Blinding, SecretKey, VerifiedOutput};

use super::Subject;
use super::lies::Places;
use crate::Fr;
use crate::nym::circuit::Values;
use crate::r1cs::{Assignment, Cs, Lc, Memory, Shape, Told, Var};
use crate::testing::Issuer;
use crate::token::circuit::{Teller, only_violation_unsigned};
use crate::token::instance::{audience_digest, binding_string};
use crate::token::{
    self, Binding, BindingSalt, Class, Expectation, Jwt, LinkingRandomness, SizeClass, Usage, Witness,
};
use crate::{nym, query};

/// Columns before the witness: one, and the one public input.
const FIRST_WITNESS: usize = 2;

/// What a form comes to.
fn value(form: &Lc, values: &[Fr]) -> Fr {
    let column = |var: &Var| match var {
        Var::One => 0,
        Var::Public(i) => 1 + *i as usize,
        Var::Witness(i) => FIRST_WITNESS + *i as usize,
    };
    form.terms().iter().map(|(var, k)| values[column(var)] * k).sum()
}

/// `token`, in one of its classes.
pub struct TokenSubject {
    class: Class,
    pub(super) instance: token::Instance,
    pub(super) witness: Witness,
    pub(super) issuer: Issuer,
    digest: Vec<Lc>,
    rows: usize,
    pub(super) teller: Teller,
    /// What stands in the variables by which the key comes to its digest.
    key_digest: Vec<Fr>,
    pub(super) places: Places,
}

thread_local! {
    pub(super) static MEMORY: RefCell<Memory> = RefCell::default();
}

/// A string's end, and a member of which the string's rest is the value.
const ESCAPED_KEY: &[u8] = br#"","\n":""#;

/// What the audience and the issuer are called.
const AUDIENCE: &str = "sign.example";
const ISSUER: &str = "https://issuer.example/path";
const TIME: u64 = 1_800_000_000;
/// Bytes by which the issuers of six seeds in a row are longer than that.
const LONGER_BY: [usize; 6] = [0, 35, 3, 70, 10, 50];

impl TokenSubject {
    /// A token with every claim that there can be, and a string that nobody reads at a place that the seed decides: of
    /// four seeds in a row one has the shortest header and one the longest, both filling the class but for a few bytes;
    /// one is bound for an evaluation, and short; and one is bound by its audience. Of six seeds each names another kind.
    ///
    /// # Panics
    /// Never: the token is sound.
    #[must_use]
    pub fn drawn(size: SizeClass, seed: u64) -> Self {
        let class = Class::rsa2048(size);
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let issuer = Issuer::generate();
        let modulus = issuer.modulus();
        let (bind, salt) = (Fr::from(rng.next_u64()), BindingSalt(Fr::from(rng.next_u64())));
        let digest = audience_digest(AUDIENCE).expect("the audience is short");
        let kinds = [
            Kind::WorkflowProtected,
            Kind::Email,
            Kind::CiConfig,
            Kind::CiConfigProtected,
            Kind::Workflow,
            Kind::Sub,
        ];
        let kind = kinds[seed as usize % kinds.len()];
        let shape = Look::of(seed);
        let usage = if shape == Look::Bare { Usage::Evaluation } else { Usage::Certificate };
        let nonce = binding_string(usage, digest, bind, salt);
        let issuer_name = format!("{ISSUER}{}", "/".repeat(LONGER_BY[seed as usize % LONGER_BY.len()]));
        let expected = Expectation {
            modulus: &modulus,
            issuer: &issuer_name,
            audience: AUDIENCE,
            kind,
            time: TIME,
            usage,
            binding: if shape == Look::ByAudience {
                Binding::Audience { bind, salt }
            } else {
                Binding::Nonce { bind, salt }
            },
        };
        let header = match shape {
            Look::ShortHeader | Look::Bare => r#"{"alg":"RS256"}"#.to_owned(),
            Look::ByAudience => r#"{"typ":"JWT","alg":"RS256"}"#.to_owned(),
            Look::LongHeader => format!(r#"{{"kid":"{}","alg":"RS256","typ":"JWT"}}"#, "k".repeat(90)),
        };
        let (randomness, room) = (LinkingRandomness(Fr::from(rng.next_u64())), size.bytes());
        let mut jwt = None;
        for filling in 0..if shape == Look::Bare { 1 } else { room } {
            let (audience, nonce) =
                if shape == Look::ByAudience { (&nonce[..], "n") } else { (AUDIENCE, &nonce[..]) };
            let payload = payload(kind, (&issuer_name, audience, nonce), filling, seed, &mut rng);
            let token = issuer.token_with_header(&header, payload.as_bytes());
            let token = Jwt::parse(&token).expect("the token is sound");
            if token.compact().signing_input().len() > room {
                break;
            }
            jwt = Some(token);
        }
        let jwt = jwt.expect("the claims leave room");
        let checked = token::check(&jwt, &expected).expect("the token is sound");
        let (instance, witness) = (checked.instance(randomness), checked.witness(randomness));
        let (mut digest, mut elements) = (Vec::new(), Vec::new());
        let shape = Shape::of(|cs| {
            let landmarks = token::circuit::synthesize(cs, class, &instance, &witness);
            digest = landmarks.digest.iter().map(|bit| bit.num().clone()).collect();
            elements = landmarks.elements.to_vec();
        });
        let (rows, places) = (shape.constraints(), Places::of(&shape, &elements));
        let teller = MEMORY.with_borrow_mut(|memory| Teller::new(memory, class, &instance, &witness));
        let values = token::circuit::assign(class, &instance, &witness).full();
        let key_digest = values[FIRST_WITNESS..][teller.key_digest()].to_vec();
        Self { class, instance, witness, issuer, digest, rows, teller, key_digest, places }
    }

    /// As [`Subject::only_refusal`], where a verifier holds against what is true.
    #[cfg(test)]
    pub(super) fn only_refusal_of_what_is_true(&self, lies: &[(usize, Told)]) -> Option<usize> {
        let honest = (&self.instance, &self.witness);
        MEMORY.with_borrow_mut(|memory| {
            self.teller.only_refusal(memory, honest, lies, |digest| self.issuer.sign_digest(digest))
        })
    }

    /// The one row that refuses these lies about a token under the same header, where a verifier holds against what
    /// message and claims come to.
    pub(super) fn only_refusal_of(&self, witness: &Witness, lies: &[(usize, Told)]) -> Option<usize> {
        let honest = (&self.instance, witness);
        let stated = &self.places.stated;
        MEMORY.with_borrow_mut(|memory| {
            self.teller.only_refusal_of_what_is_stated(memory, honest, lies, stated, |digest| {
                self.issuer.sign_digest(digest)
            })
        })
    }

    /// The witness of another payload under the same header, which is not signed; `None` if no issuer signs it.
    pub(super) fn with_payload(&self, payload: Vec<u8>) -> Option<Witness> {
        serde_json::from_slice::<serde::de::IgnoredAny>(&payload).ok()?;
        let mut witness = self.witness.clone();
        let header = std::str::from_utf8(&witness.signing_input[..witness.header_length]).ok()?;
        witness.signing_input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(&payload)).into_bytes();
        witness.payload = payload;
        (witness.signing_input.len() <= self.class.size.bytes()).then_some(witness)
    }
}

/// What a drawn token looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    ShortHeader,
    LongHeader,
    Bare,
    ByAudience,
}

impl Look {
    fn of(seed: u64) -> Self {
        [Self::ShortHeader, Self::LongHeader, Self::Bare, Self::ByAudience][seed as usize % 4]
    }
}

fn payload(
    kind: Kind,
    (issuer, audience, nonce): (&str, &str, &str),
    filling: usize,
    seed: u64,
    rng: &mut ChaCha20Rng,
) -> String {
    // One so short that it ends in an identity behind every issuer, one longer than its issuer.
    let value = match kind {
        Kind::Email => "ann@mail.example",
        Kind::Sub => "7",
        Kind::WorkflowProtected => "o/r/.github/workflows/long-enough-a-name.yml@refs/heads/main",
        _ => "o/r/.github/w.yml@refs/heads/main",
    };
    let mut members = vec![
        format!("\"iss\" : \"{issuer}\""),
        format!("\"aud\":[ \"{audience}\"]"),
        format!("\"iat\":{}", TIME - 5),
        format!("\"exp\":{}", TIME + 300),
        format!("\"nbf\":{}", TIME - 5),
        format!("\"nonce\":\"{nonce}\""),
        format!("\"{}\":\"{value}\"", kind.claim()),
    ];
    if kind.demands_verified_email() {
        members.push("\"email_verified\":true".to_owned());
    }
    if kind.demands_protected_ref() {
        members.push("\"ref_protected\":\"true\"".to_owned());
    }
    let letters: String = (0..filling).map(|_| char::from(b'a' + (rng.next_u32() % 26) as u8)).collect();
    // First, last, or in the middle.
    let at = [0, members.len(), 2, members.len(), 4, members.len()][seed as usize % 6];
    members.insert(at, format!("\"x\":\"{letters}\""));
    format!("{{{}}}", members.join(","))
}

impl TokenSubject {
    fn digest_of(&self, values: &[Fr]) -> [Fr; 256] {
        std::array::from_fn(|i| value(&self.digest[i], values))
    }
}

impl Subject for TokenSubject {
    fn name(&self) -> String {
        format!("token_{}", self.class.size.bytes())
    }

    fn synthesize<C: Cs>(&self, cs: &mut C) -> Vec<C::Num> {
        token::circuit::synthesize(cs, self.class, &self.instance, &self.witness).elements.to_vec()
    }

    /// Each byte of the payload in two ways.
    fn alterations(&self) -> usize {
        2 * self.witness.payload.len()
    }

    /// Another letter or digit there, or of a long string there a part as a member with an escaped key; signed.
    fn altered(&self, n: usize, is_asked_about: impl Fn(usize) -> bool) -> Option<Assignment> {
        let mut payload = self.witness.payload.clone();
        let at = n / 2;
        if n.is_multiple_of(2) {
            let byte = payload.get_mut(at).filter(|byte| byte.is_ascii_alphanumeric())?;
            *byte ^= 1;
        } else {
            let part = payload.get_mut(at..at + ESCAPED_KEY.len())?;
            part.iter().all(u8::is_ascii_lowercase).then(|| part.copy_from_slice(ESCAPED_KEY))?;
        }
        // No issuer signs what is not well-formed.
        let mut witness = self.with_payload(payload)?;
        let refusal = MEMORY.with_borrow_mut(|memory| {
            only_violation_unsigned(memory, self.class, self.rows, &self.instance, &witness)
        });
        refusal.filter(|row| is_asked_about(*row))?;
        witness.signature = self.issuer.sign_digest(&Sha256::digest(&witness.signing_input).into());
        Some(Assignment::of(|cs| token::circuit::synthesize(cs, self.class, &self.instance, &witness)))
    }

    /// Signs whatever digest the values come to, and computes the RSA part for it.
    fn with_an_accomplice(&self, values: &[Fr]) -> Option<Assignment> {
        let digest = token::circuit::bytes(&self.digest_of(values))?;
        let mut witness = self.witness.clone();
        witness.signature.copy_from_slice(&self.issuer.sign_digest(&digest));
        let values = values.to_vec();
        let keep = move |family: &str, at: usize, honest| {
            if family.starts_with("rsa.") { honest } else { values[FIRST_WITNESS + at] }
        };
        Some(Assignment::tampered(keep, |cs| {
            token::circuit::synthesize(cs, self.class, &self.instance, &witness);
        }))
    }

    fn is_missed(&self, row: usize) -> bool {
        super::lies::refuses_alone(self, row)
    }

    /// Of the rows that do not hold all but one are the signature's: that these hold once the digest is signed is found
    /// out by themselves, where the key is what it was.
    fn only_refusal_with_an_accomplice(&self, values: &[Fr], violated: &[usize]) -> Option<usize> {
        if values[FIRST_WITNESS..][self.teller.key_digest()] != self.key_digest {
            return super::only_violation(&self.with_an_accomplice(values)?);
        }
        let mut others = violated.iter().filter(|row| !self.teller.is_of_the_signature(**row));
        let (Some(row), None) = (others.next(), others.next()) else { return None };
        let (honest, digest) = ((&self.instance, &self.witness), self.digest_of(values));
        let can_be_signed = MEMORY.with_borrow_mut(|memory| {
            self.teller.can_be_signed(memory, honest, &digest, |digest| self.issuer.sign_digest(digest))
        });
        can_be_signed.then_some(*row)
    }

    fn only_refusal(&self, lies: &[(usize, Told)]) -> Option<usize> {
        self.only_refusal_of(&self.witness, lies)
    }

    fn in_reach_of_an_accomplice(&self, family: &str) -> bool {
        family.starts_with("rsa.")
    }
}

/// `query`.
pub struct QuerySubject {
    instance: query::Instance,
    witness: query::Witness,
}

impl QuerySubject {
    /// A blinded point of an identity.
    ///
    /// # Panics
    /// Never: the statement is true.
    #[must_use]
    pub fn drawn(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (idf, randomness) = (Idf(Fr::from(rng.next_u64())), LinkingRandomness(Fr::from(rng.next_u64())));
        let blinding = Blinding::random(&mut rng);
        let blinded = Blinded::new(Mode::Blind, &idf, &blinding).expect("an idf has a point");
        let instance = query::Instance { linking_commitment: randomness.commit(idf), blinded };
        Self { instance, witness: query::Witness::new(idf, randomness, &blinding) }
    }
}

impl Subject for QuerySubject {
    fn name(&self) -> String {
        "query".to_owned()
    }

    fn synthesize<C: Cs>(&self, cs: &mut C) -> Vec<C::Num> {
        query::circuit::synthesize(cs, &query::circuit::Values::new(&self.instance, &self.witness)).to_vec()
    }

    /// Nobody's key is in the statement.
    fn with_an_accomplice(&self, _: &[Fr]) -> Option<Assignment> {
        None
    }

    fn in_reach_of_an_accomplice(&self, _: &str) -> bool {
        false
    }
}

/// `nym`.
pub struct NymSubject {
    secret: SecretKey,
    instance: nym::Instance,
    witness: nym::Witness,
    blinded: [Lc; 2],
    /// Z's place in the witness: what comes before it is a liar's, the rest an accomplice's.
    evaluated_at: usize,
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
        Shape::of(|cs| landmarks = Some(nym::circuit::synthesize(cs, &Values::default())));
        let nym::circuit::Landmarks { blinded, evaluated, .. } = landmarks.expect("a shape was made");
        let evaluated_at = match evaluated.x.terms() {
            [(Var::Witness(at), _)] => *at as usize,
            _ => unreachable!("Z is a witness"),
        };
        Self { secret, instance, witness, blinded: [blinded.x, blinded.y], evaluated_at }
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
