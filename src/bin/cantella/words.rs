//! The words of the command line, one after the other, and counted.

use core::ffi::CStr;
use core::fmt;

/// Arguments or environment entries, wherever they come from.
pub type Strings<'s, 'a> = &'s mut dyn Iterator<Item = &'a CStr>;

/// The words behind argv\[0\].
pub struct Words<'s, 'a> {
    rest: Strings<'s, 'a>,
    index: usize,
}

impl<'s, 'a> Words<'s, 'a> {
    /// Splits argv\[0\] off.
    pub fn new(argv: Strings<'s, 'a>) -> (&'a CStr, Self) {
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
