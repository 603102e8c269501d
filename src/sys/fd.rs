//! Descriptors: pipes, poll over a fixed array, reads and writes that never block.
//!
//! # References
//! poll(2), pipe(2), `pwritev2(2)`, `close_range(2)`.

use core::ffi::{CStr, c_int, c_uint};
use core::time::Duration;

pub use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::{FdFlags, IoSlice, IoSliceMut, ReadWriteFlags};
use rustix::pipe::PipeFlags;

use super::{Errno, Result, answered, checked};
use crate::text::Text;

/// The longest write that a pipe takes whole or not at all.
pub const PIPE_BUF: usize = 4096;

/// A pipe, both ends close-on-exec.
#[derive(Debug)]
pub struct Pipe {
    /// Where bytes come out.
    pub read: OwnedFd,
    /// Where bytes go in.
    pub write: OwnedFd,
}

/// Makes a pipe whose ends both block, as a worker expects of what it inherits.
///
/// # Errors
/// `MFILE` and `NFILE` when descriptors have run out.
pub fn pipe() -> Result<Pipe> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    Ok(Pipe { read, write })
}

/// Makes a pipe that others write to and the manager reads, which never waits for bytes.
///
/// # Errors
/// As [`pipe`].
pub fn pipe_to_read() -> Result<Pipe> {
    let pipe = pipe()?;
    set_nonblocking(pipe.read.as_fd())?;
    Ok(pipe)
}

/// Makes reads and writes through the open file behind `fd` fail with `AGAIN` where they would wait.
///
/// Every descriptor of that open file changes with it, so this is for files that no other process shares.
///
/// # Errors
/// None that an open descriptor can cause.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)
}

/// Opens a path for reading; the descriptor is close-on-exec.
///
/// # Errors
/// As open(2).
pub fn open_read(path: &CStr) -> Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
}

/// Opens a log file for appending, made with mode 0644 if it is not there. The descriptor is close-on-exec.
///
/// A FIFO or a terminal is opened without blocking.
///
/// # Errors
/// As open(2); `NXIO` for a FIFO without reader.
pub fn open_append(path: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))
}

/// Opens the terminal behind `fd` anew, for writing without blocking; `None` where it is none, or without /proc.
///
/// Neither the flags of a terminal's shared open file can be changed, nor can poll(2) be believed when it calls one
/// writable.
#[must_use]
pub fn reopen_terminal(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    if !rustix::termios::isatty(fd) {
        return None;
    }
    let mut room = [0; 32];
    let mut path = Text::new(&mut room);
    path.say("/proc/self/fd/");
    path.number(u64::from(fd.as_raw_fd().unsigned_abs()));
    path.put(b"\0");
    let path = CStr::from_bytes_until_nul(&room).ok()?;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}

/// Fills descriptors 0, 1 and 2 where they are closed, so that no pipe of the manager ever gets such a number.
///
/// What fills them behaves as a closed descriptor does (reads and writes give `BADF`) and is closed again by exec. It
/// needs no /dev.
///
/// # Errors
/// As open(2) on the root directory.
pub fn hold_standard() -> Result<()> {
    for number in 0..=2 {
        if !is_open(number) {
            let held = rustix::fs::open(c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            // It must stay open for good; the number is the lowest free one, which is `number`.
            core::mem::forget(held);
        }
    }
    Ok(())
}

fn is_open(number: c_int) -> bool {
    // SAFETY: fcntl with F_GETFD takes no pointer, and a number that is not open is an error, not a fault.
    checked(unsafe { libc::fcntl(number, libc::F_GETFD) }).is_ok()
}

/// Counts the open descriptors from `first` up, without a gap and `most` at most.
#[must_use]
pub fn count_open(first: c_int, most: u16) -> u16 {
    (0..most).zip(first..).take_while(|(_, number)| is_open(*number)).fold(0, |_, (index, _)| index.saturating_add(1))
}

/// Names a descriptor by number for as long as the program runs.
///
/// Only for 0, 1 and 2, which [`hold_standard`] keeps open.
#[must_use]
pub fn standard(number: c_int) -> BorrowedFd<'static> {
    let number = number.clamp(0, 2);
    // SAFETY: the number is 0, 1 or 2, and those are open from start to end: `hold_standard` filled them, nothing closes them.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Makes every descriptor from `first` up close-on-exec.
///
/// One `close_range(2)`; where the kernel has none or forbids it, one fcntl(2) a number up to the limit of open files.
pub fn close_on_exec_from(first: c_int) {
    if close_range(first, CLOSE_RANGE_CLOEXEC).is_err() {
        for_each_number(first, |number| {
            // SAFETY: fcntl with F_SETFD takes no pointer, and a number that is not open is an error, not a fault.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        });
    }
}

/// Closes every descriptor from `first` up. Only for a child that owns nothing behind them any more.
pub fn close_from(first: c_int) {
    if close_range(first, 0).is_err() {
        for_each_number(first, |number| {
            // SAFETY: close takes no pointer; the caller owns nothing that is open from `first` up.
            unsafe { libc::close(number) };
        });
    }
}

/// Closes `count` descriptors from `first` up, which nothing in this process owns.
pub fn close_numbers(first: c_int, count: u16) {
    for number in (first..).take(usize::from(count)) {
        // SAFETY: close takes no pointer; the caller vouches that nothing owns what is open there.
        unsafe { libc::close(number) };
    }
}

/// Closes every descriptor from `first` up but those in `kept`. Only for a child that owns nothing else any more.
pub fn close_all_but(first: c_int, kept: [&[c_int]; 2]) {
    let mut first = first;
    while let Some(next) = kept.into_iter().flatten().copied().filter(|kept| *kept >= first).min() {
        close_from_to(first, next.saturating_sub(1));
        first = next.saturating_add(1);
    }
    close_from(first);
}

fn close_from_to(first: c_int, last: c_int) {
    if first > last {
        return;
    }
    // SAFETY: close_range takes no pointer; the caller owns nothing that is open in between.
    if answered(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).is_err() {
        for number in first..=last {
            // SAFETY: close takes no pointer; the caller owns nothing that is open in between.
            unsafe { libc::close(number) };
        }
    }
}

const CLOSE_RANGE_UNSHARE: c_uint = 2;
const CLOSE_RANGE_CLOEXEC: c_uint = 4;

/// `close_range(2)`, by number: not every libc has it.
fn close_range(first: c_int, flags: c_uint) -> Result<()> {
    // SAFETY: close_range takes no pointer.
    answered(unsafe { libc::syscall(libc::SYS_close_range, first, c_int::MAX, flags) }).map(|_| ())
}

/// Gives a child that shares its parent's descriptors a table of its own, with those below `first` in it.
///
/// # Errors
/// `NOMEM`, `MFILE`; the table is still shared then, and nothing may be done to it.
pub fn unshare_below(first: c_int) -> Result<()> {
    close_range(first, CLOSE_RANGE_UNSHARE).or_else(|_| {
        // SAFETY: unshare takes no pointer.
        checked(unsafe { libc::unshare(libc::CLONE_FILES) }).map(|_| ())
    })
}

/// Moves a descriptor to the lowest free number from `least` up. It stays close-on-exec.
///
/// # Errors
/// `MFILE` when there is none, `INVAL` when the limit of open files forbids any.
pub fn move_up(fd: OwnedFd, least: c_int) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, least)
}

/// Calls `act` with every number from `first` up that could be an open descriptor.
fn for_each_number(first: c_int, act: impl Fn(c_int)) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let end = limit.and_then(|limit| c_int::try_from(limit).ok()).unwrap_or(1 << 20);
    for number in first..end {
        act(number);
    }
}

/// Puts `from` in the place of standard descriptor `number`, inheritable.
///
/// # Errors
/// None that an open descriptor can cause, but `MFILE` below a limit of three.
pub fn replace_standard(from: BorrowedFd<'_>, number: c_int) -> Result<()> {
    loop {
        // SAFETY: dup2 takes no pointer; what was open under `number` belongs to the child that calls this, and it gives it up.
        match checked(unsafe { libc::dup2(from.as_raw_fd(), number) }) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR | Errno::BUSY) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Reads what is there, at most `buffer`; 0 is end-of-file.
///
/// # Errors
/// `AGAIN` when nothing is there now.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut *buffer))
}

/// Writes through an open file of the manager's own; it blocks only where that file does.
///
/// # Errors
/// As write(2).
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    rustix::io::retry_on_intr(|| rustix::io::write(fd, bytes))
}

/// Writes to a file that others share, whose blocking mode is therefore not ours to change, without ever waiting.
///
/// # Errors
/// `AGAIN` when it is full now, else as pwritev2(2).
pub fn write_shared(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    // An offset of -1 means the file's own position.
    let row = [IoSlice::new(bytes)];
    match rustix::io::retry_on_intr(|| rustix::io::pwritev2(fd, &row, u64::MAX, ReadWriteFlags::NOWAIT)) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => write_when_writable(fd, bytes),
        answer => answer,
    }
}

/// Reads from a file that others share, whose blocking mode is therefore not ours to change, without ever waiting.
///
/// # Errors
/// `AGAIN` when nothing is there now, else as preadv2(2).
pub fn read_shared(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    // An offset of -1 means the file's own position.
    rustix::io::preadv2(fd, &mut [IoSliceMut::new(buffer)], u64::MAX, ReadWriteFlags::NOWAIT)
}

/// The older way to the same end: a pipe that poll(2) calls writable takes `PIPE_BUF` bytes at once.
fn write_when_writable(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    let mut row = [writable(fd.as_raw_fd())];
    poll(&mut row, Some(Duration::ZERO))?;
    if row[0].revents == 0 {
        return Err(Errno::AGAIN);
    }
    write(fd, bytes.get(..PIPE_BUF).unwrap_or(bytes))
}

/// Tells how many bytes wait in a pipe.
#[must_use]
pub fn waiting(fd: BorrowedFd<'_>) -> usize {
    rustix::io::ioctl_fionread(fd).ok().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)
}

/// Marks a descriptor close-on-exec, or not.
///
/// # Errors
/// None that an open descriptor can cause.
pub fn set_close_on_exec(fd: BorrowedFd<'_>, on: bool) -> Result<()> {
    rustix::io::fcntl_setfd(fd, if on { FdFlags::CLOEXEC } else { FdFlags::empty() })
}

/// One row of the array that poll(2) takes; a negative descriptor is skipped.
pub type PollRow = libc::pollfd;

/// A row that waits for nothing.
pub const IDLE_ROW: PollRow = PollRow { fd: -1, events: 0, revents: 0 };

/// A row that waits for bytes to read.
#[must_use]
pub const fn readable(fd: c_int) -> PollRow {
    PollRow { fd, events: libc::POLLIN, revents: 0 }
}

/// A row that waits for room to write.
#[must_use]
pub const fn writable(fd: c_int) -> PollRow {
    PollRow { fd, events: libc::POLLOUT, revents: 0 }
}

/// Waits until a row has news, a signal came (`Ok` with no news), or the time is over; `None` waits for ever.
///
/// # Errors
/// `NOMEM`; `INVAL` when there are more rows than the limit of open files.
pub fn poll(rows: &mut [PollRow], timeout: Option<Duration>) -> Result<()> {
    let count = libc::nfds_t::try_from(rows.len()).unwrap_or(0);
    // SAFETY: the pointer and the count are those of one slice of ours.
    match checked(unsafe { libc::poll(rows.as_mut_ptr(), count, timeout.map_or(-1, millis)) }) {
        Ok(_) => Ok(()),
        // The kernel has written no row then.
        Err(Errno::INTR) => {
            for row in rows {
                row.revents = 0;
            }
            Ok(())
        }
        Err(errno) => Err(errno),
    }
}

/// Rounds up to whole milliseconds, so that a deadline has passed when poll says so.
fn millis(time: Duration) -> c_int {
    c_int::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
}
