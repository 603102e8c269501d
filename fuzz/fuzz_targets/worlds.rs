//! Looks for a world that brings a pool to break its word.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cantella_fuzz::worlds(bytes));
