//! Native check and circuit, on the same tokens.
//!
//! Tokens are drawn by a seed and a number: sound ones, and ones with faults, under one issuer's key,
//! which is new in each run and on which no verdict depends. All are well-formed, with sound headers. Of every token all rows
//! but those of digest, key and signature are evaluated; of one in 64, and of all whose signature is wrong, all
//! rows. The two parts share the message and two public inputs, and a signature has no say in what a token says.

mod generate;
mod random;

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sigveil_vrf_identity::identity::Kind;

use crate::Fr;
use crate::r1cs::Memory;
use crate::testing::Issuer;
use crate::token::circuit::{best_effort_again, best_effort_unsigned};
use crate::token::native::check_unsigned;
use crate::token::{self, Binding, BindingSalt, Expectation, Jwt, Modulus, SizeClass, Usage};

use generate::Case;
pub use generate::REASONS;
pub use random::{Fuzzed, Random, Target};

/// Of so many tokens one is evaluated whole.
const WHOLE: u64 = 64;

/// How far a run has come, and what it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Bytes of the class.
    pub class: usize,
    /// What the tokens are drawn by.
    pub seed: u64,
    /// Number of the next token.
    pub next: u64,
    /// Tokens accepted by both.
    pub accepted: u64,
    /// Tokens of which all rows were evaluated.
    pub whole: u64,
    /// Tokens refused by both, by the native check's reason.
    pub refused: BTreeMap<String, u64>,
}

/// Native check and circuit differ.
#[derive(Clone, Debug, thiserror::Error)]
#[error("token {number} of seed {seed}: natively {native}, by the circuit {circuit}: {token}")]
pub struct Disagreement {
    seed: u64,
    number: u64,
    native: &'static str,
    circuit: &'static str,
    token: String,
}

/// Those who judge tokens, side by side, under one issuer's key.
pub struct Judges {
    issuer: Issuer,
    /// For each what it remembers of the tokens before.
    memories: Vec<Memory>,
}

impl Judges {
    /// So many, at least one.
    #[must_use]
    pub fn new(issuer: Issuer, judges: usize) -> Self {
        Self { issuer, memories: (0..judges.max(1)).map(|_| Memory::default()).collect() }
    }
}

impl Tally {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(class: SizeClass, seed: u64) -> Self {
        Self::empty(class.bytes(), seed)
    }

    /// Draws and judges so many more tokens. What comes of it does not depend on how many judges there are.
    ///
    /// # Errors
    /// The first [`Disagreement`].
    ///
    /// # Panics
    /// If the class is none.
    pub fn go_on(&mut self, judges: &mut Judges, tokens: u64) -> Result<(), Disagreement> {
        let Judges { issuer, memories } = judges;
        let share = tokens.div_ceil(memories.len() as u64);
        let end = self.next + tokens;
        let shares = memories.iter_mut().enumerate().map(|(i, memory)| {
            let from = (self.next + share * i as u64).min(end);
            let part = Self { next: from, ..Self::empty(self.class, self.seed) };
            (memory, part, (from + share).min(end))
        });
        let judge = |(memory, mut part, end): (&mut Memory, Self, u64)| {
            while part.next < end {
                part.judge_next(issuer, memory)?;
            }
            Ok(part)
        };
        let parts: Vec<Result<Self, Disagreement>> = std::thread::scope(|scope| {
            let running: Vec<_> = shares.map(|share| scope.spawn(|| judge(share))).collect();
            running.into_iter().map(|thread| thread.join().expect("a judge does not panic")).collect()
        });
        for part in parts {
            self.add(part?);
        }
        self.next = end;
        Ok(())
    }

    fn empty(class: usize, seed: u64) -> Self {
        Self { class, seed, next: 0, accepted: 0, whole: 0, refused: BTreeMap::new() }
    }

    fn add(&mut self, part: Self) {
        self.accepted += part.accepted;
        self.whole += part.whole;
        for (reason, count) in part.refused {
            *self.refused.entry(reason).or_default() += count;
        }
    }

    fn judge_next(&mut self, issuer: &Issuer, memory: &mut Memory) -> Result<(), Disagreement> {
        let class = SizeClass::from_bytes(self.class).expect("the tally is of a class");
        let (number, modulus) = (self.next, issuer.modulus());
        let case = Case::drawn(class, self.seed, number);
        self.judge(&case.token(issuer), &case.expectation(&modulus), memory)?;
        self.next = number + 1;
        Ok(())
    }

    fn judge(
        &mut self,
        token: &str,
        expected: &Expectation<'_>,
        memory: &mut Memory,
    ) -> Result<(), Disagreement> {
        let jwt = Jwt::parse(token).expect("the header is sound and the token no longer than its class");
        let native = token::check(&jwt, expected).map(|_| ()).map_err(|refusal| refusal.reason());
        let whole = self.next.is_multiple_of(WHOLE) || native.is_err_and(|why| why.starts_with("signature-"));
        let circuit = if whole {
            best_effort_again(memory, jwt.compact(), expected).satisfied
        } else {
            best_effort_unsigned(memory, jwt.compact(), expected)
        };
        // A binding to zero states what no binding does, which the native check refuses to be asked.
        let unbound = Expectation { binding: Binding::Unbound, ..expected.clone() };
        let holds = match native {
            Err("bind-zero") => token::check(&jwt, &unbound).is_ok(),
            native => native.is_ok(),
        };
        if circuit != holds {
            let (seed, number, token) = (self.seed, self.next, token.to_owned());
            let (native, circuit) =
                (native.err().unwrap_or("accepted"), if circuit { "satisfied" } else { "not satisfied" });
            return Err(Disagreement { seed, number, native, circuit, token });
        }
        self.whole += u64::from(whole);
        match native {
            Ok(()) => self.accepted += 1,
            Err(why) => *self.refused.entry(why.to_owned()).or_default() += 1,
        }
        Ok(())
    }
}

/// Draws token `number` of a seed and compares: for a fuzzer that draws numbers. Says whether both accept.
///
/// # Panics
/// On a [`Disagreement`].
pub fn compare_drawn(issuer: &Issuer, class: SizeClass, seed: u64, number: u64) -> bool {
    let mut tally = Tally { next: number, ..Tally::new(class, seed) };
    if let Err(disagreement) = MEMORY.with_borrow_mut(|memory| tally.judge_next(issuer, memory)) {
        panic!("{disagreement}");
    }
    tally.accepted == 1
}

thread_local! {
    /// What a fuzzer's comparisons remember.
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// Compares on any bytes: three that choose what is expected, then a payload. Says whether both accept; `None` where
/// the payload is not well-formed, which the native check refuses alone, or too long for a class of 1,024 bytes.
///
/// # Panics
/// If native check and circuit differ.
#[must_use]
pub fn compare_payload(data: &[u8]) -> Option<bool> {
    let (&[kind, way, time], payload) = data.split_first_chunk::<3>()?;
    let mut modulus = [0xff; 256];
    modulus[0] = 0x80;
    let modulus = Modulus::new(&modulus, &[1, 0, 1]).expect("an odd number of 2,048 bits");
    let (bind, salt) = (Fr::from(77u64), BindingSalt(Fr::from(99u64)));
    let expected = Expectation {
        modulus: &modulus,
        issuer: generate::ISSUER,
        audience: generate::AUDIENCE,
        kind: Kind::ALL[usize::from(kind) % Kind::ALL.len()],
        time: generate::TIME + u64::from(time),
        usage: if way & 4 == 0 { Usage::Certificate } else { Usage::Evaluation },
        binding: match way % 3 {
            0 => Binding::Unbound,
            1 => Binding::Nonce { bind, salt },
            _ => Binding::Audience { bind, salt },
        },
    };
    let token = generate::unsigned(payload);
    let jwt = Jwt::parse(&token).ok().filter(|jwt| jwt.compact().signing_input().len() <= 1024)?;
    let native = check_unsigned(&jwt, &expected).map_err(|refusal| refusal.reason());
    if native == Err("payload-malformed") {
        return None;
    }
    let circuit = MEMORY.with_borrow_mut(|memory| best_effort_unsigned(memory, jwt.compact(), &expected));
    assert_eq!(circuit, native.is_ok(), "natively {native:?}: {}", payload.escape_ascii());
    Some(circuit)
}
