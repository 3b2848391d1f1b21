//! Powers of τ as files: what is taken, and each fault named.

use std::io::Cursor;

use super::*;

/// The file of powers for 8 points.
fn ptau() -> Vec<u8> {
    let mut file = Vec::new();
    Powers::development(8, &mut rng(1)).write(&mut file).unwrap();
    file
}

/// Where the sections' contents begin.
const HEAD: usize = 12 + 12;
const TAU_1: usize = HEAD + 44 + 12;
const TAU_2: usize = TAU_1 + 15 * 64 + 12;
const ALPHA: usize = TAU_2 + 8 * 128 + 12;
const BETA: usize = ALPHA + 8 * 64 + 12;
const BETA_2: usize = BETA + 8 * 64 + 12;

fn read(file: &[u8], points: usize) -> Result<Powers, Error> {
    Powers::read(Cursor::new(file), points, &mut rng(2))
}

fn changed(change: impl FnOnce(&mut Vec<u8>)) -> (&'static str, String) {
    let mut file = ptau();
    change(&mut file);
    let error = read(&file, 8).err().expect("it is refused");
    (error.reason(), error.to_string())
}

#[test]
fn powers_are_read_and_the_first_of_more() {
    let powers = Powers::development(8, &mut rng(1));
    assert_eq!(read(&ptau(), 8).unwrap().digest(), powers.digest());
    // For a smaller domain the same as from a smaller file of the same τ.
    let trapdoor = |points| Powers::from_trapdoor(points, Fr::from(3u64), Fr::from(5u64), Fr::from(7u64));
    let mut file = Vec::new();
    trapdoor(8).write(&mut file).unwrap();
    for points in [2, 3, 4, 6] {
        assert_eq!(read(&file, points).unwrap().digest(), trapdoor(points).digest());
    }
    assert!(matches!(read(&ptau(), 9), Err(Error::PowersTooFew { needed: 4, found: 3 })));
    assert!(matches!(read(&ptau(), usize::MAX), Err(Error::PowersTooFew { found: 3, .. })));
}

#[test]
fn powers_cut_anywhere_are_refused() {
    let file = ptau();
    for length in (0..file.len()).step_by(5).chain([file.len() - 1]) {
        assert_eq!(read(&file[..length], 8).err().unwrap().reason(), "ptau-malformed", "{length}");
    }
    assert_eq!(changed(|file| file.push(0)).0, "ptau-malformed");
}

#[test]
fn each_fault_of_powers_is_named() {
    let malformed = |change: fn(&mut Vec<u8>), why: &str| {
        assert_eq!(changed(change), ("ptau-malformed", format!("malformed .ptau: {why}")));
    };
    malformed(|file| file[0] = b'q', "a file of another type");
    malformed(|file| file[4] = 2, "of another version");
    malformed(|file| file[HEAD] = 48, "of another curve");
    malformed(|file| file[HEAD + 4] ^= 1, "of another curve");
    malformed(|file| file[HEAD + 36] = 29, "more powers than the field has roots of unity");
    malformed(|file| file[HEAD + 36] = 4, "a section is not as long as its powers");
    malformed(|file| file[TAU_2 - 12] = 99, "a section is missing");
    let long = |file: &mut Vec<u8>| {
        file[HEAD - 8..HEAD - 6].copy_from_slice(&[45, 0]);
        file.insert(HEAD + 44, 0);
    };
    malformed(long, "trailing bytes");
    let longer = |file: &mut Vec<u8>| {
        file[HEAD - 8..HEAD - 6].copy_from_slice(&1025u16.to_le_bytes());
        file.splice(HEAD + 44..HEAD + 44, vec![0; 1025 - 44]);
    };
    malformed(longer, "a section is too long");
    malformed(|file| file[TAU_1..][..64].fill(0), "a point at infinity");
    malformed(|file| file[BETA_2..][..128].fill(0), "a point at infinity");
    malformed(|file| file[ALPHA + 1] ^= 1, "point off the curve");
    malformed(|file| file[TAU_2 + 129] ^= 1, "point off the curve");
    malformed(|file| file[BETA..][..32].fill(255), "malformed point");
    let outside = |file: &mut Vec<u8>| file[TAU_2 + 7 * 128..][..128].copy_from_slice(&outside_of_g2());
    malformed(outside, "a point out of the subgroup");
}

#[test]
fn powers_that_do_not_belong_together_are_refused() {
    let inconsistent = |from: usize, to: usize, size: usize, why: &str| {
        let (reason, message) = changed(|file| file.copy_within(from..from + size, to));
        assert_eq!((reason, message.ends_with(why)), ("ptau-inconsistent", true), "{message}");
    };
    inconsistent(TAU_1 + 64, TAU_1, 64, "the first power of τ is not one");
    inconsistent(TAU_2 + 128, TAU_2, 128, "the first power of τ is not one");
    inconsistent(TAU_1, TAU_1 + 14 * 64, 64, "τ in G1 does not go on by τ");
    inconsistent(TAU_1, TAU_1 + 5 * 64, 64, "τ in G1 does not go on by τ");
    inconsistent(ALPHA, ALPHA + 7 * 64, 64, "α·τ does not go on by τ");
    inconsistent(BETA, BETA + 7 * 64, 64, "β·τ does not go on by τ");
    inconsistent(TAU_2, TAU_2 + 7 * 128, 128, "τ in G2 does not go on by τ");
    inconsistent(TAU_2, BETA_2, 128, "β is not the same in both groups");
    assert!(matches!(read(&ptau(), 1), Err(Error::PowersInconsistent("there is one power only"))));
    // Sound but for τ: a root of unity of the domain, of its coset, or τ⁷ = 1 for all that it matters here.
    let domain = Domain::of_size(8).unwrap();
    for (tau, refused) in
        [(domain.generator(), true), (domain.half_generator(), true), (Fr::from(7u64), false)]
    {
        let mut file = Vec::new();
        Powers::from_trapdoor(8, tau, Fr::ONE, Fr::ONE).write(&mut file).unwrap();
        let read = read(&file, 8);
        assert_eq!(matches!(read, Err(Error::PowersInconsistent("τ is a root of unity"))), refused);
    }
    let mut file = Vec::new();
    Powers::from_trapdoor(8, Fr::ZERO, Fr::ONE, Fr::ONE).write(&mut file).unwrap();
    assert_eq!(read(&file, 8).err().unwrap().reason(), "ptau-malformed");
}
