//! Certificates by (token, key), so that a repeated request is answered with the same certificate.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::IssuedCertificate;
use crate::key::SubjectKey;

/// Most requests remembered: the latest.
const CAPACITY: usize = 4096;

/// Where the certificate of one (token, key) is, or will be.
pub(super) type Place = Arc<OnceCell<Arc<IssuedCertificate>>>;

/// SHA-256 of a token's digest and a key: no token is held.
type Name = [u8; 32];

/// Remembers the latest requests, each until its certificate has expired.
#[derive(Default)]
pub(super) struct Cache {
    /// Held for look-ups only, never while proving.
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    by_name: HashMap<Name, (u64, Place)>,
    /// In order of their arrival.
    arrived: VecDeque<Name>,
}

impl Cache {
    /// The place of (token, key), made if need be and kept until `expires`, or until there is no more room and it is the
    /// oldest that nobody works on; `None` when all are worked on.
    pub(super) fn place(&self, token: &str, key: &SubjectKey, now: u64, expires: u64) -> Option<Place> {
        let digest =
            Sha256::new_with_prefix(Sha256::digest(token.trim_ascii())).chain_update(key.der()).finalize();
        // A panic elsewhere leaves both parts in step: nothing between their changes can panic.
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.of(digest.into(), now, expires)
    }
}

impl Places {
    fn of(&mut self, name: Name, now: u64, expires: u64) -> Option<Place> {
        while self.arrived.front().is_some_and(|oldest| self.by_name[oldest].0 < now) {
            self.forget(0);
        }
        match self.by_name.get(&name) {
            Some((until, place)) if now <= *until => return Some(Arc::clone(place)),
            // Behind one that expires later, as the clock was set back in between.
            Some(_) => self.forget(self.arrived.iter().position(|other| *other == name)?),
            None => {}
        }
        if self.arrived.len() >= CAPACITY {
            let idle = |name: &&Name| Arc::strong_count(&self.by_name[*name].1) == 1;
            let failed = |name: &Name| idle(&name) && !self.by_name[name].1.initialized();
            // What was refused is first to go: refusals cost nothing, and would take the place of certificates.
            let at = self
                .arrived
                .iter()
                .position(failed)
                .or_else(|| self.arrived.iter().position(|name| idle(&name)));
            self.forget(at?);
        }
        let place = Place::default();
        self.by_name.insert(name, (expires, Arc::clone(&place)));
        self.arrived.push_back(name);
        Some(place)
    }

    fn forget(&mut self, at: usize) {
        if let Some(name) = self.arrived.remove(at) {
            self.by_name.remove(&name);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::authority::CertificateDer;
    use crate::key::SigningKeyP256;

    fn certificate() -> Arc<IssuedCertificate> {
        let der = CertificateDer::new_unchecked(Vec::new());
        Arc::new(IssuedCertificate { chain: [der.clone(), der.clone(), der] })
    }

    #[test]
    fn keeps_the_latest_certificates_until_they_expire_and_all_that_is_worked_on() {
        let key = SigningKeyP256::generate(&mut rand_core::OsRng).public_key();
        let cache = Cache::default();
        let place = |token: &str, now| cache.place(token, &key, now, now + 600);
        let finish = |token: &str, now| assert!(place(token, now).unwrap().set(certificate()).is_ok());
        finish("first", 0);
        let working = place("working", 50).unwrap();
        finish("done", 100);
        assert!(place(" first\n", 600).unwrap().initialized());
        assert!(!place("first", 601).unwrap().initialized(), "it has expired");
        finish("first", 601);
        assert!(Arc::ptr_eq(&place("working", 600).unwrap(), &working));
        // As many more as there is room for; the oldest go, but for what is worked on.
        for n in 0..CAPACITY - 3 {
            finish(&format!("later {n}"), 601);
        }
        assert!(place("done", 601).unwrap().initialized());
        finish("one more", 601);
        assert!(!place("done", 601).unwrap().initialized());
        assert!(Arc::ptr_eq(&place("working", 600).unwrap(), &working));
        let places = cache.places.lock().unwrap();
        assert_eq!((places.by_name.len(), places.arrived.len()), (CAPACITY, CAPACITY));
    }

    #[test]
    fn nothing_is_taken_while_as_much_is_worked_on_as_is_remembered() {
        let key = SigningKeyP256::generate(&mut rand_core::OsRng).public_key();
        let cache = Cache::default();
        let place = |token: &str| cache.place(token, &key, 0, 600);
        let mut working: Vec<_> = (0..CAPACITY).map(|n| place(&n.to_string()).unwrap()).collect();
        assert!(place("another").is_none());
        // One that failed: nobody works on it any more.
        working.pop();
        assert!(place("another").is_some());
    }

    #[test]
    fn what_failed_goes_before_any_certificate() {
        let key = SigningKeyP256::generate(&mut rand_core::OsRng).public_key();
        let cache = Cache::default();
        let place = |token: &str| cache.place(token, &key, 0, 600).unwrap();
        place("first").set(certificate()).unwrap();
        for n in 0..2 * CAPACITY {
            place(&format!("refused {n}"));
        }
        assert!(place("first").initialized());
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_certificate_last() {
        let key = SigningKeyP256::generate(&mut rand_core::OsRng).public_key();
        let cache = Cache::default();
        let place = |token: &str, now| cache.place(token, &key, now, now + 600).unwrap();
        place("before", 10_000);
        place("after", 0).set(certificate()).unwrap();
        assert!(place("after", 600).initialized());
        assert!(!place("after", 601).initialized());
        assert_eq!(cache.places.lock().unwrap().arrived.len(), 2);
    }
}
