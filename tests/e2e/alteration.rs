//! A bundle with any one leaf altered, removed or added is no bundle of that file any more.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sigveil::companion::Companion;
use sigveil::stock::{Bundle, TrustedRoot};
use sigveil::trust::Trust;
use sigveil::verify::policy::{Matcher, Requirements};
use sigveil::verify::{Inputs, Policy, verify};

/// How many characters of a long string are altered, one at a time, besides its first and last.
const SAMPLES: usize = 48;
const TIMESTAMP: &str = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";

const CHECKPOINT: &str = "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope";

/// A verifier of one file's bundles.
pub struct Altered {
    trust: Trust,
    companion: Option<Companion>,
    artifact: [u8; 32],
    policy: Policy,
}

impl Altered {
    /// For a file, under the trust root in a folder; with what stands beside the bundle, search is demanded too.
    pub fn new(instance: &Path, file: &Path, companion: Option<&str>) -> Self {
        let text = |name: &str| std::fs::read_to_string(instance.join(name)).unwrap();
        let stock = TrustedRoot::from_json(&text("trusted_root.json")).unwrap();
        let any = || Matcher::new(None, Some("")).unwrap();
        let search = companion.is_some();
        Self {
            trust: Trust::parse(stock, &text("trusted_root.sigveil.json")).unwrap(),
            companion: companion.map(|companion| Companion::parse(companion).unwrap()),
            artifact: sigveil::files::sha256(file).unwrap(),
            policy: Policy {
                identity: any(),
                issuer: any(),
                require: Requirements { proof: true, search, witnesses: 1, reexecutors: usize::from(search) },
            },
        }
    }

    /// Why the bundle is refused, if it is.
    fn refusal(&self, bundle: &Value) -> Option<&'static str> {
        let bundle = match Bundle::from_json(&bundle.to_string()) {
            Ok(bundle) => bundle,
            Err(error) => return Some(error.reason()),
        };
        let inputs = Inputs {
            artifact: self.artifact,
            bundle: &bundle,
            root: &self.trust.stock,
            trust: Some(&self.trust),
            companion: self.companion.as_ref(),
            disclosure: None,
        };
        verify(&inputs, &self.policy).refusal.map(|refusal| refusal.reason())
    }

    /// The bundle is accepted as it is and refused with any one alteration.
    pub fn refuses_every_alteration(&self, bundle: &Value) {
        assert_eq!(self.refusal(bundle), None);
        let mut places = Vec::new();
        walk(bundle, String::new(), &mut places);
        let mut alterations = 0;
        for place in &places {
            for (what, altered) in altered(bundle.pointer(place).unwrap()) {
                let mut bundle = bundle.clone();
                *bundle.pointer_mut(place).unwrap() = altered;
                assert_ne!(self.refusal(&bundle), None, "{place} {what}");
                alterations += 1;
            }
        }
        assert!(alterations > 400, "only {alterations} alterations were tried");
        self.refuses_every_byte_of_the_timestamp(bundle);
        if self.companion.is_some() {
            self.searches_only_in_the_tree_that_witnesses_saw(bundle);
        }
    }

    /// The number of an entry says nothing in another tree.
    fn searches_only_in_the_tree_that_witnesses_saw(&self, bundle: &Value) {
        let require = Requirements { search: true, ..Requirements::default() };
        let policy = Policy { require, ..self.policy.clone() };
        let (companion, trust) = (self.companion.clone(), self.trust.clone());
        let searching = Self { policy, companion, trust, ..*self };
        assert_eq!(searching.refusal(bundle), None);
        let mut alone = bundle.clone();
        let note = alone.pointer_mut(CHECKPOINT).unwrap();
        let text = note.as_str().unwrap();
        let (body, lines) = text.split_once("\n\n").unwrap();
        *note = json!(format!("{body}\n\n{}\n", lines.lines().next().unwrap()));
        assert_eq!(searching.refusal(&alone), Some("checkpoint-too-few-cosignatures"));
    }

    /// Its signature covers less than the whole of it.
    fn refuses_every_byte_of_the_timestamp(&self, bundle: &Value) {
        let token = STANDARD.decode(bundle.pointer(TIMESTAMP).unwrap().as_str().unwrap()).unwrap();
        for at in 0..token.len() {
            let mut altered = token.clone();
            altered[at] ^= 1 << (at % 8);
            let mut bundle = bundle.clone();
            *bundle.pointer_mut(TIMESTAMP).unwrap() = STANDARD.encode(altered).into();
            assert_ne!(self.refusal(&bundle), None, "byte {at} of the timestamp");
        }
    }
}

/// Every place in the value, as a JSON pointer; member names of bundles need no escaping.
fn walk(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| walk(value, format!("{place}/{name}"), places));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| walk(item, format!("{place}/{at}"), places));
        }
        _ => {}
    }
    places.push(place);
}

/// The value in every other form that somebody could give it; what protobuf's JSON counts as the same is left out.
fn altered(value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Object(members) => {
            let mut forms = vec![("with a member more".to_owned(), {
                let mut more = members.clone();
                more.insert("zzz".into(), json!(1));
                more.into()
            })];
            for (name, _) in members.iter().filter(|(_, value)| !is_zero(value)) {
                let mut fewer = members.clone();
                fewer.remove(name);
                forms.push((format!("without {name}"), fewer.into()));
            }
            forms
        }
        Value::Array(items) => {
            let mut forms = vec![("with an item more".to_owned(), {
                let item = items.first().cloned().unwrap_or_else(|| STANDARD.encode([0; 32]).into());
                [items.clone(), vec![item]].concat().into()
            })];
            if let Some((_, fewer)) = items.split_last() {
                forms.push(("with an item fewer".to_owned(), fewer.to_vec().into()));
            }
            forms
        }
        Value::String(text) => altered_text(text),
        _ => vec![("replaced".to_owned(), json!({}))],
    }
}

fn altered_text(text: &str) -> Vec<(String, Value)> {
    let characters: Vec<char> = text.chars().collect();
    let step = (characters.len() / SAMPLES).max(1);
    let last = characters.len().saturating_sub(1);
    let places = (0..characters.len()).filter(|at| at % step == 0 || *at + 4 > last);
    let mut forms: Vec<(String, Value)> = places
        .map(|at| {
            let mut altered = characters.clone();
            altered[at] = match altered[at] {
                '0' => '1',
                digit if digit.is_ascii_digit() => '0',
                'A' => 'B',
                _ => 'A',
            };
            (format!("with character {at} altered"), altered.into_iter().collect::<String>().into())
        })
        .collect();
    forms.push(("longer".to_owned(), format!("{text}A").into()));
    forms.push(("shorter".to_owned(), characters[..last].iter().collect::<String>().into()));
    forms
}

fn is_zero(value: &Value) -> bool {
    value.is_null() || value == "0" || value == &json!([])
}
