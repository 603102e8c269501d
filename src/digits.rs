//! Reads numbers, without a sign and without a panic.

/// Reads digits of a base up to 16, one at least; `None` for anything else, and beyond 64 bits.
#[must_use]
pub fn read(digits: &[u8], base: u8) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = value_of(*byte).filter(|digit| *digit < base)?;
        value.checked_mul(u64::from(base))?.checked_add(u64::from(digit))
    })
}

/// Gives the value of a digit in any base up to 16.
const fn value_of(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => byte.checked_sub(b'0'),
        b'a'..=b'f' => byte.checked_sub(b'a' - 10),
        b'A'..=b'F' => byte.checked_sub(b'A' - 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn numbers_are_read_in_their_base() {
        for (digits, base, value) in [
            ("0", 10, 0),
            ("007", 10, 7),
            ("18446744073709551615", 10, u64::MAX),
            ("777", 8, 0o777),
            ("ffffffffffffffff", 16, u64::MAX),
            ("0000000000000A0b", 16, 0xa0b),
        ] {
            assert_eq!(read(digits.as_bytes(), base), Some(value), "{digits} in base {base}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (digits, base) in [
            ("", 10),
            ("+1", 10),
            ("-1", 10),
            ("1 ", 10),
            ("1a", 10),
            ("8", 8),
            ("g", 16),
            ("18446744073709551616", 10),
            ("99999999999999999999", 10),
            ("10000000000000000", 16),
        ] {
            assert_eq!(read(digits.as_bytes(), base), None, "{digits:?} in base {base}");
        }
    }
}
