//! A log's folder: what lies where, and how it gets there durably.
//!
//! | path | what | durable |
//! |---|---|---|
//! | `lock` | held by the one writer | – |
//! | `wal` | batches as accepted; trimmed behind full bundles | one `fdatasync` per batch |
//! | `tile/…` full | tiles and bundles of 256, immutable | file and folder synced before the log is trimmed |
//! | `tile/….p/W` | partial ones, the newest width only | derived: rewritten from `wal` at start |
//! | `checkpoint` | the published checkpoint | file and folder synced |
//! | `sealed/<index>` | openings of sealed entries | synced before acknowledgement |
//! | `withheld/<index>` | which record withholds the entry | synced before anything is erased |
//!
//! The folder is trusted for availability only: whoever can write it can make the log refuse to start, and
//! cannot make a verifier accept another tree.

pub mod disk;
pub mod files;
mod reader;
pub mod wal;

pub use reader::{ReadError, Reader};
