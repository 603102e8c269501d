//! The names of signals, both ways: for messages, and as options write them. And sets of signals.

use core::str::from_utf8;

use crate::pool::Signal;

/// The names of signals 1 to 64, in the order of their numbers. The C library keeps 32 and 33 for itself.
///
/// # References
/// signal(7), the column of x86 and ARM.
static NAMES: &[u8] = b"\
    HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP \
    TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS - - RTMIN RTMIN+1 RTMIN+2 RTMIN+3 \
    RTMIN+4 RTMIN+5 RTMIN+6 RTMIN+7 RTMIN+8 RTMIN+9 RTMIN+10 RTMIN+11 RTMIN+12 RTMIN+13 RTMIN+14 \
    RTMIN+15 RTMIN+16 RTMIN+17 RTMIN+18 RTMIN+19 RTMIN+20 RTMIN+21 RTMIN+22 RTMIN+23 RTMIN+24 \
    RTMIN+25 RTMIN+26 RTMIN+27 RTMIN+28 RTMIN+29 RTMIN+30";

/// Second names that other programs know some signals by.
static ALIASES: [(&[u8], u8); 3] = [(b"IOT", 6), (b"CLD", 17), (b"POLL", 29)];

/// The first real-time signal that programs may use.
const RTMIN: u8 = 34;

/// Gives a signal's name without `SIG`; `None` for 32 and 33, which have none.
#[must_use]
pub fn name(signal: Signal) -> Option<&'static str> {
    let row = usize::from(signal.get()).checked_sub(1)?;
    from_utf8(names().nth(row)?).ok().filter(|name| *name != "-")
}

/// Walks over the names.
fn names() -> impl Iterator<Item = &'static [u8]> {
    NAMES.split(|byte| *byte == b' ')
}

/// Reads a signal as options write it: `TERM`, `SIGTERM`, `15`, `RTMIN+3` or `RTMAX-3`; `None` for anything else.
#[must_use]
pub fn parse(text: &[u8]) -> Option<Signal> {
    number(text).or_else(|| named(text.strip_prefix(b"SIG").unwrap_or(text)))
}

/// Reads a name without `SIG`.
fn named(name: &[u8]) -> Option<Signal> {
    if let Some(offset) = name.strip_prefix(b"RTMAX") {
        return Signal::MAX.checked_sub(offset_after(b'-', offset)?).and_then(real_time);
    }
    if let Some(offset) = name.strip_prefix(b"RTMIN") {
        return RTMIN.checked_add(offset_after(b'+', offset)?).and_then(real_time);
    }
    let usual = || (1..32).zip(names()).find(|(_, usual)| *usual == name).map(|(number, _)| number);
    let alias = || ALIASES.iter().find(|(alias, _)| *alias == name).map(|&(_, number)| number);
    usual().or_else(alias).and_then(Signal::new)
}

/// Reads what may follow `RTMIN` or `RTMAX`: nothing, or the sign and a number.
fn offset_after(sign: u8, text: &[u8]) -> Option<u8> {
    match text.split_first() {
        None => Some(0),
        Some((first, digits)) if *first == sign => decimal(digits),
        Some(_) => None,
    }
}

/// Reads a number that a program may send: 32 and 33 are the C library's own.
fn number(text: &[u8]) -> Option<Signal> {
    Signal::new(decimal(text)?).filter(|signal| name(*signal).is_some())
}

/// Takes a number, if it is a real-time signal's.
fn real_time(number: u8) -> Option<Signal> {
    Signal::new(number).filter(|signal| signal.get() >= RTMIN)
}

/// Reads one or two decimal digits.
fn decimal(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| byte.checked_sub(b'0').filter(|digit| *digit < 10);
    match *text {
        [ones] => digit(ones),
        [tens, ones] => digit(tens)?.checked_mul(10)?.checked_add(digit(ones)?),
        _ => None,
    }
}

/// A set of signals, as the kernel writes it: bit n - 1 is signal n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    /// No signal.
    pub const EMPTY: Self = Self(0);
    /// Every signal.
    pub const ALL: Self = Self(u64::MAX);

    /// Takes the kernel's bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Gives the kernel's bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Gives the set with `signal` in it.
    #[must_use]
    pub const fn with(self, signal: Signal) -> Self {
        Self(self.0 | Self::bit(signal))
    }

    /// Gives the set with none of `others` in it.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Tells whether `signal` is in the set.
    #[must_use]
    pub const fn has(self, signal: Signal) -> bool {
        self.0 & Self::bit(signal) != 0
    }

    /// Gives the signals in the set, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=Signal::MAX).filter_map(Signal::new).filter(move |signal| self.has(*signal))
    }

    const fn bit(signal: Signal) -> u64 {
        // u32::from is no const function yet.
        let number = u32::from_le_bytes([signal.get(), 0, 0, 0]);
        1_u64.rotate_left(number.wrapping_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::{name, parse};
    use crate::pool::Signal;

    #[test]
    fn every_name_is_read_back_with_and_without_its_prefix() {
        for number in 1..=64 {
            let signal = Signal::new(number).unwrap();
            let Some(name) = name(signal) else {
                assert!(matches!(number, 32 | 33), "{number}");
                continue;
            };
            assert_eq!(parse(name.as_bytes()), Some(signal), "{name}");
            assert_eq!(parse(format!("SIG{name}").as_bytes()), Some(signal), "SIG{name}");
            assert_eq!(parse(number.to_string().as_bytes()), Some(signal), "{number}");
        }
    }

    #[test]
    fn names_stand_at_their_numbers() {
        for (number, expected) in
            [(1, "HUP"), (9, "KILL"), (15, "TERM"), (19, "STOP"), (31, "SYS"), (34, "RTMIN"), (64, "RTMIN+30")]
        {
            assert_eq!(name(Signal::new(number).unwrap()), Some(expected));
        }
    }

    #[test]
    fn other_ways_to_write_a_signal_are_read() {
        for (text, number) in [
            ("IOT", 6),
            ("SIGCLD", 17),
            ("POLL", 29),
            ("09", 9),
            ("RTMIN+0", 34),
            ("RTMAX", 64),
            ("SIGRTMAX-0", 64),
            ("RTMAX-1", 63),
            ("RTMAX-30", 34),
        ] {
            assert_eq!(parse(text.as_bytes()).map(Signal::get), Some(number), "{text}");
        }
    }

    #[test]
    fn what_names_no_signal_is_refused() {
        for text in [
            "",
            "SIG",
            "term",
            "Term",
            "SIGterm",
            "SIG15",
            "SIGSIGTERM",
            "TERM ",
            " TERM",
            "0",
            "00",
            "32",
            "33",
            "65",
            "99",
            "015",
            "+9",
            "-9",
            "9 ",
            "RTMIN+",
            "RTMIN-1",
            "RTMIN+31",
            "RTMIN+99",
            "RTMIN+001",
            "RTMAX+1",
            "RTMAX-31",
            "RTMAX-64",
            "RTMAX-",
            "RTMIN 1",
            "none",
            "TERM\0",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
