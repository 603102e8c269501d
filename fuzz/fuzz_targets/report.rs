//! Looks for bytes that are taken for a report that nobody wrote.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cantella_fuzz::report(bytes));
