//! Disks for tests: one that loses what was not synced, one whose calls fail, one that forgets to sync.

mod faulty;
mod forgetful;
mod memory;

pub use faulty::{Fault, Faulty, Plan};
pub use forgetful::Forgetful;
pub use memory::{Memory, Survival};
