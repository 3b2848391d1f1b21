//! What the owner of an identity looks for, and what comes of it (protocol.md §4.3, §8).

use std::future::Future;

use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_log::merkle::consistency_proof;
use sigveil_log::note::NoteKey;
use sigveil_log::store::Reader;
use sigveil_log::tile::TileTree;
use sigveil_verifiable_search::answer::{Answer, VerifiedAnswer};
use sigveil_verifiable_search::key::MapKey;
use sigveil_verifiable_search::list::Growth;
use sigveil_verifiable_search::monitor::{Alert, Event, Memory, check_entry, check_fresh};
use sigveil_vrf_identity::label::{Epoch, WatchedLabel, watch_list};

use super::instance::InstanceError;
use super::mirror::Mirror;
use crate::failure::Failure;
use crate::keyfile::MonitoringFile;
use crate::trust::Trust;
use crate::verify::search_policy;

/// Owners refuse an index whose inputs were witnessed longer ago than this, seconds (protocol.md §8).
const MAX_AGE_SECONDS: u64 = 24 * 3_600;

/// What was found under the watched labels.
#[derive(Debug, Default)]
pub struct Findings {
    /// Events, in the order of the watch list.
    pub events: Vec<(WatchedLabel, Event)>,
    /// What must not be.
    pub alerts: Vec<Alert>,
    /// The answers, which say how far the index reaches.
    pub answers: Vec<VerifiedAnswer>,
}

impl Findings {
    /// Holds the checkpoints of answers that were asked for against those remembered, as far as that goes without the logs.
    pub fn compare(&mut self, memory: &Memory) {
        let states = self.answers.iter().map(VerifiedAnswer::state);
        let all = states.flat_map(|state| {
            let inputs = state.inputs().iter().map(VerifiedCheckpoint::checkpoint);
            inputs.chain([state.checkpoint()])
        });
        self.alerts.extend(all.filter_map(|checkpoint| memory.compare(checkpoint).err()));
    }
}

/// Every label of the key in every VRF period and epoch up to `now`, all profiles: the one the owner uses limits no
/// thief.
pub fn watch(file: &MonitoringFile, trust: &Trust, now: u64) -> Vec<WatchedLabel> {
    let mut watched: Vec<WatchedLabel> = Vec::new();
    for period in trust.proofs.vrf_periods().iter().filter(|period| *period.public_key() == file.vrf_key) {
        let end = period.valid_for().end.map_or(now, |end| end.saturating_sub(1).min(now));
        let epochs: std::ops::RangeInclusive<Epoch> =
            period.epoch(period.valid_for().start)..=period.epoch(end);
        for label in watch_list(std::slice::from_ref(&file.key), epochs, period.slots()) {
            if !watched.contains(&label) {
                watched.push(label);
            }
        }
    }
    watched
}

/// Asks for every label, checks every answer, compares it with what is remembered, and says what is new. `ask` gives
/// the answer for a key and, if it is remembered with so many items, how its list has grown since.
///
/// # Errors
/// When an answer cannot be had or does not hold.
pub async fn check<'a, F, E>(
    watched: &[WatchedLabel],
    trust: &Trust,
    memory: &mut Memory,
    ask: impl Fn(MapKey, Option<u64>) -> F + 'a,
) -> Result<Findings, Failure>
where
    F: Future<Output = Result<(Answer, Growth), E>>,
    Failure: From<E>,
{
    let policy = search_policy(trust, 0, 0);
    let mut findings = Findings::default();
    for label in watched {
        let key = MapKey::label(&label.san.label.to_bytes());
        let known = memory.list(&key).map(|list| list.count);
        let (answer, growth) = ask(key, known).await?;
        let answer = answer.verify(&key, &policy)?;
        let seen = memory.see_answer(&answer, &growth);
        findings.events.extend(seen.events.into_iter().map(|event| (*label, event)));
        findings.alerts.extend(seen.alerts);
        findings.answers.push(answer);
    }
    if let Some(answer) = findings.answers.last() {
        let now = super::instance::now();
        findings.alerts.extend(check_fresh(answer, trust.witnesses.threshold, now, MAX_AGE_SECONDS).err());
    }
    Ok(findings)
}

/// As [`check`], from logs at hand: the index was recomputed, each log continues the one remembered, and every entry
/// found is what the log holds.
///
/// # Errors
/// As [`check`], and when a log cannot be read.
pub async fn check_mirror(
    watched: &[WatchedLabel],
    trust: &Trust,
    memory: &mut Memory,
    mirror: &Mirror,
) -> Result<Findings, Failure> {
    let index = &mirror.index;
    let mut findings = check(watched, trust, memory, |key, known| async move {
        let answer = index.answer(&key, None).await.map_err(InstanceError::from)?;
        Ok::<_, Failure>((answer, grown(known, index.growth(&key, known.unwrap_or(0)).await.ok())))
    })
    .await?;
    let rekor = see_log(memory, &mirror.rekor, &trust.signature_log, &mut findings)?;
    see_log(memory, &mirror.output, &trust.output_log, &mut findings)?;
    for answer in &findings.answers {
        for entry in answer.entries() {
            let served = mirror.rekor.entry(&rekor, entry.place.index).ok();
            findings.alerts.extend(check_entry(answer.key(), entry, served.as_ref(), &mirror.ca_keys));
        }
    }
    Ok(findings)
}

/// The growth of a list that was remembered; none for a new one, or where none can be proven, which is then an alert.
pub fn grown(known: Option<u64>, proven: Option<Growth>) -> Growth {
    known.and(proven).unwrap_or(Growth { consistency: Vec::new() })
}

/// Compares a log's checkpoint with the one remembered, by its tiles.
fn see_log(
    memory: &mut Memory,
    reader: &Reader,
    key: &NoteKey,
    findings: &mut Findings,
) -> Result<TileTree<Reader>, Failure> {
    let unreadable = |error: &dyn std::error::Error| Failure::new("log-unreadable", error.to_string());
    let note = reader.checkpoint().map_err(|error| unreadable(&error))?;
    let opened = VerifiedCheckpoint::open(&note, key, &[])?;
    let new = opened.checkpoint();
    let tree = TileTree::open(reader.clone(), new.size, &new.root).map_err(|error| unreadable(&error))?;
    let known = memory.checkpoint(key.name()).map_or(0, |known| known.size);
    let proof = match known {
        1.. if known < new.size => consistency_proof(&tree, known, new.size),
        _ => Ok(Vec::new()),
    };
    let proof = proof.map_err(|error| unreadable(&error))?;
    findings.alerts.extend(memory.see_checkpoint(new, &proof).err());
    Ok(tree)
}
