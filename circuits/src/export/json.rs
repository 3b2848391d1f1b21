//! The JSON of snarkjs: affine points with a third coordinate of one, numbers in decimal.

use ark_bn254::{Bn254, Fq, Fq2, Fq6, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::pairing::Pairing;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::PrimeField;
use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::Fr;
use crate::groth16::{Points, Proof, VerifyingKey};

const PROTOCOL: &str = "groth16";
const CURVE: &str = "bn128";

type Pair = [String; 2];
type G1 = [String; 3];
type G2 = [Pair; 3];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofJson {
    pi_a: G1,
    pi_b: G2,
    pi_c: G1,
    protocol: String,
    curve: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyJson {
    protocol: String,
    curve: String,
    #[serde(rename = "nPublic")]
    publics: usize,
    vk_alpha_1: G1,
    vk_beta_2: G2,
    vk_gamma_2: G2,
    vk_delta_2: G2,
    /// e(α, β): follows from the two, and is compared where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vk_alphabeta_12: Option<[[Pair; 3]; 2]>,
    #[serde(rename = "IC")]
    inputs: Vec<G1>,
}

impl Proof {
    /// The proof as snarkjs's `proof.json`.
    #[must_use]
    pub fn to_snarkjs(&self) -> String {
        let (a, b, c) = self.points();
        pretty(&ProofJson {
            pi_a: from_g1(a),
            pi_b: from_g2(b),
            pi_c: from_g1(c),
            protocol: PROTOCOL.into(),
            curve: CURVE.into(),
        })
    }

    /// Reads snarkjs's `proof.json`.
    ///
    /// # Errors
    /// [`Error::Json`] for another protocol or curve, missing or unknown members, a number that is not below its
    /// modulus or has a second spelling, a point off the curve or out of the subgroup, the identity.
    pub fn from_snarkjs(text: &str) -> Result<Self, Error> {
        let json: ProofJson = parse(text)?;
        names(&json.protocol, &json.curve)?;
        Ok(Self::from_points(to_g1(&json.pi_a)?, to_g2(&json.pi_b)?, to_g1(&json.pi_c)?))
    }
}

impl VerifyingKey {
    /// The key as snarkjs's `verification_key.json`.
    #[must_use]
    pub fn to_snarkjs(&self) -> String {
        let points = &self.points;
        pretty(&KeyJson {
            protocol: PROTOCOL.into(),
            curve: CURVE.into(),
            publics: points.inputs.len() - 1,
            vk_alpha_1: from_g1(&points.alpha),
            vk_beta_2: from_g2(&points.beta),
            vk_gamma_2: from_g2(&points.gamma),
            vk_delta_2: from_g2(&points.delta),
            vk_alphabeta_12: Some(alpha_beta(points)),
            inputs: points.inputs.iter().map(from_g1).collect(),
        })
    }

    /// Reads snarkjs's `verification_key.json`.
    ///
    /// # Errors
    /// As [`Proof::from_snarkjs`]; and for a number of public inputs that is not that of their points.
    pub fn from_snarkjs(text: &str) -> Result<Self, Error> {
        let json: KeyJson = parse(text)?;
        names(&json.protocol, &json.curve)?;
        if json.publics.checked_add(1) != Some(json.inputs.len()) {
            return Err(Error::Json("not as many points as public inputs"));
        }
        let points = Points {
            alpha: to_g1(&json.vk_alpha_1)?,
            beta: to_g2(&json.vk_beta_2)?,
            gamma: to_g2(&json.vk_gamma_2)?,
            delta: to_g2(&json.vk_delta_2)?,
            inputs: json.inputs.iter().map(to_g1).collect::<Result<_, _>>()?,
        };
        if json.vk_alphabeta_12.is_some_and(|given| given != alpha_beta(&points)) {
            return Err(Error::Json("vk_alphabeta_12 is not the pairing of α and β"));
        }
        Ok(Self::new(points))
    }
}

/// Public inputs as snarkjs's `public.json`.
#[must_use]
pub fn publics_to_snarkjs(publics: &[Fr]) -> String {
    pretty(&publics.iter().map(|public| decimal(*public)).collect::<Vec<_>>())
}

/// Reads snarkjs's `public.json`.
///
/// # Errors
/// [`Error::Json`] for an input that is not below the modulus, or in a second spelling.
pub fn publics_from_snarkjs(text: &str) -> Result<Vec<Fr>, Error> {
    let publics: Vec<String> = parse(text)?;
    publics.iter().map(|public| number(public)).collect()
}

fn pretty(json: &impl Serialize) -> String {
    serde_json::to_string_pretty(json).expect("strings and lists always have a JSON form") + "\n"
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::Json("not these members, or not JSON"))
}

fn names(protocol: &str, curve: &str) -> Result<(), Error> {
    if (protocol, curve) == (PROTOCOL, CURVE) {
        Ok(())
    } else {
        Err(Error::Json("another protocol or curve"))
    }
}

fn decimal<F: PrimeField>(element: F) -> String {
    let number: BigUint = element.into_bigint().into();
    number.to_string()
}

fn number<F: PrimeField>(text: &str) -> Result<F, Error> {
    let canonical = text == "0" || !text.starts_with('0');
    if text.is_empty() || text.len() > 80 || !canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::Json("a number that is not in its one spelling"));
    }
    let number: BigUint = text.parse().expect("up to eighty decimal digits");
    let number = F::BigInt::try_from(number).ok().and_then(F::from_bigint);
    number.ok_or(Error::Json("a number that is not below its modulus"))
}

fn from_pair(element: &Fq2) -> Pair {
    [decimal(element.c0), decimal(element.c1)]
}

fn to_pair(pair: &Pair) -> Result<Fq2, Error> {
    Ok(Fq2::new(number(&pair[0])?, number(&pair[1])?))
}

fn from_g1(point: &G1Affine) -> G1 {
    [decimal(point.x), decimal(point.y), "1".into()]
}

fn from_g2(point: &G2Affine) -> G2 {
    [from_pair(&point.x), from_pair(&point.y), ["1".into(), "0".into()]]
}

fn to_g1([x, y, z]: &G1) -> Result<G1Affine, Error> {
    if number::<Fq>(z)? != Fq::from(1u64) {
        return Err(Error::Json("a point at infinity, or not affine"));
    }
    checked(Affine::new_unchecked(number(x)?, number(y)?))
}

fn to_g2([x, y, z]: &G2) -> Result<G2Affine, Error> {
    if to_pair(z)? != Fq2::from(1u64) {
        return Err(Error::Json("a point at infinity, or not affine"));
    }
    checked(Affine::new_unchecked(to_pair(x)?, to_pair(y)?))
}

fn checked<P: SWCurveConfig>(point: Affine<P>) -> Result<Affine<P>, Error> {
    // The library beneath takes the coordinates (0, 0), which no point of the curve has, for the identity.
    if point.is_zero() {
        return Err(Error::Json("a point at infinity, or not affine"));
    }
    if !point.is_on_curve() {
        return Err(Error::Json("a point off the curve"));
    }
    if !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(Error::Json("a point out of the subgroup"));
    }
    Ok(point)
}

fn alpha_beta(points: &Points) -> [[Pair; 3]; 2] {
    let product = Bn254::pairing(points.alpha, points.beta).0;
    let half = |half: &Fq6| [&half.c0, &half.c1, &half.c2].map(from_pair);
    [half(&product.c0), half(&product.c1)]
}
