//! `.r1cs` version 1 and `.wtns` version 2.

use std::io::{self, BufRead, BufReader, Read, Seek, Write};

use ark_ff::{BigInt, PrimeField, Zero};

use super::Error;
use crate::Fr;
use crate::binfile::{self, Container, field_bytes, modulus, read_u32, read_u64};
use crate::r1cs::{Assignment, Lc, Shape, Var};

const FIELD: u32 = 32;
const HEADER: u32 = 1;
const ROWS: u32 = 2;
const LABELS: u32 = 3;
/// Bytes of a term: its wire and its coefficient.
const TERM: u64 = 4 + FIELD as u64;

/// Writes the rows of a circuit as an `.r1cs` file.
///
/// # Errors
/// What the writer says.
pub fn write_r1cs(shape: &Shape, out: &mut impl Write) -> io::Result<()> {
    let wires = 1 + shape.publics() + shape.witnesses();
    binfile::begin(out, b"r1cs", 1, 3)?;
    binfile::section(out, HEADER, u64::from(4 + FIELD + 4 * 4 + 8 + 4))?;
    out.write_all(&FIELD.to_le_bytes())?;
    out.write_all(&modulus::<Fr>())?;
    // Wires; public outputs, public inputs, private inputs; labels; rows.
    for number in [wires, 0, shape.publics(), 0] {
        out.write_all(&(number as u32).to_le_bytes())?;
    }
    out.write_all(&(wires as u64).to_le_bytes())?;
    out.write_all(&(shape.constraints() as u32).to_le_bytes())?;
    let terms: u64 = shape.rows().iter().flatten().map(|form| form.terms().len() as u64).sum();
    binfile::section(out, ROWS, 3 * 4 * shape.constraints() as u64 + TERM * terms)?;
    for form in shape.rows().iter().flatten() {
        out.write_all(&(form.terms().len() as u32).to_le_bytes())?;
        for (var, coefficient) in form.terms() {
            out.write_all(&(shape.column(*var) as u32).to_le_bytes())?;
            out.write_all(&field_bytes(coefficient))?;
        }
    }
    // Signals have no names of their own here: label n is wire n.
    binfile::section(out, LABELS, 8 * wires as u64)?;
    (0..wires as u64).try_for_each(|label| out.write_all(&label.to_le_bytes()))
}

/// Writes the values of a circuit as a `.wtns` file: a secret.
///
/// # Errors
/// What the writer says.
pub fn write_witness(values: &Assignment, out: &mut impl Write) -> io::Result<()> {
    let values = zeroize::Zeroizing::new(values.full());
    binfile::begin(out, b"wtns", 2, 2)?;
    binfile::section(out, 1, u64::from(4 + FIELD + 4))?;
    out.write_all(&FIELD.to_le_bytes())?;
    out.write_all(&modulus::<Fr>())?;
    out.write_all(&(values.len() as u32).to_le_bytes())?;
    binfile::section(out, 2, u64::from(FIELD) * values.len() as u64)?;
    values.iter().try_for_each(|value| out.write_all(&zeroize::Zeroizing::new(field_bytes(value))))
}

struct Header {
    publics: u32,
    wires: u32,
    rows: u32,
}

/// Reads the rows of a circuit. Families are not in the file: all rows are of the family `r1cs`.
///
/// # Errors
/// [`Error::R1cs`] for a file that is truncated, of another field, with sections of custom gates, or whose rows name
/// wires that do not exist, one twice in a form, a coefficient of zero or one not below the modulus.
pub fn read_r1cs(file: impl Read + Seek) -> Result<Shape, Error> {
    let mut file = Container::open(file, b"r1cs", 1)?;
    if file.numbers().any(|number| ![HEADER, ROWS, LABELS].contains(&number)) {
        return Err(Error::R1cs("a section of another kind than header, rows and labels"));
    }
    let header = header(&mut file)?;
    let length = file.length(ROWS)?;
    let mut rows = Vec::with_capacity((header.rows as usize).min((length / 12) as usize));
    // Larger reads than the container's own: rows are made of small numbers.
    let mut from = BufReader::with_capacity(1 << 16, file.head(ROWS, length)?);
    for _ in 0..header.rows {
        rows.push([form(&mut from, &header)?, form(&mut from, &header)?, form(&mut from, &header)?]);
    }
    if !from.fill_buf()?.is_empty() {
        return Err(Error::R1cs("trailing bytes"));
    }
    Ok(Shape::from_rows(header.publics, header.wires - 1 - header.publics, rows, "r1cs"))
}

fn header<R: Read + Seek>(file: &mut Container<R>) -> Result<Header, Error> {
    let bytes = file.whole(HEADER, 1 << 10)?;
    let mut rest = &bytes[..];
    let mut field = [0; FIELD as usize];
    let width = read_u32(&mut rest)?;
    if width == FIELD {
        rest.read_exact(&mut field)?;
    }
    if width != FIELD || field[..] != modulus::<Fr>() {
        return Err(Error::R1cs("of another field"));
    }
    let wires = read_u32(&mut rest)?;
    let [outputs, inputs, private] = [read_u32(&mut rest)?, read_u32(&mut rest)?, read_u32(&mut rest)?];
    let _labels = read_u64(&mut rest)?;
    let rows = read_u32(&mut rest)?;
    if !rest.is_empty() {
        return Err(Error::R1cs("trailing bytes"));
    }
    let publics = outputs.checked_add(inputs).filter(|publics| {
        publics
            .checked_add(private)
            .and_then(|named| named.checked_add(1))
            .is_some_and(|named| named <= wires)
    });
    let publics = publics.ok_or(Error::R1cs("fewer wires than inputs"))?;
    // What is claimed must be there: so no memory is asked for that the file does not fill.
    if file.length(LABELS)? != 8 * u64::from(wires) || file.length(ROWS)? < 12 * u64::from(rows) {
        return Err(Error::R1cs("truncated"));
    }
    Ok(Header { publics, wires, rows })
}

fn form(from: &mut impl Read, header: &Header) -> Result<Lc, Error> {
    let count = read_u32(from)?;
    if count > header.wires {
        return Err(Error::R1cs("a form with more terms than there are wires"));
    }
    let mut terms = Vec::new();
    for _ in 0..count {
        let wire = read_u32(from)?;
        if wire >= header.wires {
            return Err(Error::R1cs("a wire that does not exist"));
        }
        let coefficient = coefficient(from)?;
        if coefficient.is_zero() {
            return Err(Error::R1cs("a coefficient of zero"));
        }
        terms.push((var(wire, header.publics), coefficient));
    }
    terms.sort_by_key(|(var, _)| *var);
    Lc::from_terms(terms).ok_or(Error::R1cs("a wire twice in one form"))
}

fn var(wire: u32, publics: u32) -> Var {
    match wire.checked_sub(1) {
        None => Var::One,
        Some(input) if input < publics => Var::Public(input),
        Some(other) => Var::Witness(other - publics),
    }
}

fn coefficient(from: &mut impl Read) -> Result<Fr, Error> {
    let limbs = [read_u64(from)?, read_u64(from)?, read_u64(from)?, read_u64(from)?];
    Fr::from_bigint(BigInt(limbs)).ok_or(Error::R1cs("a coefficient that is not below the modulus"))
}
