//! What a verifier demands of an answer.

use ed25519_dalek::VerifyingKey;
use sigveil_log::note::NoteKey;

/// Keys of which a number must have signed.
#[derive(Clone, Debug, Default)]
pub struct Quorum {
    /// The keys.
    pub keys: Vec<NoteKey>,
    /// How many of them are demanded.
    pub threshold: usize,
}

/// What an answer is checked against: from the trust root and the verifier's demands.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The output log.
    pub output: NoteKey,
    /// Witnesses, of the output log and of the inputs alike.
    pub witnesses: Quorum,
    /// Re-executors, of the output log only.
    pub reexecutors: Quorum,
    /// All logs whose entries the verifier accepts: the map must cover each.
    pub inputs: Vec<NoteKey>,
    /// Redaction authorities, and how many of them a record needs.
    pub authorities: (Vec<VerifyingKey>, usize),
}
