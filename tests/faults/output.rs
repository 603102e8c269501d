//! Logs that take nothing and workers that write everything.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, PipeReader, Read as _, pipe};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::log::{self, Record};
use crate::common::signals::{KILL, TERM};
use crate::common::{Directory, eventually, proc, within, worker};
use crate::kit::{Herd, NOISE, WORLDS, busy, end_well, figure, form, imp, is_full, processor_share, quiet};

/// Reads a pipe to its end in a thread of its own.
fn drain(mut reader: PipeReader) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut read = Vec::new();
        reader.read_to_end(&mut read).expect("the log");
        read
    })
}

fn records(log: &[u8]) -> Vec<Record> {
    log.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(log::logfmt).collect()
}

/// Checks that the numbered lines of each worker are there from the first one on, whole, once and in order.
///
/// A worker that was killed may have got its last line out in part; it is the only one that may be odd.
#[track_caller]
fn assert_numbered(records: &[Record]) -> usize {
    let mut last: HashMap<(i64, i64), i64> = HashMap::new();
    let mut odd: HashMap<(i64, i64), String> = HashMap::new();
    let mut count = 0;
    for record in records.iter().filter(|record| record.is_line()) {
        let name = (record.number("worker"), record.number("pid"));
        let text = record.text("msg");
        assert!(!odd.contains_key(&name), "{odd:?} is followed by {text}");
        let number = text.get(..9).and_then(|digits| digits.parse().ok());
        match number {
            Some(number) if text.len() == LENGTH - 1 => {
                assert_eq!(last.insert(name, number).unwrap_or(0) + 1, number, "of {name:?}");
                count += 1;
            }
            Some(_) | None => drop(odd.insert(name, text)),
        }
    }
    count
}

/// The length of a numbered line, its newline counted.
const LENGTH: usize = 100;

/// T8: nobody reads the log for a while. Restarts go on, nothing spins, and then everything is there.
#[test]
fn a_log_that_nobody_reads_costs_no_line_and_delays_no_restart() {
    let _busy = busy();
    for world in [WORLDS[0], WORLDS[3]] {
        let (reader, writer) = pipe().unwrap();
        let numbers = ["--min-uptime", "0", "--", worker(), "lines", "1000000000", "100"];
        let manager = world.launch(&numbers).stderr(writer).start();
        let mut herd = Herd::of(&manager);
        herd.settle(world.workers);
        thread::sleep(Duration::from_secs(1));
        let mut slowest = Duration::ZERO;
        let end = Instant::now() + Duration::from_secs(form(10, 600));
        let share = processor_share(manager.pid, || {
            while Instant::now() < end {
                let begun = Instant::now();
                assert!(herd.hit(herd.whole()[0], KILL));
                eventually("its successor", || (herd.whole().len() == world.workers).then_some(()));
                slowest = slowest.max(begun.elapsed());
                thread::sleep(Duration::from_millis(100));
            }
        });
        figure(
            "T8",
            &format!("{world:?}: slowest restart with a stuck log, share of a processor"),
            format!("{slowest:?} {share:.4}"),
        );
        assert!(slowest <= NOISE * Duration::from_millis(100), "{world:?}: {slowest:?}");
        assert!(share < 0.05, "{world:?}: {share} of a processor");
        let log = drain(reader);
        thread::sleep(Duration::from_millis(50));
        let ended = manager.end_by(TERM);
        assert_eq!(ended.code(), 0);
        let records = records(&log.join().unwrap());
        assert!(assert_numbered(&records) > 1000, "{world:?}");
        let count = |event: &str| records.iter().filter(|record| record.tells(event)).count();
        // The manager's own records have a queue with an end; what did not fit is counted.
        let number = |record: &Record| record.text("msg").split(' ').next().and_then(|word| word.parse::<usize>().ok());
        let dropped = records.iter().filter(|record| record.tells("dropped"));
        let lost: usize = dropped.map(|record| number(record).expect("a number")).sum();
        assert!(lost == 0 || is_full(), "{world:?}: {lost} records of its own");
        let starts = world.workers + herd.hits();
        assert_eq!(count("started") + count("exited") + lost, 2 * starts, "{world:?}: {lost} dropped");
    }
}

/// A small file system, gone with its last user.
struct Disk {
    directory: Directory,
}

impl Disk {
    fn of(size: &str) -> Self {
        let directory = Directory::new();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"])
            .arg(directory.path())
            .status()
            .expect("mount runs");
        assert!(mounted.success());
        Self { directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.file(name)
    }

    /// Takes all the room there is and gives the file that holds it.
    fn fill(&self) -> PathBuf {
        let filler = self.file("filler");
        let source = File::open("/dev/zero").unwrap();
        std::io::copy(&mut source.take(1 << 30), &mut File::create(&filler).unwrap()).expect_err("a full disk");
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let path = self.directory.path();
        within(Duration::from_secs(5), || {
            Command::new("umount").arg(path).status().ok().filter(std::process::ExitStatus::success)
        });
    }
}

/// T9: the disk is full for a while. Memory does not grow, restarts go on, and with room again no line is missing.
#[test]
fn a_full_disk_costs_no_line_and_no_memory() {
    let _busy = busy();
    for world in [WORLDS[0], WORLDS[3]] {
        let disk = Disk::of("256M");
        let log = disk.file("log");
        let target = format!("file:{}", log.display());
        let numbers = ["--min-uptime", "0", "--log", &target, "--", worker(), "lines", "1000000000", "100"];
        let manager = world.start(&numbers);
        let mut herd = Herd::of(&manager);
        herd.settle(world.workers);
        let filler = disk.fill();
        let length = || fs::metadata(&log).unwrap().len();
        thread::sleep(Duration::from_secs(1));
        let before = length();
        for pid in herd.whole() {
            herd.hit(pid, KILL);
        }
        herd.settle(world.workers);
        let share = processor_share(manager.pid, || thread::sleep(Duration::from_secs(form(5, 60))));
        assert_eq!(length(), before, "the disk was not full");
        let memory = proc::private_dirty(manager.pid);
        assert!(memory <= world.most_memory(), "{world:?}: {memory} KiB while the disk was full");
        assert!(share < 0.02, "{share} of a processor");
        fs::remove_file(&filler).unwrap();
        let begun = Instant::now();
        eventually("the log to go on", || (length() > before).then_some(()));
        figure("T9", &format!("{world:?}: the log goes on after"), format!("{:?}", begun.elapsed()));
        assert!(begun.elapsed() <= Duration::from_secs(1) + NOISE * Duration::from_millis(100));
        let ended = manager.end_by(TERM);
        assert_eq!(ended.code(), 0);
        assert_eq!(ended.records().len(), 1, "told once, on standard error: {}", ended.err());
        let records = records(&fs::read(&log).unwrap());
        assert_numbered(&records);
        let count = |event: &str| records.iter().filter(|record| record.tells(event)).count();
        assert_eq!((count("started"), count("exited"), count("dropped")), (2 * world.workers, 2 * world.workers, 0));
    }
}

/// T9: other errors that may be over one day (a quota, a bad block) are the same; nothing is lost.
#[test]
fn a_quota_or_a_bad_block_costs_no_line() {
    let _busy = busy();
    for error in ["EDQUOT", "EIO", "EFBIG", "ENOSPC"] {
        let directory = Directory::new();
        let log = directory.file("log");
        let target = format!("file:{}", log.display());
        let inject = format!("inject=write:error={error}:when=2..3");
        let tracing =
            ["strace", "-qq", "-e", "signal=none", "-o", "/dev/null", "-P", &log.display().to_string(), "-e", &inject];
        let numbers = ["--log", &target, "--", worker(), "lines", "1000", "100"];
        let manager = WORLDS[0].launch(&numbers).below(&tracing).start();
        let lines = || records(log::whole(&fs::read(&log).unwrap_or_default()));
        eventually("all lines", || (lines().iter().filter(|record| record.is_line()).count() == 1000).then_some(()));
        let ended = manager.end_by(TERM);
        assert_eq!(ended.code(), 0, "{error}: {}", ended.err());
        assert_eq!(assert_numbered(&lines()), 1000);
        assert_eq!(ended.records().len(), 1, "{error}, told once: {}", ended.err());
    }
}

/// T16: a line without end, from every slot at once, costs no memory and loses no byte.
#[test]
fn lines_without_end_cost_no_memory_and_no_byte() {
    let _busy = busy();
    for world in [WORLDS[0], WORLDS[1]] {
        let workers = u64::try_from(world.workers).unwrap();
        // The full form has a GiB of each worker.
        let bytes = form((32 << 20) / workers, 1 << 30);
        let (reader, writer) = pipe().unwrap();
        let begun = Instant::now();
        let manager = world.launch(&["--", imp(), "giant", &bytes.to_string()]).stderr(writer).start();
        let counting = thread::spawn(move || {
            BufReader::new(reader).split(b'\n').map(|record| giant_part(&record.unwrap())).sum::<u64>()
        });
        let mut most = 0;
        let finished = || proc::live_children(manager.pid).iter().filter(|&&pid| proc::name(pid) == "finished").count();
        within(Duration::from_mins(10), || {
            most = most.max(proc::private_dirty(manager.pid));
            (finished() == world.workers).then_some(())
        })
        .expect("the end of all lines");
        let rate = f64::from(u32::try_from((bytes * workers) >> 20).unwrap()) / begun.elapsed().as_secs_f64();
        figure("T16", &format!("{world:?}: MiB a second, and private memory at most"), format!("{rate:.0} {most} KiB"));
        assert!(most <= world.most_memory(), "{world:?}: {most} KiB");
        assert_eq!(manager.end_by(TERM).code(), 0);
        assert_eq!(counting.join().unwrap(), bytes * workers, "{world:?}");
    }
}

/// How many bytes of a line without end a record holds.
fn giant_part(record: &[u8]) -> u64 {
    const BEFORE: &[u8] = b" msg=\"g";
    // What stands before the bytes that were written is shorter than this.
    let head = &record[..record.len().min(200)];
    let Some(start) = head.windows(BEFORE.len()).position(|window| window == BEFORE) else { return 0 };
    let text = record.strip_suffix(b" partial=true").unwrap_or(record);
    // A quote before it and one behind.
    u64::try_from(text.len() - start - BEFORE.len()).expect("a length")
}

/// T17: every byte there is, runs of zeros, half characters, empty writes, no last newline: what is stored is what was
/// written.
#[test]
fn what_is_stored_is_what_was_written() {
    let _quiet = quiet();
    for world in WORLDS {
        let directory = Directory::new();
        let input = directory.file("input");
        fs::write(&input, every_byte_in_disorder()).unwrap();
        let script = format!("printf ''; cat {}; exec sleep 1000", input.display());
        let manager = world.start(&["--", "sh", "-c", &script]);
        manager.workers_running(world.workers, Path::new("/usr/bin/sleep"));
        // All is written, and what has no newline is to be seen within a second; the machine has another.
        thread::sleep(Duration::from_secs(2));
        assert_stored(&manager.records(), &every_byte_in_disorder(), world.workers);
        // The end of the worker ends its last line.
        let written = [&every_byte_in_disorder()[..], b"\n"].concat();
        assert_stored(&end_well(manager).records(), &written, world.workers);
    }
}

#[track_caller]
fn assert_stored(records: &[Record], written: &[u8], workers: usize) {
    let stored = by_worker(records);
    assert_eq!(stored.len(), workers);
    for (worker, bytes) in stored {
        let same = bytes.iter().zip(written).take_while(|(stored, written)| stored == written).count();
        assert!(
            bytes == written,
            "worker {worker}: {} bytes of {}, the first {same} alike",
            bytes.len(),
            written.len()
        );
    }
}

/// The bytes that each worker wrote: the parts of its lines joined, each line with its newline but for a last part.
fn by_worker(records: &[Record]) -> HashMap<i64, Vec<u8>> {
    let mut found: HashMap<i64, Vec<u8>> = HashMap::new();
    for record in records.iter().filter(|record| record.is_line()) {
        let bytes = found.entry(record.number("worker")).or_default();
        bytes.extend_from_slice(record.bytes("msg"));
        if !record.has("partial") {
            bytes.push(b'\n');
        }
    }
    found
}

/// 100 KiB in which everything occurs: all values, zeros in a row, long lines, characters cut short, no newline at the end.
fn every_byte_in_disorder() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend([0; 10_000]);
    bytes.extend("ä€𐍈".as_bytes().repeat(2000));
    bytes.extend([0xc3, b'\n', 0xe2, 0x82, b'\n', 0xf0, 0x90, 0x8d, b'\r', b'\n', 0xff, 0xfe, b'\n', b'\n']);
    let mut state: u32 = 1;
    bytes.extend((0..60_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(state >> 24).expect("eight bits")
    }));
    bytes.push(b'.');
    bytes
}
