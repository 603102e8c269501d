//! Wall-clock time as log records carry it: `2026-11-24T02:11:05.123Z`.

use core::time::Duration;

use crate::text::Text;

/// The number of bytes of a time stamp.
pub const STAMP: usize = 24;

/// Milliseconds from 1970 to the last one whose year has four digits.
const LAST_MILLI: u64 = 253_402_300_799_999;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A point of wall-clock time, in milliseconds, together with its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    millis: u64,
    text: [u8; STAMP],
}

impl Stamp {
    /// The origin of Unix time.
    pub const ORIGIN: Self = Self { millis: 0, text: *b"1970-01-01T00:00:00.000Z" };

    /// Moves to `since_origin` of Unix time, in UTC; not beyond the year 9999.
    ///
    /// Costs next to nothing while the millisecond is the same.
    pub fn set(&mut self, since_origin: Duration) {
        let seconds = since_origin.as_secs().saturating_mul(SECOND);
        let millis = seconds.saturating_add(u64::from(since_origin.subsec_millis())).min(LAST_MILLI);
        if millis != self.millis {
            self.millis = millis;
            self.write();
        }
    }

    /// Gives the text.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; STAMP] {
        &self.text
    }

    /// Gives the milliseconds since the origin.
    pub(super) const fn millis(&self) -> u64 {
        self.millis
    }

    /// Writes the text of `millis`.
    fn write(&mut self) {
        let (year, month, day) = date(self.millis / DAY);
        let time = self.millis % DAY;
        let mut text = Text::new(&mut self.text);
        let mut field = |value, width, after| {
            text.padded(value, width);
            text.say(after);
        };
        field(year, 4, "-");
        field(month, 2, "-");
        field(day, 2, "T");
        field(time / HOUR, 2, ":");
        field(time % HOUR / MINUTE, 2, ":");
        field(time % MINUTE / SECOND, 2, ".");
        field(time % SECOND, 3, "Z");
    }
}

/// Turns days since 1970 into year, month and day.
///
/// Counts whole years and months off, a few dozen steps until far into the next century: a stamp is written once a
/// millisecond at most, and this can be checked by reading.
fn date(days: u64) -> (u64, u64, u64) {
    let mut day = days;
    let mut year: u64 = 1970;
    while let Some(rest) = day.checked_sub(days_of_year(year)) {
        day = rest;
        year = year.saturating_add(1);
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month: u64 = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        let Some(rest) = day.checked_sub(length) else { break };
        day = rest;
        month = month.saturating_add(1);
    }
    (year, month, day.saturating_add(1))
}

/// The number of days of a year.
const fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

/// Tells whether a year has a 29th of February.
const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::Stamp;
    use core::time::Duration;

    #[test]
    fn stamps_are_utc_in_iso_8601() {
        let mut stamp = Stamp::ORIGIN;
        for (seconds, millis, expected) in [
            (0, 0, "1970-01-01T00:00:00.000Z"),
            (0, 1, "1970-01-01T00:00:00.001Z"),
            (951_782_399, 999, "2000-02-28T23:59:59.999Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.000Z"),
            (951_868_800, 0, "2000-03-01T00:00:00.000Z"),
            (1_709_251_199, 0, "2024-02-29T23:59:59.000Z"),
            (1_735_689_599, 0, "2024-12-31T23:59:59.000Z"),
            (1_795_486_265, 123, "2026-11-24T02:11:05.123Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799, 999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800, 0, "9999-12-31T23:59:59.999Z"),
            (u64::MAX, 0, "9999-12-31T23:59:59.999Z"),
            (1, 0, "1970-01-01T00:00:01.000Z"),
        ] {
            stamp.set(Duration::from_secs(seconds).saturating_add(Duration::from_millis(millis)));
            assert_eq!(str::from_utf8(stamp.as_bytes()), Ok(expected));
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = [0; 24];
        let mut stamp = Stamp::ORIGIN;
        for day in 0..60_000 {
            stamp.set(Duration::from_secs(day * 86_400));
            assert!(before < *stamp.as_bytes(), "day {day}");
            before = *stamp.as_bytes();
        }
        assert_eq!(&before, b"2134-04-10T00:00:00.000Z");
    }
}
