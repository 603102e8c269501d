//! The log as a program reads it: records of `key=value`, whether they came as logfmt or as json.

use std::collections::HashMap;

/// One record of the log.
#[derive(Clone, Default)]
pub struct Record(HashMap<String, Vec<u8>>);

impl core::fmt::Debug for Record {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_map().entries(self.0.keys().map(|key| (key, self.text(key)))).finish()
    }
}

impl Record {
    /// The value of a key, empty where the record has none.
    pub fn text(&self, key: &str) -> String {
        String::from_utf8_lossy(self.bytes(key)).into_owned()
    }

    /// The bytes of a value, unescaped.
    pub fn bytes(&self, key: &str) -> &[u8] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// A value that must be a number.
    pub fn number(&self, key: &str) -> i64 {
        self.text(key).parse().unwrap_or_else(|_| panic!("{key} is no number in {self:?}"))
    }

    /// The time stamp in milliseconds; only differences mean anything, and none may span a month's end.
    pub fn millis(&self) -> i64 {
        let stamp = self.text("ts");
        let number = |range: core::ops::Range<usize>| -> i64 {
            stamp.get(range).and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no time stamp: {stamp}"))
        };
        let minutes = (number(8..10) * 24 + number(11..13)) * 60 + number(14..16);
        (minutes * 60 + number(17..19)) * 1000 + number(20..23)
    }

    /// Whether the record tells this event.
    pub fn tells(&self, event: &str) -> bool {
        self.0.get("event").is_some_and(|found| found == event.as_bytes())
    }

    /// Whether a worker wrote it, to `out` or `err`.
    pub fn is_line(&self) -> bool {
        self.0.contains_key("stream")
    }

    /// Whether the record has the key at all.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }
}

/// A log up to its last line end: the line that is being written is not whole yet.
pub fn whole(log: &[u8]) -> &[u8] {
    &log[..log.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1)]
}

/// Reads one record of logfmt.
///
/// # Panics
/// Where the line is none: the log's form is part of the contract.
pub fn logfmt(line: &[u8]) -> Record {
    let mut record = Record::default();
    let mut rest = line;
    while !rest.is_empty() {
        let equals = position(rest, b'=').unwrap_or_else(|| malformed(line));
        let key = String::from_utf8(rest[..equals].to_vec()).unwrap_or_else(|_| malformed(line));
        assert!(key.bytes().all(|byte| byte.is_ascii_lowercase()), "key {key:?} in {}", line.escape_ascii());
        rest = &rest[equals + 1..];
        let value = if rest.first() == Some(&b'"') { quoted(&mut rest, line) } else { bare(&mut rest) };
        assert!(record.0.insert(key, value).is_none(), "a key twice in {}", line.escape_ascii());
        rest = rest.strip_prefix(b" ").unwrap_or(rest);
    }
    record
}

fn bare(rest: &mut &[u8]) -> Vec<u8> {
    let end = position(rest, b' ').unwrap_or(rest.len());
    let value = rest[..end].to_vec();
    *rest = &rest[end..];
    value
}

fn quoted(rest: &mut &[u8], line: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    let mut bytes = rest[1..].iter();
    loop {
        match bytes.next().unwrap_or_else(|| malformed(line)) {
            b'"' => break,
            b'\\' => value.push(unescaped(&mut bytes, line)),
            byte => value.push(*byte),
        }
    }
    *rest = bytes.as_slice();
    value
}

/// The byte that an escape stands for; the iterator is behind the backslash.
fn unescaped(bytes: &mut core::slice::Iter<'_, u8>, line: &[u8]) -> u8 {
    match bytes.next().unwrap_or_else(|| malformed(line)) {
        b'\\' => b'\\',
        b'"' => b'"',
        b't' => b'\t',
        b'r' => b'\r',
        b'x' => {
            let digits: Vec<u8> = bytes.by_ref().take(2).copied().collect();
            assert!(!digits.iter().any(u8::is_ascii_uppercase), "upper case escape in {}", line.escape_ascii());
            let text = String::from_utf8(digits).unwrap_or_else(|_| malformed(line));
            u8::from_str_radix(&text, 16).unwrap_or_else(|_| malformed(line))
        }
        _ => malformed(line),
    }
}

/// Undoes the escapes of a plain line's text.
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.iter();
    let mut found = Vec::new();
    while let Some(&byte) = bytes.next() {
        found.push(if byte == b'\\' { unescaped(&mut bytes, text) } else { byte });
    }
    found
}

/// Reads one record of json: a flat object of strings, numbers and booleans.
pub fn json(line: &[u8]) -> Record {
    let text = core::str::from_utf8(line).unwrap_or_else(|_| malformed(line));
    let inside = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_else(|| malformed(line));
    let mut record = Record::default();
    let mut rest = inside.chars();
    loop {
        let key = json_string(&mut rest, line);
        assert_eq!(rest.next(), Some(':'), "in {text}");
        let value = if rest.as_str().starts_with('"') {
            json_string(&mut rest, line)
        } else {
            let end = rest.as_str().find(',').unwrap_or(rest.as_str().len());
            rest.by_ref().take(end).collect()
        };
        assert!(record.0.insert(key, value.into_bytes()).is_none(), "a key twice in {text}");
        match rest.next() {
            None => return record,
            Some(',') => {}
            Some(_) => malformed(line),
        }
    }
}

fn json_string(rest: &mut core::str::Chars<'_>, line: &[u8]) -> String {
    assert_eq!(rest.next(), Some('"'), "in {}", line.escape_ascii());
    let mut value = String::new();
    loop {
        match rest.next().unwrap_or_else(|| malformed(line)) {
            '"' => return value,
            '\\' => value.push(json_escape(rest, line)),
            control if control < ' ' => malformed(line),
            other => value.push(other),
        }
    }
}

fn json_escape(rest: &mut core::str::Chars<'_>, line: &[u8]) -> char {
    match rest.next().unwrap_or_else(|| malformed(line)) {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => {
            let digits: String = rest.by_ref().take(4).collect();
            let code = u32::from_str_radix(&digits, 16).unwrap_or_else(|_| malformed(line));
            char::from_u32(code).unwrap_or_else(|| malformed(line))
        }
        same @ ('"' | '\\' | '/') => same,
        _ => malformed(line),
    }
}

fn position(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|&byte| byte == wanted)
}

fn malformed(line: &[u8]) -> ! {
    panic!("no record: {}", line.escape_ascii())
}
