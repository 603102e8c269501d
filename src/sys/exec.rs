//! Becoming another program: the search on PATH, the environment, execve.
//!
//! # References
//! execve(2), environ(7), execvp(3).

use core::ffi::CStr;

use rustix::fs::{Access, FileType};

use super::start::{Strings, Word};
use super::{Errno, last_errno};
use crate::text::Text;

/// The longest path that the kernel takes, its terminating zero included.
pub const PATH_MAX: usize = 4096;

/// Where commands are searched when there is no PATH.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

/// The most variables an environment can have here, what a worker gets at its exec aside.
pub const MAX_VARIABLES: usize = 4096;
/// The most that a worker gets at its exec.
const MAX_EXTRA: usize = 4;

/// An environment in the making, in lent rows.
#[derive(Debug)]
pub struct Environment {
    rows: &'static mut [Word],
    used: usize,
}

impl Environment {
    /// How many rows it takes for so many variables, with room for those that a worker gets at its exec.
    #[must_use]
    pub const fn rows(variables: usize) -> usize {
        variables.saturating_add(MAX_EXTRA).saturating_add(1)
    }

    /// An environment without variables. Every row must be [`Word::END`].
    pub const fn new(rows: &'static mut [Word]) -> Self {
        Self { rows, used: 0 }
    }

    /// Adds `NAME=VALUE`; `None`: there is no room.
    pub fn add(&mut self, variable: &'static CStr) -> Option<()> {
        let (row, rest) = self.rows.get_mut(self.used..)?.split_first_mut()?;
        if rest.len() <= MAX_EXTRA {
            return None;
        }
        *row = Word(variable.as_ptr());
        self.used = self.used.saturating_add(1);
        Some(())
    }
}

/// Turns the calling process into another program; returns only when that fails.
///
/// `extra` are variables of this one process, four at most.
#[must_use]
pub fn execute<'a>(
    path: &'a CStr,
    arguments: Strings,
    environment: &mut Environment,
    extra: impl Iterator<Item = &'a CStr>,
    shell_scripts: bool,
) -> Errno {
    let Some(spare) = environment.rows.get_mut(environment.used..) else { return Errno::TOOBIG };
    // A parent that shares this memory finds its rows again as they were, but for the spare ones.
    let ends = core::iter::once(Word::END);
    for (row, word) in spare.iter_mut().zip(extra.map(|variable| Word(variable.as_ptr())).chain(ends)) {
        *row = word;
    }
    // SAFETY: `path` is a C string; both arrays end with a null and hold C strings that outlive the call, `extra`'s included.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.rows.as_ptr().cast()) };
    match last_errno() {
        Errno::NOEXEC if shell_scripts => execute_by_shell(path, arguments, environment),
        errno => errno,
    }
}

/// Runs a script that does not say by what, as execvp(3) does. Scripts with very many arguments stay what they are.
#[inline(never)] // Or every child would touch the page that its rows take.
fn execute_by_shell(path: &CStr, arguments: Strings, environment: &Environment) -> Errno {
    let mut rows = [core::ptr::null(); 512];
    let front = [c"/bin/sh".as_ptr(), path.as_ptr()];
    let mut words = front.into_iter().chain(arguments.skip(1).iter().map(CStr::as_ptr));
    // The last row stays null: it ends the array.
    let [words_rows @ .., _] = &mut rows;
    for (row, word) in words_rows.iter_mut().zip(&mut words) {
        *row = word;
    }
    if words.next().is_some() {
        return Errno::TOOBIG;
    }
    // SAFETY: the path is a string; both arrays end with a null and hold C strings that outlive the call.
    unsafe { libc::execve(c"/bin/sh".as_ptr(), rows.as_ptr(), environment.rows.as_ptr().cast()) };
    last_errno()
}

/// Finds the file that a command names, as a shell would: a name with a slash as it stands, others along `search_path`.
///
/// With `absolute`, a path that is found relative to the working directory is made independent of it.
///
/// # Errors
/// `NOENT` when there is none; `ACCESS` when there is one, but none that may be executed.
pub fn find<'a>(
    command: &CStr,
    search_path: Option<&[u8]>,
    absolute: bool,
    room: &'a mut [u8; PATH_MAX],
) -> Result<&'a CStr, Errno> {
    let name = command.to_bytes();
    let directories = if name.contains(&b'/') { b"".as_slice() } else { search_path.unwrap_or(DEFAULT_PATH) };
    let mut refusal = Errno::NOENT;
    if name.is_empty() {
        return Err(refusal);
    }
    for directory in directories.split(|byte| *byte == b':') {
        if join(directory, name, absolute, room).is_none() {
            continue;
        }
        match CStr::from_bytes_until_nul(room).map_or(Err(Errno::NOENT), executable) {
            Ok(()) => return CStr::from_bytes_until_nul(room).map_err(|_| Errno::NOENT),
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => refusal = errno,
        }
    }
    Err(refusal)
}

/// Writes `directory/name` and a zero into `room`; `None`: it does not fit.
fn join(directory: &[u8], name: &[u8], absolute: bool, room: &mut [u8; PATH_MAX]) -> Option<()> {
    let relative = if directory.is_empty() { name } else { directory }.first() != Some(&b'/');
    let used = if absolute && relative { working_directory(room)? } else { 0 };
    let mut path = Text::new(room.get_mut(used..)?);
    for part in [directory, name].into_iter().filter(|part| !part.is_empty()) {
        path.say(if path.is_empty() && used == 0 { "" } else { "/" });
        path.put(part);
    }
    path.put(b"\0");
    path.is_whole().then_some(())
}

/// Writes the working directory into `room` and gives its length.
fn working_directory(room: &mut [u8; PATH_MAX]) -> Option<usize> {
    // The raw call: libc's can allocate.
    // SAFETY: the pointer and the size are those of one array of ours.
    let answer = unsafe { libc::syscall(libc::SYS_getcwd, room.as_mut_ptr(), room.len()) };
    if answer < 1 { None } else { CStr::from_bytes_until_nul(room).ok().map(CStr::count_bytes) }
}

/// Checks that a path names a file that this process may execute.
fn executable(path: &CStr) -> Result<(), Errno> {
    let kind = FileType::from_raw_mode(rustix::fs::stat(path)?.st_mode);
    if kind != FileType::RegularFile {
        return Err(Errno::ACCESS);
    }
    rustix::fs::access(path, Access::EXEC_OK)
}
