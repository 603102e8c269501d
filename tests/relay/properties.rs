//! What the relay promises of any bytes. Each promise is a function of bytes, so that a fuzzer can look for a breach.

use cantella::observe::{Event, Level, Stream, Worker};
use cantella::pool::{Pid, SlotId};
use cantella::relay::{Format, Formatter, Lines, MAX_RECORD, PART, Part, Stamp};
use cantella::text::Text;

use crate::read_back;

/// The lines of a stream are those that a reader of single bytes finds, however they are fed.
///
/// The first byte of a step says what to do: show what waits, end the line, feed the bytes that follow as they are, or
/// feed them again and again up to a length that fills parts.
pub fn splitting(steps: &[u8]) {
    let mut stream = Twins { lines: Lines::EMPTY, buffer: [0; PART], slow: SlowLines::default() };
    let mut rest = steps;
    while let Some((step, after)) = rest.split_first() {
        let len = usize::from(step & 31).min(after.len());
        let (bytes, after) = after.split_at(len);
        rest = after;
        match step >> 5 {
            0 => stream.show(),
            1 => stream.end(),
            7 => stream.feed(&bytes.iter().copied().cycle().take(PART - 16 + len).collect::<Vec<u8>>()),
            6 => stream.feed(&bytes.iter().copied().cycle().take(2 * PART + len).collect::<Vec<u8>>()),
            _ => stream.feed(bytes),
        }
    }
    stream.end();
}

/// The splitter and one that is too simple to be wrong, which must agree.
struct Twins {
    lines: Lines,
    buffer: [u8; PART],
    slow: SlowLines,
}

impl Twins {
    fn feed(&mut self, bytes: &[u8]) {
        let mut expected = bytes.iter().filter_map(|byte| self.slow.feed(*byte)).collect::<Vec<_>>().into_iter();
        let mut rest = bytes;
        while let Some(part) = self.lines.next(&mut self.buffer, &mut rest) {
            assert!(part.bytes.len() <= PART);
            assert_eq!(Some(owned(part)), expected.next());
        }
        assert_eq!((rest, expected.next()), (&b""[..], None));
        assert_eq!(self.lines.is_pending(), !self.slow.unseen.is_empty());
    }

    fn show(&mut self) {
        let is_pending = self.lines.is_pending();
        assert_eq!(self.lines.show(&self.buffer).map(owned), is_pending.then(|| self.slow.cut()));
    }

    fn end(&mut self) {
        assert_eq!(self.lines.end(&self.buffer).map(owned), self.slow.end());
        assert_eq!(self.lines, Lines::EMPTY);
    }
}

/// The bytes of a part and whether it is partial.
type Owned = (Vec<u8>, bool);

fn owned(part: Part<'_>) -> Owned {
    assert!(!part.clean || is_clean(part.bytes), "{:?} is not clean", part.bytes);
    (part.bytes.to_vec(), part.partial)
}

/// Tells whether bytes are printable ASCII without a backslash.
pub fn is_clean(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\')
}

/// Splits byte by byte.
#[derive(Default)]
struct SlowLines {
    unseen: Vec<u8>,
    is_open: bool,
}

impl SlowLines {
    fn feed(&mut self, byte: u8) -> Option<Owned> {
        if byte == b'\n' {
            self.is_open = false;
            return Some((core::mem::take(&mut self.unseen), false));
        }
        let part = (self.unseen.len() == PART).then(|| self.cut());
        self.unseen.push(byte);
        part
    }

    /// Hands out all but the begin of a character, or that if there is nothing else.
    fn cut(&mut self) -> Owned {
        let last = self.unseen.utf8_chunks().last().map_or(&b""[..], |chunk| chunk.invalid());
        let is_begin = str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
        let kept = if is_begin && last.len() < self.unseen.len() { last.to_vec() } else { Vec::new() };
        self.is_open = true;
        self.unseen.truncate(self.unseen.len() - kept.len());
        (core::mem::replace(&mut self.unseen, kept), true)
    }

    fn end(&mut self) -> Option<Owned> {
        let has_begun = core::mem::take(&mut self.is_open) || !self.unseen.is_empty();
        has_begun.then(|| (core::mem::take(&mut self.unseen), false))
    }
}

/// What a worker writes is one record, with the front that belongs to it, and gives back what was written.
pub fn formatting(text: &[u8]) {
    let text = text.get(..PART).unwrap_or(text);
    let worker = Worker { slot: SlotId { index: 2, generation: 9 }, pid: Pid::new(1234).unwrap() };
    for (partial, clean) in [(false, false), (true, false), (false, true), (true, true)] {
        let clean = clean && is_clean(text);
        let event = Event::Line { worker, stream: Stream::Err, bytes: text, partial, clean };
        let plain = inside(Format::Plain, &event, "- info web/2[1234] err: ", if partial { " \\\n" } else { "\n" });
        assert_eq!(read_back::lossless(&plain, false).as_deref(), Some(text), "{plain}");

        let front = "ts=- level=info pool=web worker=2 pid=1234 stream=err msg=\"";
        let logfmt = inside(Format::Logfmt, &event, front, if partial { "\" partial=true\n" } else { "\"\n" });
        assert_eq!(read_back::lossless(&logfmt, true).as_deref(), Some(text), "{logfmt}");

        let front = r#"{"ts":"-","level":"info","pool":"web","worker":2,"pid":1234,"stream":"err","msg":""#;
        let json = inside(Format::Json, &event, front, if partial { "\",\"partial\":true}\n" } else { "\"}\n" });
        assert_eq!(read_back::json(&json), Some(String::from_utf8_lossy(text).into_owned()), "{json}");
    }
}

/// What stands between the front and the end of an event's record.
fn inside(format: Format, event: &Event<'_>, front: &str, end: &str) -> String {
    let mut bytes = vec![0; MAX_RECORD];
    let mut out = Text::new(&mut bytes);
    let mut formatter = Formatter::new(format, "web", Pid::new(7).unwrap());
    assert!(formatter.record(&mut out, &Stamp::ORIGIN, Level::Info, event));
    let record = str::from_utf8(out.as_bytes()).unwrap().replacen("1970-01-01T00:00:00.000Z", "-", 1);
    let inside = record.strip_prefix(front).and_then(|rest| rest.strip_suffix(end));
    inside.unwrap_or_else(|| panic!("{record}")).to_owned()
}
