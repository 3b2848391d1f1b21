//! Remote stores for tests: a bucket and an order in memory, and both with calls that go wrong.

mod faulty;
mod memory;

pub use faulty::Late;
pub(super) use faulty::{FaultyBucket, FaultyConnect};
pub(super) use memory::{MemoryBucket, MemoryOrder};
