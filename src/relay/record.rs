//! What the manager's own records say of an event: its level, its keys and its words.

use crate::errno;
use crate::observe::{Cause, Event, Failure, Level, Worker};
use crate::pool::{Exit, Pid, Signal, SlotId};
use crate::signals;
use crate::text::Text;

/// Gives the level of an event of the manager's own. What workers write has the level that the options say.
///
/// A pool that works as it was told stays below [`Level::Warning`].
#[must_use]
pub const fn level(event: &Event<'_>) -> Level {
    match event {
        Event::Line { .. } => Level::Info,
        Event::Started { .. }
        | Event::Exited { asked: true, .. }
        | Event::Exited { exit: Exit::Code(0), .. }
        | Event::Retiring { .. }
        | Event::ForkWorks
        | Event::Paused
        | Event::Resumed
        | Event::Draining { cause: Cause::Request }
        | Event::Ignored { .. } => Level::Notice,
        Event::Exited { .. }
        | Event::Killed { .. }
        | Event::Backoff { .. }
        | Event::Deaf { .. }
        | Event::Dropped { .. } => Level::Warning,
        Event::ForkFailed { .. }
        | Event::ExecFailed { .. }
        | Event::Draining { cause: Cause::GaveUp }
        | Event::Trouble { .. } => Level::Error,
    }
}

/// The values of an event that have keys of their own; those that do not apply are `None`.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    /// The value of `event`.
    pub(super) event: &'static str,
    pub(super) slot: Option<SlotId>,
    pub(super) pid: Option<Pid>,
    pub(super) code: Option<u8>,
    pub(super) signal: Option<Signal>,
}

impl Facts {
    /// Picks the values out of an event.
    pub(super) const fn of(event: &Event<'_>) -> Self {
        match *event {
            Event::Started { worker } => Self::worker("started", worker),
            Event::Exited { worker, exit: Exit::Code(code), .. } => {
                Self { code: Some(code), ..Self::worker("exited", worker) }
            }
            Event::Exited { worker, exit: Exit::Signal { signal, .. }, .. } => {
                Self { signal: Some(signal), ..Self::worker("exited", worker) }
            }
            Event::Retiring { worker, .. } => Self::worker("retiring", worker),
            Event::Killed { worker } => Self::worker("killed", worker),
            Event::Backoff { slot, .. } => Self { slot: Some(slot), ..Self::pool("backoff") },
            Event::ForkFailed { .. } | Event::ForkWorks => Self::pool("fork"),
            Event::ExecFailed { worker, .. } => Self::worker("exec", worker),
            Event::Paused => Self::pool("paused"),
            Event::Deaf { worker, signal } => Self { signal: Some(signal), ..Self::worker("deaf", worker) },
            Event::Resumed => Self::pool("resumed"),
            Event::Draining { .. } => Self::pool("draining"),
            Event::Ignored { signal } => Self { signal: Some(signal), ..Self::pool("signal") },
            Event::Dropped { .. } => Self::pool("dropped"),
            Event::Trouble { .. } => Self::pool("trouble"),
            Event::Line { worker, .. } => Self::worker("line", worker),
        }
    }

    /// An event of one worker.
    const fn worker(event: &'static str, worker: Worker) -> Self {
        Self { slot: Some(worker.slot), pid: Some(worker.pid), ..Self::pool(event) }
    }

    /// An event of the whole pool.
    const fn pool(event: &'static str) -> Self {
        Self { event, slot: None, pid: None, code: None, signal: None }
    }
}

/// Appends an event in words: printable ASCII without quotes and backslashes, the same in every format.
pub(super) fn words(out: &mut Text<'_>, event: &Event<'_>) {
    match *event {
        Event::Started { worker } => worker_did(out, worker, "started"),
        Event::Exited { worker, exit, .. } => {
            worker_did(out, worker, "exited");
            ended_by(out, exit);
        }
        Event::Retiring { worker, age } => {
            worker_did(out, worker, "retiring");
            out.say(", age ");
            out.duration(age);
        }
        Event::Killed { worker } => worker_did(out, worker, "killed"),
        Event::Backoff { slot, failures, delay } => {
            slot_name(out, slot);
            out.say(" failed to start");
            if failures > 1 {
                out.say(" ");
                out.number(u64::from(failures));
                out.say(" times in a row");
            }
            out.say(", next start in ");
            out.duration(delay);
        }
        Event::ForkFailed { failure } => {
            cannot(out, failure);
            out.say(", trying again");
        }
        Event::ForkWorks => out.say("fork works again"),
        Event::ExecFailed { worker, failure } => {
            slot_name(out, worker.slot);
            out.say(" ");
            cannot(out, failure);
        }
        Event::Paused => out.say("paused"),
        Event::Deaf { worker, signal } => {
            slot_name(out, worker.slot);
            out.say(" does not catch ");
            signal_name(out, signal);
            out.say(", so it was not sent");
            identity(out, worker);
        }
        Event::Resumed => out.say("resumed"),
        Event::Draining { cause: Cause::Request } => out.say("draining, asked to stop"),
        Event::Draining { cause: Cause::GaveUp } => out.say("draining, too many failed starts"),
        Event::Ignored { signal } => {
            out.say("ignoring ");
            signal_name(out, signal);
        }
        Event::Dropped { records } => {
            out.number(records);
            out.say(if records == 1 { " record was dropped" } else { " records were dropped" });
        }
        Event::Trouble { failure } => cannot(out, failure),
        Event::Line { worker, .. } => worker_did(out, worker, "wrote"),
    }
}

/// `worker 0 started, pid 1234, generation 1`
fn worker_did(out: &mut Text<'_>, worker: Worker, verb: &str) {
    slot_name(out, worker.slot);
    out.say(" ");
    out.say(verb);
    identity(out, worker);
}

/// `worker 0`
fn slot_name(out: &mut Text<'_>, slot: SlotId) {
    out.say("worker ");
    out.number(u64::from(slot.index));
}

/// `, pid 1234, generation 1`
fn identity(out: &mut Text<'_>, worker: Worker) {
    out.say(", pid ");
    out.number(u64::from(worker.pid.get().unsigned_abs()));
    out.say(", generation ");
    out.number(u64::from(worker.slot.generation));
}

/// `, code 0` or `, signal 9 (KILL), core dumped`
fn ended_by(out: &mut Text<'_>, exit: Exit) {
    match exit {
        Exit::Code(code) => {
            out.say(", code ");
            out.number(u64::from(code));
        }
        Exit::Signal { signal, core } => {
            out.say(", ");
            signal_name(out, signal);
            out.say(if core { ", core dumped" } else { "" });
        }
    }
}

/// `signal 9 (KILL)`
fn signal_name(out: &mut Text<'_>, signal: Signal) {
    out.say("signal ");
    out.number(u64::from(signal.get()));
    if let Some(name) = signals::name(signal) {
        out.say(" (");
        out.say(name);
        out.say(")");
    }
}

/// `cannot execute: No such file or directory (errno 2)`
fn cannot(out: &mut Text<'_>, failure: Failure) {
    out.say("cannot ");
    out.say(failure.step);
    out.say(": ");
    out.say(errno::text(failure.errno).unwrap_or("unknown error"));
    out.say(" (errno ");
    out.number(u64::from(failure.errno.unsigned_abs()));
    out.say(")");
}
