//! Where a log lies. In a folder:
//!
//! | path | what | durable |
//! |---|---|---|
//! | `lock` | held by the one writer | – |
//! | `wal` | batches as accepted; trimmed behind full bundles | one `fdatasync` per batch |
//! | `tile/…` full | tiles and bundles of 256, immutable | file and folder synced before the log is trimmed |
//! | `tile/….p/W` | partial ones, the newest width only | derived: rewritten from `wal` at start |
//! | `known/<n>` | leaves by which duplicates are told | derived: made anew from `tile` where they are not sound |
//! | `checkpoint` | the published checkpoint | file and folder synced |
//! | `sealed/<index>` | openings of sealed entries; in a bucket, empty once withheld | synced before acknowledgement |
//! | `frozen` | the last checkpoint of a log that takes no entries any more | file and folder synced |
//! | `withheld/<index>` | which record withholds the entry | synced before anything is erased |
//!
//! With several front ends, what `lock` and `wal` are for is done by a database (`shared`, `postgres`), and the rest lies
//! in a folder or, under the same names, in a bucket (`bucket`, `s3`).
//!
//! All of it is trusted for availability only: whoever can write it can make the log refuse to start, or take an entry twice,
//! and cannot make a verifier accept another tree.

#[cfg(any(feature = "postgres", feature = "s3"))]
mod background;
pub mod bucket;
pub mod disk;
pub mod files;
mod objects;
#[cfg(feature = "postgres")]
pub mod postgres;
mod reader;
#[cfg(feature = "s3")]
pub mod s3;
pub mod shared;
pub mod wal;

pub use objects::Objects;
pub(crate) use objects::Standing;
pub(crate) use reader::truncate;
pub use reader::{ReadError, Reader};
