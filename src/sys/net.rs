//! Stream sockets to a server, none of which ever waits.
//!
//! # References
//! socket(2), connect(2), send(2), shutdown(2).

use core::net::SocketAddr;

/// A socket, which is closed when it is dropped.
pub use rustix::fd::OwnedFd as Socket;
use rustix::net::{AddressFamily, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use super::fd::BorrowedFd;
use super::{Errno, Result};

/// Begins to connect; the socket becomes writable when that is over, and [`connected`] tells how it went.
///
/// # Errors
/// What is known at once: for an address without a way to it, for instance.
pub fn connect(address: SocketAddr) -> Result<Socket> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    begin(family, |socket| rustix::net::connect(socket, &address))
}

/// As [`connect`], to a socket in the file system.
///
/// # Errors
/// As [`connect`]; `NAMETOOLONG` for a path of more than 107 bytes.
pub fn connect_unix(path: &str) -> Result<Socket> {
    let address = SocketAddrUnix::new(path)?;
    begin(AddressFamily::UNIX, |socket| rustix::net::connect(socket, &address))
}

fn begin(family: AddressFamily, connect: impl Fn(&Socket) -> Result<()>) -> Result<Socket> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// Tells whether a socket that has become writable is connected.
///
/// # Errors
/// Why it is not: `CONNREFUSED` for instance.
pub fn connected(socket: BorrowedFd<'_>) -> Result<()> {
    sockopt::socket_error(socket)?
}

/// Sends what there is room for.
///
/// # Errors
/// `AGAIN` when there is none; `PIPE` and `CONNRESET` when the other side is gone.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    rustix::io::retry_on_intr(|| rustix::net::send(socket, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT))
}

/// Tells the other side that nothing will be sent any more; what it still sends can be received.
pub fn finish_sending(socket: BorrowedFd<'_>) {
    // A socket that is not connected any more needs no telling.
    let _ = rustix::net::shutdown(socket, Shutdown::Write);
}
