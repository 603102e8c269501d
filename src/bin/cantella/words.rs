//! The words of the command line, one after the other, and counted.

use core::ffi::CStr;
use core::fmt;

/// Arguments or environment entries, one after the other: any iterator, of which one copy of the parser is to do for all.
pub trait Strings<'a> {
    /// Gives the next one.
    fn next(&mut self) -> Option<&'a CStr>;
}

impl<'a, I: Iterator<Item = &'a CStr>> Strings<'a> for I {
    fn next(&mut self) -> Option<&'a CStr> {
        self.next()
    }
}

/// The words behind argv\[0\].
pub struct Words<'s, 'a> {
    rest: &'s mut dyn Strings<'a>,
    index: usize,
}

impl<'s, 'a> Words<'s, 'a> {
    /// Splits argv\[0\] off.
    pub fn new(argv: &'s mut dyn Strings<'a>) -> (&'a CStr, Self) {
        (argv.next().unwrap_or_default(), Self { rest: argv, index: 0 })
    }

    /// Takes the next word.
    pub fn take(&mut self) -> Option<&'a CStr> {
        let word = self.rest.next();
        self.index = if word.is_some() { self.index.saturating_add(1) } else { 0 };
        word
    }

    /// Gives the index of the word that was taken last in the arguments; 0 once there were no more.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }
}

impl fmt::Debug for Words<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words").field("index", &self.index).finish_non_exhaustive()
    }
}
