//! The limit of open files: raised for the manager, given back to its workers.
//!
//! # References
//! getrlimit(2).

pub use rustix::process::Rlimit;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Makes room for descriptors with numbers below `needed`, and gives the old limit if it had to be raised.
///
/// # Errors
/// How many are allowed, where that is less.
pub fn allow_open_files(needed: u64) -> Result<Option<Rlimit>, u64> {
    let old = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if enough(old.current) {
        return Ok(None);
    }
    let allowed = || old.current.unwrap_or(0);
    if !enough(old.maximum) {
        return Err(old.maximum.unwrap_or_else(allowed));
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), ..old }).map_err(|_| allowed())?;
    Ok(Some(old))
}

/// Makes room for as many descriptors as this process may ever have, and gives the old limit if it had to be raised.
#[must_use]
pub fn allow_all_open_files() -> Option<Rlimit> {
    let old = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: old.maximum, ..old }).is_ok();
    (raised && old.current != old.maximum).then_some(old)
}

/// Puts an old limit of open files back.
pub fn restore_open_files(old: Rlimit) {
    // A soft limit can always be lowered to what it was.
    let _ = setrlimit(Resource::Nofile, old);
}
