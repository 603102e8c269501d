//! Records of any events, one after the other: programs read out of them what went in, and people read the same.

use core::time::Duration;

use cantella::observe::{Cause, Event, Failure, Level, Stream, Worker};
use cantella::pool::{Exit, Pid, Signal, SlotId};
use cantella::relay::{Format, Formatter, MAX_RECORD, Stamp};
use cantella::report::Step;
use cantella::text::Text;

use super::pairs::{object, pairs};
use super::properties::is_clean;
use super::read_back::lossless;
use super::script::Script;

const POOLS: [&str; 3] = ["web", "w", "0123456789.ABCDEFGHIJKLMNOPQRS_-"];

/// Formats one event after the other.
pub fn check(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let (pool, manager) = (script.pick(&POOLS), throw_pid(&mut script));
    let formats = [Format::Plain, Format::Logfmt, Format::Json];
    let mut formatters = formats.map(|format| Formatter::new(format, pool, manager));
    while !script.is_over() {
        let (stamp, level) = (throw_stamp(&mut script), throw_level(&mut script));
        let text = script.bytes();
        let event = throw_event(&mut script, &text);
        let records = formatters.each_mut().map(|formatter| record(formatter, &stamp, level, &event));
        let anew = formats.map(|format| record(&mut Formatter::new(format, pool, manager), &stamp, level, &event));
        assert_eq!(records, anew, "a record that depends on those before it");
        if matches!(event, Event::Line { .. }) {
            check_line(&records, &event);
        } else {
            check_own(&records, manager);
        }
        let [_, logfmt, _] = &records;
        let begin = format!("ts={} level={} pool={pool} ", str::from_utf8(stamp.as_bytes()).unwrap(), level.name());
        assert!(logfmt.starts_with(&begin), "{logfmt}");
        check_room(&mut formatters, &records, usize::from(script.byte()), &stamp, level, &event);
    }
}

/// A worker's line says whose it is, and what was written.
fn check_line([plain, logfmt, json]: &[String; 3], event: &Event<'_>) {
    let Event::Line { worker, stream, bytes, partial, .. } = *event else { return };
    let pairs = pairs(logfmt).expect(logfmt);
    let (head, tail) = pairs.split_at(3);
    let mut expected = vec![
        ("worker", worker.slot.index.to_string().into_bytes()),
        ("pid", worker.pid.get().to_string().into_bytes()),
        ("stream", stream.name().as_bytes().to_vec()),
        ("msg", bytes.to_vec()),
    ];
    expected.extend(partial.then(|| ("partial", b"true".to_vec())));
    assert!(
        tail.iter().map(|(key, value)| (key.as_str(), value)).eq(expected.iter().map(|(key, value)| (*key, value))),
        "{logfmt}"
    );

    let object = object(json).expect(json);
    let lossy = pairs.iter().map(|(key, value)| (key.clone(), String::from_utf8_lossy(value).into_owned()));
    assert!(object.into_iter().eq(lossy), "{json}");

    let [ts, level, pool] = [0, 1, 2].map(|at: usize| String::from_utf8_lossy(&head[at].1));
    let begin = format!("{ts} {level} {pool}/{}[{}] {}: ", worker.slot.index, worker.pid.get(), stream.name());
    let text = plain.strip_prefix(&begin).and_then(|text| text.strip_suffix(if partial { " \\" } else { "" }));
    assert_eq!(text.and_then(|text| lossless(text, false)).as_deref(), Some(bytes), "{plain}");
}

/// A record of the manager's own says the same in every format.
fn check_own([plain, logfmt, json]: &[String; 3], manager: Pid) {
    let object = object(json).expect(json);
    let pairs = pairs(logfmt).expect(logfmt);
    assert!(
        pairs
            .iter()
            .map(|(key, value)| (key, value.as_slice()))
            .eq(object.iter().map(|(key, value)| (key, value.as_bytes()))),
        "{logfmt}"
    );
    let value = |wanted: &str| object.iter().find(|(key, _)| key == wanted).map_or("", |(_, value)| value.as_str());
    assert!(!value("event").is_empty() && object.last().is_some_and(|(key, _)| key == "msg"), "{json}");
    let expected = format!("{} {} manager[{}]: {}", value("ts"), value("level"), manager.get(), value("msg"));
    assert_eq!(*plain, expected);
}

/// With less room a record is there as a whole, or not at all.
fn check_room(
    formatters: &mut [Formatter<'_>; 3],
    records: &[String; 3],
    room: usize,
    stamp: &Stamp,
    level: Level,
    event: &Event<'_>,
) {
    for (formatter, whole) in formatters.iter_mut().zip(records) {
        let mut room = vec![0; room];
        let mut out = Text::new(&mut room);
        let fits = formatter.record(&mut out, stamp, level, event);
        let written = str::from_utf8(out.as_bytes()).expect("a text").trim_end_matches('\n');
        assert_eq!(written, if fits { whole } else { "" });
        assert!(fits || whole.len() >= room.len());
    }
}

/// A whole record, less its newline.
fn record(formatter: &mut Formatter<'_>, stamp: &Stamp, level: Level, event: &Event<'_>) -> String {
    let mut room = vec![0; MAX_RECORD];
    let mut out = Text::new(&mut room);
    assert!(formatter.record(&mut out, stamp, level, event), "{event:?}");
    let record = str::from_utf8(out.as_bytes()).expect("a text").strip_suffix('\n').expect("a whole line");
    assert!(!record.contains('\n'), "{record:?}");
    record.to_owned()
}

fn throw_event<'a>(script: &mut Script, text: &'a [u8]) -> Event<'a> {
    let worker = Worker { slot: throw_slot(script), pid: throw_pid(script) };
    let slot = worker.slot;
    let signal = Signal::new(script.byte() % 64 + 1).expect("a signal");
    let steps = Step::ALL.map(Step::name);
    let failure = Failure { step: script.pick(&steps), errno: i32::from_le_bytes(script.array()) };
    let time = Duration::from_millis(throw_number(script));
    let flag = script.byte() & 1 == 0;
    let exit = if flag { Exit::Code(signal.get()) } else { Exit::Signal { signal, core: script.byte() & 1 == 0 } };
    let count = throw_number(script);
    script.pick(&[
        Event::Line {
            worker,
            stream: if flag { Stream::Out } else { Stream::Err },
            bytes: text,
            partial: count & 1 == 0,
            clean: count & 2 == 0 && is_clean(text),
        },
        Event::Started { worker },
        Event::Exited { worker, exit, asked: flag },
        Event::Orphan { pid: worker.pid, exit },
        Event::Retiring { worker, age: time },
        Event::Killed { worker },
        Event::Backoff { slot, failures: u32::try_from(count).unwrap_or(u32::MAX), delay: time },
        Event::ForkFailed { failure },
        Event::ForkWorks,
        Event::ExecFailed { worker, failure },
        Event::Paused,
        Event::Deaf { worker, signal },
        Event::Resumed,
        Event::Draining { cause: if flag { Cause::Request } else { Cause::GaveUp } },
        Event::Ignored { signal },
        Event::Dropped { records: count },
        Event::Trouble { failure },
    ])
}

fn throw_slot(script: &mut Script) -> SlotId {
    SlotId { index: u16::from_le_bytes(script.array()), generation: u32::from_le_bytes(script.array()) }
}

fn throw_pid(script: &mut Script) -> Pid {
    Pid::new(i32::from_le_bytes(script.array())).unwrap_or(Pid::INIT)
}

fn throw_stamp(script: &mut Script) -> Stamp {
    let mut stamp = Stamp::ORIGIN;
    stamp.set(Duration::from_millis(throw_number(script)));
    stamp
}

fn throw_level(script: &mut Script) -> Level {
    script.pick(&[Level::Debug, Level::Info, Level::Notice, Level::Warning, Level::Error, Level::Emergency])
}

/// Small numbers take one byte, others nine.
fn throw_number(script: &mut Script) -> u64 {
    match script.byte() {
        255 => u64::from_le_bytes(script.array()),
        small => small.into(),
    }
}
