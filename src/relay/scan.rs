//! Looks for bytes, eight at a time, with plain arithmetic: as fast as the compiler's best without a word of unsafe.
#![expect(
    clippy::inline_always,
    reason = "the program is built for size, and these lines run for each byte it carries"
)]

/// 1 in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The top bit of each byte.
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Gives the place of the first newline.
pub(super) fn newline(bytes: &[u8]) -> Option<usize> {
    first(bytes, Wanted::Newline)
}

/// Gives the place of the first byte that is not printable ASCII, or is a backslash.
pub(super) fn special(bytes: &[u8]) -> Option<usize> {
    first(bytes, Wanted::Special)
}

/// Gives the place of the first byte that is not printable ASCII, or is a backslash or a double quote.
pub(super) fn special_or_quote(bytes: &[u8]) -> Option<usize> {
    first(bytes, Wanted::SpecialOrQuote)
}

/// What is looked for: always a constant where it is passed, and an enum because a closure would be called for each word.
#[derive(Clone, Copy)]
enum Wanted {
    Newline,
    Special,
    SpecialOrQuote,
}

/// Sets the top bit of each wanted byte.
#[inline(always)]
const fn mark(word: u64, wanted: Wanted) -> u64 {
    match wanted {
        Wanted::Newline => zeros(word ^ repeat(b'\n')),
        Wanted::Special => specials(word),
        Wanted::SpecialOrQuote => specials(word) | zeros(word ^ repeat(b'"')),
    }
}

/// Gives the place of the first byte that [`mark`] marks. Marks behind the first one need not be right, which
/// is what lets a subtraction run over all eight bytes at once: its borrow can only disturb the bytes behind.
#[inline(always)]
fn first(bytes: &[u8], wanted: Wanted) -> Option<usize> {
    let mut before: usize = 0;
    // Two words a step, because most have no mark. Places within the slice cannot wrap around.
    for [low, high] in bytes.as_chunks::<8>().0.as_chunks::<2>().0 {
        let (low, high) = (mark(u64::from_le_bytes(*low), wanted), mark(u64::from_le_bytes(*high), wanted));
        if low | high != 0 {
            let place = if low == 0 { leading(high).wrapping_add(8) } else { leading(low) };
            return Some(before.wrapping_add(place));
        }
        before = before.wrapping_add(16);
    }
    first_of_few(bytes.get(before..)?, wanted).map(|place| before.wrapping_add(place))
}

/// Gives the place of the first marked byte among fewer than sixteen.
#[inline(always)]
fn first_of_few(bytes: &[u8], wanted: Wanted) -> Option<usize> {
    let (Some(front), Some(back)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) else {
        return bytes.iter().position(|byte| leading(mark(u64::from(*byte), wanted)) == 0);
    };
    // The two overlap; a byte that both see is found in the first.
    let (low, high) =
        (leading(mark(u64::from_le_bytes(*front), wanted)), leading(mark(u64::from_le_bytes(*back), wanted)));
    match (low, high) {
        (0..8, _) => Some(low),
        (_, 0..8) => Some(bytes.len().wrapping_sub(8).wrapping_add(high)),
        _ => None,
    }
}

/// Gives the number of bytes before the first mark, 8 if there is none.
#[inline(always)]
fn leading(marks: u64) -> usize {
    usize::try_from(marks.trailing_zeros() / 8).unwrap_or(8)
}

/// Marks bytes that are zero.
#[inline(always)]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & TOPS
}

/// Marks bytes below 0x20, from 0x7f up, and backslashes.
#[inline(always)]
const fn specials(word: u64) -> u64 {
    let from_a0_or_control = word.wrapping_sub(repeat(b' '));
    let from_7f = word.wrapping_add(ONES);
    let backslash = (word ^ repeat(b'\\')).wrapping_sub(ONES);
    (from_a0_or_control | from_7f | backslash) & TOPS
}

/// The word that has this byte eight times.
const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

#[cfg(test)]
mod tests {
    use super::{newline, special, special_or_quote};

    const fn is_special(byte: u8) -> bool {
        !matches!(byte, b' '..=b'~') || byte == b'\\'
    }

    #[test]
    fn the_first_is_found_at_every_place_behind_every_byte() {
        for len in 0..34 {
            for before in 0..=255_u8 {
                let bytes = vec![before; len];
                let first = |is_wanted: bool| (is_wanted && len > 0).then_some(0);
                assert_eq!(newline(&bytes), first(before == b'\n'), "{len} times {before}");
                assert_eq!(special(&bytes), first(is_special(before)), "{len} times {before}");
                assert_eq!(
                    special_or_quote(&bytes),
                    first(is_special(before) || before == b'"'),
                    "{len} times {before}"
                );
            }
        }
        for len in 1..34 {
            for place in 0..len {
                for wanted in 0..=255_u8 {
                    let mut bytes = vec![b'x'; len];
                    bytes[place] = wanted;
                    let found = |is_wanted: bool| is_wanted.then_some(place);
                    assert_eq!(newline(&bytes), found(wanted == b'\n'), "{wanted} at {place} of {len}");
                    assert_eq!(special(&bytes), found(is_special(wanted)), "{wanted} at {place} of {len}");
                    let is_wanted = is_special(wanted) || wanted == b'"';
                    assert_eq!(special_or_quote(&bytes), found(is_wanted), "{wanted} at {place} of {len}");
                }
            }
        }
    }
}
