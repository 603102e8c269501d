//! CARRY: bytes in, whole log records out.

/// The longest part of a line that one record carries, in bytes.
pub const PART: usize = 8192;
