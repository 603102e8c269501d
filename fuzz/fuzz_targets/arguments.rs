//! Looks for words that the command line neither understands nor refuses in one line.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cantella_fuzz::arguments(bytes));
