//! Nothing public holds the signer's address, in any form that somebody who guesses it could look for.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256, Sha512};
use sigveil_vrf_identity::field;
use sigveil_vrf_identity::identity::{Identity, Kind};

use crate::support::{demo, files_below};

/// How deep encodings may be nested: a certificate in an entry body in a bundle is two; one more for good measure.
const DEPTH: usize = 3;

/// Byte strings that must not occur, each with a name for the failure message.
struct Needles(Vec<(String, Vec<u8>)>);

impl Needles {
    fn of(email: &str, issuer: &str) -> Self {
        let mut needles = vec![("address".to_owned(), email.as_bytes().to_vec())];
        for (name, text) in [
            ("address", email.to_owned()),
            ("issuer and address", format!("{issuer}{email}")),
            ("issuer, colon and address", format!("{issuer}:{email}")),
            ("issuer, bar and address", format!("{issuer}|{email}")),
        ] {
            needles.push((format!("SHA-1 of {name}"), sha1::Sha1::digest(&text).to_vec()));
            needles.push((format!("SHA-256 of {name}"), Sha256::digest(&text).to_vec()));
            needles.push((format!("SHA-512 of {name}"), Sha512::digest(&text).to_vec()));
        }
        let identity = Identity::new(issuer, Kind::Email, email).unwrap();
        needles.push(("idf".into(), field::to_bytes(&identity.idf().0).to_vec()));
        needles.push((
            "encoded identity".into(),
            identity.encode()[..3 + issuer.len() + 2 + email.len()].to_vec(),
        ));
        Self(needles)
    }

    /// The first needle in the bytes: as they stand in any letter case, in hex, in base64 at its three alignments,
    /// or in anything that decodes from a base64 run in them.
    fn find(&self, bytes: &[u8]) -> Option<String> {
        let lower = bytes.to_ascii_lowercase();
        for (name, needle) in &self.0 {
            for (form, pattern, folded) in forms(needle) {
                let hay = if folded { &lower } else { bytes };
                if contains(hay, &pattern) {
                    return Some(format!("{name}, {form}"));
                }
            }
        }
        None
    }

    fn find_nested(&self, bytes: &[u8], depth: usize) -> Option<String> {
        if let Some(found) = self.find(bytes) {
            return Some(found);
        }
        if depth == 0 {
            return None;
        }
        base64_runs(bytes).into_iter().find_map(|decoded| self.find_nested(&decoded, depth - 1))
    }
}

/// Somebody's address, in whatever form it is in the bytes.
pub fn found(bytes: &[u8], email: &str, issuer: &str) -> Option<String> {
    Needles::of(email, issuer).find_nested(bytes, DEPTH)
}

fn forms(needle: &[u8]) -> Vec<(String, Vec<u8>, bool)> {
    let mut forms = vec![
        ("plain".to_owned(), needle.to_ascii_lowercase(), needle.is_ascii()),
        ("hex".to_owned(), hex::encode(needle).into_bytes(), true),
    ];
    if !needle.is_ascii() {
        forms[0] = ("plain".into(), needle.to_vec(), false);
    }
    for alignment in 0..3 {
        let padded = [&vec![0; alignment], needle].concat();
        for (alphabet, encoded) in
            [("base64", STANDARD_NO_PAD.encode(&padded)), ("base64url", URL_SAFE_NO_PAD.encode(&padded))]
        {
            // Characters that also carry bits of what stands before or after the needle are left out.
            let first = (alignment * 8).div_ceil(6);
            let last = padded.len() * 8 / 6;
            forms.push((
                format!("{alphabet} at {alignment}"),
                encoded.as_bytes()[first..last].to_vec(),
                false,
            ));
        }
    }
    forms
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return false };
    let mut from = 0;
    while let Some(at) = hay[from..].iter().position(|byte| byte == first) {
        let at = from + at;
        if hay[at + 1..].starts_with(rest) {
            return true;
        }
        from = at + 1;
    }
    false
}

fn base64_runs(bytes: &[u8]) -> Vec<Vec<u8>> {
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    // Line breaks inside PEM do not end a run.
    let joined: Vec<u8> = bytes.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
    let runs = joined.split(|byte| !in_alphabet(byte)).filter(|run| run.len() >= 24);
    let mut decoded = Vec::new();
    for run in runs {
        let standard: Vec<u8> = run
            .iter()
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            })
            .collect();
        let usable = standard.len() / 4 * 4;
        decoded.extend(STANDARD.decode(&standard[..usable]).ok());
    }
    decoded
}

fn is_public(dir: &Path, path: &Path) -> bool {
    let inside = path.strip_prefix(dir).unwrap();
    !inside.starts_with("secret")
        && !inside.starts_with("store/keys")
        && inside != Path::new("token.jwt")
        && inside != Path::new("artifact.disclosure.json")
}

#[test]
fn every_form_is_found_when_planted() {
    let needles = Needles::of("alice@example.com", "https://issuer.example");
    let filler = vec![0x5a; 100];
    assert_eq!(needles.find_nested(&filler, DEPTH), None);
    let planted = |middle: &[u8]| [&filler, middle, &filler].concat();
    for (name, needle) in &needles.0 {
        for alignment in 0..3 {
            let shifted = [vec![b'x'; alignment], needle.clone(), b"xyz".to_vec()].concat();
            let encodings = [
                needle.clone(),
                hex::encode(needle).into_bytes(),
                hex::encode_upper(needle).into_bytes(),
                STANDARD.encode(&shifted).into_bytes(),
                URL_SAFE_NO_PAD.encode(&shifted).into_bytes(),
                STANDARD.encode(format!("{{\"x\":\"{}\"}}", STANDARD.encode(&shifted))).into_bytes(),
            ];
            for (form, encoding) in encodings.iter().enumerate() {
                let mut bytes = planted(encoding);
                if form > 2 {
                    // Text forms stand between quotes, as they do in JSON.
                    bytes = [b"\"".as_slice(), encoding, b"\""].concat();
                }
                assert!(needles.find_nested(&bytes, DEPTH).is_some(), "{name} as form {form} at {alignment}");
            }
        }
    }
    assert!(needles.find(b"..ALICE@Example.COM..").is_some());
}

#[test]
fn nothing_public_holds_the_address_in_any_form() {
    let demo = demo();
    let claims = demo.claims();
    let needles = Needles::of(claims["email"].as_str().unwrap(), claims["iss"].as_str().unwrap());
    let files = files_below(&demo.dir);
    let public: Vec<_> = files.iter().filter(|(path, _)| is_public(&demo.dir, path)).collect();
    assert!(public.len() > 10, "the demo left {} public files", public.len());
    for (path, bytes) in public {
        assert_eq!(needles.find_nested(bytes, DEPTH), None, "{}", path.display());
    }
    // The search reaches what is not public: the address stands in the token and in the disclosure.
    for name in ["token.jwt", "artifact.disclosure.json"] {
        let bytes = std::fs::read(demo.path(name)).unwrap();
        assert!(needles.find_nested(&bytes, DEPTH).is_some(), "{name}");
    }
}
