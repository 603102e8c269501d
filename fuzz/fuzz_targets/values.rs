//! Looks for a value that two readers read differently.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cantella_fuzz::values(bytes));
