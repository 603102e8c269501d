//! Makes any bytes safe to stand in one log record of each format: a worker can write what it likes and forge nothing.

use core::str::from_utf8;

use super::format::Format;
use super::scan;
use crate::text::Text;

/// The most bytes that one byte becomes: `\u0000` in json.
pub const MAX_GROWTH: usize = 6;

/// Appends `bytes`, escaped as `format` wants them. Runs of printable ASCII are copied as they are.
pub fn escape(out: &mut Text<'_>, format: Format, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some((clean, odd)) = rest.split_at_checked(clean_length(format, rest)) {
        out.put(clean);
        let Some((unit, after)) = first_unit(odd) else { return };
        match format {
            Format::Logfmt if unit == Unit::Character('"', b"\"") => out.put(b"\\\""),
            Format::Plain | Format::Logfmt => lossless(out, unit),
            Format::Json => json(out, unit),
        }
        rest = after;
    }
}

/// The length of the run at the front of `bytes` that needs no look at its single bytes.
fn clean_length(format: Format, bytes: &[u8]) -> usize {
    match format {
        Format::Plain => scan::special(bytes),
        Format::Logfmt | Format::Json => scan::special_or_quote(bytes),
    }
    .unwrap_or(bytes.len())
}

/// What stands at the front of some bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit<'a> {
    /// A character, and the bytes that encode it.
    Character(char, &'a [u8]),
    /// Bytes that are no part of a character; one, or the begin of a character that lacks its end.
    Invalid(&'a [u8]),
}

/// Splits the first unit off; `None`: there are no bytes.
fn first_unit(bytes: &[u8]) -> Option<(Unit<'_>, &[u8])> {
    let first = *bytes.first()?;
    let width = match first {
        0..=0x7f => return Some((Unit::Character(char::from(first), bytes.get(..1)?), bytes.get(1..)?)),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let window = bytes.get(..width).unwrap_or(bytes);
    match from_utf8(window) {
        Ok(text) => Some((Unit::Character(text.chars().next()?, window), bytes.get(width..)?)),
        Err(error) => {
            let (invalid, rest) = bytes.split_at_checked(error.error_len().unwrap_or(window.len()))?;
            Some((Unit::Invalid(invalid), rest))
        }
    }
}

/// Appends a unit so that its bytes can be told from what is read: plain and logfmt.
fn lossless(out: &mut Text<'_>, unit: Unit<'_>) {
    match unit {
        Unit::Character('\\', _) => out.put(b"\\\\"),
        Unit::Character('\t', _) => out.put(b"\\t"),
        Unit::Character('\r', _) => out.put(b"\\r"),
        Unit::Character(character, bytes) if !character.is_control() => out.put(bytes),
        Unit::Character(_, bytes) | Unit::Invalid(bytes) => {
            for byte in bytes {
                out.put(b"\\x");
                out.hex(*byte);
            }
        }
    }
}

/// Appends a unit as part of a json string. C1 controls and DEL need no escape there, but terminals obey them.
fn json(out: &mut Text<'_>, unit: Unit<'_>) {
    match unit {
        Unit::Character('\\', _) => out.put(b"\\\\"),
        Unit::Character('"', _) => out.put(b"\\\""),
        Unit::Character('\t', _) => out.put(b"\\t"),
        Unit::Character('\r', _) => out.put(b"\\r"),
        Unit::Character(character, bytes) if !character.is_control() => out.put(bytes),
        Unit::Character(control, _) => {
            out.put(b"\\u00");
            out.hex(u8::try_from(control).unwrap_or_default());
        }
        Unit::Invalid(_) => out.say("\u{fffd}"),
    }
}

#[cfg(test)]
mod tests {
    use super::escape;
    use crate::relay::Format;
    use crate::text::Text;

    #[test]
    fn what_is_not_plain_text_is_escaped_as_each_format_wants_it() {
        for (bytes, plain, logfmt, json) in [
            (&b""[..], "", "", ""),
            (b"a b~", "a b~", "a b~", "a b~"),
            (b"\\", r"\\", r"\\", r"\\"),
            (b"\"", r#"""#, r#"\""#, r#"\""#),
            (b"\t\r", r"\t\r", r"\t\r", r"\t\r"),
            (b"\0\x1b\n", r"\x00\x1b\x0a", r"\x00\x1b\x0a", r"\u0000\u001b\u000a"),
            (b"\x7f", r"\x7f", r"\x7f", r"\u007f"),
            (b"\xc2\x9b", r"\xc2\x9b", r"\xc2\x9b", r"\u009b"),
            ("\u{a0}é€😀".as_bytes(), "\u{a0}é€😀", "\u{a0}é€😀", "\u{a0}é€😀"),
            (b"\x80a", r"\x80a", r"\x80a", "\u{fffd}a"),
            (b"\xe2\x82a", r"\xe2\x82a", r"\xe2\x82a", "\u{fffd}a"),
            (b"\xe2\x82", r"\xe2\x82", r"\xe2\x82", "\u{fffd}"),
            (b"\xed\xa0\x80", r"\xed\xa0\x80", r"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            for (format, expected) in [(Format::Plain, plain), (Format::Logfmt, logfmt), (Format::Json, json)] {
                let mut room = [0; 64];
                let mut out = Text::new(&mut room);
                escape(&mut out, format, bytes);
                assert_eq!(str::from_utf8(out.as_bytes()), Ok(expected), "{bytes:?}");
            }
        }
    }
}
