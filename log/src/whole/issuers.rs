//! Certificates above those that a certificate log holds. Its leaves cover neither them nor a precertificate as it was
//! submitted: so both are held to what the log demands of a submission, but for its roots, which only it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Source;
use crate::entry::EntryError;
use crate::hash::Hash;
use crate::sct::chain::{ChainError, MAX_CHAIN, Parsed};
use crate::sct::{EntryKind, LoggedCertificate, TileLeaf, issuer_key_hash, precertificate_tbs};
use crate::store::ReadError;
use crate::tile::TileError;

/// Certificates that are remembered, of at most 65,535 bytes each.
const REMEMBERED: usize = 256;

/// The issuers that the sources have.
pub(super) struct Issuers<'a> {
    sources: &'a [&'a dyn Source],
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    certificates: BTreeMap<Hash, Option<Arc<Parsed>>>,
    /// Fingerprints of certificates and of those that issued them.
    links: BTreeSet<[Hash; 2]>,
}

impl<'a> Issuers<'a> {
    pub(super) fn new(sources: &'a [&'a dyn Source]) -> Self {
        Self { sources, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.certificates.len() > REMEMBERED || known.links.len() > REMEMBERED {
            *known = Known::default();
        }
        known
    }

    /// The certificate with this fingerprint, from the first source that has it.
    fn find(&self, fingerprint: &Hash) -> Option<Arc<Parsed>> {
        if let Some(known) = self.known().certificates.get(fingerprint) {
            return known.clone();
        }
        let read = |source: &&dyn Source| {
            let bytes = source.issuer(fingerprint).ok()??;
            if Hash::of(&[&bytes]) == *fingerprint { Parsed::new(bytes).ok() } else { None }
        };
        let found = self.sources.iter().find_map(read).map(Arc::new);
        self.known().certificates.insert(*fingerprint, found.clone());
        found
    }

    /// Checks what the leaf of an entry does not cover. Returns those of its chain that no source has.
    pub(super) fn check(&self, index: u64, item: &TileLeaf) -> Result<Vec<Hash>, EntryError> {
        let refused = |what: &str| EntryError::Malformed(format!("certificate {index} of the log: {what}"));
        if !(1..=MAX_CHAIN).contains(&item.chain.len()) {
            return Err(refused("the chain has no certificate, or more than a log takes"));
        }
        let chain: Vec<_> = item.chain.iter().map(|fingerprint| self.find(fingerprint)).collect();
        check_issued(&item.entry, chain[0].as_deref()).map_err(|error| refused(&error))?;
        for (names, pair) in item.chain.windows(2).zip(chain.windows(2)) {
            if let [Some(below), Some(above)] = pair
                && !self.is_link([names[0], names[1]], below, above)
            {
                return Err(refused(&ChainError::NotIssued.to_string()));
            }
        }
        let missing = item.chain.iter().zip(&chain).filter(|(_, found)| found.is_none());
        Ok(missing.map(|(fingerprint, _)| *fingerprint).collect())
    }

    /// Whether the second issued the first.
    fn is_link(&self, names: [Hash; 2], below: &Parsed, above: &Parsed) -> bool {
        if self.known().links.contains(&names) {
            return true;
        }
        let issued = above.issued(below);
        if issued {
            self.known().links.insert(names);
        }
        issued
    }
}

/// Checks that what is logged was issued by the first of its chain, where that is to be had, and that a precertificate is
/// the one whose certificate the leaf is of.
fn check_issued(entry: &LoggedCertificate, issuer: Option<&Parsed>) -> Result<(), String> {
    // First, as what is too much work to read is refused there.
    let submitted = Parsed::new(entry.der().to_vec()).map_err(|error| error.to_string())?;
    if let LoggedCertificate::Precertificate { entry, der } = entry {
        submitted.check_kind(EntryKind::Precertificate).map_err(|error| error.to_string())?;
        if !precertificate_tbs(der).is_ok_and(|tbs| tbs == entry.tbs) {
            return Err("the precertificate is another than the leaf is of".to_owned());
        }
        if issuer.is_some_and(|issuer| issuer_key_hash(issuer.der()) != Ok(entry.issuer_key_hash)) {
            return Err("the chain begins with another key than the leaf says".to_owned());
        }
    }
    if issuer.is_some_and(|issuer| !issuer.issued(&submitted)) {
        return Err(ChainError::NotIssued.to_string());
    }
    Ok(())
}

/// That a certificate is nowhere.
pub(super) fn unavailable(fingerprint: &Hash) -> ReadError {
    let path = format!("issuer/{}", fingerprint.to_hex());
    TileError::Unavailable { path, cause: "it is not there".to_owned() }.into()
}
