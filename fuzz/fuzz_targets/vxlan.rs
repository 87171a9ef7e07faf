#![no_main]

#[path = "../invariants/vxlan.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|input: &[u8]| invariants::check(input));
