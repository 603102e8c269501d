//! A log target that is stuck, full or gone never stops supervision, and costs no worker a line.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{PipeReader, Read as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::fd::{full_pipe, terminal};
use crate::common::log::{self, Record};
use crate::common::signals::{KILL, TERM, send};
use crate::common::{Launch, Manager, Pid, eventually, holds_for, live_children, proc, worker};

/// Far more than it takes, far less than a blocked manager would need: for ever.
const SOON: Duration = Duration::from_secs(5);

/// How many lines a worker writes before it is done.
const LINES: usize = 3000;

/// Starts two workers and waits until both are stuck: each wrote as much as fits, and waits for room.
fn stuck_pool(stderr: impl Into<Stdio>, options: &[&str]) -> (Manager, Vec<Pid>) {
    let lines = LINES.to_string();
    let arguments = [&["-w2", "--min-uptime", "0"], options, &["--", worker(), "lines", &lines, "100"]].concat();
    let manager = Launch::new(&arguments).stderr(stderr).start();
    let workers = manager.workers_running(2, Path::new(worker()));
    wait_until_all_stuck(&workers);
    (manager, workers)
}

fn wait_until_stuck(pid: Pid) {
    let mut before = 0;
    eventually("a worker that waits for room", || {
        let now = proc::written(pid);
        let stuck = now > 0 && now == before && proc::stat(pid)?.state == 'S';
        before = now;
        thread::sleep(Duration::from_millis(50));
        stuck.then_some(())
    });
    assert!(!has_finished(pid), "the log took everything");
}

fn wait_until_all_stuck(workers: &[Pid]) {
    for &pid in workers {
        wait_until_stuck(pid);
    }
}

/// The worker renames itself once it has written its last line.
fn has_finished(pid: Pid) -> bool {
    proc::name(pid) == "finished"
}

/// Waits for the successor of one of two workers.
fn successor(manager: &Manager, of: &[Pid]) -> Pid {
    eventually("the successor", || {
        let live = live_children(manager.pid);
        live.iter().copied().find(|pid| live.len() == 2 && !of.contains(pid))
    })
}

/// Reads everything from the pipe until its last writer is gone.
fn drain(mut reader: PipeReader) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all
    })
}

fn records(log: &[u8]) -> Vec<Record> {
    log.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(log::logfmt).collect()
}

/// How many lines each worker got through; they must be the first ones, in order and whole.
fn lines_by_worker(log: &[u8]) -> HashMap<i64, usize> {
    let mut counts = HashMap::new();
    for line in records(log).iter().filter(|record| record.is_line()) {
        let count = counts.entry(line.number("pid")).or_insert(0);
        *count += 1;
        assert_eq!((line.text("msg").len(), line.text("msg")[..9].parse()), (99, Ok(*count)), "{line:?}");
    }
    counts
}

/// Every rival fails here.
#[test]
fn a_full_unread_log_delays_no_successor_and_loses_no_line() {
    let (reader, writer) = full_pipe();
    let (manager, workers) = stuck_pool(writer, &[]);
    let written = proc::written(workers[0]);
    let begun = Instant::now();
    send(workers[0], KILL);
    let successor = successor(&manager, &workers);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());

    let log = drain(reader);
    let alive = [workers[1], successor];
    eventually("workers that wrote everything", || alive.iter().all(|&pid| has_finished(pid)).then_some(()));
    assert_eq!(manager.end_by(TERM).code(), 0);
    let counts = lines_by_worker(&log.join().unwrap());
    assert_eq!(alive.map(|pid| counts[&i64::from(pid)]), [LINES; 2]);
    assert_eq!(counts[&i64::from(workers[0])] as u64 * 100, written, "what the dead one wrote");
}

#[test]
fn term_ends_everything_in_time_while_the_log_is_stuck() {
    let (reader, writer) = full_pipe();
    let (manager, _) = stuck_pool(writer, &["--stop-timeout", "1s"]);
    manager.signal(TERM);
    let ended = manager.end_within(SOON);
    assert_eq!(ended.code(), 0);
    assert!(ended.left.is_empty(), "{:?}", ended.left);
    drop(reader);
}

#[test]
fn a_stuck_log_that_is_read_during_the_stop_is_complete() {
    let (reader, writer) = full_pipe();
    let (manager, workers) = stuck_pool(writer, &["--stop-timeout", "30s"]);
    let written: Vec<u64> = workers.iter().map(|&pid| proc::written(pid)).collect();
    manager.signal(TERM);
    eventually("no worker", || live_children(manager.pid).is_empty().then_some(()));
    let log = drain(reader);
    assert_eq!(manager.end().code(), 0);
    let counts = lines_by_worker(&log.join().unwrap());
    let told: Vec<u64> = workers.iter().map(|&pid| counts[&i64::from(pid)] as u64 * 100).collect();
    assert_eq!(told, written);
}

#[test]
fn a_shared_log_is_never_made_non_blocking() {
    let (reader, writer) = full_pipe();
    let shared = writer.try_clone().unwrap();
    let (manager, _) = stuck_pool(writer, &[]);
    let flags = proc::descriptor_flags(std::process::id().cast_signed(), shared.as_raw_fd());
    assert_eq!(flags & libc::O_NONBLOCK, 0);
    drop((manager, reader));
}

#[test]
fn a_terminal_that_nobody_reads_delays_nothing() {
    let (viewer, programs) = terminal();
    let shared = programs.try_clone().unwrap();
    let (manager, workers) = stuck_pool(programs, &["--stop-timeout", "1s"]);
    send(workers[0], KILL);
    successor(&manager, &workers);
    let flags = proc::descriptor_flags(std::process::id().cast_signed(), shared.as_raw_fd());
    assert_eq!(flags & libc::O_NONBLOCK, 0);
    manager.signal(TERM);
    assert_eq!(manager.end_within(SOON).code(), 0);
    drop(viewer);
}

#[test]
fn a_fifo_that_nobody_reads_delays_nothing() {
    let launch = Launch::bare(&["-w2", "--min-uptime", "0", "--stop-timeout", "1s", "--log-format", "logfmt", "--log"]);
    let fifo = launch.file("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    // One that reads and never does keeps the FIFO open; a FIFO without any is refused or waited for, never waited in.
    let reader = File::options().read(true).write(true).open(&fifo).unwrap();
    let target = format!("file:{}", fifo.display());
    let manager = launch.with(&[&target, "--", worker(), "lines", "3000", "100"]).start();
    let workers = manager.workers_running(2, Path::new(worker()));
    wait_until_all_stuck(&workers);
    send(workers[0], KILL);
    successor(&manager, &workers);
    manager.signal(TERM);
    assert_eq!(manager.end_within(SOON).code(), 0);
    drop(reader);
}

/// Who writes more at once than a pipe takes whole tears the lines of whoever writes there, too.
#[test]
fn every_write_ends_a_line_and_is_one_that_a_pipe_takes_whole() {
    let trace = Launch::bare(&[]);
    for target in ["stderr", "file:/dev/stderr"] {
        let file = trace.file("trace");
        let tracing =
            ["strace", "-qq", "-y", "-s9999", "-e", "trace=write,writev,pwritev2", "-o", file.to_str().unwrap()];
        let (reader, writer) = std::io::pipe().unwrap();
        let options = ["-w1", "--log", target, "--", worker(), "lines", "3000", "100"];
        let manager = Launch::new(&options).below(&tracing).stderr(writer).start();
        let log = drain(reader);
        let pid = manager.workers_running(1, Path::new(worker()))[0];
        eventually("a worker that wrote everything", || has_finished(pid).then_some(()));
        assert_eq!(manager.end_by(TERM).code(), 0);
        assert_eq!(lines_by_worker(&log.join().unwrap()).into_values().collect::<Vec<_>>(), [LINES]);
        let calls = fs::read_to_string(&file).unwrap();
        let records = calls.lines().filter(|call| call.contains("event="));
        let lengths: Vec<usize> = records
            .map(|call| {
                assert!(call.contains("\\n\""), "{target}: {call}");
                call.rsplit("= ").next().unwrap().parse().unwrap()
            })
            .collect();
        assert!(lengths.len() > 1 && lengths.iter().all(|length| *length <= 4096), "{target}: {lengths:?}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_neither_manager_nor_workers() {
    let (reader, writer) = std::io::pipe().unwrap();
    let script = "while :; do echo tick; sleep 0.01; done";
    let manager = Launch::new(&["-w2", "--min-uptime", "0", "--", "sh", "-c", script]).stderr(writer).start();
    let workers = manager.workers(2);
    drop(reader);
    holds_for(Duration::from_secs(1), "the same workers", || live_children(manager.pid) == workers);
    send(workers[0], KILL);
    successor(&manager, &workers);
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// T9: on the real thing, a file system that runs full and is given room again.
#[test]
fn a_full_disk_costs_no_line_once_it_has_room_again() {
    let launch = Launch::bare(&["-w2", "--min-uptime", "0", "--log-format", "logfmt", "--log"]);
    let disk = launch.file("disk");
    fs::create_dir(&disk).unwrap();
    let mount = "mount -t tmpfs -o size=256k none \"$0\" && head -c 200k /dev/zero >\"$0/ballast\" && exec \"$@\"";
    let target = format!("file:{}/log", disk.display());
    let arguments = [&target, "--", worker(), "lines", "3000", "100"];
    let manager = launch.with(&arguments);
    let manager = manager.through(&["unshare", "-m", "sh", "-c", mount, disk.to_str().unwrap()]).start();
    let workers = manager.workers_running(2, Path::new(worker()));
    wait_until_all_stuck(&workers);
    let written = proc::written(workers[0]);
    send(workers[0], KILL);
    let successor = successor(&manager, &workers);
    assert_eq!(manager.log().lines().count(), 1, "told once, elsewhere: {}", manager.log());

    let inside = Path::new("/proc").join(manager.pid.to_string()).join("root").join(disk.strip_prefix("/").unwrap());
    fs::remove_file(inside.join("ballast")).unwrap();
    let remount = ["-t", &manager.pid.to_string(), "-m", "mount", "-o", "remount,size=64m", disk.to_str().unwrap()];
    assert!(std::process::Command::new("nsenter").args(remount).status().unwrap().success());
    let alive = [workers[1], successor];
    eventually("workers that wrote everything", || alive.iter().all(|&pid| has_finished(pid)).then_some(()));
    let log = eventually("the last lines", || {
        let log = log::whole(&fs::read(inside.join("log")).ok()?).to_vec();
        let counts = lines_by_worker(&log);
        alive.iter().all(|&pid| counts.get(&i64::from(pid)) == Some(&LINES)).then_some(log)
    });
    let counts = lines_by_worker(&log);
    assert_eq!(counts[&i64::from(workers[0])] as u64 * 100, written, "what the dead one wrote");
    assert_eq!(manager.end_by(TERM).code(), 0);
}

#[test]
fn a_disk_that_stays_full_ends_nobody_and_a_stop_is_not_held_up() {
    let options = ["-w2", "--min-uptime", "0", "--stop-timeout", "10s", "--log", "file:/dev/full"];
    let manager = Launch::bare(&[&options[..], &["--", worker(), "lines", "3000", "100"]].concat()).start();
    let workers = manager.workers_running(2, Path::new(worker()));
    wait_until_all_stuck(&workers);
    send(workers[0], KILL);
    successor(&manager, &workers);
    manager.signal(TERM);
    let ended = manager.end_within(SOON);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert!(ended.err().lines().count() <= 2, "told once, and what was lost: {}", ended.err());
}

#[test]
fn a_log_file_at_its_size_limit_ends_nobody() {
    let launch = Launch::bare(&["-w1", "--log"]);
    let target = format!("file:{}", launch.file("log").display());
    let arguments = [&target, "--", worker(), "lines", "3000", "100"];
    let manager = launch.with(&arguments).through(&["prlimit", "--fsize=20000"]).start();
    let workers = manager.workers_running(1, Path::new(worker()));
    wait_until_stuck(workers[0]);
    holds_for(Duration::from_millis(1500), "the same worker", || live_children(manager.pid) == workers);
    manager.signal(TERM);
    assert_eq!(manager.end_within(SOON).code(), 0);
}

/// The manager's own records wait in a ring of fixed size; what does not fit is counted, not forgotten.
#[test]
fn own_records_that_do_not_fit_are_counted() {
    let (reader, writer) = full_pipe();
    let launch = Launch::new(&["-w1", "--min-uptime", "0", "--", "sh", "-c", "echo >>\"$0\""]).stderr(writer);
    let births = launch.file("births");
    let manager = launch.with(&[births.to_str().unwrap()]).start();
    let born = |count| eventually("births", || (fs::metadata(&births).ok()?.len() >= count).then_some(()));
    born(500);
    let log = drain(reader);
    born(600);
    assert_eq!(manager.end_by(TERM).code(), 0);
    let records = records(&log.join().unwrap());
    let count = |event: &str| records.iter().filter(|record| record.tells(event)).count();
    let last = records.iter().rfind(|record| record.tells("started")).unwrap().number("generation");
    // Every generation started and exited; the log tells each of these, or how many it lacks.
    let lacking = 2 * usize::try_from(last).unwrap() - count("started") - count("exited");
    let words = records.iter().filter(|record| record.tells("dropped")).map(|record| record.text("msg"));
    let dropped = words.filter_map(|text| text.split(' ').find_map(|word| word.parse::<usize>().ok()));
    assert_eq!(dropped.sum::<usize>(), lacking);
    assert!(lacking > 0, "the ring took everything");
}
