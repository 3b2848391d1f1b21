//! Any number as a token of the generator: native check and circuit agree.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sigveil_circuits::soundness::differential::compare_drawn;
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::SizeClass;

static ISSUER: LazyLock<Issuer> = LazyLock::new(Issuer::generate);

fuzz_target!(|number: [u8; 8]| {
    let _ = compare_drawn(&ISSUER, SizeClass::B768, 1, u64::from_be_bytes(number));
});
