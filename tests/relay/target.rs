//! What a log target gets: each record once, whole and in its order, and nobody ever waits for it.

use core::ffi::CStr;
use core::time::Duration;
use std::env;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use cantella::observe::{Event, Level, Observer, Stream, Want, Worker};
use cantella::pool::{Instant, Pid, SlotId};
use cantella::relay::{BUFFER, Format, Formatter, Sink, Target};
use cantella::sys::fd::{self, AsFd, AsRawFd, BorrowedFd, OwnedFd, Pipe};

const O_NONBLOCK: i32 = 0o4000;

fn sink(target: Target) -> Sink<'static> {
    sink_of(Format::Plain, target)
}

fn sink_of(format: Format, target: Target) -> Sink<'static> {
    let formatter = Formatter::new(format, "web", Pid::new(7).unwrap());
    Sink::new(target, formatter, Level::Info, vec![0; BUFFER].leak())
}

/// A sink whose target is a pipe that others share.
struct Piped {
    sink: Sink<'static>,
    write: BorrowedFd<'static>,
    read: OwnedFd,
}

impl Piped {
    fn new() -> Self {
        let Pipe { read, write } = fd::pipe_to_read().unwrap();
        let write: &OwnedFd = Box::leak(Box::new(write));
        Self { sink: sink(Target::Shared(write.as_fd())), write: write.as_fd(), read }
    }

    /// A sink whose target has no room at all.
    fn full() -> Self {
        let piped = Self::new();
        while fd::write_shared(piped.write, &[b'#'; 4096]).is_ok() {}
        while fd::write_shared(piped.write, b"#").is_ok() {}
        piped
    }

    /// Reads all that is there.
    fn take(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut room = [0; 4096];
        while let Ok(count @ 1..) = fd::read(self.read.as_fd(), &mut room) {
            all.extend(room.iter().take(count));
        }
        all
    }

    fn want(&self) -> Want {
        self.sink.want()
    }

    /// Reads and writes until nothing waits any more; gives the records.
    fn drain(&mut self) -> Vec<String> {
        self.drain_after(Vec::new())
    }

    /// The same, where so much of them was read already.
    fn drain_after(&mut self, read: Vec<u8>) -> Vec<String> {
        let mut all = read;
        for _ in 0..1_000 {
            all.extend(self.take());
            if self.want() == Want::Nothing {
                return records(&all);
            }
            self.sink.writable();
            self.sink.flush(Instant::ZERO);
        }
        panic!("a sink that never has written all: {:?}", self.want());
    }

    /// Adds lines to those that wait, as many as are taken; gives their records.
    fn gather(&mut self) -> Vec<String> {
        let mut expected = Vec::new();
        while self.sink.ready() {
            let text = format!("line {} {}", expected.len(), "x".repeat(expected.len() % 200));
            self.sink.event(Level::Info, &line(text.as_bytes()));
            expected.push(format!("info web/0[9] out: {text}"));
            assert!(expected.len() < 10_000, "a buffer without end");
        }
        expected
    }

    /// Makes room in the target for a little of what waits, and has it written.
    fn make_room(&mut self) -> Vec<u8> {
        let mut room = [0; 16_384];
        let count = fd::read(self.read.as_fd(), &mut room).unwrap();
        self.sink.writable();
        self.sink.flush(Instant::ZERO);
        room.into_iter().take(count).collect()
    }
}

/// Takes bytes apart into records, less their time stamps; what filled the target is left out.
fn records(bytes: &[u8]) -> Vec<String> {
    let text = str::from_utf8(bytes).unwrap().trim_start_matches('#');
    assert!(text.is_empty() || text.ends_with('\n'), "a record that is torn");
    text.lines().map(|line| line.split_once('Z').unwrap().1.trim_start().to_owned()).collect()
}

const fn line(bytes: &[u8]) -> Event<'_> {
    let slot = SlotId { index: 0, generation: 1 };
    let worker = Worker { slot, pid: Pid::new(9).unwrap() };
    Event::Line { worker, stream: Stream::Out, bytes, partial: false, clean: false }
}

fn at(millis: u64) -> Instant {
    Instant::ZERO.after(Duration::from_millis(millis))
}

/// A directory of the test's own.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("target-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// The path as a log target has it.
fn word(path: &Path) -> &'static CStr {
    Box::leak(CString::new(path.as_os_str().as_bytes()).unwrap().into_boxed_c_str())
}

fn written(path: &Path) -> Vec<String> {
    records(&fs::read(path).unwrap())
}

const PAUSED: &str = "notice manager[7]: paused";
const RESUMED: &str = "notice manager[7]: resumed";

#[test]
fn records_are_written_at_the_end_of_a_turn() {
    let mut piped = Piped::new();
    piped.sink.event(Level::Notice, &Event::Paused);
    piped.sink.event(Level::Info, &line(b"text"));
    piped.sink.event(Level::Debug, &line(b"below the level"));
    assert_eq!(piped.take(), b"");
    assert_eq!(piped.want(), Want::Writable(piped.write.as_raw_fd()));
    piped.sink.flush(Instant::ZERO);
    assert_eq!(piped.want(), Want::Nothing);
    assert_eq!(records(&piped.take()), [PAUSED, "info web/0[9] out: text"]);
    piped.sink.flush(Instant::ZERO);
    assert_eq!(piped.take(), b"");
}

#[test]
fn records_of_a_turn_share_its_time() {
    let mut piped = Piped::new();
    for turn in 0..2 {
        thread::sleep(Duration::from_millis(3 * turn));
        piped.sink.event(Level::Notice, &Event::Paused);
        thread::sleep(Duration::from_millis(3));
        piped.sink.event(Level::Notice, &Event::Paused);
        piped.sink.flush(Instant::ZERO);
    }
    let all = String::from_utf8(piped.take()).unwrap();
    let lines: Vec<&str> = all.lines().collect();
    assert!(lines[0] == lines[1] && lines[1] < lines[2] && lines[2] == lines[3], "{all}");
}

#[test]
fn nothing_is_lost_while_the_target_is_full() {
    let mut piped = Piped::full();
    let expected = piped.gather();
    assert!(expected.len() > 300, "{} lines were gathered", expected.len());
    piped.sink.flush(Instant::ZERO);
    assert_eq!(piped.want(), Want::Writable(piped.write.as_raw_fd()));
    assert!(!piped.sink.ready());
    assert_eq!(piped.drain(), expected);
    assert!(piped.sink.ready());
}

#[test]
fn room_is_used_again_as_soon_as_what_lay_there_is_written() {
    let mut piped = Piped::full();
    let mut expected = piped.gather();
    let read = piped.make_room();
    let more = piped.gather();
    assert!(more.len() > 30, "{} more lines were gathered", more.len());
    expected.extend(more);
    assert_eq!(piped.drain_after(read), expected);
}

#[test]
fn room_is_used_again_for_records_of_its_own_too() {
    let mut piped = Piped::full();
    for _ in 0..4_000 {
        piped.sink.event(Level::Notice, &Event::Paused);
    }
    let read = piped.make_room();
    for _ in 0..100 {
        piped.sink.event(Level::Notice, &Event::Resumed);
    }
    let written = piped.drain_after(read);
    assert_eq!(written.iter().filter(|record| *record == RESUMED).count(), 100);
}

#[test]
fn a_full_target_is_left_alone_until_it_has_room() {
    let mut piped = Piped::full();
    piped.sink.event(Level::Notice, &Event::Paused);
    piped.sink.flush(Instant::ZERO);
    piped.take();
    piped.sink.flush(Instant::ZERO);
    assert_eq!(piped.take(), b"");
    piped.sink.writable();
    piped.sink.flush(Instant::ZERO);
    assert_eq!(records(&piped.take()), [PAUSED]);
}

#[test]
fn a_full_buffer_is_written_before_the_turn_is_over() {
    let mut piped = Piped::new();
    let text = [b'x'; 4_000];
    for _ in 0..14 {
        assert!(piped.sink.ready());
        piped.sink.event(Level::Info, &line(&text));
    }
    assert_eq!(piped.take(), b"");
    assert!(piped.sink.ready());
    assert_eq!(records(&piped.take()).len(), 14);
}

#[test]
fn however_full_it_is_the_longest_line_fits_and_leaves_room_for_records_of_its_own() {
    for lines in 0..120 {
        let mut piped = Piped::full();
        piped.sink = sink_of(Format::Json, Target::Shared(piped.write));
        for _ in 0..lines {
            piped.sink.event(Level::Info, &line(&[b'x'; 400]));
        }
        if !piped.sink.ready() {
            assert!(lines > 100, "{lines} lines are no burst");
            return;
        }
        piped.sink.event(Level::Info, &line(&[b'\0'; 8192]));
        for _ in 0..50 {
            piped.sink.event(Level::Notice, &Event::Paused);
        }
        assert_eq!(piped.drain().len(), lines + 1 + 50);
    }
    panic!("a buffer without end");
}

#[test]
fn records_of_its_own_that_do_not_fit_are_counted() {
    let mut piped = Piped::full();
    for _ in 0..4_000 {
        piped.sink.event(Level::Notice, &Event::Paused);
    }
    let written = piped.drain();
    let own = written.iter().take_while(|record| *record == PAUSED).count();
    assert!((2_000..4_000).contains(&own), "{own} fitted");
    assert_eq!(written[own..], [format!("warning manager[7]: {} records were dropped", 4_000 - own)]);
    piped.sink.event(Level::Notice, &Event::Resumed);
    assert_eq!(piped.drain(), [RESUMED]);
}

#[test]
fn what_nobody_will_read_is_dropped_and_counted() {
    let Piped { mut sink, write, read } = Piped::new();
    drop(read);
    sink.event(Level::Notice, &Event::Paused);
    sink.event(Level::Notice, &Event::Paused);
    sink.flush(Instant::ZERO);
    assert_eq!(sink.want(), Want::Nothing);
    let mut again = File::open(format!("/proc/self/fd/{}", write.as_raw_fd())).unwrap();
    sink.event(Level::Notice, &Event::Resumed);
    sink.flush(Instant::ZERO);
    sink.flush(Instant::ZERO);
    let mut room = [0; 4096];
    let count = again.read(&mut room).unwrap();
    let trouble = "error manager[7]: cannot write the log: Broken pipe (errno 32)";
    assert_eq!(records(&room[..count]), [RESUMED, trouble, "warning manager[7]: 2 records were dropped"]);
}

#[test]
fn a_target_that_lies_about_its_room_is_left_alone_for_a_moment() {
    let mut piped = Piped::full();
    piped.sink.event(Level::Notice, &Event::Paused);
    piped.sink.flush(at(0));
    assert_eq!(piped.want(), Want::Writable(piped.write.as_raw_fd()));
    piped.sink.writable();
    for (now, retry) in [(10, 110), (109, 110), (110, 210), (111, 210)] {
        piped.sink.flush(at(now));
        assert_eq!(piped.want(), Want::Time(at(retry)), "at {now}");
    }
    piped.take();
    piped.sink.flush(at(209));
    assert_eq!(piped.take(), b"");
    piped.sink.flush(at(210));
    assert_eq!(records(&piped.take()), [PAUSED]);
}

#[test]
fn a_full_disk_is_tried_each_second_and_loses_nothing() {
    let directory = directory("full");
    let path = directory.join("log");
    symlink("/dev/full", &path).unwrap();
    let mut sink = sink(Target::file(word(&path)).unwrap());
    sink.event(Level::Notice, &Event::Paused);
    for (now, retry) in [(0, 1_000), (999, 1_000), (1_000, 2_000), (1_500, 2_000)] {
        sink.flush(at(now));
        assert_eq!(sink.want(), Want::Time(at(retry)), "at {now}");
    }
    fs::remove_file(&path).unwrap();
    sink.event(Level::Notice, &Event::Resumed);
    sink.reopen();
    assert_eq!(sink.want(), Want::Nothing);
    assert_eq!(written(&path), [PAUSED, RESUMED]);
}

#[test]
fn a_log_that_was_rotated_away_is_opened_anew() {
    let directory = directory("rotated");
    let [path, old] = ["log", "log.1"].map(|name| directory.join(name));
    let mut sink = sink(Target::file(word(&path)).unwrap());
    sink.event(Level::Notice, &Event::Paused);
    fs::rename(&path, &old).unwrap();
    sink.flush(Instant::ZERO);
    sink.event(Level::Notice, &Event::Resumed);
    sink.reopen();
    assert_eq!((written(&old), written(&path)), (vec![PAUSED.to_owned()], vec![RESUMED.to_owned()]));
    fs::rename(&path, &old).unwrap();
    sink.event(Level::Notice, &Event::Paused);
    sink.flush(Instant::ZERO);
    assert_eq!(written(&old), [RESUMED, PAUSED], "it is opened anew only when somebody asks for it");
}

#[test]
fn a_log_that_cannot_be_opened_anew_stays() {
    let [before, after] = ["stays", "stays-elsewhere"].map(directory);
    let mut sink = sink(Target::file(word(&before.join("log"))).unwrap());
    fs::remove_dir(&after).unwrap();
    fs::rename(&before, &after).unwrap();
    sink.reopen();
    sink.event(Level::Notice, &Event::Paused);
    sink.flush(Instant::ZERO);
    let trouble = "error manager[7]: cannot reopen the log: No such file or directory (errno 2)";
    assert_eq!(written(&after.join("log")), [trouble, PAUSED]);
}

#[test]
fn a_record_that_is_torn_by_a_rotation_is_whole_in_the_new_log() {
    let directory = directory("torn");
    let path = directory.join("log");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut fifo = File::options().read(true).write(true).custom_flags(O_NONBLOCK).open(&path).unwrap();
    let mut sink = sink(Target::file(word(&path)).unwrap());
    while fifo.write(&[b'#'; 4096]).is_ok() {}
    fifo.read_exact(&mut [0; 8192]).unwrap();

    let [first, second, third] = [b'1', b'2', b'3'].map(|digit| [digit; 5_000]);
    sink.event(Level::Info, &line(&first));
    sink.event(Level::Info, &line(&second));
    sink.flush(Instant::ZERO);
    // Where no room is left the buffer is tidied up.
    for _ in 0..20 {
        sink.event(Level::Info, &line(&third));
    }
    assert!(!sink.ready());
    fs::remove_file(&path).unwrap();
    sink.reopen();
    let mut old = Vec::new();
    let _ = fifo.read_to_end(&mut old);
    let torn = old.iter().rposition(|byte| *byte == b'\n').unwrap();
    assert_eq!(records(&old[..=torn]), [format!("info web/0[9] out: {}", str::from_utf8(&first).unwrap())]);
    let new = written(&path);
    assert_eq!(new[0], format!("info web/0[9] out: {}", str::from_utf8(&second).unwrap()));
    assert!(new.len() > 1 && new[1..].iter().all(|record| record.ends_with(str::from_utf8(&third).unwrap())));
}

#[test]
fn what_a_file_cannot_say_stands_once_on_standard_error() {
    if env::var_os("CANTELLA_COMPLAIN").is_none() {
        let this = "target::what_a_file_cannot_say_stands_once_on_standard_error";
        let mut again = Command::new(env::current_exe().unwrap());
        let output = again.args(["--exact", this, "--nocapture"]).env("CANTELLA_COMPLAIN", "1").output().unwrap();
        let trouble = "error manager[7]: cannot write the log: No space left on device (errno 28)";
        assert_eq!(records(&output.stderr), [trouble, "error manager[7]: 1 record was dropped"]);
        return;
    }
    let mut full = sink(Target::file(c"/dev/full").unwrap());
    full.event(Level::Notice, &Event::Paused);
    full.flush(at(0));
    full.flush(at(1_000));
    full.close();
    sink(Target::file(c"/dev/null").unwrap()).close();
    let mut piped = Piped::full();
    piped.sink.event(Level::Notice, &Event::Paused);
    piped.sink.close();
}

#[test]
fn the_end_leaves_nothing_waiting() {
    let mut piped = Piped::full();
    piped.sink.event(Level::Notice, &Event::Paused);
    piped.sink.flush(Instant::ZERO);
    piped.sink.close();
    assert_eq!(piped.drain(), Vec::<String>::new());
}

#[test]
fn nowhere_takes_everything() {
    let mut sink = sink(Target::None);
    for _ in 0..10_000 {
        assert!(sink.ready());
        sink.event(Level::Info, &line(b"text"));
    }
    assert_eq!(sink.want(), Want::Nothing);
}
