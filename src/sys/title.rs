//! The name under which ps(1) shows this process: its comm, and its arguments overwritten in place.
//!
//! # References
//! prctl(2) `PR_SET_NAME`, proc(5) on `cmdline`. `PR_SET_MM` would be cleaner, and needs a capability that even root
//! lacks in many containers.

use core::ffi::{CStr, c_char};

use super::procfs;
use super::start::Strings;
use crate::text::Text;

/// The most bytes of arguments that can be moved out of the way of a new name.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most arguments.
pub const MAX_ARGUMENTS: usize = 4096;
/// The longest comm.
const COMM: usize = 15;

/// A copy of a program's arguments.
#[derive(Debug)]
pub struct Copy {
    rows: [*const c_char; MAX_ARGUMENTS + 1],
    bytes: [u8; MAX_BYTES],
}

// SAFETY: the pointers are to the bytes beside them, in memory that is written once and then only read.
unsafe impl Send for Copy {}

impl Copy {
    /// Room for a copy.
    #[expect(clippy::large_stack_arrays, reason = "it is the initial value of a static")]
    pub const EMPTY: Self = Self { rows: [core::ptr::null(); MAX_ARGUMENTS + 1], bytes: [0; MAX_BYTES] };

    /// Copies `strings`, with `name` in the place of the one at `index`; `None`: there is no room for all of them.
    pub fn fill(&'static mut self, strings: Strings, index: usize, name: &str) -> Option<Strings> {
        let mut rest: &'static mut [u8] = &mut self.bytes;
        let (_end, rows) = self.rows.split_last_mut()?;
        let mut rows = rows.iter_mut();
        for (place, string) in strings.iter().enumerate() {
            let bytes = if place == index { name.as_bytes() } else { string.to_bytes() };
            let (copy, others) = rest.split_at_mut_checked(bytes.len())?;
            // The room is all zeros, so that leaving one byte ends the string.
            let (_zero, others) = others.split_first_mut()?;
            copy.copy_from_slice(bytes);
            *rows.next()? = copy.as_ptr().cast();
            rest = others;
        }
        Some(Strings::of(&self.rows))
    }
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
