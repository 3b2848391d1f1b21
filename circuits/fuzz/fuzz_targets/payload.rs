//! Any bytes as what is expected and a payload: native check and circuit agree, unless the payload is malformed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigveil_circuits::soundness::differential::compare_payload;

fuzz_target!(|data: &[u8]| {
    let _ = compare_payload(data);
});
