//! Waiting for a condition until a deadline; a sleep never stands in for one.

use std::thread;
use std::time::{Duration, Instant};

/// Long enough for anything that is to happen soon, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks.
const STEP: Duration = Duration::from_millis(2);

/// Looks again and again until `look` finds something.
///
/// # Panics
/// After [`PATIENCE`], with what was waited for.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// Looks again and again until `look` finds something or the time is over.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let late = Instant::now() >= end;
        match look() {
            Some(found) => return Some(found),
            None if late => return None,
            None => thread::sleep(STEP),
        }
    }
}

/// Looks again and again for the whole time and demands that the condition holds at each look.
#[track_caller]
pub fn holds_for(time: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let broken = within(time, || (!holds()).then_some(()));
    assert!(broken.is_none(), "did not hold for {time:?}: {what}");
}
