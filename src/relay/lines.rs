//! Splits one stream of bytes into lines, in parts of a limited length, over a lent buffer of a fixed size.

use core::str::from_utf8;

use super::{PART, scan};
use crate::text::Text;

/// A finished line, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The bytes, without the newline; at most [`PART`].
    pub bytes: &'a [u8],
    /// Whether more of the same line follows in a later part.
    pub partial: bool,
    /// Whether the bytes were seen to be printable ASCII without a backslash. Others may be that too.
    pub clean: bool,
}

/// The splitter of one stream.
///
/// It is small and its buffer is lent with each call, so that a stream without an unfinished line never touches the
/// buffer's memory: a line that lies whole in the input is handed on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// Bytes that nobody has seen yet lie in the buffer from here ...
    start: u16,
    /// ... to here. Both are 0 if there are none.
    end: u16,
    /// A part of the current line was handed out.
    open: bool,
}

impl Lines {
    /// A stream that nothing has come from yet.
    pub const EMPTY: Self = Self { start: 0, end: 0, open: false };

    /// Takes bytes off the front of `input` and gives the next finished line or full part.
    /// `None`: the input is used up, what was left of it is held in `buffer`.
    pub fn next<'a, 'i>(&mut self, buffer: &'a mut [u8; PART], input: &mut &'i [u8]) -> Option<Part<'a>>
    where
        'i: 'a,
    {
        if !self.is_pending() {
            // One look at each byte is enough for most lines.
            if let Some(bytes) = clean_line(input) {
                self.open = false;
                return Some(Part { bytes, partial: false, clean: true });
            }
        }
        let room = PART.saturating_sub(self.held());
        // One byte more than fits, because a line that ends right at the limit is whole.
        let window = input.get(..=room).unwrap_or(input);
        let newline = scan::newline(window);
        if newline.is_none() && input.len() <= room {
            self.hold(buffer, core::mem::take(input));
            return None;
        }
        let (front, rest) = input.split_at_checked(newline.unwrap_or(room))?;
        let partial = newline.is_none();
        if self.is_pending() {
            self.hold(buffer, front);
            *input = if partial { rest } else { rest.get(1..)? };
            return Some(self.take(buffer, partial));
        }
        self.open = partial;
        let taken = if partial { whole_characters(front) } else { front.len() };
        *input = input.get(if partial { taken } else { taken.saturating_add(1) }..)?;
        Some(Part { bytes: front.get(..taken)?, partial, clean: false })
    }

    /// Tells whether bytes are held that nobody has seen.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.start < self.end
    }

    /// Gives what is held, if anything is, as a part: the line has waited long enough.
    ///
    /// A character that has not come whole stays behind, unless it is all there is.
    pub fn show<'a>(&mut self, buffer: &'a [u8; PART]) -> Option<Part<'a>> {
        self.is_pending().then(|| self.take(buffer, true))
    }

    /// Ends the current line where it is, if one was begun, and gives what is held of it as its last part.
    pub fn end<'a>(&mut self, buffer: &'a [u8; PART]) -> Option<Part<'a>> {
        (self.is_pending() || self.open).then(|| self.take(buffer, false))
    }

    /// Hands out what is held; as a part, less a character that would be cut.
    fn take<'a>(&mut self, buffer: &'a [u8; PART], partial: bool) -> Part<'a> {
        let held = buffer.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default();
        let taken = if partial { whole_characters(held) } else { held.len() };
        self.start = self.start.saturating_add(small(taken));
        self.open = partial;
        if !self.is_pending() {
            (self.start, self.end) = (0, 0);
        }
        Part { bytes: held.get(..taken).unwrap_or_default(), partial, clean: false }
    }

    /// Appends bytes to what is held. The caller has seen that they fit.
    fn hold(&mut self, buffer: &mut [u8; PART], bytes: &[u8]) {
        if self.start > 0 {
            self.move_to_front(buffer);
        }
        let mut held = Text::new(buffer.get_mut(usize::from(self.end)..).unwrap_or_default());
        held.put(bytes);
        self.end = self.end.saturating_add(small(held.len()));
    }

    /// Moves what is held to the front of the buffer: at most the three bytes of a character that came in pieces.
    fn move_to_front(&mut self, buffer: &mut [u8; PART]) {
        let held = self.held();
        for (to, from) in (0..held).zip(usize::from(self.start)..) {
            let byte = buffer.get(from).copied();
            if let (Some(place), Some(byte)) = (buffer.get_mut(to), byte) {
                *place = byte;
            }
        }
        (self.start, self.end) = (0, small(held));
    }

    /// The number of bytes held.
    fn held(self) -> usize {
        usize::from(self.end.saturating_sub(self.start))
    }
}

/// Takes a line off the front of `input` that is no longer than a part, of printable ASCII without a backslash; `None`: there is none.
fn clean_line<'i>(input: &mut &'i [u8]) -> Option<&'i [u8]> {
    let window = input.get(..=PART).unwrap_or(input);
    let (line, rest) = input.split_at_checked(scan::special(window)?)?;
    *input = rest.strip_prefix(b"\n")?;
    Some(line)
}

/// Narrows a length that is at most [`PART`].
fn small(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// Gives the length of `bytes` less a UTF-8 character at their end that is not complete; all of it, if that is all.
fn whole_characters(bytes: &[u8]) -> usize {
    let cut = |at: &usize| *at > 0 && bytes.get(*at..).is_some_and(lacks_its_end);
    (1..=3).filter_map(|back| bytes.len().checked_sub(back)).find(cut).unwrap_or(bytes.len())
}

/// Tells whether all that is wrong with bytes as UTF-8 is that they end too early.
fn lacks_its_end(bytes: &[u8]) -> bool {
    from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::{Lines, PART, Part, whole_characters};

    /// Everything that comes of feeding `chunks`, with `|` behind a line and `~` behind a part.
    fn split(chunks: &[&[u8]]) -> Vec<u8> {
        let mut buffer = [0; PART];
        let mut lines = Lines::EMPTY;
        let mut all = Vec::new();
        let mut note = |part: Part<'_>| {
            all.extend_from_slice(part.bytes);
            all.push(if part.partial { b'~' } else { b'|' });
        };
        for chunk in chunks {
            let mut input = *chunk;
            while let Some(part) = lines.next(&mut buffer, &mut input) {
                note(part);
            }
            assert!(input.is_empty());
        }
        if let Some(part) = lines.end(&buffer) {
            note(part);
        }
        all
    }

    #[test]
    fn lines_come_out_whole_however_they_came_in() {
        for chunks in [
            &[&b"one\ntwo\n\nfour"[..]][..],
            &[b"one\n", b"two\n\n", b"four"],
            &[b"o", b"ne", b"\ntw", b"o\n", b"\nf", b"our"],
            &[b"", b"one\ntwo\n\nfou", b"", b"r"],
        ] {
            assert_eq!(split(chunks), b"one|two||four|", "{chunks:?}");
        }
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(split(&[]), b"");
        assert_eq!(split(&[b""]), b"");
        assert_eq!(split(&[b"\n"]), b"|");
    }

    #[test]
    fn a_line_is_cut_only_where_it_goes_on_past_the_limit() {
        for (len, cuts) in [(PART - 1, 0), (PART, 0), (PART + 1, 1), (2 * PART, 1), (2 * PART + 1, 2)] {
            let line = vec![b'x'; len];
            let ended = [&line[..], b"\n"].concat();
            for input in [&[&ended[..]][..], &[&line[..], b"\n"], &[&ended[..1], &ended[1..]], &[&line[..]]] {
                let all = split(input);
                assert_eq!(all.len(), len + cuts + 1, "{len} bytes");
                assert_eq!(all.last(), Some(&b'|'), "{len} bytes");
            }
        }
    }

    #[test]
    fn a_part_ends_before_a_character_that_would_be_cut() {
        for (bytes, whole) in [
            (&b"a\xc3"[..], 1),
            (b"a\xe2\x82", 1),
            (b"a\xf0\x9f\x98", 1),
            (b"a\xf0\x9f\x98\x80", 5),
            (b"a\xc3\xa9", 3),
            (b"a\x80\x80\x80", 4),
            (b"a\xff", 2),
            (b"a\xc0", 2),
            (b"a\xe0\x80", 3),
            (b"\xf0\x9f\x98", 3),
            (b"", 0),
        ] {
            assert_eq!(whole_characters(bytes), whole, "{bytes:?}");
        }
    }

    #[test]
    fn what_waited_is_shown_and_its_line_goes_on() {
        let mut buffer = [0; PART];
        let mut lines = Lines::EMPTY;
        assert_eq!(lines.show(&buffer), None);
        assert_eq!(lines.next(&mut buffer, &mut &b"ab\xf0\x9f"[..]), None);
        assert!(lines.is_pending());
        assert_eq!(lines.show(&buffer), Some(Part { bytes: b"ab", partial: true, clean: false }));
        assert!(lines.is_pending(), "the begin of a character waits");
        assert_eq!(
            lines.show(&buffer),
            Some(Part { bytes: b"\xf0\x9f", partial: true, clean: false }),
            "but not for ever"
        );
        assert!(!lines.is_pending());
        assert_eq!(lines.show(&buffer), None);
        let mut input = &b"\nnext\n"[..];
        let last = Part { bytes: b"", partial: false, clean: true };
        assert_eq!(lines.next(&mut buffer, &mut input), Some(last), "the line ends with an empty part");
        assert_eq!(lines.next(&mut buffer, &mut input), Some(Part { bytes: b"next", partial: false, clean: true }));
        assert_eq!(lines.end(&buffer), None);
    }

    #[test]
    fn the_end_closes_a_line_that_was_shown() {
        let mut buffer = [0; PART];
        let mut lines = Lines::EMPTY;
        assert_eq!(lines.next(&mut buffer, &mut &b"ab"[..]), None);
        assert_eq!(lines.show(&buffer), Some(Part { bytes: b"ab", partial: true, clean: false }));
        assert_eq!(lines.end(&buffer), Some(Part { bytes: b"", partial: false, clean: false }));
        assert_eq!(lines.end(&buffer), None, "once");
        assert_eq!(lines, Lines::EMPTY);
    }

    #[test]
    fn a_stream_without_an_unfinished_line_never_touches_its_buffer() {
        let mut buffer = [7; PART];
        let mut input = &b"one\ntwo\n"[..];
        let mut lines = Lines::EMPTY;
        while lines.next(&mut buffer, &mut input).is_some() {}
        assert_eq!(buffer, [7; PART]);
        assert!(size_of::<Lines>() <= 8);
    }
}
