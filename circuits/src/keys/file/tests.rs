use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::Fr;
use crate::groth16::setup;
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
    let digest = write(&mut bytes, Statement::Nym, &SHAPE, &key).unwrap();
    assert_eq!(digest.0[..], bytes[bytes.len() - DIGEST..]);
    bytes
}

/// The file with its body replaced, and the digest that belongs to it.
fn resealed(body: &[u8]) -> Vec<u8> {
    [body, &Sha256::digest(body)[..]].concat()
}

/// The file with its body changed, and the digest that belongs to it.
fn changed(file: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = file[..file.len() - DIGEST].to_vec();
    change(&mut body);
    resealed(&body)
}

fn why(bytes: &[u8]) -> Result<(), &'static str> {
    read(bytes, Statement::Nym, &SHAPE).map(|_| ())
}

/// Where the sections begin, in the order of the format.
struct Offsets {
    provenance: usize,
    name: usize,
    shape: usize,
    verifying: usize,
    counts: usize,
    fixed: usize,
    points: usize,
}

fn offsets() -> Offsets {
    let provenance = MAGIC.len();
    let name = provenance + 1;
    let shape = name + 1 + Statement::Nym.name().len();
    let verifying = shape + 32;
    let counts = verifying + VERIFYING_KEY_LEN;
    let fixed = counts + 4 * 8;
    Offsets { provenance, name, shape, verifying, counts, fixed, points: fixed + 2 * 64 }
}

#[test]
fn what_is_written_is_read() {
    let file = good();
    let contents = read(&file, Statement::Nym, &SHAPE).unwrap();
    let mut again = Vec::new();
    assert_eq!(write(&mut again, Statement::Nym, &SHAPE, &contents.key).unwrap(), contents.digest);
    assert_eq!(again, file);
}

#[test]
fn any_altered_byte_is_noticed() {
    let file = good();
    for at in 0..file.len() {
        let mut altered = file.clone();
        altered[at] ^= 1;
        let expected =
            if at < MAGIC.len() { "no proving key of this format" } else { "truncated or altered" };
        assert_eq!(why(&altered), Err(expected), "byte {at}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let file = good();
    for length in 0..file.len() {
        let expected = if length < DIGEST + MAGIC.len() {
            ["truncated", "no proving key of this format"]
        } else {
            ["truncated or altered"; 2]
        };
        assert!(expected.map(Err).contains(&why(&file[..length])), "{length} bytes");
    }
    // With a digest that belongs to what is left, each section misses its own bytes.
    for length in MAGIC.len()..file.len() - DIGEST {
        assert_eq!(why(&resealed(&file[..length])), Err("truncated"), "{length} bytes, resealed");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let file = good();
    assert_eq!(why(&[&file[..], &[0]].concat()), Err("truncated or altered"));
    assert_eq!(why(&changed(&file, |body| body.push(0))), Err("trailing bytes"));
}

#[test]
fn keys_of_something_else_are_refused() {
    let (file, at) = (good(), offsets());
    let other = read(&file, Statement::Token(crate::token::SizeClass::B768), &SHAPE);
    assert_eq!(other.err(), Some("of another statement"));
    assert_eq!(read(&file, Statement::Nym, &[8; 32]).err(), Some("of another version of the circuit"));
    assert_eq!(why(&changed(&file, |body| body[0] ^= 1)), Err("no proving key of this format"));
    assert_eq!(why(&changed(&file, |body| body[at.provenance] = 2)), Err("unknown provenance"));
    assert_eq!(why(&changed(&file, |body| body[at.name + 1] = b'm')), Err("of another statement"));
    assert_eq!(why(&changed(&file, |body| body[at.shape] ^= 1)), Err("of another version of the circuit"));
}

#[test]
fn bad_points_are_refused() {
    let (file, at) = (good(), offsets());
    // Another abscissa with the same ordinate.
    let moved = |from: usize| changed(&file, |body| body[from] ^= 1);
    // The identity is no point of a verifying key.
    let identity = changed(&file, |body| {
        body[at.verifying..at.verifying + 32].fill(0);
        body[at.verifying + 31] = 0x40;
    });
    assert_eq!(why(&identity), Err("malformed verifying key"));
    // β in G1 is compared with nothing else; then the first of A, of B in G2, and the last of L.
    let queries = u64::from_be_bytes(file[at.counts..at.counts + 8].try_into().unwrap()) as usize;
    for from in [at.fixed, at.points, at.points + 2 * 64 * queries, file.len() - DIGEST - 64] {
        assert_eq!(why(&moved(from)), Err("point off the curve"));
    }
    // A coordinate that is no field element.
    let above = changed(&file, |body| body[at.fixed..at.fixed + 32].fill(0x3F));
    assert_eq!(why(&above), Err("malformed point"));
}

#[test]
fn absurd_numbers_of_points_are_refused() {
    let (file, at) = (good(), offsets());
    for (count, expected) in [(u64::MAX, "too many points"), (1 << 40, "truncated")] {
        for i in 0..4 {
            let from = at.counts + 8 * i;
            let absurd = changed(&file, |body| body[from..from + 8].copy_from_slice(&count.to_be_bytes()));
            assert_eq!(why(&absurd), Err(expected));
        }
    }
}
