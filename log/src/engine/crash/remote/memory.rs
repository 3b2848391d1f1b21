//! A bucket and the order of a log, in memory.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::batch::Batch;
use crate::hash::Hash;
use crate::store::bucket::{Bucket, Created, Replaced, Version};
use crate::store::shared::{Connect, Journal, Ordered, Pieces, Turn};

/// Clones are the same bucket.
#[derive(Debug, Clone, Default)]
pub struct MemoryBucket(Arc<Mutex<BTreeMap<String, Option<Vec<u8>>>>>);

impl MemoryBucket {
    /// Has an object stand there that nobody can read: the store was killed while it created it.
    pub fn tear(&self, name: &str) {
        self.0.lock().unwrap().insert(name.to_owned(), None);
    }
}

fn version(bytes: &[u8]) -> Version {
    Version(Hash::of(&[bytes]).to_hex())
}

impl Bucket for MemoryBucket {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn get(&self, name: &str) -> io::Result<Option<(Vec<u8>, Version)>> {
        Ok(self.0.lock().unwrap().get(name).cloned().flatten().map(|bytes| {
            let version = version(&bytes);
            (bytes, version)
        }))
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<Created> {
        let mut objects = self.0.lock().unwrap();
        if objects.contains_key(name) {
            return Ok(Created::Before);
        }
        objects.insert(name.to_owned(), Some(bytes.to_vec()));
        Ok(Created::Now(version(bytes)))
    }

    fn replace(&self, name: &str, bytes: &[u8], replaced: &Version) -> io::Result<Replaced> {
        match self.0.lock().unwrap().get_mut(name) {
            Some(Some(there)) if version(there) == *replaced => {
                *there = bytes.to_vec();
                Ok(Replaced::Now(version(bytes)))
            }
            _ => Ok(Replaced::Other),
        }
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().insert(name.to_owned(), Some(bytes.to_vec()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        let objects = self.0.lock().unwrap();
        Ok(objects.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }
}

#[derive(Debug, Default)]
struct State {
    size: u64,
    ended: bool,
    batches: Vec<Batch>,
    leaves: HashMap<Hash, u64>,
    /// Whether somebody else changed those.
    altered: bool,
    published: u64,
    withheld: Vec<Vec<u8>>,
    erased: u64,
    /// Sessions so far, and the one that has the lease.
    sessions: u64,
    holder: Option<u64>,
    /// For how long it was taken and prolonged.
    leases: Vec<Duration>,
    /// The session whose turn it is.
    turn: Option<u64>,
}

/// Clones are the same order.
#[derive(Debug, Clone, Default)]
pub struct MemoryOrder(Arc<Mutex<State>>);

impl MemoryOrder {
    /// The lease's time is over, whatever its holder thinks.
    pub fn expire(&self) {
        self.state().holder = None;
    }

    /// For how long the lease was taken and prolonged, one after the other.
    pub fn leases(&self) -> Vec<Duration> {
        self.state().leases.clone()
    }

    /// Whether the leaves are still as somebody altered them.
    pub fn is_altered(&self) -> bool {
        self.state().altered
    }

    /// Somebody puts back what it was when it had so many entries, but for what is said of what was published.
    pub fn roll_back(&self, size: u64) {
        let mut state = self.state();
        state.size = size;
        state.batches.retain(|batch| batch.end() <= size);
        state.leaves.retain(|_, index| *index < size);
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.state().size
    }

    /// Somebody takes every other leaf for one at the beginning.
    pub fn alter_leaves(&self) {
        let mut state = self.state();
        state.altered = true;
        state.leaves.values_mut().filter(|index| index.is_multiple_of(2)).for_each(|index| *index = 0);
    }

    /// All batches that are kept, as records.
    pub fn records(&self) -> Vec<u8> {
        self.state().batches.iter().flat_map(Batch::to_record).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The state, of which nobody has the turn: those that share it here are on one thread, on which nothing could end it.
    fn free(&self) -> MutexGuard<'_, State> {
        let state = self.state();
        assert_eq!(state.turn, None, "a session keeps the turn");
        state
    }
}

impl Connect for MemoryOrder {
    fn connect(&self, _: &str) -> io::Result<Box<dyn Journal>> {
        let mut state = self.state();
        state.sessions += 1;
        Ok(Box::new(Session { order: self.clone(), number: state.sessions }))
    }
}

#[derive(Debug)]
struct Session {
    order: MemoryOrder,
    number: u64,
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut state = self.order.state();
        state.holder = state.holder.filter(|holder| *holder != self.number);
        state.turn = state.turn.filter(|turn| *turn != self.number);
    }
}

impl Journal for Session {
    fn begin(&mut self, leaves: &[Hash]) -> io::Result<Turn> {
        let mut state = self.order.free();
        state.turn = Some(self.number);
        let known = leaves.iter().filter_map(|leaf| Some((*leaf, *state.leaves.get(leaf)?))).collect();
        Ok(Turn { next: state.size, known, ended: state.ended })
    }

    fn commit(&mut self, batch: &Batch) -> io::Result<()> {
        let mut state = self.order.state();
        assert_eq!((state.turn.take(), batch.first), (Some(self.number), state.size));
        assert!(!state.ended, "a batch after the end");
        (batch.first..).zip(&batch.entries).for_each(|(index, entry)| {
            state.leaves.insert(entry.leaf, index);
        });
        state.size = batch.end();
        state.batches.push(batch.clone());
        Ok(())
    }

    fn pass(&mut self) -> io::Result<()> {
        self.order.state().turn = None;
        Ok(())
    }

    fn end(&mut self) -> io::Result<u64> {
        let mut state = self.order.free();
        state.ended = true;
        Ok(state.size)
    }

    fn withhold(&mut self, what: &[u8], batch: Option<&Batch>) -> io::Result<u64> {
        let mut state = self.order.state();
        assert_eq!(state.turn.take(), Some(self.number));
        state.withheld.push(what.to_vec());
        if let Some(batch) = batch
            && let Some(there) = state.batches.iter_mut().find(|there| there.first == batch.first)
        {
            *there = batch.clone();
        }
        Ok(state.withheld.len() as u64)
    }

    fn withheld(&mut self, after: u64) -> io::Result<Vec<Vec<u8>>> {
        Ok(self.order.state().withheld.iter().skip(usize::try_from(after).unwrap()).cloned().collect())
    }

    fn announce_erased(&mut self, withheld: u64) -> io::Result<()> {
        let mut state = self.order.state();
        state.erased = state.erased.max(withheld);
        Ok(())
    }

    fn erased(&mut self) -> io::Result<u64> {
        Ok(self.order.state().erased)
    }

    fn leaves_agree(&mut self) -> io::Result<bool> {
        Ok(!self.order.state().altered)
    }

    fn renew_leaves(&mut self, pieces: &mut Pieces<'_>) -> io::Result<()> {
        let mut leaves = HashMap::new();
        for piece in pieces {
            let (first, piece) = piece?;
            leaves.extend(piece.into_iter().zip(first..));
        }
        let mut state = self.order.state();
        assert_eq!(state.turn.take(), Some(self.number));
        (state.leaves, state.altered) = (leaves, false);
        Ok(())
    }

    fn read(&mut self, from: Option<u64>) -> io::Result<Ordered> {
        let state = self.order.state();
        let wanted = |batch: &&Batch| from.is_none_or(|from| batch.end() > from);
        let batches = state.batches.iter().filter(wanted).cloned().collect();
        Ok(Ordered { batches, size: state.size, withheld: state.withheld.len() as u64 })
    }

    fn trim(&mut self, keep_from: u64) -> io::Result<()> {
        self.order.state().batches.retain(|batch| batch.end() > keep_from);
        Ok(())
    }

    fn lease(&mut self, duration: Duration) -> io::Result<bool> {
        let mut state = self.order.state();
        state.leases.push(duration);
        Ok(*state.holder.get_or_insert(self.number) == self.number)
    }

    fn release(&mut self) -> io::Result<()> {
        let mut state = self.order.state();
        state.holder = state.holder.filter(|holder| *holder != self.number);
        Ok(())
    }

    fn announce(&mut self, published: u64) -> io::Result<()> {
        let mut state = self.order.state();
        state.published = state.published.max(published);
        Ok(())
    }

    fn announced(&mut self) -> io::Result<u64> {
        Ok(self.order.state().published)
    }
}
