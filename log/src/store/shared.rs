//! Where several front ends of one log agree on its order: batches with their places, which leaves the log holds, and who
//! publishes.
//!
//! The order alone decides what the tree is. It is extended by one front end at a time, and of what is there no leaf ever
//! changes, so any two that publish a tree of one size publish the same one; the lease only saves them the work of doing it twice.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::batch::Batch;
use crate::hash::Hash;

/// What a front end sees once it is its turn to extend the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Index of the next entry.
    pub next: u64,
    /// Of the leaves asked for, those that the log holds, each with the last of its indices.
    pub known: HashMap<Hash, u64>,
    /// Whether the order takes nothing more, for ever.
    pub ended: bool,
}

/// What is kept of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// Batches, one behind the other.
    pub batches: Vec<Batch>,
    /// The number of entries.
    pub size: u64,
    /// How often content was withheld.
    pub withheld: u64,
}

/// Leaves that follow one another, and the index of the first.
pub type Piece = (u64, Vec<Hash>);
/// Such pieces, as far as they could be read.
pub type Pieces<'a> = dyn Iterator<Item = io::Result<Piece>> + 'a;

/// The order of one log, as one front end reaches it.
///
/// After an error it is unknown whether the call was carried out, and the value is not used again.
#[allow(clippy::missing_errors_doc, reason = "all errors are the database's or the way's to it")]
pub trait Journal: Send + fmt::Debug {
    /// Waits for the turn to extend the order; until [`Journal::commit`] or [`Journal::pass`], nobody else has it. All leaves
    /// are asked for of which the log may hold some, and that are to be committed.
    fn begin(&mut self, leaves: &[Hash]) -> io::Result<Turn>;
    /// Extends the order by this batch, which begins where [`Turn::next`] says; it is durable when this returns.
    fn commit(&mut self, batch: &Batch) -> io::Result<()>;
    /// Gives the turn back unused.
    fn pass(&mut self) -> io::Result<()>;

    /// Waits for whoever has the turn, and ends the order: nobody extends it after this. Returns the number of entries.
    /// Repeating it is harmless.
    fn end(&mut self) -> io::Result<u64>;

    /// In one's turn, and ending it: notes what is withheld, in the engine's words, and puts this batch in the place of the
    /// one with its first index, both or neither. Returns how often content was withheld, this time with the others.
    fn withhold(&mut self, what: &[u8], batch: Option<&Batch>) -> io::Result<u64>;
    /// What was withheld after the first so many times, in order.
    fn withheld(&mut self, after: u64) -> io::Result<Vec<Vec<u8>>>;
    /// Says that of what was withheld so much is erased from all that is stored.
    fn announce_erased(&mut self, withheld: u64) -> io::Result<()>;
    /// The most of which that was said.
    fn erased(&mut self) -> io::Result<u64>;

    /// Whether the leaves are still those that were committed with their batches, as far as their number, the last of their
    /// indices and a sum over them show.
    fn leaves_agree(&mut self) -> io::Result<bool>;
    /// In one's turn, and ending it: puts these in the place of all leaves, or leaves all as it was. They are those of the
    /// whole tree in order, in pieces, each with its first index.
    fn renew_leaves(&mut self, pieces: &mut Pieces<'_>) -> io::Result<()>;

    /// The batches from this index on, or all that are kept if it is `None`.
    fn read(&mut self, from: Option<u64>) -> io::Result<Ordered>;
    /// Drops the batches that end at or before an index.
    fn trim(&mut self, keep_from: u64) -> io::Result<()>;

    /// Takes the lease for so long, if nobody has it, or prolongs it. Returns whether this front end has it now.
    fn lease(&mut self, duration: Duration) -> io::Result<bool>;
    /// Gives the lease up, if this front end has it.
    fn release(&mut self) -> io::Result<()>;
    /// Says that a tree of this size was published.
    fn announce(&mut self, published: u64) -> io::Result<()>;
    /// The size of the largest tree of which that was said.
    fn announced(&mut self) -> io::Result<u64>;
}

/// The way to the order of one log, for whoever begins or begins anew.
#[allow(clippy::missing_errors_doc, reason = "all errors are the database's or the way's to it")]
pub trait Connect: Send + Sync + fmt::Debug {
    /// Opens it; a log that has no order yet gets an empty one.
    fn connect(&self, origin: &str) -> io::Result<Box<dyn Journal>>;
}
