//! A writer over lent bytes: how everything that people read is put together, without `core::fmt` and without a heap.

use core::time::Duration;

/// Milliseconds of each unit that a duration is written in, the largest first.
static UNITS: [(u64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];

/// Text that grows in lent bytes.
///
/// What does not fit is left out, and so is all that follows it: [`is_whole`](Self::is_whole) tells.
#[derive(Debug)]
pub struct Text<'a> {
    bytes: &'a mut [u8],
    len: usize,
    whole: bool,
}

impl<'a> Text<'a> {
    /// Starts an empty text that may grow to the size of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0, whole: true }
    }

    /// Gives what was written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Gives the number of bytes written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Tells whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tells whether everything fitted so far.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Writes all that `write` writes, or nothing of it; tells which.
    pub fn all_or_nothing(&mut self, write: impl FnOnce(&mut Self)) -> bool {
        let (start, before) = (self.len, self.whole);
        write(self);
        if !self.whole {
            self.len = start;
        }
        core::mem::replace(&mut self.whole, before)
    }

    /// Appends bytes.
    // It is called from a hundred places; a copy of it at each would be a tenth of the program.
    #[inline(never)]
    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.bytes.get_mut(self.len..end) {
            Some(place) if self.whole => {
                copy(place, bytes);
                self.len = end;
            }
            Some(_) | None => self.whole = false,
        }
    }

    /// Appends words.
    pub fn say(&mut self, words: &str) {
        self.put(words.as_bytes());
    }

    /// Appends a number in decimal.
    pub fn number(&mut self, value: u64) {
        self.padded(value, 1);
    }

    /// Appends a number in decimal, with zeros in front where it has fewer than `width` (at most 20) digits.
    pub fn padded(&mut self, value: u64, width: usize) {
        let mut digits = [0; 20];
        let mut rest = value;
        let mut used: usize = 0;
        for place in digits.iter_mut().rev() {
            *place = digit(rest % 10);
            rest /= 10;
            used = used.saturating_add(1);
            if rest == 0 && used >= width {
                break;
            }
        }
        let start = digits.len().saturating_sub(used);
        self.put(digits.get(start..).unwrap_or_default());
    }

    /// Appends a duration as options take it: `1h30m`, `250ms`. Cut to milliseconds; from a minute on, to seconds.
    pub fn duration(&mut self, duration: Duration) {
        let millis = duration.as_secs().saturating_mul(1_000).saturating_add(u64::from(duration.subsec_millis()));
        let mut rest = if millis < 60_000 { millis } else { millis.saturating_sub(millis % 1_000) };
        if rest == 0 {
            self.say("0s");
        }
        for (size, unit) in UNITS {
            let count = rest.checked_div(size).unwrap_or(0);
            if count > 0 {
                self.number(count);
                self.say(unit);
            }
            rest = rest.checked_rem(size).unwrap_or(0);
        }
    }
}

/// Copies all of `bytes` to a place of the same length.
///
/// Most of what is written is short, and musl's memcpy(3) takes ten nanoseconds for the shortest: so bytes are copied as
/// blocks of a fixed size, the last of which ends where they end and overlaps the one before. That can also not panic.
fn copy(place: &mut [u8], bytes: &[u8]) {
    match bytes.len() {
        0 => {}
        1 => copy_ends::<1>(place, bytes),
        2..=4 => copy_ends::<2>(place, bytes),
        5..=8 => copy_ends::<4>(place, bytes),
        9..=16 => copy_ends::<8>(place, bytes),
        17..=32 => copy_ends::<16>(place, bytes),
        33..=64 => copy_ends::<32>(place, bytes),
        65..=128 => copy_ends::<64>(place, bytes),
        _ => {
            let blocks = place.as_chunks_mut::<64>().0.iter_mut();
            blocks.zip(bytes.as_chunks().0).for_each(|(to, from)| *to = *from);
            copy_ends::<64>(place, bytes);
        }
    }
}

/// Copies the first `N` bytes and the last `N`.
fn copy_ends<const N: usize>(place: &mut [u8], bytes: &[u8]) {
    if let (Some(to), Some(from)) = (place.first_chunk_mut::<N>(), bytes.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (place.last_chunk_mut::<N>(), bytes.last_chunk()) {
        *to = *from;
    }
}

/// Gives the two lower-case hexadecimal digits of a byte.
#[must_use]
pub fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|half| digit(u64::from(half)))
}

/// The digit of a value below 16.
fn digit(value: u64) -> u8 {
    u8::try_from(value).ok().and_then(|value| b"0123456789abcdef".get(usize::from(value))).copied().unwrap_or(b'?')
}

#[cfg(test)]
mod tests {
    use super::{Text, hex};
    use core::time::Duration;

    /// What `write` writes into 32 bytes.
    fn written(write: impl FnOnce(&mut Text<'_>)) -> String {
        let mut bytes = [0; 32];
        let mut text = Text::new(&mut bytes);
        write(&mut text);
        assert!(text.is_whole());
        String::from_utf8(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn bytes_of_every_length_are_written_whole() {
        let bytes: Vec<u8> = (0..=255).cycle().skip(1).take(300).collect();
        for len in 0..bytes.len() {
            let mut room = [0; 300];
            let mut text = Text::new(&mut room);
            text.put(&bytes[..len]);
            assert_eq!(text.as_bytes(), &bytes[..len]);
        }
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for value in [0, 1, 9, 10, 99, 100, 65_535, 2_147_483_647, u64::MAX] {
            assert_eq!(written(|text| text.number(value)), value.to_string());
        }
    }

    #[test]
    fn padded_numbers_have_their_width_or_more() {
        for (value, width, expected) in
            [(0, 3, "000"), (7, 2, "07"), (123, 2, "123"), (5, 0, "5"), (1, 99, "00000000000000000001")]
        {
            assert_eq!(written(|text| text.padded(value, width)), expected, "{value} in {width}");
        }
    }

    #[test]
    fn bytes_are_written_as_two_hexadecimal_digits() {
        for (byte, expected) in [(0, b"00"), (0x1b, b"1b"), (0x7f, b"7f"), (0xff, b"ff")] {
            assert_eq!(&hex(byte), expected);
        }
    }

    #[test]
    fn durations_are_written_as_options_take_them() {
        for (millis, expected) in [
            (0, "0s"),
            (1, "1ms"),
            (250, "250ms"),
            (1_000, "1s"),
            (2_005, "2s5ms"),
            (59_999, "59s999ms"),
            (60_000, "1m"),
            (60_999, "1m"),
            (5_400_000, "1h30m"),
            (172_800_000, "2d"),
            (90_061_001, "1d1h1m1s"),
        ] {
            assert_eq!(written(|text| text.duration(Duration::from_millis(millis))), expected, "{millis} ms");
        }
        assert_eq!(written(|text| text.duration(Duration::from_nanos(999_999))), "0s");
        assert_eq!(written(|text| text.duration(Duration::MAX)), "213503982334d14h25m51s");
    }

    #[test]
    fn what_does_not_fit_is_left_out_with_all_that_follows() {
        let mut bytes = [0; 4];
        let mut text = Text::new(&mut bytes);
        text.say("abc");
        text.say("de");
        text.say("f");
        assert_eq!((text.as_bytes(), text.len(), text.is_whole()), (&b"abc"[..], 3, false));
    }

    #[test]
    fn all_or_nothing_leaves_no_trace_of_what_did_not_fit() {
        let mut bytes = [0; 4];
        let mut text = Text::new(&mut bytes);
        assert!(text.is_empty());
        assert!(text.all_or_nothing(|text| text.say("ab")));
        assert!(!text.all_or_nothing(|text| {
            text.say("c");
            text.say("de");
        }));
        assert!(text.all_or_nothing(|text| text.say("cd")));
        assert_eq!((text.as_bytes(), text.is_whole()), (&b"abcd"[..], true));
        text.say("e");
        assert!(!text.all_or_nothing(|_| ()), "a text that was cut stays cut");
        assert!(!text.is_whole());
    }
}
