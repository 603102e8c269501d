//! What every promise is checked with: the built binary in a harness, /proc, the log, and waits with a deadline.

pub mod fd;
pub mod log;
mod manager;
pub mod proc;
pub mod signals;
pub mod wait;
pub mod worker;

pub use manager::{Directory, Ended, Launch, Manager, binary};
pub use proc::{Pid, live_children};
pub use wait::{PATIENCE, eventually, holds_for, within};
pub use worker::worker;
