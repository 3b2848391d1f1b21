use memmap2::MmapMut;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::Fr;
use crate::groth16::{VERIFYING_KEY_LEN, setup};
use crate::r1cs::{Cs, Num, Shape};

const SHAPE: [u8; 32] = [7; 32];

/// A file of a circuit of a few rows: as the format goes, a key like any other.
fn good() -> Vec<u8> {
    let shape = Shape::of(|cs| {
        let x = cs.hint(&[], |v| v[0]);
        let y = cs.product(&x, &x.not());
        cs.public(&y.times(Fr::from(3u64)));
    });
    let key = setup(&shape, &mut ChaCha20Rng::seed_from_u64(1), &mut |_| {}).unwrap();
    let mut bytes = Vec::new();
    let digest = write(&mut bytes, Statement::Nym, Provenance::Development, &SHAPE, &key).unwrap();
    let end = offsets().digest;
    assert_eq!(digest.0[..], bytes[end..end + DIGEST]);
    bytes
}

fn mapped(bytes: &[u8]) -> Mmap {
    let mut map = MmapMut::map_anon(bytes.len()).unwrap();
    map.copy_from_slice(bytes);
    map.make_read_only().unwrap()
}

fn why(bytes: &[u8]) -> Result<(), &'static str> {
    read(mapped(bytes), Statement::Nym, &SHAPE).map(|_| ())
}

/// Where the parts of the header begin, in the order of the format.
struct Offsets {
    length: usize,
    provenance: usize,
    name: usize,
    shape: usize,
    numbers: usize,
    verifying: usize,
    fixed: usize,
    entries: usize,
    digest: usize,
}

fn offsets() -> Offsets {
    let length = MAGIC.len();
    let provenance = length + 4;
    let name = provenance + 1 + 32;
    let shape = name + 1 + Statement::Nym.name().len();
    let numbers = shape + 32;
    let verifying = numbers + 3 * 8;
    let fixed = verifying + VERIFYING_KEY_LEN;
    let entries = fixed + 2 * 64;
    let digest = entries + SECTIONS * 40;
    Offsets { length, provenance, name, shape, numbers, verifying, fixed, entries, digest }
}

/// Where the items of a section lie.
fn section(file: &[u8], wanted: usize) -> std::ops::Range<usize> {
    let mut end = offsets().digest + DIGEST;
    for (i, size) in [4, 64, 4, 64, 128, 4, 64, 64].into_iter().enumerate() {
        let entry = offsets().entries + 40 * i;
        let count = u64::from_le_bytes(file[entry..entry + 8].try_into().unwrap()) as usize;
        let start = end.next_multiple_of(64);
        end = start + size * count;
        if i == wanted {
            return start..end;
        }
    }
    unreachable!("there are eight sections")
}

/// The file with its header changed, and the digest that belongs to it.
fn changed(file: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let (mut out, end) = (file.to_vec(), offsets().digest);
    change(&mut out[..end]);
    let digest = Sha256::digest(&out[..end]);
    out[end..end + DIGEST].copy_from_slice(&digest);
    out
}

/// The file with a section changed, and the digests that belong to it.
fn altered(file: &[u8], number: usize, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let (mut out, range) = (file.to_vec(), section(file, number));
    change(&mut out[range.clone()]);
    let digest = Sha256::digest(&out[range]);
    let entry = offsets().entries + 40 * number + 8;
    changed(&out, |header| header[entry..entry + DIGEST].copy_from_slice(&digest))
}

#[test]
fn what_is_written_is_read() {
    let file = good();
    let contents = read(mapped(&file), Statement::Nym, &SHAPE).unwrap();
    let mut again = Vec::new();
    assert_eq!(
        write(&mut again, Statement::Nym, contents.provenance, &SHAPE, &contents.key).unwrap(),
        contents.digest
    );
    assert_eq!(again, file);
    // So is the transcript of a ceremony.
    let provenance = Provenance::Ceremony([9; 32]);
    let mut made = Vec::new();
    write(&mut made, Statement::Nym, provenance, &SHAPE, &contents.key).unwrap();
    assert_eq!(read(mapped(&made), Statement::Nym, &SHAPE).unwrap().provenance, provenance);
}

#[test]
fn any_altered_byte_is_noticed() {
    let file = good();
    let end = offsets().digest + DIGEST;
    for at in (0..end).chain((end..file.len()).step_by(5)) {
        let mut altered = file.clone();
        altered[at] ^= 1;
        let expected = match at {
            at if at < MAGIC.len() => &["no proving key of this format"][..],
            // The length of the header may point beyond the file.
            at if at < MAGIC.len() + 4 => &["truncated", "truncated or altered"],
            _ => &["truncated or altered"],
        };
        assert!(expected.contains(&why(&altered).unwrap_err()), "byte {at}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let file = good();
    for length in 0..file.len() {
        assert_eq!(why(&file[..length]), Err("truncated"), "{length} bytes");
    }
    // With a length and a digest that belong to what is left of the header, each part misses its own bytes.
    let at = offsets();
    for length in at.provenance..at.digest {
        let mut cut = file[..length].to_vec();
        cut[at.length..at.provenance].copy_from_slice(&(length as u32).to_le_bytes());
        let digest = Sha256::digest(&cut);
        assert_eq!(why(&[&cut[..], &digest].concat()), Err("truncated"), "{length} bytes, resealed");
    }
    for length in [0, 1, at.provenance as u32 - 1] {
        let mut cut = file.clone();
        cut[at.length..at.provenance].copy_from_slice(&length.to_le_bytes());
        let digest = Sha256::digest(&cut[..length as usize]);
        cut[length as usize..length as usize + DIGEST].copy_from_slice(&digest);
        assert!(why(&cut).is_err(), "a header of {length} bytes");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let file = good();
    assert_eq!(why(&[&file[..], &[0]].concat()), Err("trailing bytes"));
    // A byte more in the header.
    let end = offsets().digest;
    let mut longer = [&file[..end], &[0]].concat();
    longer[MAGIC.len()..MAGIC.len() + 4].copy_from_slice(&(end as u32 + 1).to_le_bytes());
    let digest = Sha256::digest(&longer);
    assert_eq!(why(&[&longer[..], &digest, &file[end + DIGEST..]].concat()), Err("trailing bytes"));
}

#[test]
fn keys_of_something_else_are_refused() {
    let (file, at) = (good(), offsets());
    let other = read(mapped(&file), Statement::Token(crate::token::Class::ALL[0]), &SHAPE);
    assert_eq!(other.err(), Some("of another statement"));
    let other = read(mapped(&file), Statement::Nym, &[8; 32]);
    assert_eq!(other.err(), Some("of another version of the circuit"));
    assert_eq!(why(&changed(&file, |header| header[0] ^= 1)), Err("no proving key of this format"));
    assert_eq!(why(&changed(&file, |header| header[at.provenance] = 3)), Err("unknown provenance"));
    assert_eq!(why(&changed(&file, |header| header[at.provenance + 1] = 2)), Err("unknown provenance"));
    assert_eq!(why(&changed(&file, |header| header[at.name + 1] = b'm')), Err("of another statement"));
    let shape = changed(&file, |header| header[at.shape] ^= 1);
    assert_eq!(why(&shape), Err("of another version of the circuit"));
}

#[test]
fn bad_points_are_refused() {
    let (file, at) = (good(), offsets());
    // The identity is no point of a verifying key.
    let identity = changed(&file, |header| {
        header[at.verifying..at.verifying + 32].fill(0);
        header[at.verifying + 31] = 0x40;
    });
    assert_eq!(why(&identity), Err("malformed verifying key"));
    // β in G1 is compared with nothing else; δ is.
    assert_eq!(why(&changed(&file, |header| header[at.fixed] ^= 1)), Err("point off the curve"));
    let unblinded = changed(&file, |header| header.copy_within(at.fixed..at.fixed + 64, at.fixed + 64));
    assert_eq!(why(&unblinded), Err("not that of its verifying key"));
    assert_eq!(
        why(&changed(&file, |header| header[at.fixed..at.fixed + 64].fill(0xFF))),
        Err("malformed point")
    );
    for points in [1, 3, 4, 6, 7] {
        let off = altered(&file, points, |bytes| *bytes.last_mut().unwrap() ^= 1);
        assert_eq!(why(&off), Err("point off the curve"), "section {points}");
        // A coordinate that is no field element.
        let above = altered(&file, points, |bytes| *bytes.last_mut().unwrap() = 0xFF);
        assert_eq!(why(&above), Err("malformed point"), "section {points}");
    }
}

#[test]
fn variables_out_of_order_are_refused() {
    let file = good();
    let number = |n: u32| n.to_le_bytes();
    for columns in [0, 2, 5] {
        let twice = altered(&file, columns, |bytes| bytes.copy_within(0..4, 4));
        let beyond = altered(&file, columns, |bytes| {
            let last = bytes.len() - 4;
            bytes[last..].copy_from_slice(&number(4));
        });
        for bad in [twice, beyond] {
            // B has one variable only.
            let expected = if columns == 2 && section(&file, 2).len() == 4 { None } else { Some(()) };
            assert!(expected.is_none() || why(&bad) == Err("of variables out of order"), "section {columns}");
        }
    }
}

#[test]
fn numbers_that_do_not_belong_together_are_refused() {
    let (file, at) = (good(), offsets());
    let numbered = |i: usize, n: u64| {
        changed(&file, |header| {
            let from = at.numbers + 8 * i;
            header[from..from + 8].copy_from_slice(&n.to_le_bytes());
        })
    };
    assert_eq!(why(&numbered(0, 5)), Err("of no domain's size"));
    assert_eq!(why(&numbered(0, 8)), Err("of numbers of points that do not belong together"));
    assert_eq!(why(&numbered(1, 1)), Err("of fewer variables than inputs"));
    assert_eq!(why(&numbered(1, 3)), Err("of variables out of order"));
    // The verifying key then has another length.
    assert_eq!(why(&numbered(2, 0)), Err("malformed verifying key"));
    for (i, expected) in ["of no domain's size", "of too many variables", "truncated"].into_iter().enumerate()
    {
        assert_eq!(why(&numbered(i, u64::MAX)), Err(expected));
    }
}

#[test]
fn absurd_numbers_of_points_are_refused() {
    let (file, at) = (good(), offsets());
    for (count, expected) in
        [(u64::MAX, "too many points"), (1 << 40, "truncated"), ((1 << 58) - 1, "truncated")]
    {
        for i in 0..SECTIONS {
            let from = at.entries + 40 * i;
            let absurd =
                changed(&file, |header| header[from..from + 8].copy_from_slice(&count.to_le_bytes()));
            assert!(["truncated", "too many points", expected].contains(&why(&absurd).unwrap_err()));
        }
    }
}
