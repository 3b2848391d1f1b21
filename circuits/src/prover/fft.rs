//! From the domain to its odd coset.

use zeroize::Zeroizing;

use super::Domain;
use super::domain::powers;
use crate::Fr;
use ark_ff::Field;

/// The values on the odd coset of the polynomial of degree below n that has these values on the domain.
pub(super) fn to_odd_coset(domain: &Domain, mut values: Zeroizing<Vec<Fr>>) -> Zeroizing<Vec<Fr>> {
    let size = Fr::from(domain.size() as u64).inverse().expect("the size is below the field's order");
    let inverse = domain.generator().inverse().expect("a root of unity is not zero");
    transform(&mut values, inverse);
    values.iter_mut().zip(powers(size, domain.half_generator())).for_each(|(value, factor)| *value *= factor);
    transform(&mut values, domain.generator());
    values
}

/// Replaces v by Σ_j v_j·root^(ij), recursively.
fn transform(values: &mut [Fr], root: Fr) {
    let radix = if values.len().is_multiple_of(2) { 2 } else { 3 };
    if values.len() == 1 {
        return;
    }
    let part = values.len() / radix;
    let mut parts: Vec<Zeroizing<Vec<Fr>>> = (0..radix)
        .map(|first| Zeroizing::new(values.iter().skip(first).step_by(radix).copied().collect()))
        .collect();
    parts.iter_mut().for_each(|part| transform(part, root.pow([radix as u64])));
    for (i, (value, x)) in values.iter_mut().zip(powers(Fr::from(1u64), root)).enumerate() {
        *value = parts
            .iter()
            .zip(powers(Fr::from(1u64), x))
            .map(|(part_values, x)| part_values[i % part] * x)
            .sum();
    }
}
