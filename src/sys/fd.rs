//! Descriptors: pipes, poll over a fixed array, reads and writes that never block.
//!
//! # References
//! poll(2), pipe(2), `pwritev2(2)`, `close_range(2)`.

use core::ffi::{CStr, c_int, c_uint};
use core::time::Duration;

pub use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::fs::{FileType, OFlags};
use rustix::io::{FdFlags, IoSlice, IoSliceMut, ReadWriteFlags};

use super::{Errno, Result, answered, checked, last_errno};
use crate::text::Text;

/// The longest write that a pipe takes whole or not at all.
pub const PIPE_BUF: usize = 4096;

/// A descriptor that is closed when it is dropped.
///
/// Without std, rustix's own makes sure each time it is lent that it is none that failed to open; this one did so once.
#[derive(Debug)]
pub struct OwnedFd(BorrowedFd<'static>);

impl OwnedFd {
    /// Takes over what a libc call has just opened, or tells why it has not.
    pub(super) fn new(answer: c_int) -> Result<Self> {
        if answer < 0 {
            return Err(last_errno());
        }
        // SAFETY: it is open, not -1, and nobody else closes it: it is borrowed for as long as this value lives.
        Ok(Self(unsafe { BorrowedFd::borrow_raw(answer) }))
    }

    /// Leaves it open for good.
    const fn keep(self) {
        core::mem::forget(self);
    }
}

impl AsFd for OwnedFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0
    }
}

impl AsRawFd for OwnedFd {
    fn as_raw_fd(&self) -> c_int {
        self.0.as_raw_fd()
    }
}

impl Drop for OwnedFd {
    fn drop(&mut self) {
        // SAFETY: close takes no pointer; the descriptor is this value's own, and this is its end.
        unsafe { libc::close(self.0.as_raw_fd()) };
    }
}

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
    let mut ends = [-1; 2];
    // SAFETY: the array has room for the two numbers.
    answered(unsafe { libc::syscall(libc::SYS_pipe2, ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    let [read, write] = ends;
    Ok(Pipe { read: OwnedFd::new(read)?, write: OwnedFd::new(write)? })
}

/// Makes a pipe that others write to and the manager reads, which never waits for bytes.
///
/// # Errors
/// As [`pipe`].
pub fn pipe_to_read() -> Result<Pipe> {
    let pipe = pipe()?;
    // A new one has no other flags that this would take from it.
    rustix::fs::fcntl_setfl(&pipe.read, OFlags::NONBLOCK)?;
    Ok(pipe)
}

/// Opens a path for reading; the descriptor is close-on-exec.
///
/// # Errors
/// As open(2).
pub fn open_read(path: &CStr) -> Result<OwnedFd> {
    open(path, libc::O_RDONLY)
}

/// Opens a path for reading that never waits; the descriptor is close-on-exec.
///
/// # Errors
/// As open(2).
pub fn open_nonblocking(path: &CStr) -> Result<OwnedFd> {
    open(path, libc::O_RDONLY | libc::O_NONBLOCK)
}

/// Opens a path for writing what is there already; the descriptor is close-on-exec.
///
/// # Errors
/// As open(2).
pub fn open_write(path: &CStr) -> Result<OwnedFd> {
    open(path, libc::O_WRONLY)
}

/// Opens a directory, to read what is in it; the descriptor is close-on-exec.
///
/// # Errors
/// As open(2).
pub fn open_directory(path: &CStr) -> Result<OwnedFd> {
    open(path, libc::O_RDONLY | libc::O_DIRECTORY)
}

/// Reads entries of a directory, as getdents64(2) gives them; none at its end.
///
/// # Errors
/// `INVAL` when there is no room for one.
pub fn read_directory<'b>(directory: BorrowedFd<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
    let (raw, start, size) = (directory.as_raw_fd(), buffer.as_mut_ptr(), buffer.len());
    // SAFETY: the pointer and the size are those of one slice of ours.
    let length = answered(unsafe { libc::syscall(libc::SYS_getdents64, raw, start, size) })?;
    Ok(usize::try_from(length).ok().and_then(|length| buffer.get(..length)).unwrap_or_default())
}

/// Opens a log file for appending, made with mode 0644 if it is not there. The descriptor is close-on-exec.
///
/// A FIFO or a terminal is opened without blocking.
///
/// # Errors
/// As open(2); `NXIO` for a FIFO without reader.
pub fn open_append(path: &CStr) -> Result<OwnedFd> {
    open(path, libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NONBLOCK)
}

/// open(2): no terminal becomes the controlling one, and a file that is made has mode 0644.
fn open(path: &CStr, flags: c_int) -> Result<OwnedFd> {
    let (flags, mode) = (flags | libc::O_CLOEXEC | libc::O_NOCTTY, 0o644);
    // SAFETY: the path is a C string, which the call does not keep.
    let answer = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, mode) };
    OwnedFd::new(number_of(answer))
}

/// fcntl(2) with a command that takes a number and no pointer. A descriptor that is not open is an error, not a fault.
fn control(number: c_int, command: c_int, argument: c_int) -> c_int {
    // SAFETY: none of the commands that are given here takes a pointer.
    number_of(unsafe { libc::syscall(libc::SYS_fcntl, number, command, argument) })
}

/// ioctl(2) with a request that takes or gives one number; gives that.
///
/// # Errors
/// `NOTTY` where the device does not know it.
pub(super) fn ask_device(fd: BorrowedFd<'_>, request: libc::Ioctl, number: c_int) -> Result<c_int> {
    // The size of a terminal takes both.
    let mut numbers = [number, 0];
    // SAFETY: none of the requests that are given here writes more than two numbers, and the call keeps no pointer.
    answered(unsafe { libc::syscall(libc::SYS_ioctl, fd.as_raw_fd(), request, numbers.as_mut_ptr()) })?;
    Ok(numbers[0])
}

/// Narrows what a system call gave: descriptors, flags and -1 all fit.
pub(super) fn number_of(answer: libc::c_long) -> c_int {
    c_int::try_from(answer).unwrap_or(-1)
}

/// Tells whether a descriptor is a file on a disk. Such a file is never called full by poll(2), and some file systems
/// refuse every write that must not wait.
#[must_use]
pub fn is_on_disk(fd: BorrowedFd<'_>) -> bool {
    let kind = rustix::fs::fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
    matches!(kind, Ok(FileType::RegularFile | FileType::BlockDevice))
}

/// Opens the terminal behind `fd` anew, for writing without blocking; `None` where it is none, or without /proc.
///
/// Neither the flags of a terminal's shared open file can be changed, nor can poll(2) be believed when it calls one
/// writable.
#[must_use]
pub fn reopen_terminal(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    // What isatty(3) asks.
    ask_device(fd, libc::TIOCGWINSZ, 0).ok()?;
    let mut room = [0; 32];
    let mut path = Text::new(&mut room);
    path.say("/proc/self/fd/");
    path.number(u64::from(fd.as_raw_fd().unsigned_abs()));
    path.put(b"\0");
    let path = CStr::from_bytes_until_nul(&room).ok()?;
    open(path, libc::O_WRONLY | libc::O_NONBLOCK).ok()
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
            // The number is the lowest free one, which is `number`.
            open(c"/", libc::O_PATH)?.keep();
        }
    }
    Ok(())
}

fn is_open(number: c_int) -> bool {
    control(number, libc::F_GETFD, 0) != -1
}

/// Counts the open descriptors from `first` up, without a gap and `most` at most.
#[must_use]
pub fn count_open(first: c_int, most: u16) -> u16 {
    (0..most).find(|index| !is_open(first.saturating_add(c_int::from(*index)))).unwrap_or(most)
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

/// Makes every descriptor from `first` up close-on-exec, and tells whether there is a `close_range(2)` for it.
///
/// Where the kernel has none or forbids it, that takes one fcntl(2) a number up to the limit of open files.
#[expect(clippy::must_use_candidate, reason = "it is done either way")]
pub fn close_on_exec_from(first: c_int) -> bool {
    let known = close_range(first, CLOSE_RANGE_CLOEXEC).is_ok();
    if !known {
        for_each_number(first, |number| {
            control(number, libc::F_SETFD, libc::FD_CLOEXEC);
        });
    }
    known
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
    for number in first..first.saturating_add(c_int::from(count)) {
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
/// Only where [`close_on_exec_from`] has found the call that this takes: not everywhere may a process leave what it shares.
///
/// # Errors
/// `NOMEM`, `MFILE`; the table is still shared then, and nothing may be done to it.
pub fn unshare_below(first: c_int) -> Result<()> {
    close_range(first, CLOSE_RANGE_UNSHARE)
}

/// Calls `act` with every number from `first` up that could be an open descriptor.
fn for_each_number(first: c_int, act: impl Fn(c_int)) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let end = limit.and_then(|limit| c_int::try_from(limit).ok()).unwrap_or(1 << 20);
    for number in first..end {
        act(number);
    }
}

/// Lets two descriptors exchange their numbers, by way of a spare one. Where the kernel refuses, they keep them.
pub fn exchange(one: &mut OwnedFd, other: &mut OwnedFd, spare: &OwnedFd) {
    let (first, second, spare) = (one.as_raw_fd(), other.as_raw_fd(), spare.as_raw_fd());
    if !replace(first, spare) || !replace(second, first) {
        return;
    }
    if replace(spare, second) {
        core::mem::swap(one, other);
    } else {
        replace(spare, first);
    }
}

/// Puts `from` in the place of the open descriptor `place`; it is close-on-exec there. Tells whether that succeeded.
fn replace(from: c_int, place: c_int) -> bool {
    // SAFETY: dup3 takes no pointer; whoever owns `place` goes on owning a descriptor of that number.
    answered(unsafe { libc::syscall(libc::SYS_dup3, from, place, libc::O_CLOEXEC) }).is_ok()
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

/// Takes back what an earlier holder did to the open file behind `fd`: that it does not block, sends signals, or keeps
/// writes apart.
///
/// # Errors
/// None that an open descriptor can cause.
pub fn reset_flags(fd: BorrowedFd<'_>) -> Result<()> {
    rustix::fs::fcntl_setfl(fd, OFlags::empty())
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
        // The last is the word of sandboxes that do not know the call.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM) => write_when_writable(fd, bytes),
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
    if poll(&mut row, Some(Duration::ZERO)).is_err() || row[0].revents == 0 {
        return Err(Errno::AGAIN);
    }
    write(fd, bytes.get(..PIPE_BUF).unwrap_or(bytes))
}

/// Tells how many bytes wait in a pipe.
#[must_use]
pub fn waiting(fd: BorrowedFd<'_>) -> usize {
    ask_device(fd, libc::FIONREAD, 0).ok().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)
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

/// Waits until a row has news, a signal came, or the time is over; `None` waits for ever. Tells whether it was a signal:
/// no row has news then.
///
/// # Errors
/// `NOMEM`; `INVAL` when there are more rows than the limit of open files.
pub fn poll(rows: &mut [PollRow], timeout: Option<Duration>) -> Result<bool> {
    let count = libc::nfds_t::try_from(rows.len()).unwrap_or(0);
    // SAFETY: the pointer and the count are those of one slice of ours.
    match checked(unsafe { libc::poll(rows.as_mut_ptr(), count, timeout.map_or(-1, millis)) }) {
        Ok(_) => Ok(false),
        // The kernel has written no row then.
        Err(Errno::INTR) => {
            for row in rows {
                row.revents = 0;
            }
            Ok(true)
        }
        Err(errno) => Err(errno),
    }
}

/// Rounds up to whole milliseconds, so that a deadline has passed when poll says so.
fn millis(time: Duration) -> c_int {
    let rest = u64::from(time.subsec_nanos().div_ceil(1_000_000));
    c_int::try_from(time.as_secs().saturating_mul(1_000).saturating_add(rest)).unwrap_or(c_int::MAX)
}
