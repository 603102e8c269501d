//! A seeded storm of a host's requests and of signals to workers. At the end everything is counted.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant, UNIX_EPOCH};

use cantella::manager::Manager;
use cantella::observe::{Event, Level};
use cantella::options::Options;
use cantella::pool::{Outcome, Phase, Policy, Signal, State};
use cantella::table::Storage;
use cantella::worker::{Context, Spawn};

use crate::dice::Dice;
use crate::kit::{self, kill, millis, quick, say};

pub(crate) const PROMISES: &[kit::Promise] =
    &[("a_storm_of_requests_ends_in_what_was_asked_for_last", storm, kit::ends_well)];

const SLOTS: u16 = 16;

/// What a storm has told of, checked as it comes.
#[derive(Default)]
struct Ledger {
    /// The last line of each worker, by slot and generation.
    lines: HashMap<(u16, u32), u64>,
    starts: u64,
    ends: u64,
}

impl Ledger {
    fn note(&mut self, event: &Event<'_>) {
        let lost = matches!(event, Event::Dropped { .. } | Event::Trouble { .. } | Event::ForkFailed { .. });
        assert!(!lost, "{event:?}");
        self.starts += u64::from(matches!(event, Event::Started { .. }));
        self.ends += u64::from(matches!(event, Event::Exited { .. }));
        if let Event::Line { bytes, worker, .. } = event {
            self.line(worker.slot.index, &String::from_utf8_lossy(bytes));
        }
    }

    /// Each line comes once and in order, from the slot that it is of.
    fn line(&mut self, slot: u16, text: &str) {
        let words: Vec<u64> = text.split(' ').map(|word| word.parse().expect("a number")).collect();
        let [writer, generation, number] = words[..] else { panic!("not whole: {text:?}") };
        assert_eq!(writer, u64::from(slot), "{text:?}");
        let last = self.lines.entry((slot, u32::try_from(generation).unwrap())).or_default();
        assert_eq!(number, *last + 1, "{text:?}");
        *last = number;
    }
}

/// Writes line after line till it is asked to stop; some do not listen.
fn chatter(context: &mut Context) -> u8 {
    let deaf = context.generation().is_multiple_of(7);
    let mut number = 0_u64;
    while deaf || !context.stopping() {
        number += 1;
        say(&format!("{} {} {number}", context.slot(), context.generation()));
        std::thread::sleep(millis(5));
    }
    0
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The children of this process, each with the letter of its state.
fn children() -> Vec<String> {
    let pid = std::process::id();
    let children = fs::read_to_string(format!("/proc/self/task/{pid}/children")).unwrap();
    let state = |child: &str| fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    children
        .split_whitespace()
        .map(|child| state(child).rsplit(") ").next().unwrap().chars().take(1).collect())
        .collect()
}

/// For half a minute, or an hour where the full form of the tests was asked for.
fn storm() {
    let seed = UNIX_EPOCH.elapsed().unwrap().as_secs();
    say(&format!("seed {seed}"));
    let mut dice = Dice(seed);
    let full = std::env::var_os("CANTELLA_TEST_FULL").is_some();
    let time = Duration::from_secs(if full { 3600 } else { 30 });

    let policy =
        Policy { backoff_min: millis(5), backoff_max: millis(20), stop_timeout: Some(millis(200)), ..quick(8).policy };
    let options = Options { policy, ..quick(8) };
    let mut storage = Storage::<{ SLOTS as usize }>::new();
    let mut ledger = Ledger::default();
    let observer = |_: Level, event: &Event<'_>| ledger.note(event);
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(chatter), observer).unwrap();
    let open = descriptors();
    let end = Instant::now() + time;
    let mut workers = 8;
    while Instant::now() < end {
        let live: Vec<i32> = manager.workers().map(|live| live.worker.pid.get()).collect();
        match dice.roll(10) {
            0 => {
                workers = u16::try_from(dice.roll(u64::from(SLOTS)) + 1).unwrap();
                manager.set_workers(workers).unwrap();
            }
            1 => manager.pause((dice.roll(2) == 0).then(|| millis(dice.roll(50)))),
            2 | 3 => manager.resume((dice.roll(2) == 0).then(|| millis(dice.roll(50)))),
            4 => manager.set_max_worker_age((dice.roll(2) == 0).then(|| millis(dice.roll(500) + 1))).unwrap(),
            5 => {
                manager.signal_workers(*dice.pick(&[Signal::USR1, Signal::USR2, Signal::HUP, Signal::TERM]));
            }
            // Whoever is stopped goes on in the next round but some.
            6 => live.iter().for_each(|&pid| kill(pid, Signal::CONT)),
            _ if live.is_empty() => {}
            _ => kill(*dice.pick(&live), *dice.pick(&[Signal::KILL, Signal::TERM, Signal::ABRT, Signal::STOP])),
        }
        for _ in 0..dice.roll(4) {
            manager.turn(Some(millis(dice.roll(10))));
        }
    }

    manager.resume(None);
    manager.set_max_worker_age(None).unwrap();
    manager.signal_workers(Signal::CONT);
    let calm = Instant::now() + Duration::from_secs(10);
    let settled = |state: State| matches!(state, State::Running { .. });
    // Who was stopped may meet its end only now that it goes on.
    let whole = |found: &[String]| found.len() == usize::from(workers) && !found.contains(&"Z".to_owned());
    while manager.current_worker_count() != usize::from(workers)
        || !manager.workers().all(|live| settled(live.state))
        || !whole(&children())
    {
        let found = (manager.workers().collect::<Vec<_>>(), children());
        assert!(Instant::now() < calm, "{workers} wanted: {found:?}");
        manager.turn(Some(millis(10)));
    }
    assert_eq!(manager.phase(), Phase::Running);
    assert_eq!(descriptors(), open);
    manager.shutdown();
    // Those that do not listen are killed in the end.
    assert!(matches!(manager.run(), Outcome::Drained | Outcome::Forced));
    drop(manager);
    assert_eq!(children(), [""; 0]);
    assert_eq!(ledger.starts, ledger.ends);
    say(&format!(
        "figure: storm: seed {seed}, starts and lines: {} {}",
        ledger.starts,
        ledger.lines.values().sum::<u64>()
    ));
}
