//! Receipts of deferred certificates: which are being proven, and what the log said of those that were.
//!
//! Kept in memory, since what a proof is made from holds the token: an authority that ends before its proofs are made leaves
//! certificates that stay without one, as everybody can see. Once in the log a receipt is found there by anybody.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::receipt::LoggedReceipt;

/// Most certificates remembered.
const CAPACITY: usize = 4096;
/// How long a finished receipt is handed out, seconds.
const KEPT_SECONDS: u64 = 600;

/// What is known of a certificate's receipt.
#[derive(Clone, Debug)]
enum State {
    Pending,
    Logged { receipt: Box<LoggedReceipt>, until: u64 },
    Failed { until: u64 },
}

/// Why no receipt is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReceipt {
    /// No certificate with this digest was issued with deferred proofs of late.
    #[error("no deferred certificate with this digest was issued of late")]
    Unknown,
    /// The proofs are being made.
    #[error("the certificate's proofs are being made: ask again")]
    Pending,
    /// They could not be made, or not be logged.
    #[error("the certificate's proofs could not be made or logged")]
    Failed,
}

impl NoReceipt {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown => "receipt-unknown",
            Self::Pending => "proof-pending",
            Self::Failed => "receipt-failed",
        }
    }
}

/// Receipts by SHA-256 of their certificate.
#[derive(Default)]
pub(super) struct Receipts(Mutex<HashMap<[u8; 32], State>>);

impl Receipts {
    /// Whether one more can be remembered.
    pub(super) fn has_room(&self, now: u64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, state| match state {
            State::Pending => true,
            State::Logged { until, .. } | State::Failed { until } => now <= *until,
        });
        all.len() < CAPACITY
    }

    /// Notes that a certificate's proofs are being made.
    pub(super) fn begin(&self, certificate: [u8; 32]) {
        self.set(certificate, State::Pending);
    }

    /// Notes how that ended.
    pub(super) fn end(&self, certificate: [u8; 32], receipt: Option<LoggedReceipt>, now: u64) {
        let until = now + KEPT_SECONDS;
        let state = match receipt {
            Some(receipt) => State::Logged { receipt: Box::new(receipt), until },
            None => State::Failed { until },
        };
        self.set(certificate, state);
    }

    fn set(&self, certificate: [u8; 32], state: State) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(certificate, state);
    }

    /// The receipt of a certificate.
    pub(super) fn find(&self, certificate: &[u8; 32]) -> Result<LoggedReceipt, NoReceipt> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).get(certificate) {
            None => Err(NoReceipt::Unknown),
            Some(State::Pending) => Err(NoReceipt::Pending),
            Some(State::Failed { .. }) => Err(NoReceipt::Failed),
            Some(State::Logged { receipt, .. }) => Ok((**receipt).clone()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_pending_stays_and_what_ended_goes() {
        let receipts = Receipts::default();
        receipts.begin([1; 32]);
        receipts.begin([2; 32]);
        receipts.end([2; 32], None, 1_000);
        assert_eq!(receipts.find(&[0; 32]).unwrap_err().reason(), "receipt-unknown");
        assert!(receipts.has_room(1_000 + KEPT_SECONDS));
        assert_eq!(receipts.find(&[2; 32]).unwrap_err().reason(), "receipt-failed");
        assert!(receipts.has_room(1_001 + KEPT_SECONDS));
        assert_eq!(receipts.find(&[2; 32]).unwrap_err().reason(), "receipt-unknown");
        assert_eq!(receipts.find(&[1; 32]).unwrap_err().reason(), "proof-pending");
        for n in 0..CAPACITY {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&n.to_be_bytes());
            receipts.begin(digest);
        }
        assert!(!receipts.has_room(u64::MAX));
    }
}
