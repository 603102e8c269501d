//! Events in plain words, for whatever a program logs with.

use crate::observe::{Event, Level, Observer};
use crate::relay::{Format, MAX_RECORD, escape, words};
use crate::text::Text;

/// Takes what there is to log.
pub trait Logger {
    /// Takes one text: a single line without its end, in which nothing needs an escape.
    fn log(&mut self, level: Level, text: &str);
}

/// The null logger, which is the default.
impl Logger for () {
    fn log(&mut self, _level: Level, _text: &str) {}
}

impl<F: FnMut(Level, &str)> Logger for F {
    fn log(&mut self, level: Level, text: &str) {
        self(level, text);
    }
}

/// An observer that puts events in words: `worker 0 started, pid 1234, generation 1`.
///
/// What workers write is told as `worker 0[1234] out: text`, escaped as in the plain log format. A line that comes in parts
/// has ` \` at the end of each part but the last.
///
/// ```
/// use cantella::log::Log;
/// use cantella::observe::Level;
///
/// let observer = Log::new(|level: Level, text: &str| eprintln!("{} {text}", level.name()));
/// # let _ = observer;
/// ```
#[derive(Debug)]
pub struct Log<L = ()> {
    logger: L,
    room: [u8; MAX_RECORD],
}

impl<L: Logger> Log<L> {
    /// Tells `logger`.
    #[expect(clippy::large_stack_arrays, reason = "the one part of it that is large, and it is moved once")]
    pub const fn new(logger: L) -> Self {
        Self { logger, room: [0; MAX_RECORD] }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::new(())
    }
}

impl<L: Logger> Observer for Log<L> {
    fn event(&mut self, level: Level, event: &Event<'_>) {
        let mut text = Text::new(&mut self.room);
        if let Event::Line { worker, stream, bytes, partial, .. } = *event {
            text.say("worker ");
            text.number(u64::from(worker.slot.index));
            text.say("[");
            text.number(u64::from(worker.pid.get().unsigned_abs()));
            text.say("] ");
            text.say(stream.name());
            text.say(": ");
            escape(&mut text, Format::Plain, bytes);
            text.say(if partial { " \\" } else { "" });
        } else {
            words(&mut text, event);
        }
        // What is escaped is UTF-8, so that nothing is lost here.
        self.logger.log(level, core::str::from_utf8(text.as_bytes()).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Stream, Worker};
    use crate::pool::{Pid, SlotId};

    #[test]
    fn events_and_lines_come_as_one_line_of_plain_words() {
        let worker = Worker { slot: SlotId { index: 2, generation: 5 }, pid: Pid::new(77).unwrap() };
        let line = |bytes, partial| Event::Line { worker, stream: Stream::Err, bytes, partial, clean: false };
        let mut heard = Vec::new();
        let mut log = Log::new(|level: Level, text: &str| heard.push(format!("{} {text}", level.name())));
        log.event(Level::Notice, &Event::Started { worker });
        log.event(Level::Info, &line(b"a\x1b[0m \xff\\", false));
        log.event(Level::Info, &line(b"part", true));
        assert_eq!(
            heard,
            [
                "notice worker 2 started, pid 77, generation 5",
                "info worker 2[77] err: a\\x1b[0m \\xff\\\\",
                "info worker 2[77] err: part \\",
            ]
        );
    }

    #[test]
    fn the_longest_part_fits_however_it_is_escaped() {
        let worker = Worker { slot: SlotId { index: u16::MAX, generation: 1 }, pid: Pid::new(i32::MAX).unwrap() };
        let mut length = 0;
        let mut log = Log::new(|_: Level, text: &str| length = text.len());
        log.event(
            Level::Info,
            &Event::Line {
                worker,
                stream: Stream::Out,
                bytes: &[0xff; crate::relay::PART],
                partial: true,
                clean: false,
            },
        );
        assert_eq!(length, "worker 65535[2147483647] out: ".len() + 4 * crate::relay::PART + " \\".len());
    }
}
