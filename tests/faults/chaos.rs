//! A seeded storm: signals to everybody, stops, pauses, a log that nobody reads for a while. At the end everything is counted.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader, PipeReader, pipe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::common::log::{self, Record};
use crate::common::signals::{
    ABRT, ALRM, CHLD, CONT, HUP, INT, IO, KILL, PIPE, PROF, QUIT, SEGV, STOP, TERM, TTIN, USR1, USR2, WINCH, send,
    try_send,
};
use crate::common::{Directory, Manager, Pid, proc};
use crate::dice::Dice;
use crate::kit::{Belongings, Herd, WORLDS, World, busy, figure, form, imp};

/// What the log has told so far, checked as it comes.
#[derive(Debug, Default)]
struct Ledger {
    /// The pid of each worker that was started, by slot and generation.
    pids: HashMap<(i64, i64), i64>,
    /// The generation of each slot, and whether it has ended.
    slots: HashMap<i64, (i64, bool)>,
    /// How many lines of each worker came.
    lines: HashMap<(i64, i64), i64>,
}

impl Ledger {
    fn note(&mut self, record: &Record) {
        if record.is_line() {
            return self.line(record);
        }
        assert!(!record.tells("dropped"), "{record:?}");
        if !record.has("worker") {
            return;
        }
        let name = (record.number("worker"), record.number("generation"));
        let (last, ended) = self.slots.get(&name.0).copied().unwrap_or((0, true));
        if record.tells("started") {
            assert!(ended && name.1 == last + 1, "{record:?} after generation {last}, ended: {ended}");
            self.slots.insert(name.0, (name.1, false));
            self.pids.insert(name, record.number("pid"));
        } else if record.tells("exited") {
            assert!(!ended && name.1 == last, "{record:?} after generation {last}, ended: {ended}");
            assert_eq!(self.pids[&name], record.number("pid"), "{record:?}");
            self.slots.insert(name.0, (name.1, true));
        }
    }

    /// Each line comes once and in order, in the name of its writer, or of a successor that died before the log was read.
    fn line(&mut self, record: &Record) {
        let text = record.text("msg");
        let words: Vec<i64> = text.split(' ').map(|word| word.parse().expect("a number")).collect();
        let [slot, generation, number] = words[..] else { panic!("not whole: {record:?}") };
        let seen = self.lines.entry((slot, generation)).or_default();
        assert_eq!(number, *seen + 1, "{record:?}");
        *seen = number;
        assert_eq!(slot, record.number("worker"), "{record:?}");
        let (present, _) = self.slots[&slot];
        let names: Vec<i64> = (generation..=present).map(|generation| self.pids[&(slot, generation)]).collect();
        assert!(names.contains(&record.number("pid")), "{record:?} is of one of {names:?}");
    }

    /// Compares the lines that came with those that were counted as they were written.
    fn assert_complete(&self, counters: &Path) -> i64 {
        for &(slot, generation) in self.pids.keys() {
            let file = fs::read(counters.join(slot.to_string())).unwrap_or_default();
            let at = usize::try_from(generation * 8).unwrap();
            let counted = file.get(at..at + 8).map_or(0, |bytes| i64::from_le_bytes(bytes.try_into().unwrap()));
            let came = self.lines.get(&(slot, generation)).copied().unwrap_or(0);
            // Who is killed between writing a line and counting it has written one more.
            assert!(came == counted || came == counted + 1, "worker {slot}/{generation}: {came} of {counted} lines");
        }
        self.lines.values().sum()
    }
}

/// Reads the log in a thread of its own, but not while told to hold.
struct Reader {
    hold: Arc<AtomicBool>,
    ledger: Arc<Mutex<Ledger>>,
    thread: thread::JoinHandle<()>,
}

impl Reader {
    fn of(log: PipeReader) -> Self {
        let (hold, ledger) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Ledger::default())));
        let (waits, noted) = (Arc::clone(&hold), Arc::clone(&ledger));
        let thread = thread::spawn(move || {
            for line in BufReader::new(log).split(b'\n') {
                while waits.load(Ordering::Relaxed) {
                    sleep(Duration::from_millis(1));
                }
                noted.lock().unwrap().note(&log::logfmt(&line.unwrap()));
            }
        });
        Self { hold, ledger, thread }
    }
}

/// Signals a worker that may be gone already.
fn hit(worker: Pid, signal: i32) {
    try_send(worker, signal);
}

/// One stroke of the storm.
fn strike(dice: &mut Dice, manager: &Manager, reader: &Reader) {
    let workers = proc::live_children(manager.pid);
    let deadly = [KILL, KILL, TERM, INT, SEGV, ABRT, QUIT, HUP, ALRM];
    let harmless = [USR1, USR2, USR2, HUP, CHLD, PIPE, ALRM, WINCH, IO, PROF, TTIN, ABRT, SEGV, 34, 64];
    match dice.roll(20) {
        0..10 if !workers.is_empty() => hit(*dice.pick(&workers), *dice.pick(&deadly)),
        10..12 if !workers.is_empty() => {
            let victim = *dice.pick(&workers);
            hit(victim, STOP);
            sleep(Duration::from_millis(dice.roll(50)));
            hit(victim, CONT);
        }
        12 => {
            send(manager.pid, STOP);
            workers.iter().filter(|_| dice.roll(2) == 0).for_each(|&pid| hit(pid, KILL));
            sleep(Duration::from_millis(dice.roll(100)));
            send(manager.pid, CONT);
        }
        13 => {
            reader.hold.store(true, Ordering::Relaxed);
            sleep(Duration::from_millis(dice.roll(200)));
            reader.hold.store(false, Ordering::Relaxed);
        }
        _ => send(manager.pid, *dice.pick(&harmless)),
    }
    sleep(Duration::from_millis(dice.roll(20)));
}

fn storm(world: World, seed: u64, time: Duration) {
    let directory = Directory::new();
    let counters = directory.path().display().to_string();
    let (read, write) = pipe().unwrap();
    let reader = Reader::of(read);
    let options = ["--subreaper", "--min-uptime=50ms", "--backoff=10ms..50ms", "--rlimit=core=0"];
    let manager = world.launch(&[&options, &["--", imp(), "count", &counters][..]].concat()).stderr(write).start();
    let program = fs::canonicalize(imp()).unwrap();
    let herd = Herd::of(&manager);
    manager.workers_running(world.workers, &program);
    let mut dice = Dice(seed);
    // Pages that a storm touches for the first time are touched before the memory is looked at.
    (0..200).for_each(|_| strike(&mut dice, &manager, &reader));
    let calm = || {
        for pid in proc::children(manager.pid) {
            hit(pid, CONT);
        }
        send(manager.pid, USR2);
        // The strays of the last worker live for half a second.
        sleep(Duration::from_secs(1));
        herd.settle(world.workers);
        Belongings::of(&manager, world.workers, &program)
    };
    let before = calm();
    let end = Instant::now() + time;
    while Instant::now() < end {
        strike(&mut dice, &manager, &reader);
    }
    // How far the log's queue was ever filled, and the rows for unfinished lines, is chance.
    before.assert_kept_by(&calm(), 64 + 16 * u64::try_from(world.workers).unwrap());
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "seed {seed}");
    assert!(ended.left.is_empty(), "seed {seed}: {:?}", ended.left);
    drop(ended);
    reader.thread.join().unwrap_or_else(|_| panic!("seed {seed}: the log is wrong, see above"));
    let ledger = Arc::into_inner(reader.ledger).expect("nobody else reads").into_inner().unwrap();
    assert!(ledger.slots.values().all(|(_, ended)| *ended), "seed {seed}: {:?}", ledger.slots);
    assert_eq!(ledger.slots.len(), world.workers, "seed {seed}");
    let lines = ledger.assert_complete(directory.path());
    figure("chaos", &format!("{world:?}, seed {seed}: starts and lines"), format!("{} {lines}", ledger.pids.len()));
}

/// A storm of everything that a pool may meet, from a seed: `CANTELLA_TEST_SEED`, else the time. A failure tells it.
#[test]
fn a_storm_leaves_everything_as_it_was() {
    let _busy = busy();
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let seed: u64 = std::env::var("CANTELLA_TEST_SEED").map_or_else(|_| now(), |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let time = Duration::from_secs(form(30, 3600));
    thread::scope(|scope| {
        for (world, seed) in [WORLDS[1], WORLDS[3]].into_iter().zip([seed, seed + 1]) {
            scope.spawn(move || storm(world, seed, time));
        }
    });
}
