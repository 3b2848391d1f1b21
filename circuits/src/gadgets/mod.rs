//! Gadgets: functions over [`Cs`](crate::r1cs::Cs) that the statements are built from. Each has its native twin, and
//! tests that compare the two and that drop rows.

pub mod base64;
pub mod bits;
pub mod edwards;
pub mod excerpt;
pub mod json;
mod numbers;
pub mod poseidon;
pub mod rsa;
pub mod select;
pub mod sha256;
pub mod starts;
pub mod strings;
