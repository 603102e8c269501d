//! The memory of a manager: known at compile time, lent by whoever runs it.

use crate::pool::{GiveUp, Instant, Slot};
use crate::relay::{Buffers, Channel, PART};
use crate::sys::storage::Cells;

/// How much of a worker's output is read at once.
pub const INPUT: usize = 64 * 1024;

/// What a manager works on, in parts of any origin.
///
/// Each slice but the last two has one row for each worker that there can ever be. Where no output is relayed, `channels`
/// and `buffers` may be empty.
#[derive(Debug)]
pub struct Table<'a> {
    /// The workers.
    pub slots: &'a mut [Slot],
    /// The pipes that they write to.
    pub channels: &'a mut [Channel],
    /// Their unfinished lines.
    pub buffers: &'a mut [Buffers],
    /// Failed starts within the window of `give_up`: as many rows as failures are allowed.
    pub window: &'a mut [Instant],
    /// What is read from workers, [`INPUT`] bytes.
    pub input: &'a mut [u8],
}

/// All the memory of a manager of up to `SLOTS` workers, in one value of a fixed size: about 73 KiB, and 17 KiB more for
/// each worker.
///
/// It is what a `Manager<SLOTS>` would hold. It stands apart, so that it can lie where such a size belongs (in a static,
/// in a box, far up on the stack), while the manager itself stays small, and so that the manager's code is there once,
/// whatever the number of workers. It is all zeros until it is lent, so that as a static it takes no room in the file.
///
/// ```
/// use cantella::sys::storage::Lent;
/// use cantella::table::Storage;
///
/// static STORAGE: Lent<Storage<16>> = Lent::new(Storage::new());
///
/// let table = STORAGE.take().expect("nobody has taken it before").lend();
/// # let _ = table;
/// ```
#[derive(Debug)]
pub struct Storage<const SLOTS: usize> {
    slots: Cells<Slot, SLOTS>,
    channels: Cells<Channel, SLOTS>,
    buffers: [Buffers; SLOTS],
    window: [Instant; WINDOW],
    input: [u8; INPUT],
}

#[expect(clippy::as_conversions, reason = "usize::from is no const function yet")]
const WINDOW: usize = GiveUp::MAX as usize;

impl<const SLOTS: usize> Storage<SLOTS> {
    /// Makes storage that nobody uses.
    #[expect(clippy::new_without_default, reason = "a default is no const, and this is for statics")]
    #[expect(clippy::large_stack_arrays, reason = "it is the initial value of a static")]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: Cells::new(),
            channels: Cells::new(),
            buffers: [[[0; PART]; 2]; SLOTS],
            window: [Instant::ZERO; WINDOW],
            input: [0; INPUT],
        }
    }

    /// Lends the storage to one manager; once that is gone, to the next.
    pub fn lend(&mut self) -> Table<'_> {
        Table {
            slots: self.slots.fill(|| Slot::EMPTY),
            channels: self.channels.fill(|| Channel::CLOSED),
            buffers: &mut self.buffers,
            window: &mut self.window,
            input: &mut self.input,
        }
    }
}
