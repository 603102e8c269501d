//! The memory of the command: one arena, from which everything is lent that is not small.

use cantella::options::{Options, Output};
use cantella::pool::{GiveUp, Instant, Slot};
use cantella::relay::{BUFFER, Buffers, Channel, PART};
use cantella::sys::exec::{Environment, MAX_VARIABLES, PATH_MAX};
use cantella::sys::start::{Strings, Word};
use cantella::sys::storage::{Arena, LEAST_PAGE};
use cantella::sys::title::{self, MAX_ARGUMENTS, MAX_BYTES};
use cantella::table::{INPUT, Table};

use super::table::MAX_WORKERS;

#[expect(clippy::as_conversions, reason = "usize::from is no const function yet")]
const WORKERS: usize = MAX_WORKERS as usize;
#[expect(clippy::as_conversions, reason = "usize::from is no const function yet")]
const WINDOW: usize = GiveUp::MAX as usize;

/// The most bytes of the user and the group file together.
const ACCOUNTS: usize = 1 << 20;

/// Room for the largest of everything, and for what alignment leaves out.
const SIZE: usize = WORKERS * (size_of::<Slot>() + size_of::<Channel>() + size_of::<Buffers>())
    + WINDOW * size_of::<Instant>()
    + (MAX_VARIABLES + MAX_ARGUMENTS) * size_of::<Word>()
    + MAX_BYTES
    + ACCOUNTS
    + PATH_MAX
    + INPUT
    + BUFFER
    + 16 * LEAST_PAGE;

static MEMORY: Arena<SIZE> = Arena::new();

/// Lends a manager the rows that it needs.
pub fn table(options: &Options<'_>) -> Option<Table<'static>> {
    let workers = usize::from(options.policy.workers);
    let relayed = if options.setup.output == Output::Relay { workers } else { 0 };
    let window = options.policy.give_up.map_or(0, |limit| usize::from(limit.failures));
    let lines = relayed.saturating_mul(size_of::<Buffers>());
    Some(Table {
        slots: MEMORY.rows(workers, || Slot::EMPTY)?,
        channels: MEMORY.rows(relayed, || Channel::CLOSED)?,
        window: MEMORY.rows(window, || Instant::ZERO)?,
        buffers: MEMORY.bytes(lines, LEAST_PAGE)?.as_chunks_mut::<PART>().0.as_chunks_mut().0,
        input: MEMORY.bytes(INPUT, LEAST_PAGE)?,
    })
}

/// Lends an environment for so many variables.
pub fn environment(variables: usize) -> Option<Environment> {
    let rows = Environment::rows(variables.min(MAX_VARIABLES));
    Some(Environment::new(MEMORY.rows(rows, || Word::END)?))
}

/// Copies the arguments, with `name` in the place of the one at `index`.
pub fn copy(arguments: Strings, index: usize, name: &str) -> Option<Strings> {
    let rows = arguments.count().min(MAX_ARGUMENTS).saturating_add(1);
    title::copy(arguments, index, name, MEMORY.rows(rows, || Word::END)?, MEMORY.bytes(MAX_BYTES, 1)?)
}

/// Lends room for a path.
pub fn path() -> Option<&'static mut [u8; PATH_MAX]> {
    MEMORY.bytes(PATH_MAX, 1)?.first_chunk_mut()
}

/// Lends room for a short text.
pub fn text() -> Option<&'static mut [u8]> {
    MEMORY.bytes(64, 1)
}

/// Keeps from workers what is lent from now on.
pub fn withhold_rest() {
    MEMORY.withhold_rest();
}

/// Lends the buffer of the log.
pub fn log() -> Option<&'static mut [u8]> {
    MEMORY.bytes(BUFFER, LEAST_PAGE)
}

/// Lends room for the user and the group file.
pub fn accounts() -> Option<&'static mut [u8]> {
    MEMORY.bytes(ACCOUNTS, LEAST_PAGE)
}
