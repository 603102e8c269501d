//! What only /proc tells: whether a child has executed its program yet, which signals it catches, which children there are.
//!
//! # References
//! `proc_pid_stat(5)`, `proc_pid_status(5)`.

use core::ffi::CStr;

use super::fd::{self, AsFd};
use super::process::own_pid;
use super::{Errno, Result};
use crate::digits;
use crate::pool::{Pid, Signal};
use crate::signals::SignalSet;
use crate::text::Text;

/// What a process would do with a signal, as far as can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catches {
    /// Its program has a handler.
    Yes,
    /// Its program has none (yet).
    No,
    /// It has not executed its program yet.
    NotYet,
}

/// Looks whether the program of a forked child catches `signal`.
///
/// # Errors
/// `NOENT` without /proc, or when the process is gone.
pub fn catches(pid: Pid, signal: Signal) -> Result<Catches> {
    if !has_executed(pid)? {
        return Ok(Catches::NotYet);
    }
    let mut room = [0; 4096];
    let status = read_file(pid, "/status", &mut room)?;
    let caught = field(status, b"\nSigCgt:\t").and_then(|digits| digits::read(digits, 16)).ok_or(Errno::NOENT)?;
    Ok(if SignalSet::from_bits(caught).has(signal) { Catches::Yes } else { Catches::No })
}

/// Looks whether a forked child runs another program by now.
fn has_executed(pid: Pid) -> Result<bool> {
    /// Forked but did not exec: a kernel flag of `linux/sched.h`, stable because /proc shows it.
    const PF_FORKNOEXEC: u64 = 0x40;
    let mut room = [0; 1024];
    let stat = read_file(pid, "/stat", &mut room)?;
    let flags = stat_field(stat, 6).ok_or(Errno::NOENT)?;
    Ok(flags & PF_FORKNOEXEC == 0)
}

/// Looks whether a signal has stopped a process.
///
/// # Errors
/// As [`catches`].
pub fn is_stopped(pid: Pid) -> Result<bool> {
    let mut room = [0; 1024];
    let state = after_name(read_file(pid, "/stat", &mut room)?).and_then(<[u8]>::first);
    state.map(|state| *state == b'T').ok_or(Errno::NOENT)
}

/// Counts the threads of this process.
///
/// # Errors
/// `NOENT` without /proc.
pub fn threads() -> Result<u64> {
    let mut room = [0; 1024];
    stat_field(read_file(own_pid(), "/stat", &mut room)?, 17).ok_or(Errno::NOENT)
}

/// Tells where this process's arguments begin and end in its memory.
///
/// # Errors
/// `NOENT` without /proc, or where the kernel keeps it to itself.
pub fn argument_area() -> Result<(usize, usize)> {
    let mut room = [0; 1024];
    let stat = read_file(own_pid(), "/stat", &mut room)?;
    let address =
        |field| stat_field(stat, field).and_then(|value| usize::try_from(value).ok()).filter(|value| *value > 0);
    address(45).zip(address(46)).ok_or(Errno::NOENT)
}

/// Gives the fields behind the command, which may hold anything, closing parentheses too.
fn after_name(stat: &[u8]) -> Option<&[u8]> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    stat.get(name_end..)?.get(2..)
}

/// Gives the `index`-th field behind the command, counted from 0.
fn stat_field(stat: &[u8], index: usize) -> Option<u64> {
    digits::read(after_name(stat)?.split(|byte| *byte == b' ').nth(index)?, 10)
}

/// Gives what follows `key` up to the end of its line.
fn field<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let start = text.windows(key.len()).position(|window| window == key)?.checked_add(key.len())?;
    text.get(start..)?.split(|byte| *byte == b'\n').next()
}

/// Reads `/proc/PID/NAME` as far as it fits.
fn read_file<'a>(pid: Pid, name: &str, room: &'a mut [u8]) -> Result<&'a [u8]> {
    let mut path = [0; 32];
    let file = fd::open_read(path_of(pid, name, &mut path))?;
    let length = fd::read(file.as_fd(), room)?;
    room.get(..length).ok_or(Errno::NOENT)
}

/// Writes `/proc/PID/NAME` and a zero.
fn path_of<'a>(pid: Pid, name: &str, room: &'a mut [u8; 32]) -> &'a CStr {
    let mut path = Text::new(room);
    path.say("/proc/");
    path.number(u64::from(pid.get().unsigned_abs()));
    path.say(name);
    path.put(b"\0");
    CStr::from_bytes_until_nul(room).unwrap_or(c"/proc")
}

/// Calls `act` with each child of the process `parent`.
///
/// Children that come or go meanwhile may be missed; the caller asks again.
///
/// # Errors
/// `NOENT` without /proc.
pub fn for_each_child(parent: Pid, act: &mut dyn FnMut(Pid)) -> Result<()> {
    let directory = fd::open_directory(c"/proc")?;
    let mut room = [0; 2048];
    loop {
        let mut entries = fd::read_directory(directory.as_fd(), &mut room)?;
        if entries.is_empty() {
            return Ok(());
        }
        while let Some((name, rest)) = first_entry(entries) {
            entries = rest;
            let number = digits::read(name, 10).and_then(|number| i32::try_from(number).ok());
            if let Some(pid) = number.and_then(Pid::new).filter(|pid| parent_of(*pid) == Some(parent)) {
                act(pid);
            }
        }
    }
}

/// Splits the first entry off what getdents64(2) gives, and gives its name: it stands behind 16 bytes, the entry's length
/// in two, and one more byte, and ends with a zero.
fn first_entry(entries: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u16::from_ne_bytes(*entries.get(16..)?.first_chunk()?);
    let (entry, rest) = entries.split_at_checked(usize::from(length))?;
    Some((entry.get(19..)?.split(|byte| *byte == 0).next()?, rest))
}

/// Reads whose child a process is.
fn parent_of(pid: Pid) -> Option<Pid> {
    let mut room = [0; 1024];
    let parent = stat_field(read_file(pid, "/stat", &mut room).ok()?, 1)?;
    Pid::new(i32::try_from(parent).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_looks_like_the_rest_of_the_line_confuses_nobody() {
        let stat = b"77 (a) R 1 2 3) S 42 77 77 0 -1 4194368 0 0";
        assert_eq!(stat_field(stat, 1), Some(42), "parent");
        assert_eq!(stat_field(stat, 6), Some(4_194_368), "flags");
    }

    #[test]
    fn entries_of_a_directory_are_split() {
        let mut bytes =
            [vec![1; 16], vec![24, 0, 4], b"12\0xx".to_vec(), vec![2; 16], vec![21, 0, 8], b"7\0".to_vec()].concat();
        let (name, rest) = first_entry(&bytes).unwrap();
        assert_eq!((name, rest.len()), (&b"12"[..], 21));
        assert_eq!(first_entry(rest), Some((&b"7"[..], &b""[..])));
        assert_eq!((first_entry(b""), first_entry(&bytes[..23])), (None, None));
        bytes[16] = 0;
        assert_eq!(first_entry(&bytes), None, "an entry without length leads nowhere");
    }

    #[test]
    fn a_process_is_its_parents_child() {
        let own = Pid::new(i32::try_from(std::process::id()).unwrap()).unwrap();
        let parent = Pid::new(i32::try_from(std::os::unix::process::parent_id()).unwrap()).unwrap();
        assert_eq!(parent_of(own), Some(parent));
        let mut seen = false;
        for_each_child(parent, &mut |pid| seen |= pid == own).unwrap();
        assert!(seen);
    }

    #[test]
    fn the_caught_signals_are_read_from_their_own_line() {
        let status = b"Name:\tSigCgt:\t1\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000000a00\nCapInh:\t0\n";
        let caught = field(status, b"\nSigCgt:\t").and_then(|digits| digits::read(digits, 16)).unwrap();
        assert!(SignalSet::from_bits(caught).has(Signal::USR1) && SignalSet::from_bits(caught).has(Signal::USR2));
        assert!(!SignalSet::from_bits(caught).has(Signal::HUP));
    }

    #[test]
    fn this_process_has_executed_and_has_a_path() {
        let own = Pid::new(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert_eq!(has_executed(own), Ok(true));
        assert!(threads().unwrap() >= 1);
        let mut room = [0; 32];
        let path = path_of(own, "/stat", &mut room);
        assert_eq!(path.to_str().unwrap(), format!("/proc/{}/stat", std::process::id()));
    }
}
