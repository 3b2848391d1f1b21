//! Any bytes as an entry, what stands in its place, or a request that is JSON.

#![no_main]
#![allow(dead_code, reason = "each target uses a part")]

#[path = "../parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = parsers::json(data);
});
