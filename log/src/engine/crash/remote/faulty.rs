//! Remote calls that fail, whose answer is lost, that are delivered twice, or late.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::disk::{Fault, Plan};
use crate::batch::Batch;
use crate::hash::Hash;
use crate::store::bucket::{Bucket, Created, Replaced, Version};
use crate::store::shared::{Connect, Journal, Ordered, Pieces, Turn};

/// After how many more calls a delayed one is delivered: soon, or when much else has happened.
fn delay(call: u64) -> u64 {
    1 + call * 7 % 60
}

pub type Request = Box<dyn FnOnce() + Send>;

/// What happens in between: requests that are under way while whoever sent them has given up, perhaps ended, and what
/// others do.
#[derive(Clone, Default)]
pub struct Late(Arc<Mutex<Vec<(u64, Request)>>>);

impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Late")
    }
}

impl Late {
    /// Before the first call once there were so many.
    pub fn push(&self, calls: u64, request: Request) {
        self.0.lock().unwrap().push((calls, request));
    }

    /// Delivers what is due once there were so many calls.
    pub fn deliver(&self, calls: u64) {
        let mut waiting = self.0.lock().unwrap();
        let due: Vec<_> = waiting.extract_if(.., |(due, _)| *due <= calls).collect();
        drop(waiting);
        due.into_iter().for_each(|(_, request)| request());
    }

    /// Delivers everything.
    pub fn deliver_all(&self) {
        self.deliver(u64::MAX);
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer")
}

/// A bucket whose calls the plan lets go wrong.
#[derive(Debug, Clone)]
pub struct FaultyBucket {
    pub bucket: Arc<dyn Bucket>,
    pub plan: Arc<Plan>,
    pub late: Late,
    pub at_once: usize,
}

impl FaultyBucket {
    fn call<T>(
        &self,
        what: fmt::Arguments<'_>,
        run: impl Fn(&dyn Bucket) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.late.deliver(self.plan.calls());
        match self.plan.next(what)? {
            Some(Fault::Io) => Err(io::Error::other("refused")),
            Some(Fault::IoLate | Fault::DeathWithin) => run(self.bucket.as_ref()).and(Err(lost())),
            Some(Fault::Twice) => run(self.bucket.as_ref()).and(run(self.bucket.as_ref())),
            Some(Fault::Delayed) => {
                let bucket = Arc::clone(&self.bucket);
                let request = Box::new(move || drop(run(bucket.as_ref())));
                let calls = self.plan.calls();
                self.late.push(calls + delay(calls), request);
                Err(lost())
            }
            Some(Fault::Death) => Err(io::Error::other("this process ends")),
            _ => run(self.bucket.as_ref()),
        }
    }
}

impl Bucket for FaultyBucket {
    fn name(&self) -> String {
        self.bucket.name()
    }

    fn get(&self, name: &str) -> io::Result<Option<(Vec<u8>, Version)>> {
        let named = name.to_owned();
        self.call(format_args!("get {name}"), move |bucket| bucket.get(&named))
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<Created> {
        let (named, bytes) = (name.to_owned(), bytes.to_vec());
        self.call(format_args!("create {name}"), move |bucket| bucket.create(&named, &bytes))
    }

    fn replace(&self, name: &str, bytes: &[u8], version: &Version) -> io::Result<Replaced> {
        let (named, bytes, version) = (name.to_owned(), bytes.to_vec(), version.clone());
        self.call(format_args!("replace {name}"), move |bucket| bucket.replace(&named, &bytes, &version))
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (named, bytes) = (name.to_owned(), bytes.to_vec());
        self.call(format_args!("overwrite {name}"), move |bucket| bucket.overwrite(&named, &bytes))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let named = name.to_owned();
        self.call(format_args!("remove {name}"), move |bucket| bucket.remove(&named))
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        let named = prefix.to_owned();
        self.call(format_args!("list {prefix}"), move |bucket| bucket.list(&named))
    }

    fn at_once(&self) -> usize {
        self.at_once
    }
}

/// The way to an order whose calls the plan lets go wrong.
#[derive(Debug, Clone)]
pub struct FaultyConnect {
    pub order: Arc<dyn Connect>,
    pub plan: Arc<Plan>,
}

#[derive(Debug)]
struct FaultyJournal {
    journal: Box<dyn Journal>,
    plan: Arc<Plan>,
}

/// A session carries out a call once or not at all, and never later than its own end: what is delayed is done, and the
/// answer lost.
fn call<T>(plan: &Plan, what: &str, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match plan.next(format_args!("{what} the order"))? {
        Some(Fault::Io) => Err(io::Error::other("refused")),
        Some(Fault::IoLate | Fault::Delayed | Fault::DeathWithin) => run().and(Err(lost())),
        Some(Fault::Death) => Err(io::Error::other("this process ends")),
        _ => run(),
    }
}

impl Connect for FaultyConnect {
    fn connect(&self, origin: &str) -> io::Result<Box<dyn Journal>> {
        let journal = call(&self.plan, "connect to", || self.order.connect(origin))?;
        Ok(Box::new(FaultyJournal { journal, plan: Arc::clone(&self.plan) }))
    }
}

impl Journal for FaultyJournal {
    fn begin(&mut self, leaves: &[Hash]) -> io::Result<Turn> {
        call(&self.plan, "begin", || self.journal.begin(leaves))
    }

    fn commit(&mut self, batch: &Batch) -> io::Result<()> {
        call(&self.plan, "commit", || self.journal.commit(batch))
    }

    fn pass(&mut self) -> io::Result<()> {
        call(&self.plan, "pass", || self.journal.pass())
    }

    fn end(&mut self) -> io::Result<u64> {
        call(&self.plan, "end", || self.journal.end())
    }

    fn withhold(&mut self, what: &[u8], batch: Option<&Batch>) -> io::Result<u64> {
        call(&self.plan, "withhold", || self.journal.withhold(what, batch))
    }

    fn withheld(&mut self, after: u64) -> io::Result<Vec<Vec<u8>>> {
        call(&self.plan, "withheld", || self.journal.withheld(after))
    }

    fn announce_erased(&mut self, withheld: u64) -> io::Result<()> {
        call(&self.plan, "announce_erased", || self.journal.announce_erased(withheld))
    }

    fn erased(&mut self) -> io::Result<u64> {
        call(&self.plan, "erased", || self.journal.erased())
    }

    fn leaves_agree(&mut self) -> io::Result<bool> {
        call(&self.plan, "leaves_agree", || self.journal.leaves_agree())
    }

    fn renew_leaves(&mut self, pieces: &mut Pieces<'_>) -> io::Result<()> {
        call(&self.plan, "renew_leaves", || self.journal.renew_leaves(pieces))
    }

    fn read(&mut self, from: Option<u64>) -> io::Result<Ordered> {
        call(&self.plan, "read", || self.journal.read(from))
    }

    fn trim(&mut self, keep_from: u64) -> io::Result<()> {
        call(&self.plan, "trim", || self.journal.trim(keep_from))
    }

    fn lease(&mut self, duration: Duration) -> io::Result<bool> {
        call(&self.plan, "lease", || self.journal.lease(duration))
    }

    fn release(&mut self) -> io::Result<()> {
        call(&self.plan, "release", || self.journal.release())
    }

    fn announce(&mut self, published: u64) -> io::Result<()> {
        call(&self.plan, "announce", || self.journal.announce(published))
    }

    fn announced(&mut self) -> io::Result<u64> {
        call(&self.plan, "announced", || self.journal.announced())
    }
}
