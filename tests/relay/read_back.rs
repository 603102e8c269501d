//! Reads escaped text back, and takes nothing that is not escaped as it should be.

/// Reads plain or logfmt text; `None` if a byte stands there that had to be escaped, or an escape that there is not.
pub fn lossless(text: &str, is_quoted: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next()? {
                '\\' => bytes.push(b'\\'),
                't' => bytes.push(b'\t'),
                'r' => bytes.push(b'\r'),
                '"' if is_quoted => bytes.push(b'"'),
                'x' => bytes.push(u8::try_from(hex(&mut rest, 2)?).ok()?),
                _ => return None,
            },
            '"' if is_quoted => return None,
            control if control.is_control() => return None,
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Some(bytes)
}

/// Reads the inside of a json string; `None` if it is none, or could do something to a terminal.
pub fn json(text: &str) -> Option<String> {
    let mut read = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        read.push(match character {
            '\\' => match rest.next()? {
                same @ ('\\' | '"') => same,
                't' => '\t',
                'r' => '\r',
                'u' => char::from_u32(hex(&mut rest, 4)?)?,
                _ => return None,
            },
            '"' => return None,
            control if control.is_control() => return None,
            other => other,
        });
    }
    Some(read)
}

/// Reads this many lower-case hexadecimal digits.
fn hex(from: &mut impl Iterator<Item = char>, digits: usize) -> Option<u32> {
    let digits: Vec<u32> =
        from.take(digits).filter(|digit| !digit.is_uppercase()).filter_map(|digit| digit.to_digit(16)).collect();
    digits.into_iter().try_fold(0_u32, |value, digit| value.checked_mul(16)?.checked_add(digit))
}
