//! The address of a beanstalkd server.

use core::net::SocketAddr;

/// Where a server listens. Names are not looked up: an address is written as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server<'a> {
    /// An IPv4 or IPv6 address and a port.
    Network(SocketAddr),
    /// A path in the file system, at most 107 bytes.
    Unix(&'a str),
}

impl<'a> Server<'a> {
    /// Reads an address: `127.0.0.1:11300`, `[::1]:11300` or `/run/beanstalkd.sock`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.starts_with('/') {
            return Some(Self::Unix(text));
        }
        text.parse().ok().map(Self::Network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        assert_eq!(Server::parse("/run/b.sock"), Some(Server::Unix("/run/b.sock")));
        for text in ["127.0.0.1:11300", "[::1]:11300"] {
            assert!(
                matches!(Server::parse(text), Some(Server::Network(address)) if address.port() == 11_300),
                "{text}"
            );
        }
        for text in ["", "localhost:11300", "127.0.0.1", "::1:11300", "127.0.0.1:99999", "run/b.sock"] {
            assert_eq!(Server::parse(text), None, "{text}");
        }
    }
}
