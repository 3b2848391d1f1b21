//! Labels in the bytes of a certificate: 52 characters of base32 behind a colon, anywhere behind `urn:sigveil:`. Names of
//! labels, `urn:sigveil:<mode>:<profile>:<52 characters>`, are of that form, whatever mode and profile are.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

const PREFIX: &[u8] = b"urn:sigveil:";
const CHARACTERS: usize = 52;
/// Order of the scalar field of BN254, which every label is below (protocol.md §3), big-endian.
const FIELD_ORDER: [u8; 32] = [
    0x30, 0x64, 0x4e, 0x72, 0xe1, 0x31, 0xa0, 0x29, 0xb8, 0x50, 0x45, 0xb6, 0x81, 0x81, 0x58, 0x5d, 0x28,
    0x33, 0xe8, 0x48, 0x79, 0xb9, 0x70, 0x91, 0x43, 0xe1, 0xf5, 0x93, 0xf0, 0x00, 0x00, 0x01,
];

static LENIENT: LazyLock<Encoding> = LazyLock::new(|| {
    let mut lenient = Specification::new();
    lenient.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    lenient.check_trailing_bits = false;
    lenient.encoding().expect("32 different symbols are an encoding")
});

/// The value of every label that `bytes`, lower-cased, contain. The highest bit of a byte is none of ASCII: some clients drop
/// it. What is found are stretches without a colon that do not meet, so that there is one for each 53 bytes at most.
pub(super) fn find(bytes: &[u8]) -> Vec<[u8; 32]> {
    let bytes: Vec<u8> = bytes.iter().map(|byte| (byte & 0x7f).to_ascii_lowercase()).collect();
    let Some(begin) = bytes.windows(PREFIX.len()).position(|window| window == PREFIX) else {
        return Vec::new();
    };
    let behind = &bytes[begin..];
    let colons = (0..behind.len()).filter(|at| behind[*at] == b':');
    let stretches = colons.filter_map(|at| behind.get(at + 1..at + 1 + CHARACTERS));
    stretches.filter_map(value).map(reduce).collect()
}

/// The 32 bytes that the characters spell, slack bits dropped; none if they are no base32.
fn value(characters: &[u8]) -> Option<[u8; 32]> {
    LENIENT.decode(characters).ok()?.try_into().ok()
}

/// The number modulo r: at most five subtractions.
fn reduce(mut number: [u8; 32]) -> [u8; 32] {
    while number >= FIELD_ORDER {
        let mut borrow = false;
        for (digit, order) in number.iter_mut().zip(FIELD_ORDER).rev() {
            let (difference, first) = digit.overflowing_sub(order);
            let (difference, second) = difference.overflowing_sub(u8::from(borrow));
            (*digit, borrow) = (difference, first || second);
        }
    }
    number
}

/// True when the whole name is a label in its one canonical spelling (protocol.md §6).
pub(super) fn is_canonical(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let parts: Vec<_> = rest.split(|byte| *byte == b':').collect();
    let [mode, profile, characters] = parts[..] else { return false };
    let names = [&b"open"[..], b"blind"].contains(&mode)
        && [&b"stable"[..], b"epoch", b"unlinkable"].contains(&profile);
    names && characters.len() == CHARACTERS && is_canonical_base32(characters)
}

fn is_canonical_base32(characters: &[u8]) -> bool {
    value(characters).is_some_and(|value| {
        let canonical = data_encoding::BASE32_NOPAD.encode(&value).to_ascii_lowercase();
        canonical.as_bytes() == characters && reduce(value) == value
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
    use super::*;

    fn spell(value: &[u8]) -> String {
        data_encoding::BASE32_NOPAD.encode(value).to_ascii_lowercase()
    }

    #[test]
    fn a_label_is_found_wherever_it_stands() {
        let value = [7u8; 32];
        let canonical = format!("urn:sigveil:open:stable:{}", spell(&value));
        assert!(is_canonical(canonical.as_bytes()));
        for name in [
            canonical.clone(),
            canonical.to_ascii_uppercase(),
            format!("https://example/{canonical}#more"),
            format!("\u{0}{canonical}\u{0}"),
            canonical.replace("open", "other"),
            canonical.replace("stable", ""),
            canonical.replace("open:", ""),
            canonical.replace("stable", "st:ab:le"),
        ] {
            assert_eq!(find(name.as_bytes()), [value], "{name:?}");
            assert_eq!(is_canonical(name.as_bytes()), name == canonical);
        }
        assert_eq!(find(&canonical.as_bytes()[..canonical.len() - 1]), [[0; 32]; 0]);
    }

    #[test]
    fn several_labels_in_one_name_are_all_found() {
        let one = format!("urn:sigveil:open:stable:{}", spell(&[1; 32]));
        let two = format!("urn:sigveil:blind:epoch:{}", spell(&[2; 32]));
        let both = format!("{one},{two}");
        assert_eq!(find(both.as_bytes()), [[1; 32], [2; 32]]);
        // A second label that begins inside the first one's mode.
        let nested = format!("urn:sigveil:{two}");
        assert!(find(nested.as_bytes()).contains(&[2; 32]));
    }

    #[test]
    fn other_spellings_of_a_label_do_not_hide_it() {
        let value = [3u8; 32];
        let mut slack = spell(&value).into_bytes();
        // The last character carries one bit of the value and four of slack.
        let last = slack.last_mut().unwrap();
        *last = if *last == b'a' { b'b' } else { b'r' };
        let name = [b"urn:sigveil:open:stable:".as_slice(), &slack].concat();
        assert!(!is_canonical(&name));
        assert_eq!(find(&name), [value]);

        // The same number plus r, which decodes to other bytes.
        let mut alias = FIELD_ORDER;
        alias[31] += 4;
        let name = format!("urn:sigveil:open:stable:{}", spell(&alias));
        let mut four = [0; 32];
        four[31] = 4;
        assert_eq!(find(name.as_bytes()), [four]);
        assert!(!is_canonical(name.as_bytes()));

        // No base32, and no label.
        let name = format!("urn:sigveil:open:stable:{}", "1".repeat(52));
        assert_eq!(find(name.as_bytes()), [[0; 32]; 0]);

        // As a client that reads ASCII by dropping the highest bit sees it.
        let name = format!("urn:sigveil:open:stable:{}", spell(&value));
        for at in 0..name.len() {
            let mut high = name.clone().into_bytes();
            high[at] |= 0x80;
            assert_eq!(find(&high), [value], "{at}");
            assert!(!is_canonical(&high));
        }
        // And one that does not, where a mode would become two.
        let mut mode = name.into_bytes();
        mode[14] = b':' | 0x80;
        assert_eq!(find(&mode), [value]);
    }

    /// So that the keys of the largest entry fit into the record of its redaction.
    #[test]
    fn labels_do_not_meet() {
        let piece = format!("{}urn:sigveil:", "7".repeat(49));
        let name = format!("urn:sigveil:urn:sigveil:{}", piece.repeat(100));
        let found = find(name.as_bytes()).len();
        assert!(found > 90 && 53 * found <= name.len(), "{found} in {}", name.len());
    }

    #[test]
    fn reduction_agrees_with_the_field() {
        let mut top = [0xff; 32];
        let mut expected = top;
        for _ in 0..5 {
            expected = subtract(expected, FIELD_ORDER);
        }
        top = reduce(top);
        assert_eq!(top, expected);
        assert!(top < FIELD_ORDER);
        assert_eq!(reduce(FIELD_ORDER), [0; 32]);
    }

    /// Schoolbook, on 16-bit digits, to have a second opinion.
    fn subtract(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
        let mut out = [0; 32];
        let mut borrow = 0i32;
        for i in (0..32).rev() {
            let digit = i32::from(a[i]) - i32::from(b[i]) - borrow;
            borrow = i32::from(digit < 0);
            out[i] = digit.rem_euclid(256) as u8;
        }
        out
    }
}
