//! A log of ours with more entries than the others are filled to: how long it takes to start, what memory it has, and what
//! it has on disk beside what its entries and tiles need.

use std::time::Instant;

use anyhow::Context as _;
use sigveil_log::tile::TILE_WIDTH;
use tokio::runtime::Runtime;

use super::{METRICS, OURS, Side, log_side};
use crate::baseline::Stack;
use crate::ledger::Ledger;
use crate::role::filled::Bodies;
use crate::row::{Row, Unit};
use crate::suites::log::requests::Face;
use crate::workload::Growth as Amount;

/// Of this log alone.
const MORE: [(&str, Unit); 3] =
    [("restart", Unit::Seconds), ("peak_rss", Unit::Bytes), ("bytes_over_needed", Unit::One)];

pub(super) fn run(
    stack: &mut Stack,
    ledger: &mut Ledger,
    runtime: &Runtime,
    amount: &Amount,
) -> anyhow::Result<Vec<Row>> {
    let name = format!("{OURS}_n{}", amount.large);
    if (0..amount.blocks).any(|index| !ledger.has(&name, index)) {
        measure(stack, ledger, runtime, amount, &name)?;
    }
    let row = |(metric, unit)| ledger.row_of_processes(&name, metric, unit);
    Ok(METRICS.into_iter().chain(MORE).filter_map(row).collect())
}

/// Fills it once, then starts it for each block anew.
fn measure(
    stack: &mut Stack,
    ledger: &mut Ledger,
    runtime: &Runtime,
    amount: &Amount,
    name: &str,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let folder = stack.filled_log("large", amount.large)?;
    eprintln!("{} entries after {:.0} s", amount.large, begun.elapsed().as_secs_f64());
    let mut entries = amount.large;
    let occupied = crate::baseline::stored(&folder);
    for index in 0..amount.blocks {
        let begun = Instant::now();
        let served = stack.log("large")?;
        let restart = begun.elapsed().as_secs_f64();
        let process = served.processes.first().context("a log is a process")?.clone();
        let side: Side = log_side(OURS, Face::Rekor2, served, 512, Vec::new())?;
        let (more, mut figures) = side.block(runtime, amount, index, entries)?;
        entries += more;
        figures.insert("restart".to_owned(), restart);
        figures.insert("peak_rss".to_owned(), process.usage()?.peak_rss);
        if index == 0 {
            figures.insert("bytes_per_entry".to_owned(), occupied / amount.large as f64);
            let body = Bodies::new()?.body(0)?.len();
            figures.insert("bytes_over_needed".to_owned(), occupied / needed(amount.large, body));
        }
        ledger.add(name, index, figures)?;
        process.stop()?;
    }
    std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    Ok(())
}

/// Bytes of bodies, each with its length, and of the hashes of all levels' tiles (C2SP tlog-tiles).
fn needed(entries: u64, body: usize) -> f64 {
    let levels = std::iter::successors(Some(entries), |below| Some(below / TILE_WIDTH));
    let hashes: u64 = levels.take_while(|level| *level > 0).sum();
    (entries * (body as u64 + 2) + 32 * hashes) as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_bodies_and_the_hashes_of_every_level() {
        assert_eq!(needed(255, 100), 255.0 * (102.0 + 32.0));
        assert_eq!(needed(256, 100), 256.0 * (102.0 + 32.0) + 32.0);
        assert_eq!(needed(65_536, 0), 65_536.0 * 34.0 + 256.0 * 32.0 + 32.0);
    }

    #[test]
    fn the_bodies_of_a_filled_log_are_entries_of_one_length() {
        let bodies = Bodies::new().unwrap();
        let [one, other] = [0, 9_999_999].map(|number| bodies.body(number).unwrap());
        assert!(one != other && one.len() == other.len());
        sigveil_log::entry::Entry::parse(&one).unwrap();
    }
}
