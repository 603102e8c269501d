//! DECIDE: what a pool of workers owes its users, from news and a clock alone. No I/O, no clock, no unsafe.

mod news;
mod policy;

pub use news::{Action, Exit, Instant, News, Outcome, Pid, Request, Signal, SlotId, Why};
pub use policy::{GiveUp, Policy, Restart};
