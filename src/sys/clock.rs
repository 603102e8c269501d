//! The two clocks: monotonic for every deadline, wall for time stamps and nothing else.

use crate::pool::Instant;

/// Reads `CLOCK_MONOTONIC`.
#[must_use]
pub fn monotonic() -> Instant {
    Instant::from_nanos(nanos(libc::CLOCK_MONOTONIC))
}

/// Reads `CLOCK_REALTIME`, in milliseconds since 1970.
#[must_use]
pub fn wall_millis() -> u64 {
    nanos(libc::CLOCK_REALTIME).wrapping_div(1_000_000)
}

/// Reads a clock; what lies before its origin counts as the origin.
fn nanos(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // libc's call takes the vDSO's short way; rustix would have to look for it in /proc first. Both clocks always exist.
    // SAFETY: `time` is a timespec of ours that outlives the call.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
