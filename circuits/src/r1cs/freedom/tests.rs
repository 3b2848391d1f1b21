//! Small circuits of which it is known what is chosen.

use ark_ff::{BigInteger, PrimeField};

use super::*;
use crate::gadgets::bits::{Bit, decompose, is_zero, pack};
use crate::gadgets::poseidon;
use crate::r1cs::Cs;
use sigveil_vrf_identity::domain::Domain;

fn measured(circuit: impl Fn(&mut Shape), values: impl FnOnce(&mut Assignment)) -> (Shape, Assignment) {
    (Shape::of(circuit), Assignment::of(values))
}

fn gates<C: Cs>(cs: &mut C) {
    let bits = Bit::hint_many(cs, 3, &[], |_| vec![true, false, true]);
    let (a, b) = (bits[0].and(cs, &bits[1]), bits[1].xor(cs, &bits[2]));
    let c = a.or(cs, &b);
    let number = c.select(cs, &pack(&bits), b.num());
    let hashed = poseidon::hash(cs, Domain::Label, std::slice::from_ref(&number));
    decompose(cs, &number, 8);
    cs.public(&hashed);
}

#[test]
fn only_inputs_are_chosen() {
    let (shape, values) = measured(gates, gates);
    assert_eq!(chosen(&shape, &values), [0, 1, 2]);
}

/// The search sees each row that is missing: either one variable more is chosen, or one of the bits, which are
/// chosen anyway, is none.
#[test]
fn a_missing_row_is_seen() {
    let (shape, values) = measured(gates, gates);
    for row in 0..shape.constraints() - 1 {
        let more = chosen_without(&shape, &values, Some(row)).len() > 3;
        let enforces_a_bit = columns(&shape, &shape.rows()[row]).len() == 1;
        assert!(more || enforces_a_bit && row < 3, "row {row}");
    }
}

#[test]
fn the_inverse_of_zero_is_nothing_that_is_chosen() {
    fn circuit<C: Cs>(cs: &mut C, value: u64) {
        let value = cs.hint(&[], |_| Fr::from(value));
        is_zero(cs, &value);
    }
    for value in [0, 5] {
        let (shape, values) = measured(|cs| circuit(cs, value), |cs| circuit(cs, value));
        assert_eq!(chosen(&shape, &values), [0]);
        // Without the row that forces the output to zero where the value is not, it is chosen as well.
        let without = chosen_without(&shape, &values, Some(shape.constraints() - 1));
        assert!(value == 0 || without.len() == 2);
    }
}

#[test]
fn a_range_by_what_its_bits_leave_is_no_choice() {
    // value − 2·b1 − 4·b2 is a bit.
    fn circuit<C: Cs>(cs: &mut C, weight: u64) {
        let value = cs.hint(&[], |_| Fr::from(6u64));
        let bits = Bit::hint_many(cs, 2, &[&value], |_| vec![true, true]);
        let mut rest = value.minus(&bits[0].num().times(Fr::from(weight)));
        rest.add_scaled(bits[1].num(), -Fr::from(6 - weight));
        Bit::enforced(cs, rest);
    }
    for (weight, expected) in [(2, 1), (5, 3)] {
        let (shape, values) = measured(|cs| circuit(cs, weight), |cs| circuit(cs, weight));
        assert_eq!(chosen(&shape, &values).len(), expected);
    }
}

#[test]
fn a_decomposition_modulo_r_is_free() {
    // 254 bits without a comparison: bits of the value or of the value plus r.
    fn circuit<C: Cs>(cs: &mut C) {
        let value = cs.hint(&[], |_| Fr::from(5u64));
        let bits =
            Bit::hint_many(cs, 254, &[&value], |v| (0..254).map(|i| v[0].into_bigint().get_bit(i)).collect());
        cs.equal(&pack(&bits), &value);
    }
    let (shape, values) = measured(circuit, circuit);
    assert!(chosen(&shape, &values).len() > 1);
}
