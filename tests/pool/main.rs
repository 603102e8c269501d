//! What the decision core promises, one story a promise.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::redundant_pub_crate,
    reason = "a test fails loudly; rustc asks for the visibility that clippy finds redundant"
)]

#[path = "../rig/mod.rs"]
mod rig;

mod ages;
mod pauses;
mod restarts;
mod sizes;
mod stops;

use cantella::pool::{Action, Exit, Instant, Signal};
use rig::Rig;

const OK: Exit = Exit::Code(0);
const FAILED: Exit = Exit::Code(1);
const KILLED: Exit = Exit::Signal { signal: Signal::KILL, core: false };

/// Runs, and names what was to be done to which slot: `Spawn 0`.
fn story(rig: &mut Rig) -> Vec<String> {
    rig.run().into_iter().filter_map(name).collect()
}

fn name(action: Action) -> Option<String> {
    match action {
        Action::Spawn { slot } => Some(format!("Spawn {}", slot.index)),
        Action::Stop { slot, why, .. } => Some(format!("Stop {} {why:?}", slot.index)),
        Action::Kill { slot, .. } => Some(format!("Kill {}", slot.index)),
        Action::Pause { slot, .. } => Some(format!("Pause {}", slot.index)),
        Action::Resume { slot, .. } => Some(format!("Resume {}", slot.index)),
        Action::Wait { .. } => None,
        Action::Finish { outcome } => Some(format!("{outcome:?}")),
    }
}

/// Runs, and gives the next wake-up.
fn wake(rig: &mut Rig) -> Option<Instant> {
    match rig.run().pop() {
        Some(Action::Wait { until }) => until,
        other => panic!("no wait but {other:?}"),
    }
}

const NOTHING: [&str; 0] = [];
