//! The fuzz targets without a fuzzer: what they are given is drawn by a seed and a number.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use sigveil_vrf_identity::identity::Kind;

use super::generate::{Case, fragment, pick};
use super::{compare_drawn, compare_payload};
use crate::testing::Issuer;
use crate::token::{Binding, SizeClass, Usage};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// [`compare_payload`], on drawn payloads with bytes altered.
    Payload,
    /// [`compare_drawn`], on any numbers.
    Drawn,
}

/// How far a random run has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random {
    /// What is compared.
    pub target: Target,
    /// What the inputs are drawn by.
    pub seed: u64,
    /// Number of the next input.
    pub next: u64,
    /// Inputs that were well-formed, so that there was something to compare.
    pub compared: u64,
    /// Of these, accepted by both.
    pub accepted: u64,
}

/// What a run of libFuzzer came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fuzzed {
    /// What is compared.
    pub target: Target,
    /// By which tool.
    pub fuzzer: String,
    /// For how long.
    pub seconds: u64,
    /// Inputs given to the target.
    pub inputs: u64,
    /// Inputs on which native check and circuit differ, or that it cannot bear.
    pub findings: u64,
}

impl Fuzzed {
    /// What libFuzzer's messages say of a run; `None` where it did not end by itself.
    #[must_use]
    pub fn of_messages(target: Target, fuzzer: &str, messages: &str) -> Option<Self> {
        let line = messages.lines().find_map(|line| line.strip_prefix("Done "))?;
        let (inputs, seconds) = line.strip_suffix(" second(s)")?.split_once(" runs in ")?;
        let findings = messages.lines().filter(|line| line.contains("Test unit written to")).count() as u64;
        let fuzzer = fuzzer.to_owned();
        Some(Self { target, fuzzer, seconds: seconds.parse().ok()?, inputs: inputs.parse().ok()?, findings })
    }
}

impl Random {
    /// Nothing compared yet.
    #[must_use]
    pub fn new(target: Target, seed: u64) -> Self {
        Self { target, seed, next: 0, compared: 0, accepted: 0 }
    }

    /// Draws and compares so many more.
    ///
    /// # Panics
    /// If native check and circuit differ.
    pub fn go_on(&mut self, issuer: &Issuer, inputs: u64) {
        for _ in 0..inputs {
            let verdict = match self.target {
                Target::Payload => compare_payload(&payload(self.seed, self.next)),
                Target::Drawn => {
                    let number = generator(self.seed, self.next).next_u64();
                    Some(compare_drawn(issuer, SizeClass::B768, self.seed, number))
                }
            };
            self.compared += u64::from(verdict.is_some());
            self.accepted += u64::from(verdict == Some(true));
            self.next += 1;
        }
    }
}

fn generator(seed: u64, number: u64) -> ChaCha20Rng {
    let mut rng = ChaCha20Rng::seed_from_u64(!seed);
    rng.set_stream(number);
    rng
}

/// What is expected, mostly what a drawn payload is for, and that payload with up to three changes.
fn payload(seed: u64, number: u64) -> Vec<u8> {
    let rng = &mut generator(seed, number);
    let case = Case::drawn(SizeClass::B768, seed, number);
    let kind = Kind::ALL.iter().position(|kind| *kind == case.kind).unwrap_or_default();
    let way = match case.binding {
        Binding::Unbound => 0,
        Binding::Nonce { .. } => 1,
        Binding::Audience { .. } => 2,
    };
    // Of the ways, 4 and 5 are those of 1 and 2 for an evaluation.
    let way = if case.usage == Usage::Evaluation { way + 3 } else { way };
    let mut data = vec![kind as u8, way, 0];
    if pick(rng, 8) == 0 {
        let i = pick(rng, 3);
        data[i] = rng.next_u32() as u8;
    }
    data.extend_from_slice(case.payload.as_bytes());
    for _ in 0..pick(rng, 4) {
        change(&mut data, rng);
    }
    data
}

fn change(data: &mut Vec<u8>, rng: &mut ChaCha20Rng) {
    /// What decides where claims begin and end.
    const SIGNS: &[u8] = b"\"\\{}[],: \n019aeit@.-\x00\x7f";
    let at = 3 + pick(rng, data.len() - 3);
    let end = data.len().min(at + 1 + pick(rng, 40));
    match pick(rng, 6) {
        0 => data[at] ^= 1 << pick(rng, 8),
        1 => data[at] = SIGNS[pick(rng, SIGNS.len())],
        2 => data.insert(at, SIGNS[pick(rng, SIGNS.len())]),
        3 if data.len() - (end - at) > 3 => drop(data.drain(at..end)),
        4 => {
            let again = data[at..end].to_vec();
            data.splice(at..at, again);
        }
        _ => drop(data.splice(at..at, fragment(rng).bytes())),
    }
}
