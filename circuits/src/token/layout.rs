//! Where an honest prover finds the claims: values for hints only, so nothing here need be trusted.
//!
//! Follows the circuit's automaton on any bytes at all and never fails: for a payload that the circuit cannot accept
//! some hint is then wrong and some row does not hold.

use super::native::claim_names;
use sigveil_vrf_identity::identity::Kind;

/// A value of the top-level object, or the first string in an array that is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Position of the first byte.
    pub at: usize,
    /// Quotes up to and including the first byte.
    pub quotes: usize,
    /// Bytes between the quotes; of a number, its digits.
    pub length: usize,
    /// Bytes before the first `@` of a string.
    pub cut: Option<usize>,
    /// Position of the first byte behind the value's end, white space aside.
    pub behind: usize,
    pub present: bool,
    pub in_array: bool,
}

/// The claims' places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    found: Vec<(&'static str, Found)>,
}

impl Layout {
    /// The places in `bytes`, positions being those in `bytes`.
    pub(crate) fn of(bytes: &[u8], kind: Kind) -> Self {
        let starts = value_starts(bytes);
        let names = claim_names(kind).into_iter();
        let found = names.filter_map(|name| Some((name, find(bytes, &starts, name)?))).collect();
        Self { found }
    }

    /// These places, and another one for a claim: what a prover who lies would say.
    #[cfg(test)]
    pub(crate) fn with(mut self, name: &'static str, place: Found) -> Self {
        self.found.retain(|(found, _)| *found != name);
        self.found.push((name, place));
        self
    }

    /// Where a claim is; zeros if it is nowhere.
    pub(crate) fn claim(&self, name: &str) -> Found {
        self.found.iter().find(|(found, _)| *found == name).map(|(_, found)| *found).unwrap_or_default()
    }
}

/// A first byte behind a colon or an opening bracket.
struct Start {
    at: usize,
    depth: usize,
    quotes: usize,
    key: usize,
}

fn value_starts(bytes: &[u8]) -> Vec<Start> {
    let (mut in_string, mut escaped, mut pending, mut expects_key) = (false, false, false, true);
    let (mut depth, mut quotes, mut key) = (0usize, 0usize, 0usize);
    let mut starts = Vec::new();
    for (at, byte) in bytes.iter().copied().enumerate() {
        let quote = byte == b'"' && !escaped;
        quotes += usize::from(quote);
        let white_space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        if pending && !white_space && !in_string {
            starts.push(Start { at, depth, quotes, key });
            pending = false;
        }
        if in_string {
            pending |= quote;
        } else {
            match byte {
                b'"' if expects_key => key = at,
                b'{' | b'[' => (depth, pending) = (depth + 1, true),
                b'}' | b']' => depth = depth.saturating_sub(1),
                b':' if expects_key => (expects_key, pending) = (false, true),
                b',' if depth == 1 => expects_key = true,
                _ => {}
            }
        }
        escaped = byte == b'\\' && !escaped;
        in_string ^= quote;
    }
    starts
}

fn find(bytes: &[u8], starts: &[Start], name: &str) -> Option<Found> {
    let named = |start: &Start| {
        let key = bytes.get(start.key + 1..start.key + 1 + name.len());
        // Behind a key's closing quote stands its colon, which begins no value.
        start.at > start.key
            && bytes.get(start.at) != Some(&b':')
            && key == Some(name.as_bytes())
            && bytes.get(start.key + 1 + name.len()) == Some(&b'"')
    };
    let first = starts.iter().position(|start| start.depth == 1 && named(start))?;
    let mut start = &starts[first];
    let in_array = name == "aud" && bytes.get(start.at) == Some(&b'[');
    if in_array {
        start = starts.get(first + 1)?;
    }
    let text = bytes.get(start.at + 1..).unwrap_or_default();
    let is_string = bytes.get(start.at) == Some(&b'"');
    let length = if is_string {
        text.iter().position(|byte| *byte == b'"').unwrap_or(0)
    } else {
        bytes[start.at..].iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let behind = starts.iter().find(|other| other.at > start.at).map_or(0, |other| other.at);
    let cut = text[..length.min(text.len())].iter().position(|byte| *byte == b'@');
    Some(Found { at: start.at, quotes: start.quotes, length, cut, behind, present: true, in_array })
}
