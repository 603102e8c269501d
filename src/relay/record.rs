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
        Event::Orphan { .. } => Level::Debug,
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
            Event::Orphan { pid, exit: Exit::Code(code) } => {
                Self { pid: Some(pid), code: Some(code), ..Self::pool("orphan") }
            }
            Event::Orphan { pid, exit: Exit::Signal { signal, .. } } => {
                Self { pid: Some(pid), signal: Some(signal), ..Self::pool("orphan") }
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
pub fn words(out: &mut Text<'_>, event: &Event<'_>) {
    match *event {
        Event::Started { worker } => worker_did(out, worker, "started"),
        Event::Exited { worker, exit, .. } => {
            worker_did(out, worker, "exited");
            ended_by(out, exit);
        }
        Event::Orphan { pid, exit } => {
            // The words are tini's, whose users look for them.
            out.say("Reaped zombie process with pid=");
            out.number(u64::from(pid.get().unsigned_abs()));
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
        // A worker speaks for itself.
        Event::Line { .. } => {}
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

#[cfg(test)]
mod tests {
    use super::level;
    use crate::observe::{Cause, Event, Failure, Worker};
    use crate::pool::{Exit, Pid, Signal, SlotId};
    use crate::relay::{Format, Formatter, MAX_RECORD, Stamp};
    use crate::text::Text;
    use core::time::Duration;

    /// An event; its level, its name and its keys, then its words.
    type Row = (Event<'static>, &'static str);

    /// Every kind of event.
    fn events() -> Vec<Row> {
        [of_workers(), of_the_pool()].concat()
    }

    fn of_workers() -> Vec<Row> {
        let slot = SlotId { index: 3, generation: 7 };
        let worker = Worker { slot, pid: Pid::new(99).unwrap() };
        let exited = |exit, asked| Event::Exited { worker, exit, asked };
        let by = |signal, core| Exit::Signal { signal, core };
        let backoff = |failures, millis| Event::Backoff { slot, failures, delay: Duration::from_millis(millis) };
        let missing = Failure { step: "execute", errno: 2 };
        let nameless = Signal::new(33).unwrap();
        vec![
            (
                Event::Started { worker },
                "notice started worker=3 pid=99 generation=7|worker 3 started, pid 99, generation 7",
            ),
            (
                exited(Exit::Code(0), false),
                "notice exited worker=3 pid=99 generation=7 code=0|worker 3 exited, pid 99, generation 7, code 0",
            ),
            (
                exited(Exit::Code(255), false),
                "warning exited worker=3 pid=99 generation=7 code=255|worker 3 exited, pid 99, generation 7, code 255",
            ),
            (
                exited(Exit::Code(1), true),
                "notice exited worker=3 pid=99 generation=7 code=1|worker 3 exited, pid 99, generation 7, code 1",
            ),
            (
                exited(by(Signal::TERM, false), true),
                "notice exited worker=3 pid=99 generation=7 signal=15|\
                 worker 3 exited, pid 99, generation 7, signal 15 (TERM)",
            ),
            (
                exited(by(Signal::QUIT, true), false),
                "warning exited worker=3 pid=99 generation=7 signal=3|\
                 worker 3 exited, pid 99, generation 7, signal 3 (QUIT), core dumped",
            ),
            (
                exited(by(nameless, false), false),
                "warning exited worker=3 pid=99 generation=7 signal=33|\
                 worker 3 exited, pid 99, generation 7, signal 33",
            ),
            (
                Event::Retiring { worker, age: Duration::from_mins(90) },
                "notice retiring worker=3 pid=99 generation=7|worker 3 retiring, pid 99, generation 7, age 1h30m",
            ),
            (
                Event::Killed { worker },
                "warning killed worker=3 pid=99 generation=7|worker 3 killed, pid 99, generation 7",
            ),
            (backoff(1, 100), "warning backoff worker=3 generation=7|worker 3 failed to start, next start in 100ms"),
            (
                backoff(3, 400),
                "warning backoff worker=3 generation=7|\
                 worker 3 failed to start 3 times in a row, next start in 400ms",
            ),
            (
                Event::ExecFailed { worker, failure: missing },
                "error exec worker=3 pid=99 generation=7|\
                 worker 3 cannot execute: No such file or directory (errno 2)",
            ),
            (
                Event::Deaf { worker, signal: Signal::USR1 },
                "warning deaf worker=3 pid=99 generation=7 signal=10|\
                 worker 3 does not catch signal 10 (USR1), so it was not sent, pid 99, generation 7",
            ),
        ]
    }

    fn of_the_pool() -> Vec<Row> {
        let failure = |step, errno| Failure { step, errno };
        let draining = |cause| Event::Draining { cause };
        let orphan = |exit| Event::Orphan { pid: Pid::new(98).unwrap(), exit };
        vec![
            (orphan(Exit::Code(4)), "debug orphan pid=98 code=4|Reaped zombie process with pid=98, code 4"),
            (
                orphan(Exit::Signal { signal: Signal::HUP, core: false }),
                "debug orphan pid=98 signal=1|Reaped zombie process with pid=98, signal 1 (HUP)",
            ),
            (
                Event::ForkFailed { failure: failure("fork", 11) },
                "error fork|cannot fork: Resource temporarily unavailable (errno 11), trying again",
            ),
            (Event::ForkWorks, "notice fork|fork works again"),
            (Event::Paused, "notice paused|paused"),
            (Event::Resumed, "notice resumed|resumed"),
            (draining(Cause::Request), "notice draining|draining, asked to stop"),
            (draining(Cause::GaveUp), "error draining|draining, too many failed starts"),
            (Event::Ignored { signal: Signal::HUP }, "notice signal signal=1|ignoring signal 1 (HUP)"),
            (Event::Dropped { records: 1 }, "warning dropped|1 record was dropped"),
            (Event::Dropped { records: 20_000 }, "warning dropped|20000 records were dropped"),
            (
                Event::Trouble { failure: failure("write the log", 12_345) },
                "error trouble|cannot write the log: unknown error (errno 12345)",
            ),
        ]
    }

    /// The record of an event, less its time and its newline.
    fn record(format: Format, event: &Event<'_>) -> String {
        let mut bytes = vec![0; MAX_RECORD];
        let mut out = Text::new(&mut bytes);
        let mut formatter = Formatter::new(format, "web", Pid::new(7).unwrap());
        assert!(formatter.record(&mut out, &Stamp::ORIGIN, level(event), event));
        let record = str::from_utf8(out.as_bytes()).unwrap();
        record.replace("1970-01-01T00:00:00.000Z", "-").strip_suffix('\n').unwrap().to_owned()
    }

    #[test]
    fn every_event_is_written_in_every_format() {
        for (event, row) in events() {
            let (facts, words) = row.split_once('|').unwrap();
            let (level, facts) = facts.split_once(' ').unwrap();
            let (name, keys) = facts.split_at(facts.find(' ').unwrap_or(facts.len()));
            assert_eq!(record(Format::Plain, &event), format!("- {level} manager[7]: {words}"));
            let logfmt = format!("ts=- level={level} pool=web event={name}{keys} msg=\"{words}\"");
            assert_eq!(record(Format::Logfmt, &event), logfmt);
            let json = keys.replace(' ', ",\"").replace('=', "\":");
            let head = format!(r#""ts":"-","level":"{level}","pool":"web","event":"{name}""#);
            assert_eq!(record(Format::Json, &event), format!(r#"{{{head}{json},"msg":"{words}"}}"#));
        }
    }

    #[test]
    fn words_need_no_escape_in_any_format() {
        let signals = (1..=64).map(|raw| Event::Ignored { signal: Signal::new(raw).unwrap() });
        let errors = (-1..200).map(|errno| Event::Trouble { failure: Failure { step: "try", errno } });
        for event in signals.chain(errors).chain(events().into_iter().map(|(event, _)| event)) {
            let record = record(Format::Plain, &event);
            assert!(record.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte)), "{event:?}");
        }
    }
}
