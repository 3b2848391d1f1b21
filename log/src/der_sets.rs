//! The SETs of a DER value, counted before it is parsed: the parser sorts each, in a time that is quadratic in its size.

use der::{Decode as _, Header, Reader as _, SliceReader, Tag};

/// Most members of a SET. Names of certificates have one in each, seldom two.
const MOST: usize = 16;

/// Whether no SET, at any depth, has more than 16 members. What is no DER is the parser's to refuse.
pub fn are_small(der: &[u8]) -> bool {
    // What is left to read at each depth, and how many members that may be.
    let mut open = vec![(der, usize::MAX)];
    while let Some((rest, left)) = open.pop() {
        let Some((tag, content, behind)) = next(rest) else { continue };
        if left == 0 {
            return false;
        }
        open.push((behind, left - 1));
        if tag.is_constructed() {
            open.push((content, if tag == Tag::Set { MOST } else { usize::MAX }));
        }
    }
    true
}

/// The first item: its tag, its content, and what is behind it.
fn next(rest: &[u8]) -> Option<(Tag, &[u8], &[u8])> {
    let mut reader = SliceReader::new(rest).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    let content = reader.read_slice(header.length).ok()?;
    let behind = &rest[usize::try_from(reader.position()).ok()?..];
    Some((header.tag, content, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
        let header = match content.len() {
            0..=127 => vec![tag, length[1]],
            128..=255 => vec![tag, 0x81, length[1]],
            _ => vec![tag, 0x82, length[0], length[1]],
        };
        [&header, content].concat()
    }

    #[test]
    fn a_set_of_more_than_sixteen_is_found_at_any_depth() {
        let set = |members: usize| item(0x31, &item(2, &[1]).repeat(members));
        for (members, small) in [(0, true), (16, true), (17, false)] {
            let beside = [set(1), item(0x30, &set(members)), set(2)].concat();
            let mut nested = item(0x30, &beside);
            assert_eq!(are_small(&nested), small, "{members}");
            for _ in 0..1_000 {
                nested = item(0x30, &nested);
            }
            assert_eq!(are_small(&nested), small, "{members}, deep");
        }
        // In a sequence there may be more, and what is cut off counts for what is there.
        assert!(are_small(&item(0x30, &item(2, &[1]).repeat(100))));
        let cut = [&item(2, &[1]).repeat(17)[..], &[2, 9]].concat();
        assert!(!are_small(&item(0x31, &cut)));
        assert!(are_small(&[]) && are_small(&[0x31, 0x85, 1]));
    }
}
