//! The certificate log in the crash suite: what has an SCT is in the tree, with its chain beside it, whatever went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use p256::ecdsa::SigningKey;
use tokio::runtime::Runtime;

use super::client::{Unforgetting, unreadable};
use super::disk::{Memory, Survival};
use super::place::Place;
use super::suite::table;
use super::{Case, FAULTS, Restart, all, restarts, seed};
use crate::checkpoint::VerifiedCheckpoint;
use crate::ct::CertificateLog;
use crate::engine::common::{self, certificates::*};
use crate::engine::{Config, OpenError};
use crate::hash::Hash;
use crate::note::NoteSigner;
use crate::sct::{
    AcceptedRoots, EntryKind, LoggedCertificate, SignedCertificateTimestamp, Submission, TileLeaf,
};
use crate::store::{Objects, Reader};
use crate::tile::{TILE_WIDTH, TileKind, TilePath, TileSource as _, TileTree};
use crate::witness::{Cosigner as _, Seen};

/// So many stand there before a run: it comes to the end of a tile.
const BEFORE: u64 = TILE_WIDTH - 2;

/// A chain that is submitted, and what is logged of it.
struct Chain {
    certificates: Vec<Vec<u8>>,
    kind: EntryKind,
    entry: LoggedCertificate,
}

/// A log shortly before the end of its first tile, and what is then submitted to it.
pub(super) struct Certificates {
    runtime: Runtime,
    memory: Memory,
    seen: Option<Seen>,
    root: Vec<u8>,
    chains: Vec<Chain>,
}

fn key() -> SigningKey {
    SigningKey::from_slice(&[5; 32]).unwrap()
}

/// Two kinds of entries, the last two by another issuer.
fn chains(root: &Holder) -> Vec<Chain> {
    let issuers =
        [("CN=first", 2), ("CN=second", 3)].map(|(name, key)| root.issue(name, key, vec![constraints(true)]));
    let chain = |(number, issuer): (usize, &Holder)| {
        let (kind, extensions) = match number % 2 {
            0 => (EntryKind::Precertificate, vec![constraints(false), poison()]),
            _ => (EntryKind::Certificate, vec![constraints(false)]),
        };
        let leaf = issuer.certify(&format!("CN=leaf {number}"), &key(), extensions);
        let certificates = vec![leaf, issuer.certificate.clone(), root.certificate.clone()];
        let roots = AcceptedRoots::new([root.certificate.clone()]).unwrap();
        let entry = Submission::check(certificates.clone(), kind, &roots).unwrap().entry;
        Chain { certificates, kind, entry }
    };
    issuers.iter().flat_map(|issuer| [issuer, issuer]).enumerate().map(chain).collect()
}

impl Certificates {
    pub(super) fn new() -> Self {
        let root = Holder::root("CN=root", 1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let memory = Memory::with_folder(&PathBuf::from("/store"));
        let (chains, root_certificate) = (chains(&root), root.certificate.clone());
        let mut prepared = Self { runtime, memory, seen: None, root: root_certificate, chains };
        let place = Place::on(prepared.memory.clone());
        let run = Run::new(&prepared, &place);
        let log = run.open(&place, false).unwrap();
        for number in 0..BEFORE {
            let leaf = root.certify(&format!("CN=before {number}"), &key(), vec![constraints(false)]);
            let chain = vec![leaf, root.certificate.clone()];
            prepared.runtime.block_on(log.issue(chain, EntryKind::Certificate)).unwrap();
        }
        run.stop(log);
        prepared.seen = *run.witness.seen.lock().unwrap();
        // Without all that had a name once.
        prepared.memory = prepared.memory.copy();
        prepared
    }

    /// Where a run begins.
    pub(super) fn place(&self) -> Place {
        Place::on(self.memory.copy())
    }

    /// Calls that a run without a fault makes.
    pub(super) fn calls(&self, place: &Place) -> u64 {
        let mut run = Run::new(self, place);
        let log = run.open(place, false).unwrap();
        assert!(run.submit(&log).unwrap());
        run.stop(log);
        run.check(place).unwrap();
        place.plan.calls()
    }

    /// Runs until the fault stops it, restarts, goes on, and loses its power once more.
    pub(super) fn one(&self, place: &Place, case: Case) -> Result<usize, String> {
        let mut run = Run::new(self, place);
        let in_place = case.restart == Restart::InPlace;
        place.plan.arm(case.fault, case.call, case.lasting);
        if let Ok(log) = run.open(place, in_place) {
            run.submit(&log)?;
            if in_place {
                place.plan.disarm();
                run.submit_until_taken(&log)?;
                run.check(place)?;
            }
            run.stop(log);
        }
        place.plan.disarm();
        if let Restart::Power(survival) = case.restart {
            lose_power(place, survival);
        }
        let acknowledged = run.acknowledged.len();
        run.go_on(place)?;
        lose_power(place, Survival::Nothing);
        run.go_on(place)?;
        Ok(acknowledged)
    }
}

fn lose_power(place: &Place, survival: Survival) {
    place.memory.as_ref().unwrap().lose_power(survival);
}

/// One run, through its restarts.
struct Run<'a> {
    prepared: &'a Certificates,
    folder: PathBuf,
    witness: Arc<Unforgetting>,
    acknowledged: BTreeMap<usize, SignedCertificateTimestamp>,
}

impl<'a> Run<'a> {
    fn new(prepared: &'a Certificates, place: &Place) -> Self {
        let log = NoteSigner::rfc6962(common::ORIGIN, key()).unwrap().public().clone();
        let witness = Unforgetting::new(log);
        *witness.seen.lock().unwrap() = prepared.seen;
        let folder = place.folder.clone();
        Self { prepared, folder, witness: Arc::new(witness), acknowledged: BTreeMap::new() }
    }

    /// A process that has just begun. Unless it `heals` by itself, it makes no call that nobody waits for.
    fn open(&self, place: &Place, heals: bool) -> Result<CertificateLog, OpenError> {
        let config = Config {
            files: place.files(),
            witnesses: vec![self.witness.clone()],
            witness_threshold: 1,
            wal_limit: 4 << 10,
            batch_age: Duration::ZERO,
            refresh: Duration::from_secs(3600),
            storage_retry: if heals { Duration::from_millis(1) } else { Duration::from_secs(3600) },
            ..common::config(&self.folder)
        };
        let roots = AcceptedRoots::new([self.prepared.root.clone()]).unwrap();
        CertificateLog::open(config, key(), roots)
    }

    fn stop(&self, log: CertificateLog) {
        self.prepared.runtime.block_on(log.log().stop());
    }

    /// Submits what has no SCT yet, one after the other, until one is refused. Returns whether all have one.
    fn submit(&mut self, log: &CertificateLog) -> Result<bool, String> {
        for (number, chain) in self.prepared.chains.iter().enumerate() {
            if self.acknowledged.contains_key(&number) {
                continue;
            }
            let issued = log.issue(chain.certificates.clone(), chain.kind);
            match self.prepared.runtime.block_on(issued) {
                Ok(sct) => {
                    let verified = sct.verify(key().verifying_key(), chain.entry.signed());
                    verified.map_err(|error| error.to_string())?;
                    self.acknowledged.insert(number, sct);
                }
                Err(error) if error.reason() == "log-unavailable" => return Ok(false),
                Err(error) => return Err(format!("refused: {error}")),
            }
        }
        Ok(true)
    }

    /// Submits until a log that failed has opened its folder anew.
    fn submit_until_taken(&mut self, log: &CertificateLog) -> Result<(), String> {
        for _ in 0..10_000 {
            if self.submit(log)? {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err("the log does not work again".to_owned())
    }

    /// Starts again, and submits the rest.
    fn go_on(&mut self, place: &Place) -> Result<(), String> {
        let log = self.open(place, false).map_err(|error| format!("refused to start: {error}"))?;
        self.check(place)?;
        let taken = self.submit(&log)?;
        self.stop(log);
        if !taken {
            return Err("not everything is taken without a fault".to_owned());
        }
        self.check(place)
    }

    /// What anybody with the folder finds: each SCT's leaf at its index, and each leaf's chain.
    fn check(&self, place: &Place) -> Result<(), String> {
        let reader = Reader::on(Objects::Folder(place.files(), self.folder.join("log")));
        let bytes = reader.checkpoint().map_err(|error| unreadable(&error))?;
        let log = NoteSigner::rfc6962(common::ORIGIN, key()).unwrap().public().clone();
        let opened = VerifiedCheckpoint::open_witnessed(&bytes, &log, &[self.witness.key().clone()], 1)
            .map_err(|error| unreadable(&error))?;
        let (size, root) = (opened.checkpoint().size, opened.checkpoint().root);
        let tree = TileTree::open(reader.clone(), size, &root).map_err(|error| unreadable(&error))?;
        let leaves = leaves(&reader, &tree)?;
        for (number, sct) in &self.acknowledged {
            let entry = &self.prepared.chains[*number].entry;
            let leaf = leaves.get(usize::try_from(sct.leaf_index().unwrap()).unwrap());
            if leaf.is_none_or(|leaf| leaf.entry != *entry || leaf.timestamp != sct.timestamp) {
                return Err(format!("lost: certificate {number}, at {:?} of {size}", sct.leaf_index()));
            }
        }
        self.witness.agrees(&tree)
    }
}

/// All leaves, as data tiles have them; those of a run are the tree's, and certificates of chains are there.
fn leaves(reader: &Reader, tree: &TileTree<Reader>) -> Result<Vec<TileLeaf>, String> {
    let (mut leaves, mut issuers) = (Vec::new(), BTreeSet::new());
    for number in 0..tree.size().div_ceil(TILE_WIDTH) {
        let path = TilePath::in_tree(TileKind::Data, number, tree.size()).unwrap();
        let tile = reader.read_tile(&path).map_err(|error| unreadable(&error))?;
        let mut rest = tile.as_slice();
        while !rest.is_empty() {
            let (leaf, after) = TileLeaf::parse_prefix(rest).ok_or("a data tile is damaged")?;
            let index = leaves.len() as u64;
            let hash = || tree.leaf(index).map_err(|error| unreadable(&error));
            if leaf.leaf_index != index || (index >= BEFORE && leaf.leaf_hash() != hash()?) {
                return Err(format!("the leaf at {index} is another"));
            }
            issuers.extend(leaf.chain.iter().copied());
            leaves.push(leaf);
            rest = after;
        }
    }
    for fingerprint in issuers {
        let certificate = reader.issuer(&fingerprint).map_err(|error| unreadable(&error))?;
        if certificate.is_none_or(|certificate| Hash::of(&[&certificate]) != fingerprint) {
            return Err(format!("lost: the certificate {} of a chain", fingerprint.to_hex()));
        }
    }
    Ok(leaves)
}

#[test]
fn each_call_of_a_certificate_log_goes_wrong_on_a_disk_that_loses_what_was_not_synced() {
    let seed = seed();
    let prepared = Certificates::new();
    let run = |case| prepared.one(&prepared.place(), case);
    let every = if all() { 1 } else { 20 };
    table(
        "POSIX model, certificates",
        (prepared.calls(&prepared.place()), run),
        &FAULTS,
        &restarts(seed),
        every,
        seed,
    );
}
