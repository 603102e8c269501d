//! The memory of a manager: known at compile time, lent by whoever runs it.

use crate::pool::{Instant, Slot};
use crate::relay::{Buffers, Channel};
use crate::sys::fd::PollRow;

/// Rows of the poll array that belong to no worker.
pub const OWN_ROWS: usize = 3;

/// How much of a worker's output is read at once.
pub const INPUT: usize = 64 * 1024;

/// What a manager works on, in parts of any origin.
///
/// Each slice but the last three has one row for each worker that there can ever be. Where no output is relayed, `channels`
/// and `buffers` may be empty.
#[derive(Debug)]
pub struct Table<'a> {
    /// The workers.
    pub slots: &'a mut [Slot],
    /// The pipes that they write to.
    pub channels: &'a mut [Channel],
    /// Their unfinished lines.
    pub buffers: &'a mut [Buffers],
    /// Failed starts within the window of `give_up`: as many rows as failures are allowed.
    pub window: &'a mut [Instant],
    /// What poll(2) is asked: [`OWN_ROWS`], and two for each worker whose output is relayed.
    pub rows: &'a mut [PollRow],
    /// What is read from workers, [`INPUT`] bytes.
    pub input: &'a mut [u8],
}
