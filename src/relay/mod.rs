//! CARRY: bytes in, whole log records out.

mod channel;
mod escape;
mod format;
mod lines;
mod record;
mod scan;
mod sink;
mod stamp;

pub use channel::{Buffers, Channel, Relay};
pub use escape::{MAX_GROWTH, escape};
pub use format::{Format, Formatter, MAX_RECORD};
pub use lines::{Lines, Part};
pub use record::{level, words};
pub use sink::{BUFFER, Sink, Target};
pub use stamp::{STAMP, Stamp};

/// The longest part of a line that one record carries, in bytes.
pub const PART: usize = 8192;
