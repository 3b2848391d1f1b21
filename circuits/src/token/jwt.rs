//! A signed JWT in compact form, taken apart strictly (RFC 7515 §7.1, RFC 4648 §5 without padding).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::instance::MAX_HEADER_BYTES;
use super::json::{self, Kind as JsonKind};
use super::{Refusal, SizeClass};

/// The three parts of a compact JWT, decoded; nothing in them is checked but their encoding and size. Wiped when
/// dropped: a token can be spent again until it expires.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Compact {
    signing_input: String,
    header_length: usize,
    header: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Compact {
    /// Takes a token apart; white space around it is no part of it.
    ///
    /// # Errors
    /// [`Refusal::NotCompact`], [`Refusal::TooLarge`] or [`Refusal::Base64`].
    pub fn parse(token: &str) -> Result<Self, Refusal> {
        let token = token.trim_ascii();
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Refusal::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Refusal::NotCompact)?;
        if payload.contains('.') || header.is_empty() || payload.is_empty() {
            return Err(Refusal::NotCompact);
        }
        if SizeClass::of(signing_input.len()).is_none() {
            return Err(Refusal::TooLarge(signing_input.len()));
        }
        Ok(Self {
            header_length: header.len(),
            header: decode("header", header)?,
            payload: decode("payload", payload)?,
            signature: decode("signature", signature)?,
            signing_input: signing_input.to_owned(),
        })
    }

    /// What the issuer signed: header, dot, payload, as they stand in the token.
    #[must_use]
    pub fn signing_input(&self) -> &str {
        &self.signing_input
    }

    /// The header's characters as signed.
    #[must_use]
    pub fn encoded_header(&self) -> &str {
        &self.signing_input[..self.header_length]
    }

    /// The header, decoded.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The payload, decoded.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signature, decoded; of any length.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The class of circuits that takes this token.
    #[must_use]
    pub fn size_class(&self) -> SizeClass {
        SizeClass::of(self.signing_input.len()).expect("parsing refuses longer ones")
    }
}

/// `URL_SAFE_NO_PAD` refuses padding, foreign characters, length 1 mod 4 and trailing bits that are not zero.
fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Base64(part))
}

/// A compact JWT whose header is one that an ID token under RS256 has.
#[derive(Clone)]
pub struct Jwt {
    compact: Compact,
    key_id: Option<String>,
}

impl Jwt {
    /// [`Compact::parse`], then [`Jwt::from_compact`].
    ///
    /// # Errors
    /// Those of both.
    pub fn parse(token: &str) -> Result<Self, Refusal> {
        Self::from_compact(Compact::parse(token)?)
    }

    /// Checks the header: at most 248 bytes, no member but alg, typ, kid and x5t, none twice, alg exactly `RS256`, typ
    /// absent or `JWT` (protocol.md §5.1).
    ///
    /// # Errors
    /// The refusals whose names begin with `Header`.
    pub fn from_compact(compact: Compact) -> Result<Self, Refusal> {
        let key_id = check_header(compact.header())?;
        Ok(Self { compact, key_id })
    }

    /// The three parts.
    #[must_use]
    pub fn compact(&self) -> &Compact {
        &self.compact
    }

    /// The header's `kid`, by which the issuer's key is found; which key that is, is the caller's to decide.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
}

fn check_header(header: &[u8]) -> Result<Option<String>, Refusal> {
    if header.len() > MAX_HEADER_BYTES {
        return Err(Refusal::HeaderTooLong(header.len()));
    }
    let object = json::Object::parse(header).map_err(|_| Refusal::HeaderMalformed)?;
    let mut seen: Vec<&[u8]> = Vec::new();
    let (mut algorithm, mut key_id) = (None, None);
    for member in object.members() {
        let (key, value) = (&header[member.key.clone()], &header[member.value.clone()]);
        if key.contains(&b'\\') {
            return Err(Refusal::HeaderMalformed);
        }
        if seen.contains(&key) {
            return Err(Refusal::HeaderDuplicate);
        }
        seen.push(key);
        match key {
            b"alg" => algorithm = Some(value),
            b"typ" if value != b"\"JWT\"" => return Err(Refusal::HeaderType),
            b"typ" => {}
            b"kid" | b"x5t" if member.kind != JsonKind::String => return Err(Refusal::HeaderKeyId),
            b"kid" => key_id = Some(serde_json::from_slice(value).map_err(|_| Refusal::HeaderKeyId)?),
            b"x5t" => {}
            _ => return Err(Refusal::HeaderMember),
        }
    }
    if algorithm != Some(b"\"RS256\"") {
        return Err(Refusal::HeaderAlgorithm);
    }
    Ok(key_id)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(header), encode(payload), encode("signature"))
    }

    fn refusal(token: &str) -> Refusal {
        Jwt::parse(token).map(|_| ()).unwrap_err()
    }

    #[test]
    fn sound_headers_are_taken_and_the_key_named() {
        for header in [
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"RS256","typ":"JWT"}"#,
            r#" { "x5t" : "a\nb" , "alg" : "RS256" } "#,
        ] {
            assert_eq!(Jwt::parse(&token(header, "{}")).unwrap().key_id(), None, "{header}");
        }
        let named = Jwt::parse(&token(r#"{"kid":"a\u0062","alg":"RS256"}"#, "{}")).unwrap();
        assert_eq!(named.key_id(), Some("ab"));
        assert_eq!(named.compact().payload(), b"{}");
    }

    #[test]
    fn each_header_refused_by_its_own_rule() {
        let kid = "k".repeat(230);
        for (header, reason) in [
            (r#"{"typ":"JWT"}"#, "header-algorithm"),
            (r#"{"alg":"none"}"#, "header-algorithm"),
            (r#"{"alg":"HS256"}"#, "header-algorithm"),
            (r#"{"alg":"ES256"}"#, "header-algorithm"),
            (r#"{"alg":"rs256"}"#, "header-algorithm"),
            (r#"{"alg":"\u0052S256"}"#, "header-algorithm"),
            (r#"{"alg":["RS256"]}"#, "header-algorithm"),
            (r#"{"alg":"RS256","typ":"at+jwt"}"#, "header-type"),
            (r#"{"alg":"RS256","typ":null}"#, "header-type"),
            (r#"{"alg":"RS256","crit":[]}"#, "header-member"),
            (r#"{"alg":"RS256","jwk":{}}"#, "header-member"),
            (r#"{"alg":"RS256","alg":"RS256"}"#, "header-duplicate"),
            (r#"{"alg":"RS256","kid":"a","kid":"a"}"#, "header-duplicate"),
            (r#"{"\u0061lg":"RS256"}"#, "header-malformed"),
            (r#"{"alg":"RS256",}"#, "header-malformed"),
            (r#"["alg"]"#, "header-malformed"),
            (r#"{"alg":"RS256","kid":7}"#, "header-key-id"),
            (r#"{"alg":"RS256","kid":"\ud800"}"#, "header-key-id"),
            (&format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#), "header-too-long"),
        ] {
            assert_eq!(refusal(&token(header, "{}")).reason(), reason, "{header}");
        }
    }

    #[test]
    fn compact_form_is_strict() {
        let good = token(r#"{"alg":"RS256"}"#, "{\"a\":1}");
        assert!(Jwt::parse(&format!(" {good}\n")).is_ok());
        let parts: Vec<&str> = good.split('.').collect();
        let (header, payload, signature) = (parts[0], parts[1], parts[2]);
        for (bad, reason) in [
            (String::new(), "token-not-compact"),
            (format!("{header}.{payload}"), "token-not-compact"),
            (format!("{good}.{signature}"), "token-not-compact"),
            (format!("{header}..{signature}"), "token-not-compact"),
            (format!(".{payload}.{signature}"), "token-not-compact"),
            (format!("{header}.{payload}==.{signature}"), "token-base64"),
            (format!("{header}.e30AA.{signature}"), "token-base64"),
            (format!("{header}.{payload}.{signature}!"), "token-base64"),
            (format!("{header}.e+30.{signature}"), "token-base64"),
            // "e30" is {}; "e31" differs in the two bits that decode to nothing.
            (format!("{header}.e31.{signature}"), "token-base64"),
            (format!("{header}.{}.{signature}", "A".repeat(2560)), "token-too-large"),
        ] {
            assert_eq!(refusal(&bad).reason(), reason, "{bad}");
        }
    }
}
