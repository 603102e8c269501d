//! Output: whole lines, told apart, that cannot pretend to be what they are not.

use std::fs;
use std::time::{Duration, Instant};

use crate::common::log::{self, Record};
use crate::common::signals::{HUP, KILL, TERM, send};
use crate::common::{Ended, Launch, Manager, eventually, holds_for, worker};

/// Runs one worker to its end and gives what came out.
fn run(options: &[&str], script: &str) -> Ended {
    let start = ["-w1", "--restart", "never"];
    let ended = Launch::bare(&[&start, options, &["--", "sh", "-c", script]].concat()).run();
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert_eq!(ended.out, "", "the manager's own output is for --help alone");
    ended
}

/// Runs one worker that writes exactly these bytes, and gives the log.
fn relay(options: &[&str], bytes: &[u8]) -> Vec<u8> {
    let launch = Launch::bare(&["-w1", "--restart", "never", "--stdin", "inherit"]);
    let input = launch.file("input");
    fs::write(&input, bytes).unwrap();
    let launch = launch.with(options).with(&["--", "cat"]);
    let ended = launch.stdin(fs::File::open(input).unwrap()).run();
    assert_eq!(ended.code(), 0, "{}", ended.err());
    ended.err_bytes
}

fn lines(log: &[u8]) -> Vec<&[u8]> {
    assert!(log.ends_with(b"\n"), "the last record is cut: {}", log.escape_ascii());
    log[..log.len() - 1].split(|&byte| byte == b'\n').collect()
}

/// The texts of the lines that workers wrote, of a plain log.
fn texts(log: &[u8]) -> Vec<&[u8]> {
    lines(log).into_iter().filter_map(|line| Some(&line[after(line, b" out: ")?..])).collect()
}

/// Only some slots at a time have descriptors of low numbers; who gets them changes from start to start.
#[test]
fn each_worker_of_many_writes_to_its_own_slot() {
    let script = "echo out-$CANTELLA_WORKER_SLOT; echo err-$CANTELLA_WORKER_SLOT >&2; exec sleep 1000";
    let manager = Manager::start(&["-w100", "--min-uptime", "0", "--", "sh", "-c", script]);
    for generation in 1..=3 {
        let all = manager.count_of("a line of each stream", generation * 200, Record::is_line);
        for line in &all {
            let (stream, slot) = (line.text("stream"), line.number("worker"));
            assert_eq!(line.text("msg"), format!("{stream}-{slot}"), "{line:?}");
        }
        let generations = manager.records();
        let started = generations.iter().filter(|record| record.tells("started"));
        let last: Vec<i64> = started.skip((generation - 1) * 100).map(|record| record.number("pid")).collect();
        assert_eq!(last.len(), 100);
        for pid in last {
            send(i32::try_from(pid).unwrap(), KILL);
        }
    }
    manager.end_by(TERM);
}

/// The records of workers' lines, of a log in logfmt or json.
fn worker_lines(log: &[u8], read: impl Fn(&[u8]) -> Record) -> Vec<Record> {
    lines(log).into_iter().map(read).filter(Record::is_line).collect()
}

/// Where the text after the first `mark` begins.
fn after(line: &[u8], mark: &[u8]) -> Option<usize> {
    line.windows(mark.len()).position(|window| window == mark).map(|at| at + mark.len())
}

/// A line with every digit made a 0.
fn shape(line: &str) -> String {
    line.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect()
}

/// A run of digits made one.
fn squeezed(line: &str) -> String {
    let shape = shape(line);
    let (stamp, rest) = shape.split_at(shape.find(' ').unwrap());
    let mut rest = rest.to_owned();
    while rest.contains("00") {
        rest = rest.replace("00", "0");
    }
    stamp.to_owned() + &rest
}

const STAMP: &str = "0000-00-00T00:00:00.000Z";

#[test]
fn plain_lines_look_as_documented() {
    let ended = run(&[], "echo hello; echo world >&2");
    let found: Vec<String> = ended.err().lines().map(squeezed).collect();
    let wanted = |text: &str| found.contains(&format!("{STAMP} {text}"));
    assert!(wanted("info workers/0[0] out: hello"), "{found:#?}");
    assert!(wanted("info workers/0[0] err: world"), "{found:#?}");
    assert!(wanted("notice manager[0]: worker 0 started, pid 0, generation 0"), "{found:#?}");
}

#[test]
fn logfmt_and_json_carry_the_documented_keys_in_order() {
    let ended = run(&["--log-format", "logfmt", "--pool", "web"], "echo 'a \"quoted\" word'");
    let line = ended.err().lines().find(|line| line.contains("stream=")).unwrap().to_owned();
    let wanted = r#" level=info pool=web worker=0 pid=0 stream=out msg="a \"quoted\" word""#;
    assert_eq!(squeezed(&line), format!("ts={STAMP}{wanted}"));

    let ended = run(&["--log-format", "json", "--pool", "web"], "echo 'a \"quoted\" word'");
    let records: Vec<Record> = ended.err().lines().map(|line| log::json(line.as_bytes())).collect();
    let line = records.iter().find(|record| record.is_line()).unwrap();
    let values = ["level", "pool", "worker", "stream", "msg"].map(|key| line.text(key));
    assert_eq!(values, ["info", "web", "0", "out", "a \"quoted\" word"]);
    assert!(line.number("pid") > 1 && shape(&line.text("ts")) == STAMP);
    let start = records.iter().find(|record| record.tells("started")).unwrap();
    assert_eq!((start.text("pool"), start.number("worker"), start.number("generation")), ("web".into(), 0, 1));
    assert_eq!(start.number("pid"), line.number("pid"));
}

#[test]
fn streams_have_levels_and_a_level_below_the_logs_is_dropped() {
    let script = "echo out; echo err >&2";
    let ended = run(&["--stdout-level", "debug", "--stderr-level", "error"], script);
    assert!(!ended.err().contains(" out: "), "{}", ended.err());
    assert!(ended.err().contains(" error workers/0["), "{}", ended.err());
    let ended = run(&["--log-level", "debug", "--stdout-level", "debug"], script);
    assert!(ended.err().contains(" debug workers/0["), "{}", ended.err());
    let ended = run(&["--log-level", "warning"], script);
    assert_eq!(ended.err(), "");
}

#[test]
fn a_worker_cannot_forge_a_record() {
    let forged = b"a\x1b[2K\r2026-11-24T02:11:05.123Z emergency manager[1]: b\0\x7f\xc2\x85\xff";
    let log = relay(&[], &[forged, b"\n2026-11-24T02:11:05.123Z emergency manager[1]: c\n".as_slice()].concat());
    let text = String::from_utf8(log.clone()).unwrap();
    assert!(text.lines().all(|line| line.contains(" manager[") || line.contains(" workers/0[")), "{text}");
    assert!(text.lines().all(|line| !line.split(' ').nth(1).unwrap().starts_with("emergency")), "{text}");
    let shown = r"a\x1b[2K\r2026-11-24T02:11:05.123Z emergency manager[1]: b\x00\x7f\xc2\x85\xff";
    assert_eq!(texts(&log)[0], shown.as_bytes());
}

#[test]
fn every_byte_comes_through_the_escapes() {
    let bytes: Vec<u8> = (0..=255).filter(|&byte| byte != b'\n').collect();
    let text = [&bytes[..], "é ∞ 🦀 \u{85}".as_bytes()].concat();
    let line = [&text[..], b"\n"].concat();
    let plain = relay(&[], &line);
    assert_eq!(log::unescape(texts(&plain)[0]), text);
    assert!(String::from_utf8(plain).unwrap().contains("é ∞ 🦀 "), "what is valid is left as it is");
    let logfmt = relay(&["--log-format", "logfmt"], &line);
    assert_eq!(worker_lines(&logfmt, log::logfmt)[0].bytes("msg"), text);
    let json = relay(&["--log-format", "json"], &line);
    assert_eq!(worker_lines(&json, log::json)[0].text("msg"), String::from_utf8_lossy(&text));
}

#[test]
fn a_long_line_comes_in_parts_of_8_kib() {
    let whole = vec![b'x'; 20_000];
    let log = relay(&[], &[&whole[..], b"\n"].concat());
    let parts = texts(&log);
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    assert_eq!(lengths, [8192 + 2, 8192 + 2, 20_000 - 2 * 8192]);
    assert!(parts[..2].iter().all(|part| part.ends_with(b"x \\")) && parts[2].ends_with(b"x"));

    let log = relay(&["--log-format", "logfmt"], &[&whole[..], b"\n"].concat());
    let raw: Vec<&[u8]> = lines(&log).into_iter().filter(|line| after(line, b"stream=").is_some()).collect();
    let ends = [true, true, false];
    assert!(raw.iter().zip(ends).all(|(line, partial)| line.ends_with(b" partial=true") == partial));
    let joined: Vec<u8> = worker_lines(&log, log::logfmt).iter().flat_map(|part| part.bytes("msg").to_vec()).collect();
    assert_eq!(joined, whole);

    let log = relay(&["--log-format", "json"], &[&whole[..], b"\n"].concat());
    let partial: Vec<String> = worker_lines(&log, log::json).iter().map(|part| part.text("partial")).collect();
    assert_eq!(partial, ["true", "true", ""]);
}

#[test]
fn a_line_of_exactly_8_kib_is_whole_and_a_character_is_never_cut() {
    let log = relay(&[], &[&[b'x'; 8192][..], b"\n"].concat());
    assert_eq!(texts(&log).iter().map(|part| part.len()).collect::<Vec<_>>(), [8192]);
    let text = format!("{}é{}", "x".repeat(8191), "y".repeat(10));
    let log = relay(&[], format!("{text}\n").as_bytes());
    let parts = texts(&log);
    assert_eq!(parts[0], format!("{} \\", "x".repeat(8191)).as_bytes());
    assert_eq!(parts[1], format!("é{}", "y".repeat(10)).as_bytes());
}

#[test]
fn empty_lines_and_a_missing_last_newline_are_kept() {
    let log = relay(&[], b"\n\na\n\nlast without newline");
    assert_eq!(texts(&log), [&b""[..], b"", b"a", b"", b"last without newline"]);
}

#[test]
fn an_unfinished_line_is_shown_after_a_second() {
    let script = "printf prompt; sleep 3; printf '\\n'; printf more; sleep 3; echo end; sleep 1000";
    let manager = Manager::start(&["-w1", "--", "sh", "-c", script]);
    let begun = Instant::now();
    let shown = manager.record("the unfinished line", |record| record.text("msg") == "prompt");
    assert!(begun.elapsed() < Duration::from_millis(2800), "shown after {:?}", begun.elapsed());
    assert_eq!(shown.text("partial"), "true");
    manager.record("the end of the second", |record| record.text("msg") == "end");
    let records = manager.records();
    let lines: Vec<(String, String)> =
        records.iter().filter(|record| record.is_line()).map(|r| (r.text("msg"), r.text("partial"))).collect();
    let wanted = [("prompt", "true"), ("", ""), ("more", "true"), ("end", "")];
    assert_eq!(lines, wanted.map(|(text, partial)| (text.to_owned(), partial.to_owned())));
}

#[test]
fn a_dead_workers_last_words_carry_its_pid() {
    let script = "for n in 1 2 3 4 5 6 7 8; do echo \"me $$\"; echo \"me $$\" >&2; done; printf \"me $$\"";
    let manager = Manager::start(&["-w3", "--min-uptime", "0", "--", "sh", "-c", script]);
    manager.count_of("an end", 60, |record| record.tells("exited"));
    let ended = manager.end_by(TERM);
    let words: Vec<Record> = ended.records().into_iter().filter(|r| r.text("msg").starts_with("me ")).collect();
    for word in &words {
        assert_eq!(word.text("msg"), format!("me {}", word.number("pid")), "{word:?}");
        assert!(!word.has("partial"), "{word:?}");
    }
    for exit in ended.events("exited").iter().filter(|exit| exit.has("code")) {
        let own = words.iter().filter(|word| word.number("pid") == exit.number("pid"));
        assert_eq!(own.count(), 17, "{exit:?}");
    }
}

#[test]
fn a_descendants_output_is_relayed_and_delays_no_successor() {
    let script = "if [ $CANTELLA_WORKER_GENERATION = 1 ]; then (sleep 2; echo late) & exit 0; fi; exec sleep 1000";
    let options = ["-w1", "--kill-mode", "worker", "--min-uptime", "0", "--", "sh", "-c", script];
    let manager = Manager::start(&options);
    manager.record("the successor", |record| record.tells("started") && record.number("generation") == 2);
    assert!(manager.records().iter().all(|record| record.text("msg") != "late"), "the successor waited");
    manager.record("the late word", |record| record.text("msg") == "late");
    assert_eq!(manager.end_by(TERM).code(), 0);
}

#[test]
fn not_one_line_of_eight_busy_workers_is_lost_or_torn() {
    let manager = Manager::start(&["-w8", "--", worker(), "lines", "20000", "100"]);
    eventually("the last lines", || (manager.log().lines().count() >= 160_008).then_some(()));
    let ended = manager.end_by(TERM);
    let mut next = [1_i64; 8];
    for line in ended.records().iter().filter(|record| record.is_line()) {
        let slot = usize::try_from(line.number("worker")).unwrap();
        let text = line.text("msg");
        assert_eq!((text.len(), &text[..9]), (99, &*format!("{:09}", next[slot])));
        next[slot] += 1;
    }
    assert_eq!(next, [20_001; 8]);
}

#[test]
fn hup_reopens_the_log_file_and_no_line_is_lost() {
    let launch = Launch::bare(&["-w2", "--log-format=logfmt"]);
    let (current, rotated) = (launch.file("log"), launch.file("log.1"));
    let target = format!("file:{}", current.display());
    let arguments = ["--log", &target, "--", worker(), "lines", "5000", "100"];
    let manager = launch.with(&arguments).start();
    eventually("a log", || (fs::metadata(&current).ok()?.len() > 100_000).then_some(()));
    fs::rename(&current, &rotated).unwrap();
    manager.signal(HUP);
    eventually("a new log", || current.exists().then_some(()));
    let read = || log::whole(&[fs::read(&rotated).unwrap(), fs::read(&current).unwrap()].concat()).to_vec();
    let count = |log: &[u8]| log.windows(8).filter(|window| window == b" stream=").count();
    eventually("the last line", || (count(&read()) == 10_000).then_some(()));
    let size = fs::metadata(&rotated).unwrap().len();
    send(manager.workers(2)[0], KILL);
    eventually("more records", || (count(&read()) == 15_000).then_some(()));
    assert_eq!(fs::metadata(&rotated).unwrap().len(), size, "the old file is still written");
    assert!(lines(&read()).into_iter().map(log::logfmt).count() > 15_000);
    assert_eq!(manager.end_by(TERM).err(), "");
}

#[test]
fn log_none_writes_nothing_and_holds_nobody_up() {
    let launch = Launch::bare(&["-w1", "--restart", "never", "--log", "none", "--"]);
    let ended = launch.with(&["sh", "-c", "yes | head -c 5000000"]).run();
    assert_eq!((ended.code(), ended.err(), ended.out), (0, String::new(), String::new()));
}

#[test]
fn log_inherit_leaves_the_managers_own_output_to_the_workers() {
    let options = ["-w1", "--restart", "never", "--log", "inherit", "--", "sh", "-c", "echo out; echo err >&2"];
    let ended = Launch::bare(&options).run();
    assert_eq!((ended.code(), ended.err().as_str(), ended.out.as_str()), (0, "err\n", "out\n"));
}

#[test]
fn log_inherit_tells_what_goes_wrong_and_more_where_it_is_asked_to() {
    let run = |level: &[&str], script: &str| {
        let options = [&["-w1", "--restart", "never", "--log", "inherit"], level, &["--", "sh", "-c", script]].concat();
        Launch::bare(&options).run().err()
    };
    assert_eq!(run(&[], "exit 0"), "");
    let warning = run(&[], "exit 3");
    assert!(
        warning.contains(" warning manager[") && warning.contains("exited") && warning.contains("code 3"),
        "{warning}"
    );
    assert!(run(&["--log-level", "notice"], "exit 0").contains("started"));
}

#[test]
fn an_idle_worker_with_an_unfinished_line_wakes_nobody() {
    let manager = Manager::start(&["-w1", "--", "sh", "-c", "printf unfinished; exec sleep 1000"]);
    manager.record("the unfinished line", |record| record.text("msg") == "unfinished");
    let before = crate::common::proc::context_switches(manager.pid);
    let still = || crate::common::proc::context_switches(manager.pid) <= before + 1;
    holds_for(Duration::from_secs(3), "a manager that sleeps", still);
}
