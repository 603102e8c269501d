//! The promises of the built program, each checked from outside against the real kernel.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test fails loudly, runs on a full std, and has no public face"
)]

mod common;

mod init;
mod limits;
mod mishaps;
mod options;
mod output;
mod pause;
mod restart;
mod retire;
mod setup;
mod signals;
mod stop;
mod target;
