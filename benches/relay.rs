//! How fast bytes become records: `cargo bench --bench relay`. One row a kind of text, gigabytes of input a second.
#![expect(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "a bench may fail loudly")]

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use cantella::observe::{Event, Level, Stream, Worker};
use cantella::pool::{Pid, SlotId};
use cantella::relay::{Format, Formatter, Lines, MAX_RECORD, PART, Part, Stamp};
use cantella::text::Text;

/// What one read(2) of a full pipe gives.
const CHUNK: usize = 65_536;
/// Rounds that are timed together, so that the clock's own cost does not count.
const ROUNDS: u32 = 8;

fn main() {
    let texts = [
        ("plain, 100 bytes", lines_of("the quick brown fox jumps over the lazy dog ", 100)),
        ("plain, 1000 bytes", lines_of("the quick brown fox jumps over the lazy dog ", 1000)),
        ("plain, 20 bytes", lines_of("request served, ok ", 20)),
        ("json, 100 bytes", lines_of("{\"level\":\"info\",\"path\":\"/index.html\",\"status\":200},", 100)),
        ("umlauts, 100 bytes", lines_of("schöne Grüße aus dem Süden, ", 100)),
        ("Chinese, 100 bytes", lines_of("工作进程已启动", 100)),
        ("colours, 100 bytes", lines_of("\u{1b}[32minfo\u{1b}[0m listening on 0.0.0.0:80 ", 100)),
        ("zeros, one line", vec![0; CHUNK]),
    ];
    println!("{:20} {:>8} {:>8} {:>8} {:>8} {:>8}", "GB/s", "copy", "split", "plain", "logfmt", "json");
    let mut out = vec![0; CHUNK];
    for (name, text) in &texts {
        let copy = speed(|| black_box(&mut out).copy_from_slice(black_box(text)));
        print!("{name:20} {copy:8.2} {:8.2}", speed(|| split(text)));
        for format in [Format::Plain, Format::Logfmt, Format::Json] {
            let mut relay = Relay::new(format);
            print!(" {:8.2}", speed(|| relay.carry(text)));
        }
        println!();
    }
}

/// A chunk of lines of this many bytes, newline not counted.
fn lines_of(words: &str, len: usize) -> Vec<u8> {
    words
        .bytes()
        .cycle()
        .zip((0..=len).cycle())
        .map(|(byte, at)| if at == len { b'\n' } else { byte })
        .take(CHUNK)
        .collect()
}

/// The best of many rounds, in gigabytes a second.
fn speed(mut round: impl FnMut()) -> f64 {
    let end = Instant::now() + Duration::from_millis(300);
    let mut best = Duration::MAX;
    while Instant::now() < end {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            round();
        }
        best = best.min(start.elapsed() / ROUNDS);
    }
    65_536e-9 / best.as_secs_f64()
}

/// Splits into lines and does nothing with them.
fn split(text: &[u8]) {
    let mut buffer = [0; PART];
    let mut lines = Lines::EMPTY;
    let mut input = black_box(text);
    while let Some(part) = lines.next(&mut buffer, &mut input) {
        black_box(part);
    }
}

/// All that lies between a pipe and the log.
struct Relay {
    lines: Lines,
    buffer: [u8; PART],
    formatter: Formatter<'static>,
    out: Vec<u8>,
}

impl Relay {
    fn new(format: Format) -> Self {
        let formatter = Formatter::new(format, "workers", Pid::new(1200).unwrap());
        Self { lines: Lines::EMPTY, buffer: [0; PART], formatter, out: vec![0; CHUNK + MAX_RECORD] }
    }

    /// Carries one chunk, with a time stamp of its own.
    fn carry(&mut self, text: &[u8]) {
        let worker = Worker { slot: SlotId { index: 0, generation: 1 }, pid: Pid::new(1234).unwrap() };
        let mut stamp = Stamp::ORIGIN;
        stamp.set(Duration::from_millis(1_795_486_265_123));
        let mut input = black_box(text);
        let mut out = Text::new(&mut self.out);
        while let Some(part) = self.lines.next(&mut self.buffer, &mut input) {
            let Part { bytes, partial, clean } = part;
            let line = Event::Line { worker, stream: Stream::Out, bytes, partial, clean };
            while !self.formatter.record(&mut out, &stamp, Level::Info, &line) {
                black_box(out.as_bytes());
                out = Text::new(&mut self.out);
            }
        }
        black_box(out.as_bytes());
    }
}
