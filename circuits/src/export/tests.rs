use std::io::Cursor;

use ark_bn254::{Fq, Fq2, G2Affine};
use ark_ff::{PrimeField, UniformRand};
use num_bigint::BigUint;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};

use super::*;
use crate::Fr;
use crate::groth16::{Points, Proof, VerifyingKey};
use crate::r1cs::{Cs, Num, Shape};

fn shape() -> Shape {
    Shape::of(|cs| {
        let x = cs.hint(&[], |_| Fr::from(0u64));
        let y = cs.product(&x, &x.not());
        cs.public(&y.times(Fr::from(3u64)));
    })
}

fn file() -> Vec<u8> {
    let mut file = Vec::new();
    write_r1cs(&shape(), &mut file).unwrap();
    file
}

fn why(file: &[u8]) -> Option<&'static str> {
    match read_r1cs(Cursor::new(file)) {
        Ok(_) => None,
        Err(Error::R1cs(why)) => Some(why),
        Err(other) => panic!("{other}"),
    }
}

/// Where the header's and the rows' contents begin.
const HEADER: usize = 12 + 12;
const ROWS: usize = HEADER + 64 + 12;

fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Option<&'static str> {
    let mut file = file();
    change(&mut file);
    why(&file)
}

fn put(at: usize, bytes: &'static [u8]) -> impl FnOnce(&mut Vec<u8>) {
    move |file| file[at..at + bytes.len()].copy_from_slice(bytes)
}

#[test]
fn a_circuit_cut_anywhere_is_refused() {
    let file = file();
    assert_eq!(why(&file), None);
    for length in 0..file.len() {
        assert!(why(&file[..length]).is_some(), "{length}");
    }
    assert_eq!(changed(|file| file.push(0)), Some("trailing bytes"));
}

#[test]
fn each_fault_of_a_circuit_file_is_named() {
    assert_eq!(changed(put(0, b"zkey")), Some("a file of another type"));
    assert_eq!(changed(put(4, &[2])), Some("of another version"));
    assert_eq!(changed(put(8, &[65])), Some("too many sections"));
    assert_eq!(changed(put(HEADER - 12, &[3])), Some("a section stands twice"));
    assert_eq!(
        changed(put(HEADER - 12, &[4])),
        Some("a section of another kind than header, rows and labels")
    );
    assert_eq!(changed(put(HEADER, &[31])), Some("of another field"));
    assert_eq!(changed(put(HEADER + 4, &[2])), Some("of another field"));
    // One wire less than there are labels; more inputs than wires; more rows than bytes.
    assert_eq!(changed(put(HEADER + 36, &[3])), Some("truncated"));
    assert_eq!(changed(put(HEADER + 44, &[9])), Some("fewer wires than inputs"));
    assert_eq!(changed(put(HEADER + 44, &[255; 4])), Some("fewer wires than inputs"));
    assert_eq!(changed(put(HEADER + 60, &[255; 4])), Some("truncated"));
    // One row less than there are bytes.
    assert_eq!(changed(put(HEADER + 60, &[1])), Some("trailing bytes"));
}

#[test]
fn each_fault_of_a_row_is_named() {
    // The first form is one wire; that of B is 1 − x, two wires.
    let second = ROWS + 4 + 36;
    assert_eq!(changed(put(ROWS, &[255])), Some("a form with more terms than there are wires"));
    assert_eq!(changed(put(ROWS + 4, &[99])), Some("a wire that does not exist"));
    assert_eq!(changed(put(ROWS + 8, &[0])), Some("a coefficient of zero"));
    assert_eq!(changed(put(ROWS + 8, &[255; 32])), Some("a coefficient that is not below the modulus"));
    assert_eq!(changed(put(second + 4, &[2])), Some("a wire twice in one form"));
}

/// A key of points that are in their groups; it belongs to no circuit.
fn key() -> VerifyingKey {
    let rng = &mut ChaCha20Rng::seed_from_u64(3);
    let [alpha, one, input] = std::array::from_fn(|_| ark_bn254::G1Affine::rand(rng));
    let [beta, gamma, delta] = std::array::from_fn(|_| G2Affine::rand(rng));
    VerifyingKey::new(Points { alpha, beta, gamma, delta, inputs: vec![one, input] })
}

fn proof() -> Proof {
    let points = key().points;
    Proof::from_points(points.alpha, points.beta, points.inputs[0])
}

fn refused_proof(change: impl FnOnce(&mut Value)) -> &'static str {
    let mut json: Value = serde_json::from_str(&proof().to_snarkjs()).unwrap();
    change(&mut json);
    refusal(Proof::from_snarkjs(&json.to_string()).unwrap_err())
}

fn refused_key(change: impl FnOnce(&mut Value)) -> &'static str {
    let mut json: Value = serde_json::from_str(&key().to_snarkjs()).unwrap();
    change(&mut json);
    refusal(VerifyingKey::from_snarkjs(&json.to_string()).unwrap_err())
}

fn refusal(error: Error) -> &'static str {
    assert_eq!(error.reason(), "snarkjs-malformed");
    match error {
        Error::Json(why) => why,
        other => panic!("{other}"),
    }
}

/// A coordinate spelt with the modulus added to it.
fn aliased(text: &Value) -> Value {
    let number: BigUint = text.as_str().unwrap().parse().unwrap();
    json!((number + BigUint::from(Fq::MODULUS)).to_string())
}

#[test]
fn keys_and_proofs_round_trip() {
    assert_eq!(VerifyingKey::from_snarkjs(&key().to_snarkjs()).unwrap(), key());
    assert_eq!(Proof::from_snarkjs(&proof().to_snarkjs()).unwrap(), proof());
    for publics in [&[][..], &[-Fr::from(1u64), Fr::from(0u64)]] {
        assert_eq!(publics_from_snarkjs(&publics_to_snarkjs(publics)).unwrap(), publics);
    }
}

#[test]
fn points_that_are_none_are_refused_wherever_they_stand() {
    let off = "a point off the curve";
    let infinity = "a point at infinity, or not affine";
    for member in ["pi_a", "pi_c"] {
        assert_eq!(refused_proof(|json| json[member] = json!(["1", "1", "1"])), off);
        assert_eq!(refused_proof(|json| json[member] = json!(["0", "0", "1"])), infinity);
        assert_eq!(refused_proof(|json| json[member] = json!(["0", "1", "0"])), infinity);
    }
    assert_eq!(refused_proof(|json| json["pi_b"][0] = json!(["1", "1"])), off);
    assert_eq!(refused_proof(|json| json["pi_b"][2] = json!(["0", "0"])), infinity);
    for member in ["vk_beta_2", "vk_gamma_2", "vk_delta_2"] {
        assert_eq!(refused_key(|json| json[member][0] = json!(["1", "1"])), off);
    }
    assert_eq!(refused_key(|json| json["vk_alpha_1"] = json!(["1", "1", "1"])), off);
    for i in 0..2 {
        assert_eq!(refused_key(|json| json["IC"][i] = json!(["1", "1", "1"])), off);
        assert_eq!(refused_key(|json| json["IC"][i][2] = json!("0")), infinity);
    }
}

#[test]
fn points_out_of_the_subgroup_are_refused() {
    let rng = &mut ChaCha20Rng::seed_from_u64(4);
    let outside = std::iter::repeat_with(|| Fq2::rand(rng))
        .find_map(|x| G2Affine::get_point_from_x_unchecked(x, false))
        .unwrap();
    let pair =
        |element: Fq2| json!([element.c0, element.c1].map(|c| BigUint::from(c.into_bigint()).to_string()));
    let outside = json!([pair(outside.x), pair(outside.y), ["1", "0"]]);
    let why = "a point out of the subgroup";
    assert_eq!(refused_proof(|json| json["pi_b"] = outside.clone()), why);
    assert_eq!(refused_key(|json| json["vk_delta_2"] = outside.clone()), why);
}

#[test]
fn numbers_have_one_spelling() {
    let spelling = "a number that is not in its one spelling";
    for text in ["", "01", "+1", "-1", " 1", "0x1", "1e3", &"1".repeat(81)] {
        assert_eq!(refused_proof(|json| json["pi_a"][0] = json!(text)), spelling, "{text:?}");
    }
    let above = "a number that is not below its modulus";
    assert_eq!(refused_proof(|json| json["pi_a"][0] = aliased(&json["pi_a"][0])), above);
    assert_eq!(refused_proof(|json| json["pi_b"][1][1] = aliased(&json["pi_b"][1][1])), above);
    let modulus = BigUint::from(Fr::MODULUS).to_string();
    assert_eq!(refusal(publics_from_snarkjs(&json!([modulus]).to_string()).unwrap_err()), above);
    assert_eq!(refusal(publics_from_snarkjs(r#"["007"]"#).unwrap_err()), spelling);
}

#[test]
fn other_shapes_of_json_are_refused() {
    let members = "not these members, or not JSON";
    assert_eq!(refused_proof(|json| json["surprise"] = json!(1)), members);
    assert_eq!(refused_proof(|json| drop(json.as_object_mut().unwrap().remove("pi_c"))), members);
    assert_eq!(refused_proof(|json| json["pi_a"] = json!(["1", "2"])), members);
    assert_eq!(refused_proof(|json| json["pi_a"][0] = json!(1)), members);
    assert_eq!(refused_proof(|json| json["protocol"] = json!("plonk")), "another protocol or curve");
    assert_eq!(refused_key(|json| json["curve"] = json!("bls12381")), "another protocol or curve");
    assert_eq!(refused_key(|json| json["nPublic"] = json!(2)), "not as many points as public inputs");
    assert_eq!(
        refused_key(|json| drop(json["IC"].as_array_mut().unwrap().pop())),
        "not as many points as public inputs"
    );
    let pairing = "vk_alphabeta_12 is not the pairing of α and β";
    assert_eq!(refused_key(|json| json["vk_alphabeta_12"][1][2][0] = json!("1")), pairing);
    for text in ["1", "[1]", "[", "{}"] {
        assert_eq!(refusal(publics_from_snarkjs(text).unwrap_err()), members, "{text}");
    }
}
