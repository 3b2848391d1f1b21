//! The least of DER that the rule needs, read as generously as any client might.
//!
//! The rule must see every name that *some* client's parser sees. It therefore walks tags and lengths
//! itself, and takes what strict DER refuses (lengths not minimal, bytes after the end) where a client could:
//! whoever is stricter than this sees less, never more.

/// One tag, its content, and the bytes after it.
pub(super) struct Item<'a> {
    pub(super) tag: u8,
    /// Tag, length and content.
    pub(super) whole: &'a [u8],
    pub(super) content: &'a [u8],
    pub(super) rest: &'a [u8],
}

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;

/// The first item of `input`; `None` for a truncated one, an indefinite length or a tag of many bytes.
pub(super) fn item(input: &[u8]) -> Option<Item<'_>> {
    let (tag, length) = (*input.first()?, *input.get(1)?);
    if tag & 0x1f == 0x1f || length == 0x80 {
        return None;
    }
    let (header, length) = if length < 0x80 {
        (2, usize::from(length))
    } else {
        let count = usize::from(length & 0x7f);
        let bytes = input.get(2..2 + count)?;
        let significant = &bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(count)..];
        if significant.len() > 4 {
            return None;
        }
        (2 + count, significant.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    };
    let end = header.checked_add(length)?;
    let (whole, rest) = input.split_at_checked(end)?;
    Some(Item { tag, whole, content: &whole[header..], rest })
}

/// As [`item`], and of this tag.
pub(super) fn tagged(input: &[u8], tag: u8) -> Option<Item<'_>> {
    item(input).filter(|item| item.tag == tag)
}

/// All items of `input`, which they fill.
pub(super) fn items(mut input: &[u8]) -> Option<Vec<Item<'_>>> {
    let mut out = Vec::new();
    while !input.is_empty() {
        let next = item(input)?;
        input = next.rest;
        out.push(next);
    }
    Some(out)
}
