//! Memory for the whole life of a program, known at compile time and handed out once.
//!
//! A static table of enums would land in the file's data section, because their padding has no value. This memory stays in
//! .bss: a page of it costs nothing until something on it is used.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::answered;

/// The least that a page of memory has on any machine; what begins on one shares it with nothing.
pub const LEAST_PAGE: usize = 4096;
/// The most that one has.
const LARGEST_PAGE: usize = 1 << 16;

/// A value that is lent out once.
#[derive(Debug)]
pub struct Lent<T> {
    /// 0 until it was lent. As wide as it is, it leaves no padding in front of the value, which would have no value.
    taken: AtomicUsize,
    value: UnsafeCell<T>,
}

// SAFETY: `taken` lets exactly one caller ever reach the value, and `T: Send` lets that be any thread.
unsafe impl<T: Send> Sync for Lent<T> {}

impl<T> Lent<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self { taken: AtomicUsize::new(0), value: UnsafeCell::new(value) }
    }

    /// Gives the value to the first caller, nothing to any other.
    #[expect(clippy::mut_from_ref, reason = "the flag makes the one reference unique")]
    pub fn take(&'static self) -> Option<&'static mut T> {
        if self.taken.swap(1, Ordering::AcqRel) != 0 {
            return None;
        }
        // SAFETY: the swap above gave this caller the only access, and a static is never moved or dropped.
        Some(unsafe { &mut *self.value.get() })
    }
}

/// Memory that is handed out in pieces, one beside the other, for good.
///
/// What is used little by little stays together, so that few pages are touched.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Arena<const BYTES: usize> {
    used: AtomicUsize,
    bytes: UnsafeCell<[u8; BYTES]>,
}

// SAFETY: `carve` gives each part of the bytes to one caller alone, in whatever thread.
unsafe impl<const BYTES: usize> Sync for Arena<BYTES> {}

impl<const BYTES: usize> Arena<BYTES> {
    /// Reserves the address space of so many bytes.
    #[expect(clippy::new_without_default, reason = "a default is no const, and these are statics")]
    #[must_use]
    pub const fn new() -> Self {
        Self { used: AtomicUsize::new(0), bytes: UnsafeCell::new([0; BYTES]) }
    }

    /// Hands out `len` bytes, all zero, from a multiple of `align` on (a power of two); they cost nothing until they are
    /// used. `None`: there are not so many left.
    #[expect(clippy::mut_from_ref, reason = "each piece is handed out once")]
    pub fn bytes(&'static self, len: usize, align: usize) -> Option<&'static mut [u8]> {
        let start = self.carve(len, align)?;
        // SAFETY: `carve` gave these bytes to this caller alone; they are zeros from the start, and a static stays.
        Some(unsafe { core::slice::from_raw_parts_mut(start, len) })
    }

    /// Hands out `count` rows, each as `make` makes it. `None`: there is not so much room left.
    #[expect(clippy::mut_from_ref, reason = "each piece is handed out once")]
    pub fn rows<T: Send>(&'static self, count: usize, make: impl Fn() -> T) -> Option<&'static mut [T]> {
        let start = self.carve(count.checked_mul(size_of::<T>())?, align_of::<T>())?.cast::<T>();
        for index in 0..count {
            // SAFETY: the piece has room for `count` rows.
            let row = unsafe { start.add(index) };
            // SAFETY: the piece is aligned for `T`, and nobody else can reach it.
            unsafe { row.write(make()) };
        }
        // SAFETY: the loop has just written `count` rows in a row, which nobody else can reach, and a static stays.
        Some(unsafe { core::slice::from_raw_parts_mut(start, count) })
    }

    /// Keeps from children what is not handed out yet: fork(2) copies nothing of it, and its parent, who goes on writing
    /// to it, does not have to copy it page by page after every fork.
    ///
    /// A child that reaches for it faults.
    ///
    /// # References
    /// madvise(2), `MADV_DONTFORK`.
    pub fn withhold_rest(&'static self) {
        // Whole pages, whatever their size: the kernel rounds the end up, and refuses a start within one.
        let Some(start) = self.carve(0, LEAST_PAGE) else { return };
        let end = self.bytes.get().addr().saturating_add(BYTES);
        let length = end.saturating_sub(start.addr()) & LARGEST_PAGE.wrapping_neg();
        // Where it is refused, all is as it was: the fork copies it, too.
        // SAFETY: these bytes stay where they are, for this process; no child is there yet.
        let _ = answered(unsafe { libc::syscall(libc::SYS_madvise, start, length, libc::MADV_DONTFORK) });
    }

    /// Takes a piece of `len` bytes off the rest.
    fn carve(&self, len: usize, align: usize) -> Option<*mut u8> {
        let bytes = self.bytes.get().cast::<u8>();
        let piece = |used: usize| {
            let start = used.checked_add(bytes.wrapping_add(used).addr().wrapping_neg() & align.checked_sub(1)?)?;
            let end = start.checked_add(len).filter(|end| *end <= BYTES)?;
            Some((start, end))
        };
        let taken = |used| piece(used).map(|(_, end)| end);
        let before = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, taken).ok()?;
        piece(before).map(|(start, _)| bytes.wrapping_add(start))
    }
}

/// `N` rows that are made when they are lent; until then they are zeros, which a static needs no room in the file for.
#[derive(Debug)]
pub struct Cells<T, const N: usize> {
    rows: MaybeUninit<[T; N]>,
}

impl<T, const N: usize> Cells<T, N> {
    /// Reserves the room.
    #[expect(clippy::new_without_default, reason = "a default is no const, and these are for statics")]
    #[must_use]
    pub const fn new() -> Self {
        Self { rows: MaybeUninit::zeroed() }
    }

    /// Fills every row with what `make` gives and lends them all. What was in them before is not dropped.
    pub fn fill(&mut self, make: impl Fn() -> T) -> &mut [T; N] {
        self.rows.write(core::array::from_fn(|_| make()))
    }
}
