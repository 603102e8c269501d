//! Looks for events whose records do not read back.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cantella_fuzz::records(bytes));
