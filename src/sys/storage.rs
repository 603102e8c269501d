//! Memory for the whole life of a program, known at compile time and handed out once.
//!
//! A static table of enums would land in the file's data section, because their padding has no value. These cells stay in
//! .bss: a page of them costs nothing until a row on it is used.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

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

/// Up to `N` rows, of which the borrower uses as many as it asks for.
#[derive(Debug)]
pub struct Rows<T, const N: usize> {
    cells: Lent<MaybeUninit<[T; N]>>,
}

impl<T: Send, const N: usize> Rows<T, N> {
    /// Reserves the address space of `N` rows.
    #[expect(clippy::new_without_default, reason = "a default is no const, and these are statics")]
    #[must_use]
    pub const fn new() -> Self {
        Self { cells: Lent::new(MaybeUninit::uninit()) }
    }

    #[expect(clippy::mut_from_ref, reason = "the flag makes the one reference unique")]
    /// Fills `count` rows (at most `N`) with what `make` gives and hands them out, once.
    pub fn take(&'static self, count: usize, make: impl Fn() -> T) -> Option<&'static mut [T]> {
        let start = self.cells.take()?.as_mut_ptr().cast::<T>();
        let count = count.min(N);
        for index in 0..count {
            // SAFETY: `index < N`, so the row lies inside the array.
            let row = unsafe { start.add(index) };
            // SAFETY: `take` above gave the only access to the array, of which the row is a part.
            unsafe { row.write(make()) };
        }
        // SAFETY: the loop has just written `count <= N` rows in a row, and nobody else can reach them.
        Some(unsafe { core::slice::from_raw_parts_mut(start, count) })
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
