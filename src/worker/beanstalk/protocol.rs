//! The words of beanstalkd's protocol: commands as bytes, and what the server answers. Pure.
//!
//! # References
//! beanstalkd's `doc/protocol.txt`, version 1.12.

use crate::text::Text;

/// The longest line of an answer, its end included: the protocol allows 224 bytes for a command.
pub(super) const LINE: usize = 256;

/// The longest name of a tube.
const TUBE: usize = 200;

/// What the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A job, whose bytes follow, and two bytes of line end after them.
    Reserved { id: u64, bytes: usize },
    /// There was no job in time.
    TimedOut,
    /// A job that this connection holds is about to be taken away from it.
    DeadlineSoon,
    /// It was done.
    Done,
    /// There is no such job, or it is not this connection's.
    NotFound,
    /// So many bytes of data follow, and two bytes of line end after them.
    Data { bytes: usize },
    /// The server cannot, now or ever.
    Refused,
}

/// Reads a line of an answer, its end left out; `None`: it is nothing that the protocol knows.
pub(super) fn parse(line: &[u8]) -> Option<Reply> {
    let mut words = line.split(|byte| *byte == b' ');
    let reply = match words.next()? {
        b"RESERVED" => Reply::Reserved { id: number(words.next()?)?, bytes: size(words.next()?)? },
        b"OK" => Reply::Data { bytes: size(words.next()?)? },
        b"WATCHING" => {
            number(words.next()?)?;
            Reply::Done
        }
        b"TIMED_OUT" => Reply::TimedOut,
        b"DEADLINE_SOON" => Reply::DeadlineSoon,
        b"DELETED" | b"RELEASED" | b"BURIED" | b"TOUCHED" => Reply::Done,
        b"NOT_FOUND" => Reply::NotFound,
        b"OUT_OF_MEMORY" | b"INTERNAL_ERROR" | b"BAD_FORMAT" | b"UNKNOWN_COMMAND" | b"DRAINING" | b"NOT_IGNORED"
        | b"JOB_TOO_BIG" | b"EXPECTED_CRLF" => Reply::Refused,
        _ => return None,
    };
    words.next().is_none().then_some(reply)
}

/// Reads how often a job was reserved out of its statistics; `None`: they do not say.
pub(super) fn reserves(statistics: &[u8]) -> Option<u64> {
    statistics.split(|byte| *byte == b'\n').find_map(|line| number(line.strip_prefix(b"reserves: ")?))
}

/// Tells whether the server takes this as the name of a tube.
pub(super) fn is_tube(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-+/;.$_()".contains(&byte);
    (1..=TUBE).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(allowed)
}

fn number(digits: &[u8]) -> Option<u64> {
    // A sign would be read as a part of the number.
    digits.first().filter(|first| first.is_ascii_digit())?;
    core::str::from_utf8(digits).ok()?.parse().ok()
}

fn size(digits: &[u8]) -> Option<usize> {
    usize::try_from(number(digits)?).ok()
}

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command<'a> {
    /// Takes jobs from this tube, too.
    Watch(&'a str),
    /// Takes no more jobs from this tube.
    Ignore(&'a str),
    /// Takes a job, and waits for one as many seconds.
    Reserve(u64),
    /// Asks what the server knows of a job.
    Statistics(u64),
    /// The job is done.
    Delete(u64),
    /// The job is to be done again, by anybody.
    Release { id: u64, priority: u32, delay: u64 },
    /// The job is put aside.
    Bury { id: u64, priority: u32 },
    /// The job takes longer; its time begins anew.
    Touch(u64),
}

impl Command<'_> {
    /// Writes the command as the server reads it.
    pub(super) fn write(self, out: &mut Text<'_>) {
        let (word, first) = match self {
            Self::Watch(tube) | Self::Ignore(tube) => {
                out.say(if matches!(self, Self::Watch(_)) { "watch " } else { "ignore " });
                out.say(tube);
                out.say("\r\n");
                return;
            }
            Self::Reserve(seconds) => ("reserve-with-timeout ", seconds),
            Self::Statistics(id) => ("stats-job ", id),
            Self::Delete(id) => ("delete ", id),
            Self::Release { id, .. } => ("release ", id),
            Self::Bury { id, .. } => ("bury ", id),
            Self::Touch(id) => ("touch ", id),
        };
        out.say(word);
        out.number(first);
        if let Self::Release { priority, .. } | Self::Bury { priority, .. } = self {
            out.say(" ");
            out.number(u64::from(priority));
        }
        if let Self::Release { delay, .. } = self {
            out.say(" ");
            out.number(delay);
        }
        out.say("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_the_protocol_is_understood() {
        for (line, reply) in [
            ("RESERVED 7 120", Reply::Reserved { id: 7, bytes: 120 }),
            ("RESERVED 18446744073709551615 0", Reply::Reserved { id: u64::MAX, bytes: 0 }),
            ("OK 412", Reply::Data { bytes: 412 }),
            ("WATCHING 2", Reply::Done),
            ("DELETED", Reply::Done),
            ("RELEASED", Reply::Done),
            ("BURIED", Reply::Done),
            ("TOUCHED", Reply::Done),
            ("TIMED_OUT", Reply::TimedOut),
            ("DEADLINE_SOON", Reply::DeadlineSoon),
            ("NOT_FOUND", Reply::NotFound),
            ("OUT_OF_MEMORY", Reply::Refused),
            ("INTERNAL_ERROR", Reply::Refused),
            ("BAD_FORMAT", Reply::Refused),
            ("UNKNOWN_COMMAND", Reply::Refused),
            ("DRAINING", Reply::Refused),
            ("NOT_IGNORED", Reply::Refused),
            ("JOB_TOO_BIG", Reply::Refused),
            ("EXPECTED_CRLF", Reply::Refused),
        ] {
            assert_eq!(parse(line.as_bytes()), Some(reply), "{line}");
        }
    }

    #[test]
    fn what_is_no_answer_is_not_understood() {
        for line in [
            "",
            " ",
            "reserved 1 2",
            "RESERVED",
            "RESERVED 1",
            "RESERVED 1 ",
            "RESERVED 1 2 3",
            "RESERVED -1 2",
            "RESERVED +1 2",
            "RESERVED 1 18446744073709551616",
            "RESERVED  1 2",
            "OK",
            "OK x",
            "OK 1 ",
            "WATCHING",
            "WATCHING many",
            "TIMED_OUT now",
            "TIMED_OUT\r",
            "FOUND 1 2",
            "\u{fffd}",
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn commands_are_written_as_the_server_reads_them() {
        for (command, bytes) in [
            (Command::Watch("mail"), "watch mail\r\n"),
            (Command::Ignore("default"), "ignore default\r\n"),
            (Command::Reserve(1), "reserve-with-timeout 1\r\n"),
            (Command::Statistics(9), "stats-job 9\r\n"),
            (Command::Delete(u64::MAX), "delete 18446744073709551615\r\n"),
            (Command::Release { id: 3, priority: 4, delay: 5 }, "release 3 4 5\r\n"),
            (Command::Bury { id: 3, priority: 4 }, "bury 3 4\r\n"),
            (Command::Touch(12), "touch 12\r\n"),
        ] {
            let mut room = [0; LINE];
            let mut text = Text::new(&mut room);
            command.write(&mut text);
            assert_eq!(text.as_bytes(), bytes.as_bytes());
        }
    }

    #[test]
    fn the_longest_command_fits() {
        let tube = "t".repeat(TUBE);
        assert!(is_tube(&tube) && !is_tube(&"t".repeat(TUBE + 1)));
        for command in [Command::Watch(&tube), Command::Release { id: u64::MAX, priority: u32::MAX, delay: u64::MAX }] {
            let mut room = [0; LINE];
            let mut text = Text::new(&mut room);
            command.write(&mut text);
            assert!(text.is_whole());
        }
    }

    #[test]
    fn names_of_tubes_cannot_smuggle_commands() {
        for (name, allowed) in [
            ("mail", true),
            ("a-b+c/d;e.f$g_h(i)", true),
            ("", false),
            ("-x", false),
            ("a b", false),
            ("a\r\nb", false),
        ] {
            assert_eq!(is_tube(name), allowed, "{name:?}");
        }
    }

    #[test]
    fn reserves_are_found_in_statistics() {
        for (statistics, expected) in [
            ("---\nid: 1\ntube: default\nreserves: 5\ntimeouts: 0\n", Some(5)),
            ("---\ntube: reserves: 3\n", None),
            ("---\nreserves: x\n", None),
            ("---\nreserves: 18446744073709551616\n", None),
            ("", None),
        ] {
            assert_eq!(reserves(statistics.as_bytes()), expected, "{statistics}");
        }
    }
}
