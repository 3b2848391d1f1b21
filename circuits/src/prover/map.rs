//! Files read in place.
#![allow(unsafe_code, reason = "mapping a file is unsafe, whatever is done with the bytes")]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a file that nobody changes.
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the bytes are those of a key file, which is complete when it appears under its name and is never written
    // again: it is made elsewhere and renamed, and replaced in the same way. Whoever could change it in place can
    // replace this program as well (see `keys`). No reference to the bytes outlives the map.
    unsafe { Mmap::map(file) }
}
