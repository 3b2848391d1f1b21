//! Any bytes as a note, a checkpoint, a key, a tile path or what a witness is asked.

#![no_main]
#![allow(dead_code, reason = "each target uses a part")]

#[path = "../parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = parsers::text(data);
});
