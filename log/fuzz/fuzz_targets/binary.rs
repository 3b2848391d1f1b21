//! Any bytes as an SCT, a leaf, a bundle, a tile, a chain of certificates or a key.

#![no_main]
#![allow(dead_code, reason = "each target uses a part")]

#[path = "../parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = parsers::binary(data);
});
