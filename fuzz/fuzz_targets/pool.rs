//! Looks for operations that bring a pool out of step with who lives.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cantella_fuzz::pool(bytes));
