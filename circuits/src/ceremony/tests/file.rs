//! A ceremony as a file: cut, altered, malformed.

use super::*;

#[test]
fn a_ceremony_file_cut_anywhere_is_refused() {
    let mut file = Vec::new();
    closed().2.write(&mut file).unwrap();
    for length in (0..file.len()).step_by(7).chain([file.len() - 1]) {
        assert_eq!(Ceremony::read(&file[..length]).err().unwrap().reason(), "ceremony-malformed", "{length}");
    }
    let trailing = Ceremony::read(&[&file[..], &[0]].concat());
    assert!(matches!(trailing, Err(Error::Malformed("trailing bytes"))));
}

#[test]
fn each_altered_byte_of_a_file_is_noticed() {
    let (shape, powers, ceremony) = closed();
    let mut file = Vec::new();
    ceremony.write(&mut file).unwrap();
    for at in (0..file.len()).step_by(97) {
        let mut altered = file.clone();
        altered[at] ^= 1;
        let verified = Ceremony::read(&altered).and_then(|c| c.verify(&shape, &powers, &mut rng(2)));
        assert!(verified.is_err(), "byte {at}");
    }
}

#[test]
fn each_fault_of_a_ceremony_file_is_named() {
    let mut file = Vec::new();
    closed().2.write(&mut file).unwrap();
    let why = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut file = file.clone();
        change(&mut file);
        match Ceremony::read(&file) {
            Err(Error::Malformed(why)) => why,
            other => panic!("{:?}", other.err()),
        }
    };
    // Name, number of points, digest before the records and their number; a record; the points.
    let numbers = 20 + 1 + 3 + 2 * 32;
    let count = numbers + 3 * 8 + 32;
    let first = count + 4;
    let factor = first + 2 + 3;
    let beacon = first + 2 * (2 + 3 + 32 * 7);
    let value = beacon + 2 + 6 + 32 * 5;
    let points = value + 1 + beacon_length() + 1;
    assert_eq!(why(&|file| file[0] ^= 1), "no ceremony of this format");
    let unprintable = "a name that is not 1 to 64 printable characters";
    assert_eq!(why(&|file| file[21] = 7), unprintable);
    assert_eq!(why(&|file| file[21] = 0xFF), "a name that is not ASCII");
    assert_eq!(why(&|file| file[first + 2] = 0x7F), unprintable);
    assert_eq!(why(&|file| file[numbers + 7] = 11), "no domain of that many points");
    for at in [0, 8, 16] {
        assert_eq!(why(&|file| file[numbers + at] = 0xFF), "truncated");
    }
    assert_eq!(why(&|file| file[count + 2] = 0xFF), "too many records");
    assert_eq!(why(&|file| file[first] = 3), "a record of unknown kind");
    let no_point = "not a point of the prime-order group";
    assert_eq!(why(&|file| file[factor..factor + 32].fill(0xFF)), no_point);
    let response = factor + 32 * 6;
    let above = "a number that is not below the field's order";
    assert_eq!(why(&|file| file[response..response + 32].fill(0xFF)), above);
    assert_eq!(why(&|file| file[value] = 65), "a beacon out of bounds");
    assert_eq!(why(&|file| file[points - 1] = 25), "a beacon out of bounds");
    // α, then β in G2: no coordinate, off the curve, the identity.
    assert_eq!(why(&|file| file[points..points + 64].fill(0xFF)), "malformed point");
    assert_eq!(why(&|file| file[points] ^= 1), "point off the curve");
    assert_eq!(why(&|file| file[points..points + 64].fill(0)), "a point at infinity");
    let input = points + 64 + 2 * 128;
    assert_eq!(why(&|file| file[input..input + 64].fill(0)), "a point at infinity");
    let outside = |file: &mut Vec<u8>| file[points + 64..points + 192].copy_from_slice(&outside_of_g2());
    assert_eq!(why(&outside), "a point out of the subgroup");
}

fn beacon_length() -> usize {
    b"a value of some block".len()
}
