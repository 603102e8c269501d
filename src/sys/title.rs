//! The name under which ps(1) shows this process: its comm, and its arguments overwritten in place.
//!
//! # References
//! prctl(2) `PR_SET_NAME`, proc(5) on `cmdline`. `PR_SET_MM` would be cleaner, and needs a capability that even root
//! lacks in many containers.

use core::ffi::CStr;

use super::procfs;
use super::start::{Strings, Word};
use crate::text::Text;

/// The most bytes of arguments that can be moved out of the way of a new name.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most arguments.
pub const MAX_ARGUMENTS: usize = 4096;
/// The longest comm.
const COMM: usize = 15;

/// Copies `strings` into lent memory, with `name` in the place of the one at `index`; `None`: there is no room for all of
/// them. Every row must be [`Word::END`] and every byte zero.
pub fn copy(
    strings: Strings,
    index: usize,
    name: &str,
    rows: &'static mut [Word],
    bytes: &'static mut [u8],
) -> Option<Strings> {
    let mut rest = bytes;
    let (_end, places) = rows.split_last_mut()?;
    let mut places = places.iter_mut();
    for (place, string) in (0..usize::MAX).zip(strings) {
        let bytes = if place == index { name.as_bytes() } else { string.to_bytes() };
        let (copy, others) = rest.split_at_mut_checked(bytes.len())?;
        // Leaving one byte ends the string.
        let (_zero, others) = others.split_first_mut()?;
        Text::new(copy).put(bytes);
        *places.next()? = Word(copy.as_ptr().cast());
        rest = others;
    }
    Some(Strings::of(rows))
}

/// Renames this process. `arguments` is what main was given; nobody may look at those strings any more.
///
/// The arguments show as much of the title as their area holds; comm is cut at 15 bytes so that `suffix` is kept.
pub fn rename(arguments: Strings, name: &str, suffix: &str) {
    write_comm(name, suffix);
    write_title(arguments.area(), name, suffix);
}

/// Renames this process, whose main is not ours: /proc tells where its arguments are. Without /proc only comm is changed.
///
/// Whoever looks at the program's arguments afterwards reads the name, or nothing.
pub fn rename_found(name: &str, suffix: &str) {
    write_comm(name, suffix);
    if let Ok((start, end)) = procfs::argument_area() {
        let start = core::ptr::with_exposed_provenance_mut::<u8>(start);
        // The last byte stays zero: it ends the last string.
        let length = end.saturating_sub(start.addr()).saturating_sub(1);
        write_title((0..length).map(|offset| start.wrapping_add(offset)), name, suffix);
    }
}

fn write_comm(name: &str, suffix: &str) {
    let mut room = [0; COMM + 1];
    let mut comm = Text::new(&mut room);
    let kept = COMM.saturating_sub(suffix.len()).min(name.len());
    comm.put(name.as_bytes().get(..kept).unwrap_or_default());
    comm.say(suffix);
    if let Ok(comm) = CStr::from_bytes_until_nul(&room) {
        // It fails only for a pointer that is no string.
        let _ = rustix::thread::set_name(comm);
    }
}

/// Writes over the argument area, which is what `places` are.
fn write_title(places: impl Iterator<Item = *mut u8>, name: &str, suffix: &str) {
    let title = name.bytes().chain(suffix.bytes()).chain(core::iter::repeat(0));
    for (place, byte) in places.zip(title) {
        // SAFETY: `place` lies within the argument area, which is writable; only its last byte must stay zero, and that is no place.
        unsafe { place.write(byte) };
    }
}
