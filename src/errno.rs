//! What the kernel's error numbers mean, for the errors that a supervisor meets.

/// Error numbers and their texts.
static TEXTS: [(i32, &str); 26] = [
    (1, "Operation not permitted"),
    (2, "No such file or directory"),
    (3, "No such process"),
    (4, "Interrupted system call"),
    (5, "Input/output error"),
    (7, "Argument list too long"),
    (8, "Exec format error"),
    (9, "Bad file descriptor"),
    (10, "No child processes"),
    (11, "Resource temporarily unavailable"),
    (12, "Cannot allocate memory"),
    (13, "Permission denied"),
    (20, "Not a directory"),
    (21, "Is a directory"),
    (22, "Invalid argument"),
    (23, "Too many open files in system"),
    (24, "Too many open files"),
    (26, "Text file busy"),
    (27, "File too large"),
    (28, "No space left on device"),
    (30, "Read-only file system"),
    (32, "Broken pipe"),
    (36, "File name too long"),
    (38, "Function not implemented"),
    (40, "Too many levels of symbolic links"),
    (122, "Disk quota exceeded"),
];

/// Gives the text of an error number; `None` for those outside the table.
///
/// # References
/// errno(3); the texts are those of strerror(3).
#[must_use]
pub fn text(errno: i32) -> Option<&'static str> {
    TEXTS.iter().find(|(number, _)| *number == errno).map(|(_, text)| *text)
}
