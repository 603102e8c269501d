//! Nothing breaks it: what the kernel, the machine and the neighbours can do wrong, and what holds all the same.
//!
//! Each row of the table of faults (T1 to T30) has its figure here, in a short form that is run each time and in the full
//! form, which `tests/full.sh` runs. Counts are exact; times are those of a quiet machine, times [`kit::NOISE`]. Two rows are
//! elsewhere: T19 is in `tests/promises/setup.rs`, and T21 waits for loggers. A test that has figures prints them.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test fails loudly, runs on a full std, and has no public face"
)]

#[expect(dead_code, unused_imports, reason = "it is the harness of the promises, which use all of it")]
#[path = "../promises/common/mod.rs"]
mod common;
mod kit;

mod calls;
mod chaos;
mod deprived;
mod dice;
mod executions;
mod floods;
mod output;
mod restarts;
mod security;
mod shortage;
mod soak;
mod stops;
mod time;
