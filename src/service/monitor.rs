//! What the owner of an identity looks for, and what comes of it (protocol.md §4.3, §8).

use std::future::Future;

use sigveil_verifiable_search::answer::{Answer, VerifiedAnswer};
use sigveil_verifiable_search::key::MapKey;
use sigveil_verifiable_search::monitor::{Alert, Event};
use sigveil_vrf_identity::label::{Epoch, WatchedLabel, watch_list};

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
    /// The last answer, which says how far the index reaches.
    pub last: Option<VerifiedAnswer>,
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

/// Asks for every label, checks every answer, and says what was found.
///
/// # Errors
/// When an answer cannot be had or does not hold.
pub async fn check<'a, F, E>(
    watched: &[WatchedLabel],
    trust: &Trust,
    ask: impl Fn(&MapKey) -> F + 'a,
) -> Result<Findings, Failure>
where
    F: Future<Output = Result<Answer, E>>,
    Failure: From<E>,
{
    use sigveil_verifiable_search::monitor::check_fresh;
    let policy = search_policy(trust, 0, 0);
    let mut findings = Findings::default();
    for label in watched {
        let key = MapKey::label(&label.san.label.to_bytes());
        let answer = ask(&key).await?.verify(&key, &policy)?;
        if !answer.is_complete() {
            findings.alerts.push(Alert::ListRewritten(key));
        }
        for entry in answer.entries() {
            findings.events.push((*label, Event::Signed { key, place: entry.place.clone() }));
            if entry.redaction.is_some() {
                findings.events.push((*label, Event::Redacted { place: entry.place.clone() }));
            }
        }
        findings.last = Some(answer);
    }
    if let Some(answer) = &findings.last {
        let now = super::instance::now();
        findings.alerts.extend(check_fresh(answer, trust.witnesses.threshold, now, MAX_AGE_SECONDS).err());
    }
    Ok(findings)
}
