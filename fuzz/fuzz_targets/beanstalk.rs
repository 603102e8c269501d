//! Looks for words of a server, or to one, that the protocol does not know.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cantella_fuzz::beanstalk(bytes));
