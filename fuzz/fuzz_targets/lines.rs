//! Looks for a stream whose lines come out other than they went in.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cantella_fuzz::lines(bytes));
