//! What the servers of a signing take of themselves, asked by nobody: it is in what a signing takes of them, as long as that
//! lasts.

use std::time::{Duration, Instant};

use super::Turn;
use super::ours::Ours;
use crate::baseline::{Baseline, Served, Usage, usage};
use crate::ledger::Figures;
use crate::role::Variant;

/// A turn for the real servers, and for one of our instances.
pub(super) fn turns<'a>(
    span: Duration,
    ours: &'a [Ours],
    baseline: Option<&'a (Baseline, Served)>,
) -> Vec<Turn<'a>> {
    let mut turns = Vec::new();
    if let Some((baseline, _)) = baseline {
        let all =
            [&baseline.fulcio, &baseline.rekor, &baseline.tsa].map(|served| &*served.processes).concat();
        turns.push(turn("baseline/idle".to_owned(), span, move || usage(&all)));
    }
    // They differ in what they do when asked.
    let ours = ours.iter().filter(|ours| ours.scheme == Variant::Zk);
    turns.extend(ours.map(|ours| turn(ours.row("idle"), span, || ours.usage())));
    turns
}

fn turn<'a>(name: String, span: Duration, used: impl Fn() -> anyhow::Result<Usage> + 'a) -> Turn<'a> {
    let measure = move |_| {
        let (before, begun) = (used()?, Instant::now());
        std::thread::sleep(span);
        let of_one_core = (used()? - before).cpu / begun.elapsed().as_secs_f64();
        Ok(Figures::from([("idle_cpu".to_owned(), of_one_core)]))
    };
    Turn { name, measure: Box::new(measure) }
}
