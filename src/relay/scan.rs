//! Looks for bytes, eight at a time, with plain arithmetic: as fast as the compiler's best without a word of unsafe.

/// 1 in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The top bit of each byte.
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Gives the place of the first newline.
pub(super) fn newline(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| zeros(word ^ repeat(b'\n')))
}

/// Gives the place of the first byte that is not printable ASCII, or is a backslash.
pub(super) fn special(bytes: &[u8]) -> Option<usize> {
    first(bytes, specials)
}

/// Gives the place of the first byte that is not printable ASCII, or is a backslash or a double quote.
pub(super) fn special_or_quote(bytes: &[u8]) -> Option<usize> {
    first(bytes, |word| specials(word) | zeros(word ^ repeat(b'"')))
}

/// Gives the place of the first byte whose top bit `mark` sets. Marks behind the first one need not be right, which
/// is what lets a subtraction run over all eight bytes at once: its borrow can only disturb the bytes behind.
fn first(bytes: &[u8], mark: impl Fn(u64) -> u64) -> Option<usize> {
    let mut before: usize = 0;
    for word in bytes.as_chunks::<8>().0 {
        let marks = mark(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(before.saturating_add(leading(marks)));
        }
        before = before.saturating_add(8);
    }
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().position(|byte| leading(mark(u64::from(*byte))) == 0);
    };
    // The last eight bytes overlap the words; what was looked at before has no mark.
    let found = leading(mark(u64::from_le_bytes(*last)));
    (found < 8).then(|| bytes.len().saturating_sub(8).saturating_add(found))
}

/// Gives the number of bytes before the first mark, 8 if there is none.
fn leading(marks: u64) -> usize {
    usize::try_from(marks.trailing_zeros() / 8).unwrap_or(8)
}

/// Marks bytes that are zero.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & TOPS
}

/// Marks bytes below 0x20, from 0x7f up, and backslashes.
const fn specials(word: u64) -> u64 {
    let control = word.wrapping_sub(repeat(b' '));
    let delete = word.wrapping_add(ONES);
    let backslash = (word ^ repeat(b'\\')).wrapping_sub(ONES);
    (word | control | delete | backslash) & TOPS
}

/// The word that has this byte eight times.
const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}
