//! Remote stores for tests: a bucket and an order in memory, and both with calls that go wrong.

mod faulty;
mod memory;

pub(super) use faulty::{FaultyBucket, FaultyConnect, Late};
pub(super) use memory::{MemoryBucket, MemoryOrder};
