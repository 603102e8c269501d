//! The values of options, read a second time by code that is slow and too simple to be wrong.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::LazyLock;

use cantella::observe::Level;
use cantella::options::{Forward, Limit, Resource};
use cantella::pool::{GiveUp, Signal};
use cantella::signals;
use cantella::text::Text;

use super::parser::values;

/// Reads the bytes as every kind of value.
pub fn check(bytes: &[u8]) {
    // What is no text is no value.
    let text = str::from_utf8(bytes).unwrap_or("\u{fffd}");
    numbers(bytes, text);
    durations(bytes, text);
    sizes(text);
    named_signals(bytes, text);
    names(bytes, text);
}

fn numbers(bytes: &[u8], text: &str) {
    assert_eq!(values::number(bytes).map(u128::from), within(text, u64::MAX.into()));
    assert_eq!(values::id(bytes).map(u128::from), within(text, u128::from(u32::MAX) - 1));
    assert_eq!(values::code(bytes).map(u128::from), within(text, 255));
    let (minus, size) = text.strip_prefix('-').map_or((1, text), |size| (-1, size));
    let signed = within(size, i64::MAX.unsigned_abs().into()).map(|size| minus * i128::try_from(size).unwrap());
    assert_eq!(values::signed(bytes).map(i128::from), signed);
    let octal =
        all(text, |digit| digit.is_digit(8)).then(|| text.trim_start_matches('0')).filter(|mask| mask.len() < 4);
    assert_eq!(values::umask(bytes), octal.map(|mask| u32::from_str_radix(mask, 8).unwrap_or(0)));
    let codes = text.split_once('=').and_then(|(from, to)| Some((within(from, 255)?, within(to, 255)?)));
    assert_eq!(values::codes(bytes).map(|(from, to)| (from.into(), to.into())), codes);
}

/// Reads a decimal number, if it is at most so much.
fn within(text: &str, most: u128) -> Option<u128> {
    all(text, |digit| digit.is_ascii_digit()).then(|| text.parse().ok()).flatten().filter(|number| *number <= most)
}

fn all(text: &str, kind: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(kind)
}

fn durations(bytes: &[u8], text: &str) {
    let expected = duration(text);
    assert_eq!(values::duration(bytes), expected);
    let positive = expected.filter(|duration| *duration > Duration::ZERO);
    assert_eq!(values::positive(bytes), positive);
    if let Some(duration) = expected {
        let millis = u64::try_from(duration.as_millis()).unwrap();
        let shown = if millis < 60_000 { millis } else { millis / 1_000 * 1_000 };
        assert_eq!(values::duration(&written(duration)), Some(Duration::from_millis(shown)));
    }
    let range = text.split_once("..").and_then(|(min, max)| Some((duration(min)?, duration(max)?)));
    let range =
        range.filter(|(min, max)| min <= max).or_else(|| (text == "0").then_some((Duration::ZERO, Duration::ZERO)));
    assert_eq!(values::backoff(bytes), range);
    let limit = text.split_once('/').and_then(|(failures, within_time)| {
        let failures = within(failures, GiveUp::MAX.into())?.try_into().unwrap();
        let within = duration(within_time).filter(|within| *within > Duration::ZERO)?;
        Some(GiveUp { failures, within })
    });
    assert_eq!(values::give_up(bytes), limit);
}

/// Takes the units off one by one, those that are there.
fn duration(text: &str) -> Option<Duration> {
    const SECOND: u128 = 1_000_000_000;
    let mut nanos: u128 = 0;
    let mut rest = text;
    for (unit, size) in
        [("d", 86_400 * SECOND), ("h", 3_600 * SECOND), ("m", 60 * SECOND), ("s", SECOND), ("ms", SECOND / 1_000)]
    {
        let digits = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let (amount, after) = rest.split_at(rest.len() - digits.len());
        let is_unit = |after: &&str| !after.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if let (Some(after), false) = (after.strip_prefix(unit).filter(is_unit), amount.is_empty()) {
            nanos += within(amount, u64::MAX.into())? * size;
            rest = after;
        }
    }
    if !rest.is_empty() || text.is_empty() {
        nanos = within(text, u64::MAX.into())? * SECOND;
    }
    (nanos <= 1 << 63).then(|| Duration::from_nanos(nanos.try_into().unwrap()))
}

fn written(duration: Duration) -> Vec<u8> {
    let mut room = [0; 64];
    let mut text = Text::new(&mut room);
    text.duration(duration);
    assert!(text.is_whole());
    text.as_bytes().to_vec()
}

fn sizes(text: &str) {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let bounds = size(soft).zip(size(hard)).filter(|(soft, hard)| soft <= hard);
    let finite = |bound: u64| Some(bound).filter(|bound| *bound < u64::MAX);
    let expected = bounds.map(|(soft, hard)| Limit { resource: Resource::As, soft: finite(soft), hard: finite(hard) });
    assert_eq!(values::limit(format!("as={text}").as_bytes()), expected);
}

/// Reads a size; `u64::MAX` stands for no limit.
fn size(text: &str) -> Option<u64> {
    if text == "unlimited" {
        return Some(u64::MAX);
    }
    let (number, unit) = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30)]
        .into_iter()
        .find_map(|(letter, unit)| Some((text.strip_suffix(letter)?, unit)))
        .unwrap_or((text, 1));
    within(number, u64::MAX.into())?.checked_mul(unit)?.try_into().ok()
}

/// Every way to write a signal there is.
static SPELLINGS: LazyLock<HashMap<String, Signal>> = LazyLock::new(|| {
    let mut names = vec![("IOT".to_owned(), 6), ("CLD".to_owned(), 17), ("POLL".to_owned(), 29)];
    let mut numbers = Vec::new();
    for number in 1..=64 {
        let Some(name) = Signal::new(number).and_then(signals::name) else { continue };
        names.push((name.to_owned(), number));
        numbers.extend([number.to_string(), format!("{number:02}")].map(|digits| (digits, number)));
    }
    names.push(("RTMAX".to_owned(), 64));
    for offset in 0..=30 {
        for digits in [offset.to_string(), format!("{offset:02}")] {
            names.extend([(format!("RTMIN+{digits}"), 34 + offset), (format!("RTMAX-{digits}"), 64 - offset)]);
        }
    }
    let prefixed: Vec<_> = names.iter().map(|(name, number)| (format!("SIG{name}"), *number)).collect();
    let all = numbers.into_iter().chain(names).chain(prefixed);
    all.map(|(spelling, number)| (spelling, Signal::new(number).unwrap())).collect()
});

fn named_signals(bytes: &[u8], text: &str) {
    let signal = |text: &str| SPELLINGS.get(text).copied();
    assert_eq!(signals::parse(bytes), signal(text));
    let forward = text.split_once('=').and_then(|(from, to)| {
        let from = signal(from).filter(|from| ![Signal::KILL, Signal::STOP, Signal::CHLD].contains(from))?;
        Some((from, if to == "0" { Forward::Drop } else { Forward::As(signal(to)?) }))
    });
    assert_eq!(values::forward(bytes), forward);
}

fn names(bytes: &[u8], text: &str) {
    let plain = all(text, |letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    assert_eq!(values::name(bytes), (plain && text.len() <= 32).then_some(text));
    assert_eq!(values::level(bytes).map(Level::name), LEVELS.contains(&text).then_some(text));
    assert_eq!(values::switch(bytes), ["0", "1"].iter().position(|word| *word == text).map(|word| word == 1));
}

const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
