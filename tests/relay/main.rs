//! Holds the relay to its promises over many streams: nothing is lost, nothing is forged, everything can be read back.
#![expect(clippy::arithmetic_side_effects, clippy::panic, clippy::unwrap_used, reason = "a test fails loudly")]
#![expect(unreachable_pub, reason = "the modules of a test have no reader but the test")]

mod pipes;
mod properties;
mod read_back;
mod target;

use cantella::relay::PART;

/// Streams that differ in every run of the loop and in no run of the test.
struct Dice(u64);

impl Dice {
    /// Throws a number below `sides`.
    fn below(&mut self, sides: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let thrown = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(thrown).unwrap() % sides
    }

    /// Throws bytes of the kinds that matter: text, what is escaped, characters of every length, and anything.
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        const PIECES: [&[u8]; 12] = [
            b"text and text ",
            b"\\",
            b"\"",
            b"\t",
            b"\r",
            b"\0",
            b"\x7f",
            b"\xc2\x9b",
            "é€".as_bytes(),
            b"\xe2\x82",
            "😀".as_bytes(),
            b"\n",
        ];
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let any = [u8::try_from(self.below(256)).unwrap()];
            bytes.extend_from_slice(PIECES.get(self.below(PIECES.len() + 1)).unwrap_or(&&any[..]));
        }
        bytes
    }
}

#[test]
fn every_stream_comes_out_as_it_went_in() {
    for seed in 1..1_000 {
        let mut dice = Dice(seed);
        let len = dice.below(200);
        properties::splitting(&dice.bytes(len));
    }
}

#[test]
fn every_line_is_one_record_that_reads_back() {
    for seed in 1..600 {
        let mut dice = Dice(seed);
        let len = dice.below(if seed % 50 == 0 { PART } else { 100 });
        properties::formatting(&dice.bytes(len));
    }
}

#[test]
fn every_pair_of_bytes_reads_back() {
    for first in 0..=255 {
        properties::formatting(&(0..=255).flat_map(|second| [first, second]).collect::<Vec<u8>>());
    }
}

#[test]
fn every_character_reads_back() {
    let mut all = (0..=char::MAX.into()).filter_map(char::from_u32).peekable();
    while all.peek().is_some() {
        properties::formatting(all.by_ref().take(PART / 4).collect::<String>().as_bytes());
    }
}
