//! The verdict.

pub mod policy;
