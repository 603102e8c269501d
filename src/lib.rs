//! Keeps N processes alive in a small place.
#![cfg_attr(not(test), no_std)]

pub mod digits;
pub mod errno;
pub mod error;
pub mod log;
pub mod manager;
pub mod observe;
pub mod options;
pub mod pool;
pub mod program;
pub mod relay;
pub mod report;
pub mod signals;
pub mod sys;
pub mod table;
pub mod text;
pub mod worker;
