//! Makes any bytes safe to stand in one log record of each format: a worker can write what it likes and forge nothing.

use core::str::from_utf8;

use super::format::Format;
use super::scan;
use crate::text::{Text, hex};

/// The most bytes that one byte becomes: `\u0000` in json.
pub const MAX_GROWTH: usize = 6;

/// Appends `bytes`, escaped as `format` wants them. Runs of what needs no escape are copied as they are.
pub fn escape(out: &mut Text<'_>, format: Format, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some((clean, odd)) = rest.split_at_checked(clean_length(format, rest)) {
        out.put(clean);
        rest = match odd {
            [] => return,
            [byte @ 0..=0x7f, after @ ..] => {
                ascii(out, format, *byte);
                after
            }
            _ => beyond_ascii(out, format, odd),
        };
    }
}

/// The length of the run at the front of `bytes` that needs no escape.
fn clean_length(format: Format, bytes: &[u8]) -> usize {
    let mut length: usize = 0;
    while let Some(rest) = bytes.get(length..) {
        length = length.saturating_add(printable_ascii(format, rest));
        match bytes.get(length..) {
            None | Some([] | [0..=0x7f, ..]) => break,
            Some(beyond) => match character(beyond) {
                (Some(character), width) if !character.is_control() => length = length.saturating_add(width),
                (Some(_) | None, _) => break,
            },
        }
    }
    length
}

/// The length of the run at the front of `bytes` that needs no look at its single bytes.
fn printable_ascii(format: Format, bytes: &[u8]) -> usize {
    match format {
        Format::Plain => scan::special(bytes),
        Format::Logfmt | Format::Json => scan::special_or_quote(bytes),
    }
    .unwrap_or(bytes.len())
}

/// Reads the character beyond ASCII at the front of `bytes` and gives its length too. Bytes that are no part of a
/// character are read as `None`: one, or the begin of a character that lacks its end.
fn character(bytes: &[u8]) -> (Option<char>, usize) {
    let width = match bytes.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        Some(_) | None => 1,
    };
    let window = bytes.get(..width).unwrap_or(bytes);
    match from_utf8(window) {
        Ok(text) => (text.chars().next(), window.len()),
        Err(error) => (None, error.error_len().unwrap_or(window.len())),
    }
}

/// Appends an ASCII character that cannot stand as it is.
fn ascii(out: &mut Text<'_>, format: Format, byte: u8) {
    match byte {
        b'\\' => out.put(b"\\\\"),
        b'"' => out.put(b"\\\""),
        b'\t' => out.put(b"\\t"),
        b'\r' => out.put(b"\\r"),
        control => number(out, format, control),
    }
}

/// Appends what stands beyond ASCII at the front of `bytes` and cannot stand as it is; gives what follows.
///
/// Plain and logfmt lose nothing: the bytes can be told from what is read. C1 controls need no escape in json, but
/// terminals obey them.
fn beyond_ascii<'b>(out: &mut Text<'_>, format: Format, bytes: &'b [u8]) -> &'b [u8] {
    let (character, width) = character(bytes);
    let (odd, after) = bytes.split_at_checked(width).unwrap_or_default();
    match (format, character) {
        (Format::Plain | Format::Logfmt, _) => odd.iter().for_each(|byte| number(out, format, *byte)),
        (Format::Json, Some(control)) => number(out, format, u8::try_from(control).unwrap_or_default()),
        (Format::Json, None) => out.say("\u{fffd}"),
    }
    after
}

/// Appends a byte by its number.
fn number(out: &mut Text<'_>, format: Format, byte: u8) {
    let [high, low] = hex(byte);
    match format {
        Format::Plain | Format::Logfmt => out.put(&[b'\\', b'x', high, low]),
        Format::Json => out.put(&[b'\\', b'u', b'0', b'0', high, low]),
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
