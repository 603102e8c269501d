//! Descriptors that the standard library cannot make: a full pipe, a pseudo-terminal.

use std::fs::{File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Write as _, pipe};
use std::os::fd::{AsRawFd as _, FromRawFd as _, RawFd};
use std::os::unix::fs::OpenOptionsExt as _;

/// A pipe without room for one byte more. What fills it are empty lines.
pub fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().expect("a pipe");
    #[expect(unsafe_code, reason = "the standard library has no way to ask for a pipe's size")]
    // SAFETY: the descriptor is open, and the command takes no pointer.
    let size = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_GETPIPE_SZ) };
    let size = usize::try_from(size).expect("the size of a pipe");
    writer.write_all(&vec![b'\n'; size]).expect("a write that fits");
    (reader, writer)
}

/// Opens a pseudo-terminal: the end of whoever looks at it, and the end of the programs on it.
pub fn terminal() -> (File, File) {
    let open = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/ptmx");
    let viewer = open.expect("a pseudo-terminal");
    let unlocked: libc::c_int = 0;
    assert_eq!(control(viewer.as_raw_fd(), libc::TIOCSPTLCK, (&raw const unlocked).addr()), 0, "unlocking it");
    let flags = usize::try_from(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC).expect("a flag word");
    let peer = control(viewer.as_raw_fd(), libc::TIOCGPTPEER, flags);
    assert!(peer >= 0, "opening its other end");
    #[expect(unsafe_code, reason = "the call gives a bare number")]
    // SAFETY: the kernel just opened the descriptor for us alone.
    let programs = unsafe { File::from_raw_fd(peer) };
    (viewer, programs)
}

/// ioctl(2) with a number or the address of one.
fn control(descriptor: RawFd, request: libc::Ioctl, argument: usize) -> libc::c_int {
    #[expect(unsafe_code, reason = "the standard library has no terminals")]
    // SAFETY: both requests take a number or the address of one that lives across the call.
    let answer = unsafe { libc::ioctl(descriptor, request, argument) };
    answer
}

/// Gives a terminal another size, which its foreground is told of.
pub fn resize(terminal: &File, rows: u16, columns: u16) {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    assert_eq!(control(terminal.as_raw_fd(), libc::TIOCSWINSZ, (&raw const size).addr()), 0, "resizing it");
}
