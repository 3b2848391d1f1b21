//! Load on one HTTP endpoint: prepared requests over kept connections, closed loop or open.
//!
//! In a closed loop each connection sends its next request when the one before is answered: it finds what a server can
//! do, and says nothing of latency under a load that does not wait. In an open loop requests are due at moments drawn
//! beforehand, whatever the server does, and a latency counts from the moment at which the request was due: a server
//! that stalls is charged for everybody who would have waited (no coordinated omission).

mod alone;
mod connection;
mod observed;
mod prepare;
mod schedule;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::machine::cpu_seconds;
use connection::Connection;
pub(crate) use observed::Observed;
pub(crate) use prepare::prepared;
use schedule::poisson;

/// A request that takes longer, with the opening of its connection, has failed; Rekor v2 gives up after 20 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where requests go, and which status says that one was done.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Host and port to connect to.
    pub(crate) address: String,
    /// More of the same service: connections go to all of them in turn.
    pub(crate) further: Vec<String>,
    /// Path of the requests.
    pub(crate) path: String,
    /// How they are asked.
    pub(crate) asked: Asked,
    /// The status of success.
    pub(crate) success: u16,
}

impl Target {
    /// Where a connection goes.
    fn of_connection(&self, number: usize) -> &str {
        match number % (1 + self.further.len()) {
            0 => &self.address,
            other => &self.further[other - 1],
        }
    }
}

/// What a prepared request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A body of this content type.
    Post(&'static str),
    /// The last part of a path.
    Get,
}

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// Over so many connections, each as soon as its last request was answered, for so long.
    Closed { connections: usize, span: Duration },
    /// As many a second on average, at random moments that the seed draws, for so long.
    Open { rate: f64, span: Duration, seed: u64 },
}

impl Pace {
    /// How many requests an open loop sends; a closed one as many as are prepared and fit.
    pub(crate) fn requests(self) -> Option<usize> {
        match self {
            Self::Closed { .. } => None,
            Self::Open { rate, span, seed } => Some(poisson(rate, span, seed).len()),
        }
    }
}

/// Sends requests until the span is over or none is left, and waits for every answer. A closed loop of one connection needs
/// no runtime, and has none, so that the harness is as little of a latency as it can be.
pub(crate) fn run(
    many: &tokio::runtime::Runtime,
    target: &Target,
    bodies: Vec<Vec<u8>>,
    pace: Pace,
) -> anyhow::Result<Observed> {
    match pace {
        Pace::Closed { connections: 1, span } => alone::closed(target, &bodies, span),
        _ => {
            let own = cpu_seconds();
            let observed = many.block_on(drive(target, bodies, pace))?;
            Ok(Observed { own: cpu_seconds() - own, ..observed })
        }
    }
}

/// Has as many requests done, over so many connections: in the place of those that are told to come again others are sent,
/// a second later.
pub(crate) fn fill(
    many: &tokio::runtime::Runtime,
    target: &Target,
    prepare: impl Fn(usize) -> anyhow::Result<Vec<Vec<u8>>>,
    count: usize,
    pace: Pace,
) -> anyhow::Result<()> {
    let mut missing = count as u64;
    while missing > 0 {
        let observed = run(many, target, prepare(usize::try_from(missing)?)?, pace)?;
        observed.ensure_answered()?;
        missing -= observed.done();
        if missing > 0 {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    Ok(())
}

/// Over many connections.
async fn drive(target: &Target, bodies: Vec<Vec<u8>>, pace: Pace) -> anyhow::Result<Observed> {
    let target = Arc::new(target.clone());
    match pace {
        Pace::Closed { connections, span } => closed(&target, bodies, connections, span).await,
        Pace::Open { rate, span, seed } => open(&target, bodies, poisson(rate, span, seed)).await,
    }
}

async fn closed(
    target: &Arc<Target>,
    bodies: Vec<Vec<u8>>,
    connections: usize,
    span: Duration,
) -> anyhow::Result<Observed> {
    let mut opened = Vec::with_capacity(connections);
    for number in 0..connections {
        opened.push((number, Connection::open(target, number).await?));
    }
    let (bodies, next) = (Arc::new(Mutex::new(bodies)), Arc::new(AtomicUsize::new(0)));
    let start = Instant::now();
    let workers: Vec<_> = opened
        .into_iter()
        .map(|(number, mut connection)| {
            let (bodies, next, target) = (bodies.clone(), next.clone(), target.clone());
            tokio::spawn(async move {
                let mut observed = Observed::new()?;
                while start.elapsed() < span {
                    let Some(body) = take(&bodies, next.fetch_add(1, Ordering::Relaxed)) else { break };
                    let sent = Instant::now();
                    let answer = connection.send(&target, body, PATIENCE).await;
                    let lost = answer.is_none();
                    observed.add(answer, target.success, sent.elapsed());
                    if lost {
                        connection = Connection::open(&target, number).await?;
                    }
                }
                observed.end(start.elapsed().as_secs_f64());
                anyhow::Ok(observed)
            })
        })
        .collect();
    let mut sum = Observed::new()?;
    for worker in workers {
        sum.join(worker.await.context("a client died")??)?;
    }
    Ok(sum)
}

/// Each body is sent once, so it is taken and not copied.
fn take(bodies: &Mutex<Vec<Vec<u8>>>, index: usize) -> Option<Vec<u8>> {
    let mut bodies = bodies.lock().ok()?;
    bodies.get_mut(index).map(std::mem::take)
}

async fn open(target: &Arc<Target>, bodies: Vec<Vec<u8>>, due: Vec<Duration>) -> anyhow::Result<Observed> {
    ensure!(due.len() <= bodies.len(), "{} requests are due and {} prepared", due.len(), bodies.len());
    let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
    let (sender, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let start = Instant::now() + Duration::from_millis(20);
    // A thread of its own: the runtime's timers have a millisecond's grain.
    let clock = std::thread::spawn(move || {
        for (after, body) in due.into_iter().zip(bodies) {
            let at = start + after;
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if sender.send((at, body)).is_err() {
                return;
            }
        }
    });
    let (mut waiting, opened) = (tokio::task::JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    while let Some((at, body)) = requests.recv().await {
        let (target, idle, opened) = (target.clone(), idle.clone(), opened.clone());
        waiting.spawn(async move {
            let asked = async {
                let kept = idle.lock().ok().and_then(|mut idle| idle.pop());
                let mut connection = match kept {
                    Some(connection) => connection,
                    None => Connection::open(&target, opened.fetch_add(1, Ordering::Relaxed)).await.ok()?,
                };
                let answer = connection.send(&target, body, PATIENCE).await?;
                Some((connection, answer))
            };
            let answered = tokio::time::timeout(PATIENCE, asked).await.ok().flatten();
            let latency = at.elapsed();
            let answer = answered.map(|(connection, answer)| {
                if let Ok(mut idle) = idle.lock() {
                    idle.push(connection);
                }
                answer
            });
            (at, answer, latency)
        });
    }
    ensure!(clock.join().is_ok(), "the clock's thread died");
    let (mut observed, mut done) = (Observed::new()?, Vec::new());
    while let Some(answer) = waiting.join_next().await {
        let (at, answer, latency) = answer.context("a client died")?;
        if answer.as_ref().is_some_and(|answer| answer.status == target.success) {
            done.push((at.saturating_duration_since(start).as_secs_f64(), latency.as_secs_f64()));
        }
        observed.add(answer, target.success, latency);
    }
    observed.end(start.elapsed().as_secs_f64());
    observed.growth = growth(&done);
    Ok(observed)
}

/// By what part of all that comes those who wait become more, from an open loop's second quarter to its last, of who was done
/// when each was due and how long it waited. How many wait says that in whatever order a server answers: one that takes the
/// latest first has some wait for ever, and latencies that do not rise.
fn growth(done: &[(f64, f64)]) -> Option<f64> {
    let end = done.iter().map(|(due, _)| *due).fold(0.0, f64::max);
    let waiting = |from: f64, to: f64| {
        let within =
            |(due, latency): &(f64, f64)| ((due + latency).min(to * end) - due.max(from * end)).max(0.0);
        done.iter().map(within).sum::<f64>() / ((to - from) * end)
    };
    let rate = done.len() as f64 / end;
    (end > 0.0).then(|| (waiting(0.75, 1.0) - waiting(0.25, 0.5)) / (0.5 * end) / rate)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use axum::routing::post;

    const STALL: Duration = Duration::from_millis(400);

    /// A server that answers at once but for the tenth request, which holds up all others.
    async fn stalling() -> Target {
        let turns = Arc::new(tokio::sync::Mutex::new(0));
        let answer = move || {
            let turns = turns.clone();
            async move {
                let mut turn = turns.lock().await;
                *turn += 1;
                if *turn == 10 {
                    tokio::time::sleep(STALL).await;
                }
                axum::http::StatusCode::CREATED
            }
        };
        let router = axum::Router::new().route("/add", post(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let asked = Asked::Post("application/json");
        Target { address, further: Vec::new(), path: "/add".to_owned(), asked, success: 201 }
    }

    fn bodies(count: usize) -> Vec<Vec<u8>> {
        vec![b"{}".to_vec(); count]
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_open_loop_charges_a_stall_to_all_who_were_due_in_it() {
        let target = stalling().await;
        let span = Duration::from_secs(1);
        let open = drive(&target, bodies(400), Pace::Open { rate: 200.0, span, seed: 1 }).await.unwrap();
        open.ensure_whole().unwrap();
        let stalled = open.latencies.len() - open.latencies.count_between(1, 100_000);

        let target = stalling().await;
        let pace = Pace::Closed { connections: 1, span };
        let closed = drive(&target, bodies(200), pace).await.unwrap();
        let whole = u64::try_from(STALL.as_micros()).unwrap();
        let charged = closed.latencies.len() - closed.latencies.count_between(1, whole - 1_000);
        assert_eq!(charged, 1, "one connection waits once");
        // At 200 a second some sixty are due in the 300 ms during which more than 100 ms are left to wait.
        assert!(stalled > 20, "only {stalled} were charged");
    }

    #[test]
    fn a_load_that_is_too_much_is_told_from_one_that_is_not() {
        let load = |latency: fn(f64) -> f64| -> Vec<(f64, f64)> {
            (0..1000).map(|n| f64::from(n) * 0.01).map(|due| (due, latency(due))).collect()
        };
        // A server that is asked for a quarter more than it can do leaves a fifth of it behind.
        assert!((growth(&load(|due| 0.1 + 0.25 * due)).unwrap() - 0.2).abs() < 1e-2);
        // And so if it answers four of five at once, and the others in the end.
        let unfair = |due: f64| if (due * 100.0).round() % 5.0 == 0.0 { 12.0 - due } else { 0.1 };
        assert!((growth(&load(unfair)).unwrap() - 0.2).abs() < 1e-2);
        // Whoever answers each second has some wait longer than others, and none the longer the more came before.
        assert!(growth(&load(|due| 1.0 - due.fract())).unwrap().abs() < 0.02);
        // What is slow only at the beginning is warm afterwards.
        assert!(growth(&load(|due| if due < 1.0 { 1.2 } else { 0.1 })).unwrap().abs() < 1e-9);
        assert!(growth(&[]).is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_status_counts_as_failed_and_the_block_is_refused() {
        let mut target = stalling().await;
        target.path = "/elsewhere".to_owned();
        let pace = Pace::Closed { connections: 3, span: Duration::from_millis(50) };
        let observed = drive(&target, bodies(6), pace).await.unwrap();
        assert_eq!(observed.done(), 0);
        assert_eq!(observed.failed.get(&404), Some(&6));
        assert!(observed.ensure_whole().is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_look_up_is_the_end_of_a_path_and_answers_are_counted_by_their_bytes() {
        let router = axum::Router::new().route(
            "/search/{key}",
            axum::routing::get(|key: axum::extract::Path<String>| async move { key.0 }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (path, further) = ("/search".to_owned(), Vec::new());
        let target = Target { address, further, path, asked: Asked::Get, success: 200 };
        let keys = ["a", "bcd"].map(|key| key.as_bytes().to_vec()).to_vec();
        let pace = Pace::Closed { connections: 1, span: Duration::from_secs(60) };
        let observed = drive(&target, keys, pace).await.unwrap();
        observed.ensure_whole().unwrap();
        assert_eq!((observed.done(), observed.answer_bytes()), (2, 2.0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn connections_go_to_all_addresses_in_turn() {
        let (one, other) = (stalling().await, stalling().await);
        let gone =
            Target { address: "127.0.0.1:1".to_owned(), further: vec![one.address.clone()], ..one.clone() };
        assert!(Connection::open(&gone, 0).await.is_err() && Connection::open(&gone, 1).await.is_ok());
        let both = Target { further: vec![other.address], ..one };
        let pace = Pace::Closed { connections: 4, span: Duration::from_secs(60) };
        assert_eq!(drive(&both, bodies(8), pace).await.unwrap().done(), 8);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_body_is_sent_once() {
        let target = stalling().await;
        let pace = Pace::Closed { connections: 4, span: Duration::from_secs(60) };
        assert_eq!(drive(&target, bodies(57), pace).await.unwrap().done(), 57);
    }
}
