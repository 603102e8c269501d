//! What a beanstalkd server says and is told: nothing but the protocol gets through, in either direction.

#[path = "../../src/worker/beanstalk/protocol.rs"]
mod protocol;

use cantella::text::Text;
use protocol::{Command, LINE, Reply, is_tube, parse, reserves};

use super::script::Script;

/// Reads the bytes as an answer, as statistics and as a tube, and takes commands from them.
pub fn check(bytes: &[u8]) {
    let text = str::from_utf8(bytes).ok();
    assert_eq!(parse(bytes), text.and_then(reply));
    assert_eq!(reserves(&[bytes, b"\nreserves: 7\n"].concat()), reserves(bytes).or(Some(7)));
    if let Some(tube) = text.filter(|tube| is_tube(tube)) {
        assert!(tube.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(written(Command::Watch(tube)), format!("watch {tube}\r\n"));
        assert_eq!(written(Command::Ignore(tube)), format!("ignore {tube}\r\n"));
    }
    commands(Script::new(bytes));
}

/// Reads an answer word by word.
fn reply(line: &str) -> Option<Reply> {
    Some(match *line.split(' ').collect::<Vec<_>>() {
        ["RESERVED", id, bytes] => Reply::Reserved { id: number(id)?, bytes: number(bytes)?.try_into().ok()? },
        ["OK", bytes] => Reply::Data { bytes: number(bytes)?.try_into().ok()? },
        ["WATCHING", count] => number(count).map(|_| Reply::Done)?,
        ["TIMED_OUT"] => Reply::TimedOut,
        ["DEADLINE_SOON"] => Reply::DeadlineSoon,
        ["DELETED" | "RELEASED" | "BURIED" | "TOUCHED"] => Reply::Done,
        ["NOT_FOUND"] => Reply::NotFound,
        [
            "OUT_OF_MEMORY" | "INTERNAL_ERROR" | "BAD_FORMAT" | "UNKNOWN_COMMAND" | "DRAINING" | "NOT_IGNORED"
            | "JOB_TOO_BIG" | "EXPECTED_CRLF",
        ] => Reply::Refused,
        _ => return None,
    })
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn commands(mut script: Script) {
    let [id, delay] = [(); 2].map(|()| u64::from_le_bytes(script.array()));
    let priority = u32::from_le_bytes(script.array());
    for (command, expected) in [
        (Command::Reserve(delay), format!("reserve-with-timeout {delay}\r\n")),
        (Command::Statistics(id), format!("stats-job {id}\r\n")),
        (Command::Delete(id), format!("delete {id}\r\n")),
        (Command::Release { id, priority, delay }, format!("release {id} {priority} {delay}\r\n")),
        (Command::Bury { id, priority }, format!("bury {id} {priority}\r\n")),
        (Command::Touch(id), format!("touch {id}\r\n")),
    ] {
        assert_eq!(written(command), expected);
    }
}

fn written(command: Command<'_>) -> String {
    let mut room = [0; LINE];
    let mut text = Text::new(&mut room);
    command.write(&mut text);
    assert!(text.is_whole(), "{command:?}");
    String::from_utf8(text.as_bytes().to_vec()).expect("plain text")
}
