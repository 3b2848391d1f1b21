//! Tokens to judge: sound ones, white space and decoys around them, and ones with a fault or more.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sigveil_vrf_identity::identity::{Kind, MAX_TEXT_BYTES};

use crate::Fr;
use crate::testing::Issuer;
use crate::token::instance::{MAX_AUDIENCE_BYTES, audience_digest, binding_string};
use crate::token::{Binding, BindingSalt, Expectation, Modulus, SizeClass, Usage};

pub(super) const ISSUER: &str = "https://issuer.example/path";
pub(super) const AUDIENCE: &str = "sign.example";
pub(super) const TIME: u64 = 1_800_000_000;

/// A token and what it is held against.
pub(super) struct Case {
    header: String,
    pub(super) payload: String,
    signature: Signature,
    audience: String,
    pub(super) kind: Kind,
    time: u64,
    pub(super) usage: Usage,
    pub(super) binding: Binding,
}

/// What becomes of the signature.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signature {
    Sound,
    Altered,
    Shortened,
}

/// A case in the making.
struct Draft {
    members: Vec<(String, String)>,
    /// The top-level value is an array of the object.
    in_array: bool,
    signature: Signature,
    audience: String,
    kind: Kind,
    usage: Usage,
    binding: Binding,
}

type Fault = fn(&mut Draft, &mut ChaCha20Rng);

/// Every reason for which a well-formed token under a sound header is refused, with a fault that leads to it.
const FAULTS: [(&str, Fault); 27] = [
    ("audience-mismatch", |d, _| d.audience.push('x')),
    ("audience-not-bound", |d, _| {
        d.bind(true, false);
        d.set("aud", quoted(AUDIENCE));
    }),
    ("audience-not-sole", |d, rng| {
        d.unbound();
        let others =
            ["[]", "[\"sign.example\",\"b\"]", "[ \"b\" , \"sign.example\" ]", "[1]", "[[\"sign.example\"]]"];
        d.set("aud", others[pick(rng, others.len())].to_owned());
    }),
    ("audience-reserved", |d, _| {
        d.unbound();
        d.audience = "sigveil.example".to_owned();
        d.set("aud", quoted("sigveil.example"));
    }),
    ("audience-too-long", |d, _| {
        d.unbound();
        d.audience = "a".repeat(MAX_AUDIENCE_BYTES + 1);
        d.set("aud", quoted(&"a".repeat(MAX_AUDIENCE_BYTES + 1)));
    }),
    ("bind-zero", |d, _| {
        let Binding::Nonce { salt, .. } = d.bound(false) else { return };
        d.binding = Binding::Nonce { bind: Fr::from(0u64), salt };
    }),
    ("claim-duplicate", |d, rng| {
        let again = d.members[pick(rng, d.members.len())].clone();
        d.members.push(again);
    }),
    ("claim-escaped", |d, rng| {
        d.unbound();
        let name = ["iss", "aud", d.kind.claim()][pick(rng, 3)];
        d.set(name, r#""a\u0062@c""#.to_owned());
    }),
    ("claim-missing", |d, rng| drop(d.members.swap_remove(pick(rng, d.members.len())))),
    ("claim-type", |d, rng| {
        let name = ["iss", "aud", "iat", "exp", d.kind.claim()][pick(rng, 5)];
        let value = ["null", "{}", "-1", "1.5", "[]", "[1]", "12345678901", "1e3", "true"][pick(rng, 9)];
        d.set(name, value.to_owned());
    }),
    ("email-not-verified", |d, rng| {
        d.of(Kind::Email);
        d.set("email_verified", ["false", "\"true\"", "1", "null", "truly"][pick(rng, 4)].to_owned());
    }),
    ("evaluation-unbound", |d, _| {
        d.unbound();
        d.usage = Usage::Evaluation;
    }),
    ("identity-empty", |d, _| d.set(d.kind.claim(), "\"\"".to_owned())),
    ("identity-too-long", |d, _| {
        d.of(Kind::Sub);
        d.unbound();
        d.set("sub", quoted(&"s".repeat(MAX_TEXT_BYTES + 1 - ISSUER.len())));
    }),
    ("identity-workflow-empty", |d, _| {
        d.of(Kind::Workflow);
        d.set("workflow_ref", quoted("@refs/heads/main"));
    }),
    ("identity-workflow-no-ref", |d, _| {
        d.of(Kind::CiConfig);
        d.set("ci_config_ref_uri", quoted("o/r/.gitlab-ci.yml"));
    }),
    ("issuer-mismatch", |d, rng| {
        let other = ["https://issuer.example/pat", "https://issuer.example/path/", "", "h"][pick(rng, 4)];
        d.set("iss", quoted(other));
    }),
    ("key-escaped", |d, rng| {
        let key = [r"a\u0062", r"i\u0073s", r"\\", r"nonc\u0065"][pick(rng, 4)];
        d.members.push((key.to_owned(), "1".to_owned()));
    }),
    ("nonce-not-bound", |d, rng| {
        d.bind(false, false);
        let nonce =
            ["", "n", "sigveil:", "sigveil:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"][pick(rng, 4)];
        d.set("nonce", quoted(nonce));
    }),
    ("nonce-reserved", |d, rng| {
        d.unbound();
        d.set("nonce", quoted(["sigveil", "sigveil:", "sigveil-eval:x"][pick(rng, 3)]));
    }),
    ("payload-not-object", |d, _| d.in_array = true),
    ("ref-not-protected", |d, rng| {
        d.of([Kind::WorkflowProtected, Kind::CiConfigProtected][pick(rng, 2)]);
        d.set("ref_protected", ["\"false\"", "true", "\"true \"", "\"tru\"", "{}"][pick(rng, 5)].to_owned());
    }),
    ("signature-invalid", |d, _| d.signature = Signature::Altered),
    ("signature-length", |d, _| d.signature = Signature::Shortened),
    ("token-expired", |d, rng| d.set("exp", (TIME - below(rng, 100)).to_string())),
    ("token-from-future", |d, rng| d.set("iat", (TIME + 61 + below(rng, 100)).to_string())),
    ("token-not-yet-valid", |d, rng| d.set("nbf", (TIME + 61 + below(rng, 100)).to_string())),
];

/// The reasons that [`Tally`](super::Tally) is to hold each.
pub const REASONS: [&str; FAULTS.len()] = {
    let mut reasons = [""; FAULTS.len()];
    let mut i = 0;
    while i < FAULTS.len() {
        reasons[i] = FAULTS[i].0;
        i += 1;
    }
    reasons
};

/// Of a thousand tokens so many have no fault on purpose.
const SOUND: usize = 420;
/// Of so many faults of the signature one is taken, since each costs a whole circuit.
const SIGNATURE_FAULTS: usize = 3;

const DECOYS: [(&str, &str); 16] = [
    ("x", r#"{"iss":"a","exp":1,"y":[{"aud":"b"}]}"#),
    ("name", r#""a \"iss\":\"b\", c""#),
    ("y", "[1,[2,{}],\"iss\"]"),
    ("z", r#""\\""#),
    ("issuer", "-1.5e3"),
    ("", "null"),
    ("is", "\"iss\""),
    ("email2", "true"),
    ("é", "\"é@{}[],:\""),
    ("Sub", "\"s\""),
    ("iss ", "{}"),
    ("at_hash", "\"}]{[\""),
    ("n", "[]"),
    ("aud:", "[\"a\"]"),
    ("nested", r#"{"sub":{"sub":"s"},"nonce":"sigveil:"}"#),
    ("groups", r#"[ "a" , "sub", {"iat" : 1} ]"#),
];

/// Values that some member gets in place of its own, by chance.
const VALUES: [&str; 17] = [
    "1e3",
    "12345678901",
    "-1",
    "\"\"",
    "0",
    "true",
    "null",
    "[]",
    "{}",
    "\"sigveil\"",
    "\"a\\\"b\"",
    "[\"sign.example\"]",
    "\"true\"",
    "\"x@y\"",
    "[ \"sign.example\" , \"b\"]",
    "1800000050",
    "\"\\u0061@b\"",
];

/// A member with its comma, or a value, for whoever puts one where it need not belong.
pub(super) fn fragment(rng: &mut ChaCha20Rng) -> String {
    let value = VALUES[pick(rng, VALUES.len())];
    match pick(rng, 4) {
        0 => value.to_owned(),
        1 => format!("\"{}\":{value},", ["iss", "aud", "exp", "nonce", "nbf", "sub"][pick(rng, 6)]),
        _ => {
            let (key, value) = DECOYS[pick(rng, DECOYS.len())];
            format!("\"{key}\":{value},")
        }
    }
}

pub(super) fn pick(rng: &mut ChaCha20Rng, n: usize) -> usize {
    rng.next_u32() as usize % n
}

fn below(rng: &mut ChaCha20Rng, n: u64) -> u64 {
    rng.next_u64() % n
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A token over any payload, with a signature that is none.
pub(super) fn unsigned(payload: &[u8]) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"k"}"#);
    let signature = URL_SAFE_NO_PAD.encode([0; 256]);
    format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(payload))
}

/// What bound tokens are bound to, and the salt.
fn bound_to() -> (Fr, BindingSalt) {
    (Fr::from(77u64), BindingSalt(Fr::from(99u64)))
}

/// The text, in quotes, that binds a certificate's token, and an evaluation's.
static BINDINGS: LazyLock<[String; 2]> = LazyLock::new(|| {
    let (bind, salt) = bound_to();
    let digest = audience_digest(AUDIENCE).expect("the audience is short");
    [Usage::Certificate, Usage::Evaluation].map(|usage| quoted(&binding_string(usage, digest, bind, salt)))
});

impl Draft {
    /// A sound token of any kind, bound in any way.
    fn sound(rng: &mut ChaCha20Rng) -> Self {
        let mut draft = Self {
            members: Vec::new(),
            in_array: false,
            signature: Signature::Sound,
            audience: AUDIENCE.to_owned(),
            kind: Kind::ALL[pick(rng, Kind::ALL.len())],
            usage: Usage::Certificate,
            binding: Binding::Unbound,
        };
        draft.of(draft.kind);
        match pick(rng, 6) {
            0 => draft.bind(false, false),
            1 => draft.bind(true, false),
            2 => draft.bind(pick(rng, 2) == 0, true),
            _ => draft.unbound(),
        }
        if pick(rng, 3) == 0 {
            draft.set("nbf", (TIME - below(rng, 100)).to_string());
        }
        if pick(rng, 4) == 0 && matches!(draft.binding, Binding::Unbound) {
            draft.set("nonce", quoted(["n", "", "Sigveil:", "sigvei"][pick(rng, 4)]));
        }
        draft
    }

    /// The claims of a kind, unbound.
    fn of(&mut self, kind: Kind) {
        self.kind = kind;
        self.binding = Binding::Unbound;
        self.usage = Usage::Certificate;
        self.members.clear();
        self.set("iss", quoted(ISSUER));
        self.set("aud", quoted(AUDIENCE));
        self.set("iat", (TIME - 5).to_string());
        self.set("exp", (TIME + 300).to_string());
        let value = match kind {
            Kind::Email => "ann@mail.example",
            Kind::Sub => "user-1",
            _ => "o/r/w.yml@refs/heads/main",
        };
        self.set(kind.claim(), quoted(value));
        if kind.demands_verified_email() {
            self.set("email_verified", "true".to_owned());
        }
        if kind.demands_protected_ref() {
            self.set("ref_protected", quoted("true"));
        }
    }

    fn set(&mut self, name: &str, value: String) {
        match self.members.iter_mut().find(|(key, _)| key == name) {
            Some(member) => member.1 = value,
            None => self.members.push((name.to_owned(), value)),
        }
    }

    fn unbound(&mut self) {
        self.of(self.kind);
    }

    /// Binds the token, by its audience or by its nonce.
    fn bind(&mut self, by_audience: bool, evaluation: bool) {
        self.of(self.kind);
        self.usage = if evaluation { Usage::Evaluation } else { Usage::Certificate };
        let (bind, salt) = bound_to();
        let text = BINDINGS[usize::from(evaluation)].clone();
        if by_audience {
            self.binding = Binding::Audience { bind, salt };
            self.set("aud", text);
        } else {
            self.binding = Binding::Nonce { bind, salt };
            self.set("nonce", text);
        }
    }

    fn bound(&mut self, by_audience: bool) -> Binding {
        self.bind(by_audience, false);
        self.binding
    }

    /// Changes without a purpose.
    fn disturb(&mut self, rng: &mut ChaCha20Rng) {
        for _ in 0..=pick(rng, 2) {
            let i = pick(rng, self.members.len());
            match pick(rng, 5) {
                0 if self.members.len() > 1 => drop(self.members.swap_remove(i)),
                1 => self.members.push(self.members[i].clone()),
                2 => {
                    self.members[i].0 =
                        ["iss", "aud", "email", "sub", "nonce", "nbf"][pick(rng, 6)].to_owned()
                }
                _ => self.members[i].1 = VALUES[pick(rng, VALUES.len())].to_owned(),
            }
        }
    }

    /// The payload's text, with as many decoys and as much white space as is asked for.
    fn text(&self, decoys: usize, filling: Option<usize>, rng: &mut ChaCha20Rng) -> String {
        let mut members = self.members.clone();
        for _ in 0..decoys {
            let (key, value) = DECOYS[pick(rng, DECOYS.len())];
            members.push((key.to_owned(), value.to_owned()));
        }
        members.extend(filling.map(|length| ("filling".to_owned(), quoted(&"f".repeat(length)))));
        for i in (1..members.len()).rev() {
            members.swap(i, pick(rng, i + 1));
        }
        let spaces = if decoys == 0 { 3 } else { 7 };
        let mut space = || ["", "", "", " ", "\n", "\t\r\n ", "  "][pick(rng, spaces)];
        let mut text = format!("{}{{", space());
        for (i, (key, value)) in members.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            text += &format!("{comma}{}\"{key}\"{}:{}{value}{}", space(), space(), space(), space());
        }
        text += "}";
        text += space();
        if self.in_array { format!("[{text}]") } else { text }
    }
}

impl Case {
    /// Token `number` of a seed: in the class and in no smaller one.
    pub(super) fn drawn(class: SizeClass, seed: u64, number: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ (class.bytes() as u64) << 48);
        rng.set_stream(number);
        let rng = &mut rng;
        let mut draft = Draft::sound(rng);
        if pick(rng, 1000) >= SOUND {
            let (_, fault) = FAULTS[pick(rng, FAULTS.len())];
            fault(&mut draft, rng);
            if draft.signature != Signature::Sound && pick(rng, SIGNATURE_FAULTS) > 0 {
                draft.signature = Signature::Sound;
            }
            if pick(rng, 8) == 0 {
                draft.disturb(rng);
            }
        }
        let header = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(1 + pick(rng, 12)));
        let payload = fitted(&draft, class, header.len(), rng);
        let Draft { signature, audience, kind, usage, binding, .. } = draft;
        Self { header, payload, signature, audience, kind, time: TIME, usage, binding }
    }

    /// The token, signed.
    pub(super) fn token(&self, issuer: &Issuer) -> String {
        let token = issuer.token_with_header(&self.header, self.payload.as_bytes());
        let (input, signature) = token.rsplit_once('.').expect("a token has a signature");
        match self.signature {
            Signature::Sound => token,
            Signature::Altered => {
                let (first, rest) = signature.split_at(100);
                let other = if rest.starts_with('A') { 'B' } else { 'A' };
                format!("{input}.{first}{other}{}", &rest[1..])
            }
            Signature::Shortened => format!("{input}.{}", &signature[..signature.len() - 2]),
        }
    }

    /// What the token is held against.
    pub(super) fn expectation<'a>(&'a self, modulus: &'a Modulus) -> Expectation<'a> {
        Expectation {
            modulus,
            issuer: ISSUER,
            audience: &self.audience,
            kind: self.kind,
            time: self.time,
            usage: self.usage,
            binding: self.binding,
        }
    }
}

/// The draft as a payload with which the token is of this class.
fn fitted(draft: &Draft, class: SizeClass, header: usize, rng: &mut ChaCha20Rng) -> String {
    let encoded = |bytes: usize| (4 * bytes).div_ceil(3);
    let smaller = SizeClass::ALL.into_iter().rev().find(|other| *other < class);
    let least = smaller.map_or(0, SizeClass::bytes);
    let is_of_class = |text: &str| {
        let length = encoded(header) + 1 + encoded(text.len());
        length > least && length <= class.bytes()
    };
    let decoys = pick(rng, 6);
    let plain = draft.text(decoys, None, rng);
    if is_of_class(&plain) {
        return plain;
    }
    // Room for the text and as much filling as leads into the class; less of the rest where there is none.
    let room = (class.bytes() - encoded(header) - 1) / 4 * 3;
    let spread = (class.bytes() - least) / 2;
    for decoys in [decoys, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] {
        let bare = draft.text(decoys, None, rng).len();
        let filling = room.saturating_sub(bare + 64 + pick(rng, spread));
        let text = draft.text(decoys, Some(filling).filter(|_| least > 0), rng);
        if is_of_class(&text) {
            return text;
        }
    }
    draft.text(0, None, rng)
}
