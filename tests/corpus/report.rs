//! What children report comes back as it went, and nothing else is a report.

use cantella::report::{Report, Step};

/// Reads the bytes as reports, one behind the other.
pub fn check(bytes: &[u8]) {
    for bytes in bytes.as_chunks().0 {
        match Report::decode(bytes) {
            Some(report) => assert_eq!(report.encode(), *bytes),
            None => assert!(usize::from(bytes[2]) >= Step::ALL.len() || bytes[3] != 0, "{bytes:?}"),
        }
    }
}
