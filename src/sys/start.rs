//! What libc's start-up hands to main: the arguments and the environment.

use core::ffi::{CStr, c_char};
use core::marker::PhantomData;

/// One place of an array of strings: a string that lives as long as the program, or the null at the end.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Word(pub(super) *const c_char);

impl Word {
    /// The end of an array.
    pub const END: Self = Self(core::ptr::null());
}

// SAFETY: the string behind it is never written again, so that any thread may read it.
unsafe impl Send for Word {}

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

    /// Counts the strings.
    #[must_use]
    pub fn count(self) -> usize {
        self.iter().fold(0, |count, _| count.saturating_add(1))
    }

    /// Gives the array that begins `count` strings later, or at the end if there are fewer.
    #[must_use]
    pub fn skip(self, count: usize) -> Self {
        let mut rest = self.iter();
        rest.by_ref().take(count).for_each(drop);
        Self { first: rest.next, strings: PhantomData }
    }

    /// Gives the array without its second string, whose place the first one takes.
    #[must_use]
    pub fn without_second(self) -> Self {
        if self.iter().nth(1).is_none() {
            return self;
        }
        // SAFETY: the array has two strings or more.
        let second = unsafe { self.first.add(1) };
        // SAFETY: as above, so that the first one can be read.
        let first = unsafe { *self.first };
        // SAFETY: main's arrays are the program's to write to, and nobody reads this one but through pointers into it.
        unsafe { *second.cast_mut() = first };
        Self { first: second, strings: PhantomData }
    }

    /// Takes an array of pointers to strings that live as long as the program, with a null at its end.
    pub(super) const fn of(rows: &'static [Word]) -> Self {
        Self { first: rows.as_ptr().cast(), strings: PhantomData }
    }

    /// Gives the place of every byte of the strings but the last zero, as far as they lie in one piece.
    ///
    /// The kernel puts a program's arguments side by side; a program that moved one has moved it out of reach.
    pub(super) fn area(self) -> impl Iterator<Item = *mut u8> {
        let mut strings = self.iter().map(CStr::to_bytes_with_nul);
        let first = strings.next().unwrap_or_default();
        let start = first.as_ptr().cast_mut();
        let mut len = first.len();
        for string in strings {
            if string.as_ptr() == start.wrapping_add(len) {
                len = len.saturating_add(string.len());
            }
        }
        (0..len.saturating_sub(1)).map(move |offset| start.wrapping_add(offset))
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
