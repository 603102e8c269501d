//! Looks for text that a worker's record does not give back.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cantella_fuzz::format(bytes));
