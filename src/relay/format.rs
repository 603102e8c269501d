//! Turns events into log records, one line each: plain for people, logfmt and json for programs.

use super::PART;
use super::escape::{self, escape};
use super::record::{self, Facts};
use super::stamp::Stamp;
use crate::observe::{Event, Level, Stream, Worker};
use crate::pool::Pid;
use crate::text::Text;

/// How log records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-24T02:11:05.123Z info workers/0[1234] out: text`
    Plain,
    /// `ts=2026-11-24T02:11:05.123Z level=info pool=workers worker=0 pid=1234 stream=out msg="text"`
    Logfmt,
    /// One object a line, with the same keys as logfmt.
    Json,
}

/// The most bytes of a record besides a worker's text.
const FRAME: usize = 512;

/// The longest record, in bytes: a full part in which every byte is escaped.
pub const MAX_RECORD: usize = FRAME + escape::MAX_GROWTH * PART;

/// Formats the records of one pool.
#[derive(Debug)]
pub struct Formatter<'a> {
    format: Format,
    /// The pool's name, which the options have checked: nothing in it needs an escape.
    pool: &'a str,
    manager: Pid,
    front: Front,
}

impl<'a> Formatter<'a> {
    /// Formats for the pool of this name, whose manager is this process.
    #[must_use]
    pub const fn new(format: Format, pool: &'a str, manager: Pid) -> Self {
        Self { format, pool, manager, front: Front::NONE }
    }

    /// Appends the whole record of an event, its newline included, or nothing if it does not fit; tells which.
    ///
    /// Into [`MAX_RECORD`] bytes every record fits.
    pub fn record(&mut self, out: &mut Text<'_>, stamp: &Stamp, level: Level, event: &Event<'_>) -> bool {
        let Event::Line { worker, stream, bytes, partial, clean } = *event else {
            return out.all_or_nothing(|out| self.own(out, stamp, level, event));
        };
        self.find_front(stamp, Origin { millis: stamp.millis(), level, worker, stream });
        out.all_or_nothing(|out| {
            out.put(self.front.bytes.get(..self.front.len).unwrap_or_default());
            if clean && self.format == Format::Plain {
                out.put(bytes);
            } else {
                escape(out, self.format, bytes);
            }
            out.say(end(self.format, partial));
        })
    }

    /// Appends a record of the manager's own.
    fn own(&self, out: &mut Text<'_>, stamp: &Stamp, level: Level, event: &Event<'_>) {
        match self.format {
            Format::Plain => {
                head(out, stamp, level);
                out.say("manager[");
                out.number(u64::from(self.manager.get().unsigned_abs()));
                out.say("]: ");
            }
            Format::Logfmt | Format::Json => {
                let mut keys = self.keys(out, stamp, level);
                let facts = Facts::of(event);
                keys.word("event", facts.event);
                keys.number("worker", facts.slot.map(|slot| u64::from(slot.index)));
                keys.number("pid", facts.pid.map(|pid| u64::from(pid.get().unsigned_abs())));
                keys.number("generation", facts.slot.map(|slot| u64::from(slot.generation)));
                keys.number("code", facts.code.map(u64::from));
                keys.number("signal", facts.signal.map(|signal| u64::from(signal.get())));
                keys.open("msg");
            }
        }
        record::words(out, event);
        out.say(end(self.format, false));
    }

    /// Makes `front` the one of `origin`.
    fn find_front(&mut self, stamp: &Stamp, origin: Origin) {
        if self.front.of == Some(origin) {
            return;
        }
        let mut bytes = [0; FRAME];
        let mut out = Text::new(&mut bytes);
        self.write_front(&mut out, stamp, &origin);
        self.front = Front { of: Some(origin), len: out.len(), bytes };
    }

    /// Appends all of a worker's record that stands before its text.
    fn write_front(&self, out: &mut Text<'_>, stamp: &Stamp, origin: &Origin) {
        let Origin { level, worker, stream, .. } = origin;
        let (slot, pid) = (u64::from(worker.slot.index), u64::from(worker.pid.get().unsigned_abs()));
        match self.format {
            Format::Plain => {
                head(out, stamp, *level);
                out.say(self.pool);
                out.say("/");
                out.number(slot);
                out.say("[");
                out.number(pid);
                out.say("] ");
                out.say(stream.name());
                out.say(": ");
            }
            Format::Logfmt | Format::Json => {
                let mut keys = self.keys(out, stamp, *level);
                keys.number("worker", Some(slot));
                keys.number("pid", Some(pid));
                keys.word("stream", stream.name());
                keys.open("msg");
            }
        }
    }

    /// Appends the keys that every logfmt or json record begins with.
    fn keys<'t, 'o>(&self, out: &'t mut Text<'o>, stamp: &Stamp, level: Level) -> Keys<'t, 'o> {
        let json = self.format == Format::Json;
        out.say(if json { "{\"ts\":\"" } else { "ts=" });
        out.put(stamp.as_bytes());
        out.say(if json { "\"" } else { "" });
        let mut keys = Keys { out, json };
        keys.word("level", level.name());
        keys.word("pool", self.pool);
        keys
    }
}

/// What a worker's line has in common with those around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Origin {
    millis: u64,
    level: Level,
    worker: Worker,
    stream: Stream,
}

/// All of a worker's record that stands before its text. Kept, because the next line most often needs the same.
#[derive(Debug)]
struct Front {
    of: Option<Origin>,
    bytes: [u8; FRAME],
    len: usize,
}

impl Front {
    /// No line was seen yet.
    const NONE: Self = Self { of: None, bytes: [0; FRAME], len: 0 };
}

/// Appends what every plain record begins with.
fn head(out: &mut Text<'_>, stamp: &Stamp, level: Level) {
    out.put(stamp.as_bytes());
    out.say(" ");
    out.say(level.name());
    out.say(" ");
}

/// All that follows the text of a record.
const fn end(format: Format, partial: bool) -> &'static str {
    match (format, partial) {
        (Format::Plain, false) => "\n",
        (Format::Plain, true) => " \\\n",
        (Format::Logfmt, false) => "\"\n",
        (Format::Logfmt, true) => "\" partial=true\n",
        (Format::Json, false) => "\"}\n",
        (Format::Json, true) => "\",\"partial\":true}\n",
    }
}

/// Writes the keys of a logfmt or json record, after the first.
struct Keys<'t, 'o> {
    out: &'t mut Text<'o>,
    json: bool,
}

impl Keys<'_, '_> {
    /// Appends a key whose value is a word that needs no escape.
    fn word(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.say(if self.json { "\"" } else { "" });
        self.out.say(value);
        self.out.say(if self.json { "\"" } else { "" });
    }

    /// Appends a key whose value is a number, if there is one.
    fn number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.key(key);
            self.out.number(value);
        }
    }

    /// Appends a key and the quote before its value.
    fn open(&mut self, key: &str) {
        self.key(key);
        self.out.say("\"");
    }

    /// Appends a key and what stands between it and its value.
    fn key(&mut self, key: &str) {
        self.out.say(if self.json { ",\"" } else { " " });
        self.out.say(key);
        self.out.say(if self.json { "\":" } else { "=" });
    }
}

#[cfg(test)]
mod tests {
    use super::{FRAME, Format, Formatter, MAX_RECORD};
    use crate::observe::{Event, Failure, Level, Stream, Worker};
    use crate::pool::{Exit, Pid, SlotId};
    use crate::relay::{PART, Stamp};
    use crate::text::Text;
    use core::time::Duration;

    const FORMATS: [Format; 3] = [Format::Plain, Format::Logfmt, Format::Json];

    fn worker() -> Worker {
        Worker { slot: SlotId { index: 0, generation: 1 }, pid: Pid::new(1234).unwrap() }
    }

    fn stamp() -> Stamp {
        let mut stamp = Stamp::ORIGIN;
        stamp.set(Duration::from_millis(1_795_486_265_123));
        stamp
    }

    /// The record of one event.
    fn record(format: Format, level: Level, event: &Event<'_>) -> String {
        let mut bytes = vec![0; MAX_RECORD];
        let mut out = Text::new(&mut bytes);
        assert!(Formatter::new(format, "workers", Pid::new(1200).unwrap()).record(&mut out, &stamp(), level, event));
        String::from_utf8(out.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_workers_line_is_written_in_each_format() {
        let line =
            Event::Line { worker: worker(), stream: Stream::Out, bytes: b"te\"xt", partial: false, clean: false };
        let part = Event::Line { worker: worker(), stream: Stream::Err, bytes: b"te\"xt", partial: true, clean: false };
        for (format, whole, partial) in [
            (
                Format::Plain,
                "2026-11-24T02:11:05.123Z info workers/0[1234] out: te\"xt\n",
                "2026-11-24T02:11:05.123Z info workers/0[1234] err: te\"xt \\\n",
            ),
            (
                Format::Logfmt,
                "ts=2026-11-24T02:11:05.123Z level=info pool=workers worker=0 pid=1234 stream=out msg=\"te\\\"xt\"\n",
                "ts=2026-11-24T02:11:05.123Z level=info pool=workers worker=0 pid=1234 stream=err msg=\"te\\\"xt\" \
                 partial=true\n",
            ),
            (
                Format::Json,
                "{\"ts\":\"2026-11-24T02:11:05.123Z\",\"level\":\"info\",\"pool\":\"workers\",\"worker\":0,\
                 \"pid\":1234,\"stream\":\"out\",\"msg\":\"te\\\"xt\"}\n",
                "{\"ts\":\"2026-11-24T02:11:05.123Z\",\"level\":\"info\",\"pool\":\"workers\",\"worker\":0,\
                 \"pid\":1234,\"stream\":\"err\",\"msg\":\"te\\\"xt\",\"partial\":true}\n",
            ),
        ] {
            assert_eq!(record(format, Level::Info, &line), whole);
            assert_eq!(record(format, Level::Info, &part), partial);
        }
    }

    #[test]
    fn the_managers_own_records_are_written_in_each_format() {
        let event = Event::Exited { worker: worker(), exit: Exit::Code(3), asked: false };
        for (format, expected) in [
            (
                Format::Plain,
                "2026-11-24T02:11:05.123Z warning manager[1200]: worker 0 exited, pid 1234, generation 1, code 3\n",
            ),
            (
                Format::Logfmt,
                "ts=2026-11-24T02:11:05.123Z level=warning pool=workers event=exited worker=0 pid=1234 generation=1 \
                 code=3 msg=\"worker 0 exited, pid 1234, generation 1, code 3\"\n",
            ),
            (
                Format::Json,
                "{\"ts\":\"2026-11-24T02:11:05.123Z\",\"level\":\"warning\",\"pool\":\"workers\",\"event\":\"exited\",\
                 \"worker\":0,\"pid\":1234,\"generation\":1,\"code\":3,\
                 \"msg\":\"worker 0 exited, pid 1234, generation 1, code 3\"}\n",
            ),
        ] {
            assert_eq!(record(format, Level::Warning, &event), expected);
        }
    }

    #[test]
    fn every_line_has_the_front_that_belongs_to_it() {
        let line = |stream, index, generation, pid| {
            let worker = Worker { slot: SlotId { index, generation }, pid: Pid::new(pid).unwrap() };
            Event::Line { worker, stream, bytes: b"x", partial: false, clean: false }
        };
        let mut bytes = vec![0; MAX_RECORD];
        let mut formatter = Formatter::new(Format::Plain, "web", Pid::new(7).unwrap());
        for (millis, level, event, expected) in [
            (0, Level::Info, line(Stream::Out, 0, 1, 5), "0Z info web/0[5] out: x\n"),
            (0, Level::Info, line(Stream::Out, 0, 1, 5), "0Z info web/0[5] out: x\n"),
            (1, Level::Info, line(Stream::Out, 0, 1, 5), "1Z info web/0[5] out: x\n"),
            (1, Level::Error, line(Stream::Out, 0, 1, 5), "1Z error web/0[5] out: x\n"),
            (1, Level::Error, line(Stream::Err, 0, 1, 5), "1Z error web/0[5] err: x\n"),
            (1, Level::Error, line(Stream::Err, 1, 1, 5), "1Z error web/1[5] err: x\n"),
            (1, Level::Error, line(Stream::Err, 1, 1, 6), "1Z error web/1[6] err: x\n"),
        ] {
            let mut out = Text::new(&mut bytes);
            let mut stamp = Stamp::ORIGIN;
            stamp.set(Duration::from_millis(millis));
            assert!(formatter.record(&mut out, &stamp, level, &event));
            let record = str::from_utf8(out.as_bytes()).unwrap();
            assert_eq!(record, format!("1970-01-01T00:00:00.00{expected}"));
        }
    }

    #[test]
    fn the_longest_record_fits() {
        let worker =
            Worker { slot: SlotId { index: u16::MAX, generation: u32::MAX }, pid: Pid::new(i32::MAX).unwrap() };
        let line = Event::Line { worker, stream: Stream::Out, bytes: &[0; PART], partial: true, clean: false };
        let step = "a step whose name is longer than that of any that there is";
        let own = Event::ExecFailed { worker, failure: Failure { step, errno: i32::MIN } };
        let pool = "p".repeat(32);
        for format in FORMATS {
            for (event, room) in [(line, MAX_RECORD), (own, FRAME)] {
                let mut bytes = vec![0; room];
                let mut formatter = Formatter::new(format, &pool, worker.pid);
                let mut out = Text::new(&mut bytes);
                assert!(formatter.record(&mut out, &stamp(), Level::Emergency, &event), "{format:?}");
            }
        }
    }

    #[test]
    fn a_record_that_does_not_fit_leaves_no_trace() {
        let event = Event::Line { worker: worker(), stream: Stream::Out, bytes: b"text", partial: false, clean: false };
        for format in FORMATS {
            let whole = record(format, Level::Info, &event);
            let mut bytes = vec![0; 2 * whole.len() - 1];
            let mut out = Text::new(&mut bytes);
            let mut formatter = Formatter::new(format, "workers", Pid::new(1200).unwrap());
            assert!(formatter.record(&mut out, &stamp(), Level::Info, &event));
            assert!(!formatter.record(&mut out, &stamp(), Level::Info, &event), "{format:?}");
            assert_eq!(out.as_bytes(), whole.as_bytes(), "{format:?}");
        }
    }
}
