//! What libc's start-up hands to main: the arguments and the environment.

use core::ffi::{CStr, c_char};
use core::marker::PhantomData;

/// A null-terminated array of strings, as argv and envp are. It lives as long as the program.
///
/// main takes it in place of a `char **`; nothing else can make one.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Strings {
    first: *const *const c_char,
    strings: PhantomData<&'static CStr>,
}

impl Strings {
    /// Gives the strings, in order.
    #[must_use]
    pub const fn iter(self) -> Iter {
        Iter { next: self.first }
    }

    /// Gives the array that begins `count` strings later, or at the end if there are fewer.
    #[must_use]
    pub fn skip(self, count: usize) -> Self {
        let mut rest = self.iter();
        rest.by_ref().take(count).for_each(drop);
        Self { first: rest.next, strings: PhantomData }
    }

    /// Gives the array's address, as exec wants it.
    pub(super) const fn as_ptr(self) -> *const *const c_char {
        self.first
    }
}

impl IntoIterator for Strings {
    type Item = &'static CStr;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

/// Walks over [`Strings`].
#[derive(Clone, Debug)]
pub struct Iter {
    next: *const *const c_char,
}

impl Iterator for Iter {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        if self.next.is_null() {
            return None;
        }
        // SAFETY: `next` points into the array that libc's start-up made, at its terminating null at the furthest.
        let string = unsafe { *self.next };
        if string.is_null() {
            return None;
        }
        // SAFETY: the entry just read was not the terminating one, so one more follows.
        self.next = unsafe { self.next.add(1) };
        // SAFETY: entries before the terminating null are C strings that live as long as the program.
        Some(unsafe { CStr::from_ptr(string) })
    }
}
