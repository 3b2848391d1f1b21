//! One statement and its values, for several provers in turn.

use std::hint::black_box;

use ark_ff::{One as _, PrimeField as _, Zero as _};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sigveil_circuits::groth16::{ProvingKey, prove_on, prove_values};
use sigveil_circuits::prover::lanes::Path;
use sigveil_circuits::prover::{Matrices, stages};
use sigveil_circuits::r1cs::{Assignment, Shape};

use super::arkworks;
use super::values::Values;
use crate::machine::{Spent, spent};
use crate::rival::{Name, Shares};
use crate::row::{Row, Unit};

/// How much of a statement is measured.
#[derive(Clone, Copy)]
pub(super) struct Depth<'a> {
    /// Proofs by each prover.
    pub(super) proofs: usize,
    /// Whether stages, and two proofs at once, are measured too.
    pub(super) stages: bool,
    /// Who else proves.
    pub(super) rivals: &'a [Name],
}

/// What is proven by several provers in turn.
pub(super) struct Subject<'a> {
    pub(super) shape: &'a Shape,
    pub(super) key: &'a ProvingKey,
    pub(super) matrices: &'a Matrices,
    pub(super) values: &'a Assignment,
}

/// A prover's name and what it took.
struct Side<'a> {
    name: String,
    /// Most proofs that it is asked for.
    most: usize,
    prove: Box<dyn FnMut() -> anyhow::Result<Spent> + 'a>,
    /// Which side, among all, does the same work: what it is compared with.
    beside: usize,
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Subject<'_> {
    /// What the values are: how many of them cost a prover little.
    pub(super) fn shares(&self) -> Shares {
        let values = self.values.full();
        let bits = values.iter().filter(|value| value.is_zero() || value.is_one()).count();
        let small = values.iter().filter(|value| value.into_bigint() < (1u64 << 32).into()).count() - bits;
        let share = |count: usize| count as f64 / values.len() as f64;
        Shares { bits: share(bits), small: share(small), wide: share(values.len() - bits - small) }
    }

    /// Rows of proving time for every prover, and of each stage; ratios, from interleaved pairs, to our prover, which like
    /// theirs starts from finished values or, beside those that compute them within the call, computes them as well.
    pub(super) fn proofs(&self, name: &str, depth: Depth<'_>, compute: &Values) -> anyhow::Result<Vec<Row>> {
        let theirs = arkworks::Prover::new(self.shape, self.values, super::TRAPDOOR)?;
        let same = theirs.agrees(self.key, self.matrices, self.values)?;
        let mut rows =
            vec![Row::exact(&format!("{name}.ark"), "same_keys", Unit::One, f64::from(u8::from(same)))];
        let mut sides = self.ours(name);
        sides.push(Side::new(format!("{name}.ark"), depth.proofs, || theirs.prove().map(drop)));
        let with_witness = sides.len();
        if depth.rivals.iter().any(|rival| rival.solves()) {
            sides.push(self.side_with_witness(format!("{name}.with_witness"), compute));
        }
        for rival in depth.rivals {
            let mut ready = rival.start(self.matrices.constraints(), &self.shares())?;
            rows.extend(ready.facts.rows(rival.row()));
            let proofs = rival.patience().min(depth.proofs);
            let side = Side::apart(rival.row().to_owned(), proofs, move || ready.prove());
            sides.push(Side { beside: if rival.solves() { with_witness } else { 0 }, ..side });
        }
        rows.extend(in_turn(&mut sides, depth.proofs)?);
        drop(sides);
        if depth.stages {
            rows.extend(self.two_at_once(name, depth.proofs)?);
            rows.extend(self.all_stages(name, depth.proofs));
            rows.extend(theirs.stages(&format!("{name}.ark"), depth.proofs)?);
        }
        Ok(rows)
    }

    /// As [`Subject::proofs`], by our own paths only.
    pub(super) fn own_proofs(&self, name: &str, proofs: usize) -> anyhow::Result<Vec<Row>> {
        let mut rows = in_turn(&mut self.ours(name), proofs)?;
        rows.extend(self.all_stages(name, proofs));
        Ok(rows)
    }

    fn ours(&self, name: &str) -> Vec<Side<'_>> {
        let mut sides = vec![self.side(name.to_owned(), Path::detect())];
        if Path::detect() != Path::Portable {
            sides.push(self.side(format!("{name}.portable"), Path::Portable));
        }
        sides
    }

    /// Two proofs at once beside one: what they take together, and of the CPU as a multiple of two alone.
    fn two_at_once(&self, name: &str, times: usize) -> anyhow::Result<Vec<Row>> {
        let (key, matrices, values) = (self.key, self.matrices, &self.values.full());
        let prove = |seed: u64| {
            prove_values(key, matrices, values, &mut ChaCha20Rng::seed_from_u64(seed)).map(black_box)
        };
        let (mut wall, mut cpu, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
        for seed in 0..times as u64 {
            let (alone, proof) = spent(|| prove(seed));
            proof?;
            let (both, proofs) = spent(|| {
                std::thread::scope(|scope| {
                    let other = scope.spawn(|| prove(seed + 1));
                    [prove(seed), other.join().expect("a prover does not panic")]
                })
            });
            for proof in proofs {
                proof?;
            }
            wall.push(both.wall);
            cpu.push(both.cpu);
            ratio.push(both.cpu / (2.0 * alone.cpu));
        }
        let two = format!("{name}.two");
        Ok(vec![
            Row::over(&two, "prove_wall", Unit::Seconds, &wall),
            Row::over(&two, "prove_cpu", Unit::Seconds, &cpu),
            Row::over(&format!("{two}/2 {name}"), "prove_cpu", Unit::One, &ratio),
        ])
    }

    fn all_stages(&self, name: &str, times: usize) -> Vec<Row> {
        let suffix = |path: Path| if path == Path::detect() { "" } else { ".portable" };
        Path::all().flat_map(|path| self.stages(&format!("{name}{}", suffix(path)), path, times)).collect()
    }

    fn side(&self, name: String, path: Path) -> Side<'_> {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        Side::new(name, usize::MAX, move || {
            black_box(prove_on(path, self.key, self.matrices, self.values, &mut rng)?);
            Ok(())
        })
    }

    /// The same, with all values computed anew before each proof.
    fn side_with_witness<'a>(&'a self, name: String, compute: &'a Values) -> Side<'a> {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        Side::new(name, usize::MAX, move || {
            black_box(prove_on(Path::detect(), self.key, self.matrices, &compute(), &mut rng)?);
            Ok(())
        })
    }

    fn stages(&self, name: &str, path: Path, times: usize) -> Vec<Row> {
        let full = self.values.full();
        let mut spent_in = Samples::default();
        for _ in 0..times {
            stages(path, self.key, self.matrices, &full, &mut |stage, run| spent_in.add(stage, run));
        }
        spent_in.rows(name)
    }
}

impl<'a> Side<'a> {
    fn new(name: String, most: usize, mut prove: impl FnMut() -> anyhow::Result<()> + 'a) -> Self {
        Self::apart(name, most, move || {
            let (spent, made) = spent(&mut prove);
            made.map(|()| spent)
        })
    }

    /// One that says itself what it took, being a process of its own.
    fn apart(name: String, most: usize, prove: impl FnMut() -> anyhow::Result<Spent> + 'a) -> Self {
        Self { name, most, prove: Box::new(prove), beside: 0, wall: Vec::new(), cpu: Vec::new() }
    }
}

/// Has each side prove in turn, forwards and backwards. Ratios are to the side that each is compared with, from the same turns.
fn in_turn(sides: &mut [Side<'_>], proofs: usize) -> anyhow::Result<Vec<Row>> {
    for turn in 0..proofs {
        for place in 0..sides.len() {
            let place = if turn % 2 == 0 { place } else { sides.len() - 1 - place };
            let Some(side) = sides.get_mut(place).filter(|side| turn < side.most) else { continue };
            let spent = (side.prove)()?;
            side.wall.push(spent.wall);
            side.cpu.push(spent.cpu);
        }
    }
    let mut rows = Vec::new();
    for side in &*sides {
        rows.push(Row::over(&side.name, "prove_wall", Unit::Seconds, &side.wall));
        rows.push(Row::over(&side.name, "prove_cpu", Unit::Seconds, &side.cpu));
    }
    for other in &sides[1..] {
        let ours = &sides[other.beside];
        let pair = format!("{}/{}", other.name, ours.name);
        let ratios: Vec<f64> = other.cpu.iter().zip(&ours.cpu).map(|(other, ours)| other / ours).collect();
        rows.push(Row::over(&pair, "prove_cpu", Unit::One, &ratios));
    }
    Ok(rows)
}

/// CPU seconds by stage.
#[derive(Default)]
pub(super) struct Samples(Vec<(&'static str, Vec<f64>)>);

impl Samples {
    pub(super) fn add(&mut self, stage: &'static str, run: &mut dyn FnMut()) {
        let (spent, ()) = spent(run);
        match self.0.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, samples)) => samples.push(spent.cpu),
            None => self.0.push((stage, vec![spent.cpu])),
        }
    }

    pub(super) fn rows(&self, name: &str) -> Vec<Row> {
        self.0.iter().map(|(stage, samples)| Row::over(name, stage, Unit::Seconds, samples)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_to_the_side_that_does_the_same_work_in_the_same_turn() {
        let side = |name: &str, most, beside, cpu: [f64; 2]| {
            let mut turns = cpu.into_iter();
            let side = Side::apart(name.to_owned(), most, move || {
                let cpu = turns.next().unwrap();
                Ok(Spent { wall: cpu, cpu })
            });
            Side { beside, ..side }
        };
        let mut sides = [
            side("ours", 2, 0, [1.0, 2.0]),
            side("ours.with_witness", 2, 0, [2.0, 3.0]),
            side("solves", 2, 1, [4.0, 9.0]),
            // Asked once only: its second turn has no pair.
            side("solved", 1, 0, [5.0, 0.0]),
        ];
        let rows = in_turn(&mut sides, 2).unwrap();
        let ratio = |pair: &str| {
            let row = rows.iter().find(|row| row.name == pair).unwrap();
            (row.n, row.low, row.high)
        };
        assert_eq!(ratio("solves/ours.with_witness"), (2, 2.0, 3.0));
        assert_eq!(ratio("solved/ours"), (1, 5.0, 5.0));
        assert!(!rows.iter().any(|row| row.name == "solves/ours"));
    }
}
