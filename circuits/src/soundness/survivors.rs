//! Rows that may be missing without harm, or whose lack nobody is known to make use of: each with its reason.
//!
//! A reason that speaks of the tokens examined says that the row is read by others only.
//!
//! A row that survives and is not listed makes the examination fail; how many rows were examined is in
//! `docs/soundness.md`.

use std::ops::RangeInclusive;

use crate::r1cs::Shape;

/// Why the mutants of some rows survive.
struct Survivors {
    /// What the statement's name begins with.
    statement: &'static str,
    family: &'static str,
    /// Of the family's rows those with so many variables.
    variables: RangeInclusive<usize>,
    why: &'static str,
}

/// All rows of a family.
const ANY: RangeInclusive<usize> = 0..=usize::MAX;

const FREED_VALUE: &str = "frees one value of one identity's polynomial: it enters every carry with a weight as large as \
                           the field, so who would use it has to find a quotient with which all carries keep their \
                           ranges; the examination makes no such search. That the whole family is needed is shown in \
                           the gadget's tests";

/// All of them. A survivor that does not stand here makes the examination fail.
const LIST: [Survivors; 21] = [
    Survivors {
        statement: "nym",
        family: "point-on-curve",
        variables: 1..=3,
        why: "off the curve the circuit's sums are no group law, and no Z or Γ there is known that meets the \
              Chaum–Pedersen proof and β·Γ = Z; the rows are kept because the argument that 8·Γ is unique is made on \
              the curve (module `nym`), and that they refuse what is off it is tested with the gadget",
    },
    Survivors {
        statement: "nym",
        family: "map-to-curve",
        variables: 1..=4,
        why: "without it H, and with it B, may be off the curve: as for `point-on-curve`",
    },
    Survivors {
        statement: "nym",
        family: "poseidon",
        variables: 14..=69,
        why: "frees one S-box in a partial round of a digest that something else has to equal, such as the challenge: who \
              would use it has to find a root of a polynomial of degree five to the number of rounds left, and the \
              examination makes no such search; it is missed where the digest may be any",
    },
    Survivors {
        statement: "query",
        family: "map-to-curve",
        variables: 1..=4,
        why: "without it H, and with it B, may be off the curve: there every verifier refuses the public B",
    },
    Survivors {
        statement: "",
        family: "canonical-bits",
        variables: 1..=4,
        why: "decides only about numbers that have all higher bits of r − 1: a hash, or a root of one's cubic, would \
              have to be so small that it plus r is such a number; the comparison's first rows are caught",
    },
    Survivors {
        statement: "token",
        family: "message.length",
        variables: 1..=2,
        why: "read where a message ends: a flag before that may only fall, whereupon all bytes behind it are zero, and \
              the tokens examined go on",
    },
    Survivors {
        statement: "token",
        family: "message.tail-zero",
        variables: 1..=9,
        why: "read behind a message's end: here stands a byte of each token examined",
    },
    Survivors {
        statement: "token",
        family: "claims.once",
        variables: 1..=1,
        why: "that `nbf` is there is a bit by the count of its digits too, and that `nonce` is, where a token is bound \
              by it; it is missed by an unbound token with both",
    },
    Survivors {
        statement: "token",
        family: "claims.kind",
        variables: 1..=1,
        why: "the flags of `email` and of `sub`: since the flags add up to one, one that is no bit leaves several set, and the \
              codes of their keys then add up to the code of no claim, so the identity's is nowhere (shown in this \
              module's tests); of the other flags each is caught",
    },
    Survivors {
        statement: "token",
        family: "claims.kind",
        variables: 6..=6,
        why: "that the kinds set are one: of several the codes of their keys would add up to one whose flag is no bit, which \
              no key in the text has, and of none the kind is 0, which no verifier states",
    },
    Survivors {
        statement: "token",
        family: "claims.identity",
        variables: 5..=5,
        why: "lets the identity's encoding end at one place whatever its length says: there the value's closing quote has to \
              stand, or its first `@`, and in the tokens examined it stands elsewhere; missed where it stands there",
    },
    Survivors {
        statement: "token",
        family: "token.header",
        variables: ANY,
        why: "read where a header of another length than those examined ends",
    },
    Survivors {
        statement: "token",
        family: "token.payload",
        variables: 3..=3,
        why: "read where a payload ends: a flag before that may only fall, and then all characters behind it have the value \
              zero, NUL bytes, which no well-formed token has",
    },
    Survivors {
        statement: "token",
        family: "token.payload",
        variables: 2..=2,
        why: "refuses a message that ends with a header of one certain length, without a dot, which is none of the lies \
              told; no issuer signs such a message",
    },
    Survivors {
        statement: "token",
        family: "rsa.identity",
        variables: ANY,
        why: "lets a multiple of the top carry's weight through, fewer than 2^300 residues of 2^2048, of which none is \
              known that leads to the encoded message; for one product it is caught in the gadget's tests",
    },
    Survivors { statement: "token", family: "rsa.square", variables: ANY, why: FREED_VALUE },
    Survivors { statement: "token", family: "rsa.product", variables: ANY, why: FREED_VALUE },
    Survivors { statement: "token", family: "rsa.quotient-product", variables: ANY, why: FREED_VALUE },
    Survivors {
        statement: "token",
        family: "base64.decode",
        variables: 1..=9,
        why: "a character outside of the payloads examined, whose digits nothing reads",
    },
    Survivors {
        statement: "token",
        family: "base64.encode",
        variables: 1..=9,
        why: "makes a character that the issuer's token must hold: caught by a token with another character there, \
              which the gadget's tests stand for",
    },
    Survivors {
        statement: "token",
        family: "claims.binding",
        variables: ANY,
        why: "compares where a token is bound in a way, or for a use, in which those examined are not",
    },
];

/// Why rows of the scan of a text survive, by their place among those of one byte.
const OF_THE_SCAN: [(usize, &str); 2] = [
    (
        2,
        "tells a quote from a backslash: to take one for the other changes the count of quotes before every claim behind, \
         which the lies told do not follow; missed where no claim stands behind",
    ),
    (
        3,
        "whether a byte is in a string follows from the bytes behind too, since strings are closed at the end: missed in a \
         text with an odd number of quotes, which is not well-formed",
    ),
];
/// Rows of the scan for sixteen bytes, the last of which are of no byte, and for one.
pub(super) const SCAN: (usize, usize) = (210, 13);

/// The reason for which the mutant without this row survives.
pub(super) fn explanation(statement: &str, shape: &Shape, row: usize) -> Option<&'static str> {
    let family = shape.families()[row];
    let variables = shape.variables(row);
    let fits = |entry: &&Survivors| {
        statement.starts_with(entry.statement)
            && entry.family == family
            && entry.variables.contains(&variables)
    };
    let listed = LIST.iter().find(fits).map(|entry| entry.why);
    listed
        .or_else(|| of_the_scan(shape, row))
        .or_else(|| of_an_end(shape, row))
        .or_else(|| of_a_number(shape, row))
}

/// That a number begins with a digit: the row `flag = 1`.
fn of_a_number(shape: &Shape, row: usize) -> Option<&'static str> {
    let [flag, one, c] = &shape.rows()[row];
    let is_one = shape.variables(row) == 1 && flag.terms().len() == 2 && one.terms().len() == 1;
    (shape.families()[row] == "claims.time" && is_one && c.terms().is_empty()).then_some(
        "that a time which has to be there has a digit: where it has none, nothing is read that ends it, which is refused \
         as well",
    )
}

/// What is compared where a cut is at one place, of an identity.
fn of_an_end(shape: &Shape, row: usize) -> Option<&'static str> {
    let [cut, compared, c] = &shape.rows()[row];
    let is_of_a_place = cut.terms().len() == 2 && compared.terms().len() > 6 && c.terms().is_empty();
    (shape.families()[row] == "claims.identity" && is_of_a_place).then_some(
        "says what stands where the issuer, or the encoding, is of one certain length: the tokens examined have others, for \
         which such rows are caught",
    )
}

fn of_the_scan(shape: &Shape, row: usize) -> Option<&'static str> {
    let of_scan = |row: &usize| shape.families()[*row] == "json.scan";
    let first = (0..=row).rev().take_while(of_scan).last()?;
    let place = (row - first) % SCAN.0;
    // What is behind the last byte is of no such form.
    let is_of_a_byte = place / SCAN.1 < 16 && shape.variables(row) == 3;
    OF_THE_SCAN.iter().find(|(at, _)| is_of_a_byte && place % SCAN.1 == *at).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use sigveil_vrf_identity::identity::Kind;

    use crate::Fr;
    use crate::gadgets::strings;

    /// One kind's flag is what makes the sum of all flags one, the others are bits: the codes of the claims' keys add up
    /// to that of a claim only where one flag is set, if the kind is `email` or `sub`.
    #[test]
    fn no_several_kinds_add_up_to_a_claim() {
        let codes = Kind::ALL.map(|kind| strings::code(kind.claim()));
        for free in [Kind::Email, Kind::Sub] {
            let free = Kind::ALL.iter().position(|kind| *kind == free).unwrap_or_default();
            for set in (0u32..1 << Kind::ALL.len()).filter(|set| set >> free & 1 == 0) {
                let others = Fr::from(1u64) - Fr::from(set.count_ones());
                let flag = |k: usize| if k == free { others } else { Fr::from(set >> k & 1) };
                let sum: Fr = codes.iter().enumerate().map(|(k, code)| *code * flag(k)).sum();
                assert_eq!(codes.contains(&sum), set.count_ones() <= 1, "{free} {set:b}");
            }
        }
    }
}
