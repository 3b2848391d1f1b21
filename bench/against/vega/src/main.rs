//! Proves, with Vega's single-circuit zero-knowledge prover, that a message of a given length has a public SHA-256
//! digest.
//!
//! After set-up it prints one JSON line of facts; then, for each line read from standard input, it proves a fresh
//! message once (synthesis and committing to it included) and prints one JSON line of what that took. It ends when standard
//! input does.

use std::io::BufRead;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use bellpepper::gadgets::sha256::sha256;
use bellpepper_core::boolean::{AllocatedBit, Boolean};
use bellpepper_core::num::AllocatedNum;
use bellpepper_core::{ConstraintSystem, SynthesisError};
use ff::Field;
use serde_json::json;
use sha2::{Digest, Sha256};
use vega_prover::provider::T256HyraxEngine;
use vega_prover::traits::Engine;
use vega_prover::traits::circuit::VegaCircuit;
use vega_prover::traits::snark::R1CSSNARKTrait;
use vega_prover::vega_sc_zkp::VegaZkSNARK;

/// How often a proof is verified for the facts, after a first time.
const VERIFICATIONS: usize = 20;

type E = T256HyraxEngine;
type Scalar = <E as Engine>::Scalar;
type Numbers = Result<Vec<AllocatedNum<Scalar>>, SynthesisError>;
type Failure = Box<dyn std::error::Error>;

#[derive(Clone)]
struct Preimage(Vec<u8>);

fn bits(bytes: &[u8]) -> impl Iterator<Item = bool> + '_ {
    bytes.iter().flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1 == 1))
}

fn scalar(bit: bool) -> Scalar {
    if bit { Scalar::ONE } else { Scalar::ZERO }
}

impl VegaCircuit<E> for Preimage {
    fn public_values(&self) -> Result<Vec<Scalar>, SynthesisError> {
        Ok(bits(&Sha256::digest(&self.0)).map(scalar).collect())
    }

    fn shared<CS: ConstraintSystem<Scalar>>(&self, _: &mut CS) -> Numbers {
        Ok(Vec::new())
    }

    fn precommitted<CS: ConstraintSystem<Scalar>>(&self, cs: &mut CS, _: &[AllocatedNum<Scalar>]) -> Numbers {
        let message = bits(&self.0)
            .enumerate()
            .map(|(i, bit)| Ok(AllocatedBit::alloc(cs.namespace(|| format!("message {i}")), Some(bit))?.into()))
            .collect::<Result<Vec<Boolean>, SynthesisError>>()?;
        let digest = sha256(cs.namespace(|| "sha256"), &message)?;
        let number = |(i, bit): (usize, &Boolean)| {
            let number = AllocatedNum::alloc(cs.namespace(|| format!("digest {i}")), || {
                bit.get_value().map(scalar).ok_or(SynthesisError::AssignmentMissing)
            })?;
            cs.enforce(
                || format!("digest bit {i}"),
                |_| bit.lc(CS::one(), Scalar::ONE),
                |lc| lc + CS::one(),
                |lc| lc + number.get_variable(),
            );
            Ok(number)
        };
        digest.iter().enumerate().map(number).collect()
    }

    fn num_challenges(&self) -> usize {
        0
    }

    fn synthesize<CS: ConstraintSystem<Scalar>>(
        &self,
        cs: &mut CS,
        _: &[AllocatedNum<Scalar>],
        digest: &[AllocatedNum<Scalar>],
        _: Option<&[Scalar]>,
    ) -> Result<(), SynthesisError> {
        let mut made_public = digest.iter().enumerate();
        made_public.try_for_each(|(i, bit)| bit.inputize(cs.namespace(|| format!("public {i}"))))
    }
}

/// Wall-clock and CPU seconds of `work`.
fn measure<T>(work: impl FnOnce() -> T) -> (serde_json::Value, T) {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let out = work();
    (json!({"wall": start.elapsed().as_secs_f64(), "cpu": cpu_seconds() - cpu}), out)
}

fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// One for each line of standard input; with its end this process ends, whatever it does.
fn requests() -> Receiver<()> {
    let (asked, requests) = channel();
    std::thread::spawn(move || {
        for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
            if asked.send(()).is_err() {
                return;
            }
        }
        std::process::exit(0);
    });
    requests
}

fn main() -> Result<(), Failure> {
    let requests = requests();
    let length: usize = std::env::args().nth(1).ok_or("usage: vega-rival BYTES")?.parse()?;
    let message = |seed: u8| Preimage((0..length).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect());
    let (setup, keys) = measure(|| VegaZkSNARK::<E>::setup(message(0)));
    let (proving, verifying) = keys?;
    let prove = |seed: u8| -> Result<VegaZkSNARK<E>, Failure> {
        let circuit = message(seed);
        let prepared = VegaZkSNARK::<E>::prep_prove(&proving, circuit.clone(), true)?;
        Ok(VegaZkSNARK::<E>::prove(&proving, circuit, prepared, true)?.0)
    };
    let proof = prove(1)?;
    proof.verify(&verifying)?;
    let verified = (0..VERIFICATIONS)
        .map(|_| {
            let (took, outcome) = measure(|| proof.verify(&verifying));
            outcome?;
            Ok(took["wall"].clone())
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let proof_bytes = bincode::serialize(&proof)?.len();
    println!("{}", json!({"setup": setup, "verify": verified, "proof_bytes": proof_bytes}));
    for (seed, ()) in requests.iter().enumerate() {
        let (took, proof) = measure(|| prove(seed as u8));
        proof?.verify(&verifying)?;
        println!("{took}");
    }
    Ok(())
}
