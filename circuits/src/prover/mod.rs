//! A Groth16 prover of our own, for any rank-1 constraint system over BN254's scalar field.

pub mod curve;
mod domain;
mod fft;
mod key;
pub mod lanes;
mod map;
mod matrices;
pub mod msm;
mod point;
mod proof;

pub use domain::Domain;
pub use key::{Parts, ProvingKey};
pub(crate) use key::{Query, Section};
pub(crate) use map::map;
pub use matrices::Matrices;
pub use point::{Packed, PackedG1, PackedG2};
pub use proof::stages;
pub(crate) use proof::{Blinding, Work, proof};
