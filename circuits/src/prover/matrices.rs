//! The matrices of a circuit as the prover reads them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::Fr;
use crate::groth16::Error;
use crate::r1cs::{Matrix, Shape};

/// Rows evaluated by one task.
const CHUNK: usize = 1 << 10;
/// Places of the two coefficients that cost no product.
const ONE: u32 = 0;
const MINUS_ONE: u32 = 1;

/// The matrices A, B and C of a rank-1 constraint system: A·z ∘ B·z = C·z, where z is one, then the public inputs, then
/// the witness.
pub struct Matrices {
    rows: [Sparse; 3],
    /// All coefficients, each once.
    coefficients: Vec<Fr>,
    inputs: usize,
    variables: usize,
}

/// Rows of terms, one after another.
#[derive(Default)]
struct Sparse {
    /// Where each row ends.
    ends: Vec<u32>,
    terms: Vec<Term>,
}

#[derive(Clone, Copy)]
struct Term {
    column: u32,
    /// Its place among the coefficients.
    coefficient: u32,
}

impl Matrices {
    /// The matrices of `shape`.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        let inputs = shape.publics() + 1;
        let mut matrices = Self::empty(inputs, inputs + shape.witnesses());
        let mut places = HashMap::new();
        for row in shape.rows() {
            for (i, form) in row.iter().enumerate() {
                let terms = form.terms().iter().map(|(var, k)| (*k, shape.column(*var)));
                matrices.push(i, terms, &mut places);
            }
        }
        matrices
    }

    /// Matrices from rows of (coefficient, column), such as arkworks' `ConstraintSystem::to_matrices` gives.
    /// `inputs` counts the public inputs and the constant one, `variables` all columns.
    ///
    /// # Errors
    /// [`Error::UnsupportedCircuit`] if the matrices have not equally many rows, a column is none of the variables, or
    /// there are more rows, columns or terms than a key can have.
    pub fn from_rows(inputs: usize, variables: usize, rows: [&Matrix; 3]) -> Result<Self, Error> {
        let columns = rows.iter().flat_map(|matrix| matrix.iter().flatten()).map(|(_, column)| *column);
        let terms = |matrix: &Matrix| matrix.iter().map(Vec::len).sum::<usize>();
        let fits = rows
            .iter()
            .all(|matrix| matrix.len() == rows[0].len() && matrix.len() < 1 << 31 && terms(matrix) < 1 << 32);
        if !fits || inputs == 0 || inputs > variables || variables > 1 << 31 {
            return Err(Error::UnsupportedCircuit);
        }
        if columns.max().is_some_and(|column| column >= variables) {
            return Err(Error::UnsupportedCircuit);
        }
        let mut matrices = Self::empty(inputs, variables);
        let mut places = HashMap::new();
        for (i, matrix) in rows.into_iter().enumerate() {
            for row in matrix {
                matrices.push(i, row.iter().copied(), &mut places);
            }
        }
        Ok(matrices)
    }

    fn empty(inputs: usize, variables: usize) -> Self {
        Self { rows: Default::default(), coefficients: vec![Fr::ONE, -Fr::ONE], inputs, variables }
    }

    fn push(
        &mut self,
        matrix: usize,
        terms: impl Iterator<Item = (Fr, usize)>,
        places: &mut HashMap<Fr, u32>,
    ) {
        let minus_one = self.coefficients[MINUS_ONE as usize];
        let sparse = &mut self.rows[matrix];
        for (k, column) in terms {
            let coefficient = match k {
                k if k == Fr::ONE => ONE,
                k if k == minus_one => MINUS_ONE,
                k => match places.entry(k) {
                    Entry::Occupied(place) => *place.get(),
                    Entry::Vacant(place) => {
                        self.coefficients.push(k);
                        *place.insert(self.coefficients.len() as u32 - 1)
                    }
                },
            };
            sparse.terms.push(Term { column: column as u32, coefficient });
        }
        sparse.ends.push(sparse.terms.len() as u32);
    }

    /// Number of rows.
    #[must_use]
    pub fn constraints(&self) -> usize {
        self.rows[0].ends.len()
    }

    /// Number of public inputs and the constant one.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of columns: the constant one, public inputs and witness variables.
    #[must_use]
    pub fn variables(&self) -> usize {
        self.variables
    }

    /// Points that a domain needs: one per row, and one per input.
    #[must_use]
    pub fn points(&self) -> usize {
        self.constraints() + self.inputs
    }

    /// The first row that these values do not satisfy.
    ///
    /// # Panics
    /// If there are fewer values than variables.
    #[must_use]
    pub fn violation(&self, values: &[Fr]) -> Option<usize> {
        let [a, b, c] = [0, 1, 2].map(|m| move |row| self.row(m, row, values));
        (0..self.constraints())
            .into_par_iter()
            .with_min_len(CHUNK)
            .position_first(|row| a(row) * b(row) != c(row))
    }

    /// A·z and B·z on the domain's points: first the rows; then the inputs, which A has a point for each of, so that
    /// the columns of the inputs are linearly independent; then zeros.
    pub(super) fn evaluate(&self, size: usize, values: &[Fr]) -> [Zeroizing<Vec<Fr>>; 2] {
        let rows = self.constraints();
        let [mut a, b] = [0, 1].map(|matrix| {
            let mut out = Zeroizing::new(vec![Fr::ZERO; size]);
            out[..rows].par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
                let first = chunk * CHUNK;
                out.iter_mut().enumerate().for_each(|(i, out)| *out = self.row(matrix, first + i, values));
            });
            out
        });
        a[rows..rows + self.inputs].copy_from_slice(&values[..self.inputs]);
        [a, b]
    }

    /// As [`Matrices::evaluate`], of one matrix.
    pub(crate) fn interpolated(&self, matrix: usize, size: usize, values: &[Fr]) -> Vec<Fr> {
        let rows = self.constraints();
        let mut out: Vec<Fr> =
            (0..rows).into_par_iter().with_min_len(CHUNK).map(|row| self.row(matrix, row, values)).collect();
        out.resize(size, Fr::ZERO);
        if matrix == 0 {
            out[rows..rows + self.inputs].copy_from_slice(&values[..self.inputs]);
        }
        out
    }

    fn row(&self, matrix: usize, row: usize, values: &[Fr]) -> Fr {
        let mut sum = Fr::ZERO;
        for Term { column, coefficient } in self.rows[matrix].row(row) {
            let value = &values[*column as usize];
            match *coefficient {
                ONE => sum += value,
                MINUS_ONE => sum -= value,
                // Most values are bits.
                place if *value == Fr::ONE => sum += self.coefficients[place as usize],
                _ if *value == Fr::ZERO => {}
                place => sum += self.coefficients[place as usize] * value,
            }
        }
        sum
    }

    /// Σ_i weights_i · M_ij for every column j: the polynomials of the variables at a point, when the weights are the
    /// Lagrange polynomials there.
    pub(crate) fn columns(&self, matrix: usize, weights: &[Fr]) -> Zeroizing<Vec<Fr>> {
        let mut out = Zeroizing::new(vec![Fr::ZERO; self.variables]);
        for (row, weight) in weights.iter().take(self.constraints()).enumerate() {
            for Term { column, coefficient } in self.rows[matrix].row(row) {
                let out = &mut out[*column as usize];
                match *coefficient {
                    ONE => *out += weight,
                    MINUS_ONE => *out -= weight,
                    place => *out += self.coefficients[place as usize] * weight,
                }
            }
        }
        out
    }
}

impl Sparse {
    fn row(&self, row: usize) -> &[Term] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.terms[start as usize..self.ends[row] as usize]
    }
}
