//! Certificates by (token, key), so that a repeated request is answered with the same certificate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::IssuedCertificate;
use crate::key::SubjectKey;

/// Most requests remembered.
const CAPACITY: usize = 4096;

/// Where the certificate of one (token, key) is, or will be.
pub(super) type Place = Arc<OnceCell<Arc<IssuedCertificate>>>;

/// Holds no token: names are digests, and entries go when their certificate has expired.
#[derive(Default)]
pub(super) struct Cache {
    /// Held for look-ups only, never while proving.
    places: Mutex<HashMap<[u8; 32], (u64, Place)>>,
}

impl Cache {
    /// The place of (token, key), made if need be and kept until `expires`; `None` when too many are remembered.
    pub(super) fn place(&self, token: &str, key: &SubjectKey, now: u64, expires: u64) -> Option<Place> {
        let digest =
            Sha256::new_with_prefix(Sha256::digest(token.trim_ascii())).chain_update(key.der()).finalize();
        // A panic elsewhere leaves the map whole: every change to it is one call.
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // A place without a certificate that nobody works on is one whose issuance failed: else one token could fill
        // the cache with keys that were turned away.
        places.retain(|_, (expires, place)| {
            now <= *expires && (place.initialized() || Arc::strong_count(place) > 1)
        });
        if let Some((_, place)) = places.get(digest.as_slice()) {
            return Some(Arc::clone(place));
        }
        if places.len() >= CAPACITY {
            return None;
        }
        let place = Place::default();
        places.insert(digest.into(), (expires, Arc::clone(&place)));
        Some(place)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::authority::CertificateDer;
    use crate::key::SigningKeyP256;

    #[test]
    fn keeps_certificates_and_work_but_no_failures() {
        let key = SigningKeyP256::generate(&mut rand_core::OsRng).public_key();
        let cache = Cache::default();
        let place = |token: &str, now| cache.place(token, &key, now, 600);
        let done = place("done", 0).unwrap();
        let der = CertificateDer::new_unchecked(Vec::new());
        assert!(done.set(Arc::new(IssuedCertificate { chain: [der.clone(), der.clone(), der] })).is_ok());
        let working = place("working", 0).unwrap();
        for n in 0..CAPACITY {
            assert!(place(&format!("failed {n}"), 0).is_some());
        }
        assert_eq!(cache.places.lock().unwrap().len(), 3);
        assert!(Arc::ptr_eq(&place(" done\n", 600).unwrap(), &done));
        assert!(Arc::ptr_eq(&place("working", 600).unwrap(), &working));
        assert!(!Arc::ptr_eq(&place("done", 601).unwrap(), &done));
    }
}
