//! Looks for bytes of a worker that are lost, forged or told twice.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cantella_fuzz::pipes(bytes));
