//! How the values of options are written: numbers, durations, sizes, ranges and names. `None` is a value written wrong.

use core::time::Duration;

use cantella::digits;
use cantella::observe::Level;
use cantella::options::{Forward, Limit, Resource};
use cantella::pool::{GiveUp, Signal};
use cantella::signals;

/// The most bytes that `--pool` and `--name` may have.
pub const NAME_BYTES: usize = 32;

/// The longest duration, in nanoseconds.
const LONGEST: u64 = 1 << 63;

/// Nanoseconds of a second, the unit of a bare number.
const SECOND: u64 = 1_000_000_000;

/// The units of durations in nanoseconds, from large to small.
static UNITS: [(&[u8], u64); 5] =
    [(b"d", 86_400 * SECOND), (b"h", 3_600 * SECOND), (b"m", 60 * SECOND), (b"s", SECOND), (b"ms", 1_000_000)];

/// Every level, from least to most.
static LEVELS: [Level; 8] = [
    Level::Debug,
    Level::Info,
    Level::Notice,
    Level::Warning,
    Level::Error,
    Level::Critical,
    Level::Alert,
    Level::Emergency,
];

/// The resources that can be limited.
static RESOURCES: [(&[u8], Resource); Resource::COUNT] = [
    (b"nofile", Resource::Nofile),
    (b"nproc", Resource::Nproc),
    (b"core", Resource::Core),
    (b"as", Resource::As),
    (b"cpu", Resource::Cpu),
    (b"fsize", Resource::Fsize),
    (b"memlock", Resource::Memlock),
    (b"stack", Resource::Stack),
    (b"data", Resource::Data),
];

/// Reads a decimal number without a sign.
#[must_use]
pub fn number(text: &[u8]) -> Option<u64> {
    digits::read(text, 10)
}

/// Reads a decimal number with or without a minus.
#[must_use]
pub fn signed(text: &[u8]) -> Option<i64> {
    let (minus, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    let size = i64::try_from(number(digits)?).ok()?;
    Some(if minus { size.wrapping_neg() } else { size })
}

/// Reads the number of a user or a group. The largest means "unchanged" to the kernel and is nobody's.
#[must_use]
pub fn id(text: &[u8]) -> Option<u32> {
    number(text).and_then(|id| u32::try_from(id).ok()).filter(|id| *id != u32::MAX)
}

/// Reads a file mode mask: up to three octal digits that count.
#[must_use]
pub fn umask(text: &[u8]) -> Option<u32> {
    digits::read(text, 8).and_then(|mask| u32::try_from(mask).ok()).filter(|mask| *mask <= 0o777)
}

/// Reads `1` or `0`.
#[must_use]
pub fn switch(text: &[u8]) -> Option<bool> {
    match text {
        b"1" => Some(true),
        b"0" => Some(false),
        _ => None,
    }
}

/// Reads a duration: `1h30m`, `250ms`, or a bare number of seconds.
///
/// Each unit stands once, from large to small, after a number without fraction.
#[must_use]
pub fn duration(text: &[u8]) -> Option<Duration> {
    let nanos = match number(text) {
        Some(seconds) => seconds.checked_mul(SECOND)?,
        None => with_units(text)?,
    };
    Some(nanos).filter(|nanos| *nanos <= LONGEST).map(Duration::from_nanos)
}

/// Reads a duration above zero.
#[must_use]
pub fn positive(text: &[u8]) -> Option<Duration> {
    duration(text).filter(|duration| !duration.is_zero())
}

/// Reads the delays of failed starts: `MIN..MAX` with MIN not above MAX, or `0` for none.
#[must_use]
pub fn backoff(text: &[u8]) -> Option<(Duration, Duration)> {
    if text == b"0" {
        return Some((Duration::ZERO, Duration::ZERO));
    }
    let (min, rest) = split(text, b'.')?;
    let (min, max) = (duration(min)?, duration(rest.strip_prefix(b".")?)?);
    (min <= max).then_some((min, max))
}

/// Reads `N/DUR`.
#[must_use]
pub fn give_up(text: &[u8]) -> Option<GiveUp> {
    let (failures, within) = split(text, b'/')?;
    let failures = u16::try_from(number(failures)?).ok().filter(|failures| *failures <= GiveUp::MAX)?;
    Some(GiveUp { failures, within: positive(within)? })
}

/// Reads `NAME=SOFT[:HARD]`.
#[must_use]
pub fn limit(text: &[u8]) -> Option<Limit> {
    let (name, values) = split(text, b'=')?;
    let resource = choice(name, &RESOURCES)?;
    let (soft, hard) = split(values, b':').unwrap_or((values, values));
    let (soft, hard) = (bound(soft)?, bound(hard)?);
    let finite = |bound: u64| Some(bound).filter(|bound| *bound != u64::MAX);
    (soft <= hard).then_some(Limit { resource, soft: finite(soft), hard: finite(hard) })
}

/// Reads `SIG=SIG2`, or `SIG=0` to drop it. What cannot be caught, and CHLD, is never forwarded.
#[must_use]
pub fn forward(text: &[u8]) -> Option<(Signal, Forward)> {
    let (from, to) = split(text, b'=')?;
    let from = signals::parse(from).filter(|from| !matches!(*from, Signal::KILL | Signal::STOP | Signal::CHLD))?;
    let to = if to == b"0" { Forward::Drop } else { Forward::As(signals::parse(to)?) };
    Some((from, to))
}

/// Reads `CODE=CODE2`, both 0 to 255.
#[must_use]
pub fn codes(text: &[u8]) -> Option<(u8, u8)> {
    let (from, to) = split(text, b'=')?;
    Some((code(from)?, code(to)?))
}

/// Reads an exit code, 0 to 255.
#[must_use]
pub fn code(text: &[u8]) -> Option<u8> {
    number(text).and_then(|code| u8::try_from(code).ok())
}

/// Reads a name: 1 to 32 of `A-Z a-z 0-9 . _ -`.
#[must_use]
pub fn name(text: &[u8]) -> Option<&str> {
    let fits = (1..=NAME_BYTES).contains(&text.len());
    let plain = text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    if fits && plain { core::str::from_utf8(text).ok() } else { None }
}

/// Reads a level's name.
#[must_use]
pub fn level(text: &[u8]) -> Option<Level> {
    LEVELS.iter().find(|level| level.name().as_bytes() == text).copied()
}

/// Reads one of a few words.
#[must_use]
pub fn choice<T: Copy>(text: &[u8], words: &[(&[u8], T)]) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|&(_, meaning)| meaning)
}

/// Cuts a text in two at the first `mark`, which is left out.
#[must_use]
pub fn split(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let mut parts = text.splitn(2, |byte| *byte == mark);
    Some((parts.next()?, parts.next()?))
}

/// Reads numbers with units, in nanoseconds.
fn with_units(text: &[u8]) -> Option<u64> {
    let mut units = UNITS.iter();
    let mut rest = text;
    let mut nanos: u64 = 0;
    loop {
        let (amount, after) = leading(rest, u8::is_ascii_digit)?;
        let (unit, after) = leading(after, u8::is_ascii_alphabetic)?;
        let &(_, size) = units.find(|(name, _)| *name == unit)?;
        nanos = nanos.checked_add(number(amount)?.checked_mul(size)?)?;
        if after.is_empty() {
            return Some(nanos);
        }
        rest = after;
    }
}

/// Cuts a text in two behind the bytes in front that are of a kind.
fn leading(text: &[u8], kind: impl Fn(&u8) -> bool) -> Option<(&[u8], &[u8])> {
    text.split_at_checked(text.iter().take_while(|byte| kind(byte)).count())
}

/// Reads one bound of a resource; the largest is what the kernel calls unlimited.
fn bound(text: &[u8]) -> Option<u64> {
    if text == b"unlimited" { Some(u64::MAX) } else { size(text) }
}

/// Reads a size: a number, or one with K, M or G for powers of 1024.
fn size(text: &[u8]) -> Option<u64> {
    let (digits, unit) = match text.split_last()? {
        (b'K', digits) => (digits, 1 << 10),
        (b'M', digits) => (digits, 1 << 20),
        (b'G', digits) => (digits, 1 << 30),
        _ => (text, 1),
    };
    number(digits)?.checked_mul(unit)
}
