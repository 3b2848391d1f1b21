//! What operations cost in logs that have grown: each side is filled to one size after the other and measured there, and a
//! model of the smaller sizes is held against the largest.
//!
//! Sizes count what was acknowledged: entries of signature logs, certificates of authorities (of ours by scheme `hashed`, so
//! that logs are filled without proofs). The model of CPU is cost = a + b·log10(size), since trees are that high, and of
//! memory a + b·size, by least squares over all sizes but the largest, b never negative, since no cost falls with size;
//! `model_error` says by how much it misses the largest, `large_error` by how much the log that was filled at its engine, and
//! `at_thousandfold` what it says of a thousand times the largest: of CPU alone, and only of three sizes or more that missed the largest by no more than half.
//!
//! A block is an open loop, of all sides at one rate that the slowest keeps, so that CPU is compared under equal load; what
//! is on disk is read before the first block of a size, where every side has as many. All sides that have a size are filled
//! to it, and their blocks there take turns. `sigveil_index` is our log as an instance has it, with the index behind it, and with
//! entries as signings leave them: its CPU is that of both, until the index has read what a block added. It is filled to the
//! largest size of authorities alone, which says what the index adds. Blocks are of one filling: killed within it, a run fills
//! all sides anew and measures all sizes again. Rekor v1 and Fulcio's CT log have a Trillian and a database each.

mod indexed;
mod large;
mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::runtime::Runtime;

use super::in_turn;
use super::log::follow::Follower;
use super::log::requests::{self, Face};
use super::sign::{issue_target, log_target, signing_requests};
use crate::Run;
use crate::baseline::{AUDIENCE, Baseline, EMAIL, SHORT_INTERVAL, Served, Stack, found, unless_dead};
use crate::ledger::{Figures, Ledger};
use crate::load::{self, Pace, Target, run as drive};
use crate::role::Variant;
use crate::row::{Measured, Row, Unit};
use crate::stats::quantile;
use crate::workload::Growth as Amount;
pub(crate) use model::TRUSTED;
use model::{Model, Of};

/// Requests that are prepared at once: so many that the connections, which are opened anew for each batch, are few beside them.
const BATCH: usize = 50_000;
/// How long a server may take for as many.
const FILLING: Duration = Duration::from_secs(600);
const METRICS: [(&str, Unit); 6] = [
    ("p50", Unit::Seconds),
    ("p99", Unit::Seconds),
    ("cpu_per_entry", Unit::Seconds),
    ("written_per_entry", Unit::Bytes),
    ("bytes_per_entry", Unit::Bytes),
    ("rss", Unit::Bytes),
];
/// What models are of, and in what each is a line.
const MODELLED: [(&str, Of); 2] = [("cpu_per_entry", f64::log10), (MEMORY, |size| size)];
/// Small sizes tell of it what a process takes to warm up: a line through them is no prediction.
const MEMORY: &str = "rss";

/// The length of an entry's body, which is a part of `bytes_per_entry`.
const BODY: &str = "body_bytes";

/// Our authority.
const ISSUE_HASHED: &str = "issue_hashed";
/// Our log.
const OURS: &str = "sigveil";

/// What is filled.
struct Side {
    name: &'static str,
    target: Target,
    bodies: Box<dyn Fn(usize) -> anyhow::Result<Vec<Vec<u8>>>>,
    served: Served,
    /// As many connections fill it fast.
    filling: usize,
    sizes: Vec<u64>,
    /// Of a log.
    face: Option<Face>,
    /// Whether somebody reads its feed in each block, as in suite `log`.
    followed: bool,
    /// Waits until it has done what so many entries ask of it after they were answered.
    settle: Option<Settle>,
}

type Settle = Box<dyn Fn(u64) -> anyhow::Result<()>>;

pub(crate) fn run(run: &Run<'_>) -> anyhow::Result<Measured> {
    let known = ["rekor2", "rekor1", "fulcio"];
    if let Some(other) = run.against.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("suite growth knows rekor2, rekor1 and fulcio to compare with, not {other}");
    }
    let amount = &run.workload.growth;
    let mut ledger = run.ledger("growth")?;
    let mut stack = Stack::new()?;
    let mut left_out = Vec::new();
    let sides = sides(&mut stack, run, &mut left_out)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // The last block of all.
    if !sides.iter().all(|side| side.face.is_none() || ledger.has(side.name, 0)) {
        grow(&sides, &mut ledger, &runtime, amount)?;
    }
    let mut rows: Vec<Row> = sides.iter().flat_map(|side| side.rows(&ledger)).collect();
    rows.extend(ratios(&sides, &ledger));
    rows.extend(large::run(&mut stack, &mut ledger, &runtime, amount)?);
    // Ours is the first, and the large one is its like.
    rows.extend(sides.first().into_iter().flat_map(|ours| ours.misses(&ledger, amount.large)));
    drop(sides);
    stack.stop()?;
    Ok(Measured { rows, left_out, continued: ledger.is_continued() })
}

/// Starts ours, and those that are asked for.
fn sides(stack: &mut Stack, run: &Run<'_>, left_out: &mut Vec<String>) -> anyhow::Result<Vec<Side>> {
    let (large, small) = (&run.workload.growth.logs, &run.workload.growth.authorities);
    let mut sides = vec![log_side(OURS, Face::Rekor2, stack.log("growth")?, 512, large.clone())?];
    if run.with("rekor2")
        && let Some(served) = found(stack.rekor2("rekor2_growth", SHORT_INTERVAL), left_out)?
    {
        // It answers at checkpoints: what waits for one is what it does in a second.
        sides.push(log_side("rekor2", Face::Rekor2, served, 4_096, large.clone())?);
    }
    let own = stack.instance(ISSUE_HASHED, Variant::Hashed)?;
    let (own_ca, own_oidc) = own_services(&own)?;
    let client = sigveil::service::client::Client::new().map_err(crate::said)?;
    let token = move || client.token(&own_oidc, EMAIL, AUDIENCE, None).map_err(crate::said);
    sides.push(Side {
        name: ISSUE_HASHED,
        target: issue_target(&own_ca)?,
        bodies: Box::new(move |count| signing_requests(count, &token()?)),
        served: own,
        filling: 16,
        sizes: small.clone(),
        face: None,
        followed: false,
        settle: None,
    });
    sides.push(indexed::side(stack, small.last().copied())?);
    let baseline = match run.with("fulcio") || run.with("rekor1") {
        true => found(Baseline::start(stack), left_out)?.map(Rc::new),
        false => None,
    };
    if let Some(baseline) = &baseline {
        if run.with("rekor1") {
            let trillian = stack.trillian("rekor1")?;
            let served = stack.rekor1(&trillian)?;
            sides.push(log_side("rekor1", Face::Rekor1, served, 64, small.clone())?);
        }
        if run.with("fulcio") {
            let issuer = Rc::clone(baseline);
            sides.push(Side {
                name: "issue_fulcio",
                target: issue_target(&baseline.trusted.services.ca)?,
                bodies: Box::new(move |count| signing_requests(count, &issuer.token()?)),
                served: baseline.fulcio.clone(),
                filling: 16,
                sizes: small.clone(),
                face: None,
                followed: false,
                settle: None,
            });
        }
    }
    Ok(sides)
}

fn log_side(
    name: &'static str,
    face: Face,
    served: Served,
    filling: usize,
    sizes: Vec<u64>,
) -> anyhow::Result<Side> {
    Ok(Side {
        name,
        target: log_target(&served.url, face)?,
        bodies: Box::new(move |count| requests::prepare(face, count)),
        served,
        filling,
        sizes,
        face: Some(face),
        followed: name == OURS,
        settle: None,
    })
}

/// Where our instance's authority and its issuer answer.
fn own_services(served: &Served) -> anyhow::Result<(String, String)> {
    let path = served.data.join("public").join("trust_config.json");
    let text = sigveil::files::read_text(&path, sigveil::files::JSON_LIMIT).map_err(crate::said)?;
    let services = sigveil::service::sign::services(&text).map_err(crate::said)?;
    Ok((services.ca, services.oidc))
}

/// Fills all sides to one size after the other; at each those that have it are measured in turns.
fn grow(sides: &[Side], ledger: &mut Ledger, runtime: &Runtime, amount: &Amount) -> anyhow::Result<()> {
    let begun = Instant::now();
    let sizes: BTreeSet<u64> = sides.iter().flat_map(|side| &side.sizes).copied().collect();
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    for size in sizes {
        let there: Vec<&Side> = sides.iter().filter(|side| side.sizes.contains(&size)).collect();
        let mut stored = BTreeMap::new();
        for side in &there {
            let filled = side.fill(runtime, done.get(side.name).copied().unwrap_or(0), size);
            filled.with_context(|| format!("up to {}", side.name_at(size)))?;
            done.insert(side.name, size);
            stored.insert(side.name, side.served.stored() / size as f64);
        }
        for index in 0..amount.blocks {
            for side in in_turn(&there, index) {
                let name = side.name_at(size);
                let entries = done.entry(side.name).or_default();
                let block =
                    side.block(runtime, amount, index, *entries).with_context(|| format!("at {name}"));
                let (more, mut figures) = block?;
                *entries += more;
                if let (0, Some(stored)) = (index, stored.get(side.name)) {
                    figures.insert("bytes_per_entry".to_owned(), *stored);
                }
                // Over what another filling has left: at the end all that is kept is of the last.
                ledger.add(&name, index, figures)?;
            }
        }
        eprintln!("measured at {size}, {:.0} s in", begun.elapsed().as_secs_f64());
    }
    for side in sides {
        let Some(face) = side.face else { continue };
        let request = (side.bodies)(1)?.into_iter().next().context("one was asked for")?;
        let length = requests::body_bytes(face, &side.target, request).with_context(|| side.name)?;
        ledger.add(side.name, 0, [(BODY.to_owned(), length as f64)].into())?;
    }
    Ok(())
}

/// Theirs over ours at each size that both have, for logs and for authorities.
fn ratios(sides: &[Side], ledger: &Ledger) -> Vec<Row> {
    let of_ours = |name: &str| match name {
        "rekor2" | "rekor1" => Some(OURS),
        "issue_fulcio" => Some(ISSUE_HASHED),
        _ => None,
    };
    let mut rows = Vec::new();
    for (theirs, ours) in sides.iter().filter_map(|side| Some((side, of_ours(side.name)?))) {
        let names = theirs.sizes.iter().map(|size| (theirs.name_at(*size), format!("{ours}_n{size}")));
        for (theirs, ours) in names {
            rows.extend(METRICS.into_iter().filter_map(|(metric, _)| ledger.ratio(&theirs, &ours, metric)));
        }
    }
    rows
}

/// The middle one of a metric's samples, if there are any.
fn median(ledger: &Ledger, name: &str, metric: &str) -> Option<f64> {
    let samples: Vec<f64> = ledger.samples(name, metric).into_values().collect();
    (!samples.is_empty()).then(|| quantile(&samples, 0.5))
}

impl Side {
    fn name_at(&self, size: u64) -> String {
        format!("{}_n{size}", self.name)
    }

    /// Fills it from one size to another.
    fn fill(&self, runtime: &Runtime, from: u64, to: u64) -> anyhow::Result<()> {
        let mut done = from;
        while done < to {
            let count = usize::try_from(to - done).unwrap_or(BATCH).min(BATCH);
            let pace = Pace::Closed { connections: self.filling.min(count), span: FILLING };
            let filled = load::fill(runtime, &self.target, &self.bodies, count, pace);
            unless_dead(filled, || self.served.usage())?;
            done += count as u64;
        }
        self.settle(to)
    }

    fn settle(&self, entries: u64) -> anyhow::Result<()> {
        self.settle.as_ref().map_or(Ok(()), |settle| settle(entries))
    }

    /// An open loop, the same moments for each side, beside so many entries.
    fn block(
        &self,
        runtime: &Runtime,
        amount: &Amount,
        index: usize,
        entries: u64,
    ) -> anyhow::Result<(u64, Figures)> {
        let pace = Pace::Open { rate: amount.rate as f64, span: amount.span(), seed: index as u64 };
        let count = pace.requests().unwrap_or(0);
        let bodies = (self.bodies)(count)?;
        let before = self.served.usage()?;
        let follower = self.followed.then(|| Follower::from(&self.target.address, entries)).transpose()?;
        let observed = drive(runtime, &self.target, bodies, pace);
        let observed = unless_dead(observed, || self.served.usage())?;
        observed.ensure_whole()?;
        ensure!(observed.done() == count as u64, "{} of {count} were done", observed.done());
        let done = observed.done();
        self.settle(entries + done)?;
        let used = self.served.usage()? - before;
        follower.map_or(Ok(()), |follower| follower.finish(done))?;
        let of = |total: f64| total / done as f64;
        let figures = [
            ("p50", observed.quantile(0.5)),
            ("p99", observed.quantile(0.99)),
            ("cpu_per_entry", of(used.cpu)),
            ("written_per_entry", of(used.written)),
            ("rss", used.rss),
        ];
        Ok((done, figures.map(|(metric, value)| (metric.to_owned(), value)).into()))
    }

    fn name_of_model(&self, metric: &str) -> String {
        format!("{}_model_{metric}", self.name)
    }

    /// The models of what was measured, with the metric of each and the largest size.
    fn models(&self, ledger: &Ledger) -> Vec<(&'static str, Model, f64)> {
        let of_metric = |(metric, of): (&'static str, Of)| {
            let at = |size: &u64| Some((*size as f64, median(ledger, &self.name_at(*size), metric)?));
            let points: Vec<(f64, f64)> = self.sizes.iter().filter_map(at).collect();
            Some((metric, Model::fit(&points, of)?, points.last()?.0))
        };
        MODELLED.into_iter().filter_map(of_metric).collect()
    }

    /// By how much the models miss a log of this size, if it was measured.
    fn misses(&self, ledger: &Ledger, size: u64) -> Vec<Row> {
        let missed = |(metric, model, _): (&str, Model, f64)| {
            let measured = median(ledger, &self.name_at(size), metric)?;
            let missed = model.misses(size as f64, measured);
            Some(Row::exact(&self.name_of_model(metric), "large_error", Unit::One, missed))
        };
        self.models(ledger).into_iter().filter_map(missed).collect()
    }

    fn rows(&self, ledger: &Ledger) -> Vec<Row> {
        let mut rows = Vec::new();
        for size in &self.sizes {
            let name = self.name_at(*size);
            rows.extend(METRICS.into_iter().filter_map(|(metric, unit)| ledger.row(&name, metric, unit)));
        }
        rows.extend(ledger.row(self.name, BODY, Unit::Bytes));
        for (metric, model, largest) in self.models(ledger) {
            let name = self.name_of_model(metric);
            let unit = METRICS.into_iter().find(|(known, _)| *known == metric).map_or(Unit::One, |m| m.1);
            rows.push(Row::exact(&name, "model_error", Unit::One, model.error));
            let beyond = model.at_thousandfold(largest).filter(|_| metric != MEMORY);
            rows.extend(beyond.map(|value| Row::exact(&name, "at_thousandfold", unit, value)));
        }
        rows
    }
}
