//! The proof of a deferred certificate, as it stands in the signature log (protocol.md §6).
//!
//! A deferred certificate commits to what will be proven of it, by [`InstanceDigest`], and carries no proof. The receipt is
//! an entry of the log: it names the certificate and that digest, and holds both proofs with their instance data. Whoever
//! verifies opens a [`LoggedReceipt`], which shows that the entry is in the log, and then checks the proofs by
//! [`crate::verify::receipt`]. By when witnesses must have seen it is the verifier's policy, not decided here.

use serde::{Deserialize, Serialize};
use sigveil_circuits::groth16::Proof;
use sigveil_log::checkpoint::{CheckpointError, VerifiedCheckpoint};
use sigveil_log::entry::{Entry, EntryError, ProofReceipt};
use sigveil_log::hash::Hash;
use sigveil_log::merkle::{ProofError, leaf_hash, verify_inclusion};
use sigveil_log::note::NoteKey;

use crate::profile::{InstanceDigest, PROOF_BYTES, ProofPair, TokenEvidence};
use crate::trust::Base64Bytes;

/// Why a receipt is none, or is not in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The body is no entry.
    #[error("the receipt's entry cannot be read: {0}")]
    Entry(#[from] EntryError),
    /// The entry is of another kind.
    #[error("the entry is no proof receipt")]
    Kind,
    /// A proof or its instance data is malformed.
    #[error("the receipt's proofs are malformed")]
    Proofs,
    /// The checkpoint does not hold.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The entry is not in the checkpoint's tree.
    #[error("the receipt is not in the log: {0}")]
    NotIncluded(#[from] ProofError),
}

impl ReceiptError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Entry(error) => error.reason(),
            Self::Kind => "receipt-kind",
            Self::Proofs => "receipt-malformed",
            Self::Checkpoint(error) => error.reason(),
            Self::NotIncluded(_) => "receipt-not-in-log",
        }
    }
}

/// Both proofs of one certificate. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// SHA-256 of the certificate's DER.
    pub certificate: [u8; 32],
    /// What the certificate promised to prove.
    pub instance: InstanceDigest,
    /// The proofs.
    pub proofs: ProofPair,
}

impl Receipt {
    /// The entry that goes into the log.
    pub fn to_entry(&self) -> ProofReceipt {
        let encoded = self.proofs.token.to_bytes().encode();
        ProofReceipt {
            certificate: Hash(self.certificate),
            instance: Hash(self.instance.0),
            token_proof: encoded.expect("evidence has members of fixed length only, so always an encoding"),
            nym_proof: self.proofs.nym.to_bytes().to_vec(),
        }
    }

    /// Reads an entry's body.
    pub fn parse(body: &[u8]) -> Result<Self, ReceiptError> {
        let Entry::ProofReceipt(entry) = Entry::parse(body)? else { return Err(ReceiptError::Kind) };
        let token = TokenEvidence::decode(&entry.token_proof).map_err(|_| ReceiptError::Proofs)?;
        let nym: [u8; PROOF_BYTES] =
            entry.nym_proof.as_slice().try_into().map_err(|_| ReceiptError::Proofs)?;
        let proof = |bytes: &[u8]| Proof::from_bytes(bytes).map_err(|_| ReceiptError::Proofs);
        let receipt = Self {
            certificate: entry.certificate.0,
            instance: InstanceDigest(entry.instance.0),
            proofs: ProofPair { token: token.with(proof(&token.proof)?), nym: proof(&nym)? },
        };
        // Evidence could be DER of another spelling.
        if receipt.to_entry() == entry { Ok(receipt) } else { Err(ReceiptError::Proofs) }
    }
}

/// A receipt with what shows that the log has it: what the authority hands out, and what travels beside a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoggedReceipt {
    /// The entry's body.
    pub body: Base64Bytes,
    /// Its index.
    pub log_index: u64,
    /// Its inclusion proof, leaf side first.
    pub hashes: Vec<Hash>,
    /// The checkpoint that it leads to, with its signatures.
    pub checkpoint: String,
}

impl LoggedReceipt {
    /// The receipt, and the checkpoint that shows it, with the lines of these witnesses.
    pub fn open(
        &self,
        log: &NoteKey,
        witnesses: &[NoteKey],
    ) -> Result<(Receipt, VerifiedCheckpoint), ReceiptError> {
        let opened = VerifiedCheckpoint::open(self.checkpoint.as_bytes(), log, witnesses)?;
        let tree = opened.checkpoint();
        verify_inclusion(&leaf_hash(&self.body.0), self.log_index, tree.size, &self.hashes, &tree.root)?;
        Ok((Receipt::parse(&self.body.0)?, opened))
    }
}
