//! What one pass over the table gathers, when no slot is owed anything by itself.

use super::news::{Instant, sooner};
use super::policy::Policy;
use super::slot::Slot;

/// A slot and the time when it has its turn; the earliest comes first, then the lowest slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) at: Instant,
    pub(super) index: u16,
}

/// The state of a whole table, as far as it takes to choose who is next.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Workers that are there, or may be any moment.
    pub(super) occupied: usize,
    /// Whether a retirement is under way.
    pub(super) retiring: bool,
    /// The next to be spawned.
    pub(super) birth: Option<Turn>,
    /// The next to reach its age limit.
    pub(super) retirement: Option<Turn>,
    /// When the first slot is owed something by itself.
    pub(super) until: Option<Instant>,
}

impl Survey {
    /// Adds a slot that is owed nothing by itself before `until`.
    pub(super) fn note(&mut self, slot: &Slot, until: Option<Instant>, policy: &Policy) {
        if slot.is_occupied() {
            self.occupied = self.occupied.saturating_add(1);
        }
        self.retiring |= slot.is_retiring();
        self.until = sooner(self.until, until);
        first(&mut self.birth, slot, slot.due());
        first(&mut self.retirement, slot, slot.retires_at(policy));
    }
}

/// Puts a slot in `place` if its turn comes before the one that is there.
fn first(place: &mut Option<Turn>, slot: &Slot, at: Option<Instant>) {
    if let Some(at) = at
        && place.is_none_or(|turn| at < turn.at)
    {
        *place = Some(Turn { at, index: slot.id().index });
    }
}
