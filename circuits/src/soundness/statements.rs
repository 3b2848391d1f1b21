//! `token` and `query` as subjects, each with an honest witness drawn by a seed.

use std::cell::RefCell;

use ::base64::Engine;
use ::base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};
use sigveil_vrf_identity::identity::{Idf, Kind};
use sigveil_vrf_identity::label::Mode;
use sigveil_vrf_identity::vrf::{Blinded, Blinding};

use super::Subject;
use super::lies::Places;
use crate::Fr;
use crate::query;
use crate::r1cs::{Assignment, Cs, Lc, Memory, Shape, Told, Var};
use crate::testing::Issuer;
use crate::token::circuit::{Teller, only_violation_unsigned};
use crate::token::instance::{audience_digest, binding_string};
use crate::token::{
    self, Binding, BindingSalt, Class, Expectation, Jwt, LinkingRandomness, SizeClass, Usage, Witness,
};

/// Columns before the witness: one, and the one public input.
pub(super) const FIRST_WITNESS: usize = 2;

/// What a form comes to.
pub(super) fn value(form: &Lc, values: &[Fr]) -> Fr {
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
