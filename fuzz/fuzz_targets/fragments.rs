#![no_main]

#[path = "../invariants/nat/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|input: &[u8]| invariants::fragments::check(input));
