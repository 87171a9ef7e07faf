#![no_main]

#[path = "../invariants/dhcp.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|input: &[u8]| invariants::check(input));
