//! Reads the keys and values of whole records, as programs do: strictly, and nothing else.

use super::read_back::{json, lossless};

/// Reads a logfmt record, less its newline: keys and values, in order.
pub fn pairs(record: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let mut pairs = Vec::new();
    let mut rest = record;
    loop {
        let (key, after) = rest.split_once('=').filter(|(key, _)| is_key(key))?;
        let (value, after) = match quoted(after) {
            Some((inside, after)) => (lossless(inside, true)?, after),
            None => bare(after, ' ').map(|(value, after)| (value.as_bytes().to_vec(), after))?,
        };
        pairs.push((key.to_owned(), value));
        if after.is_empty() {
            return Some(pairs);
        }
        rest = after.strip_prefix(' ')?;
    }
}

/// Reads a record that is a json object, less its newline: keys and values, in order.
pub fn object(record: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = record.strip_prefix('{')?.strip_suffix('}')?;
    loop {
        let (key, after) = quoted(rest).filter(|(key, _)| is_key(key))?;
        let after = after.strip_prefix(':')?;
        let (value, after) = match quoted(after) {
            Some((inside, after)) => (json(inside)?, after),
            None => bare(after, ',')
                .filter(|(value, _)| *value == "true" || value.bytes().all(|byte| byte.is_ascii_digit()))
                .map(|(value, after)| (value.to_owned(), after))?,
        };
        pairs.push((key.to_owned(), value));
        if after.is_empty() {
            return Some(pairs);
        }
        rest = after.strip_prefix(',')?;
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Splits what stands between quotes off the front.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// Splits a value without quotes off the front.
fn bare(text: &str, end: char) -> Option<(&str, &str)> {
    let (value, rest) = text.split_at(text.find(end).unwrap_or(text.len()));
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\=,{}".contains(&byte);
    (!value.is_empty() && value.bytes().all(plain)).then_some((value, rest))
}
