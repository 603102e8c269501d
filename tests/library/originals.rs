//! The original's own test scenarios, with its timings.

use std::time::Duration;

use cantella::manager::Manager;
use cantella::options::Options;
use cantella::pool::{Exit, Outcome, Policy, Restart, Signal};
use cantella::table::Storage;
use cantella::worker::{Context, Role, Worker};

use crate::kit::{Program, Promise, count, lines_of, millis, printer, say, stamp};

pub(crate) const PROMISES: &[Promise] = &[
    ("manager_prefork_t_exactly_the_first_three_retire", ages, ages_test),
    ("manager_prefork_t_a_pause_is_heard_once_and_jobs_1_2_3_are_worked", pauses, pauses_test),
    ("role_worker_t_a_worker_alone_pauses_and_ends_itself", alone, alone_test),
];

/// Has one job at each poll, and counts them.
struct Counter {
    interval: Duration,
    jobs: u32,
    polled: bool,
}

impl Counter {
    const fn each(interval: Duration) -> Self {
        Self { interval, jobs: 0, polled: false }
    }
}

impl Worker for Counter {
    type Job = u32;

    fn get_work(&mut self, _context: &mut Context) -> Option<u32> {
        self.polled = !self.polled;
        self.jobs += u32::from(self.polled);
        self.polled.then_some(self.jobs)
    }

    fn work(&mut self, job: u32, _context: &mut Context) {
        say(&format!("works {job}"));
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn pause(&mut self) {
        say("pauses");
    }

    fn resume(&mut self) {
        say("resumes");
    }

    fn shutdown(&mut self) {
        say("stops");
    }
}

fn pool(options: &Options<'_>, interval: Duration) {
    let mut storage = Storage::<4>::new();
    let program = Role::new(|_: &mut Context| Counter::each(interval));
    let mut manager = Manager::new(options, storage.lend(), program, printer()).unwrap();
    assert_eq!(manager.run(), Outcome::Drained);
}

const THREE: Policy = Policy { workers: 3, max_age_jitter: 0, ..Policy::DEFAULT };

fn ages() {
    let policy = Policy { max_age: Some(Duration::from_secs(3)), ..THREE };
    pool(&Options { policy, ..Options::DEFAULT }, Duration::from_secs(1));
}

fn ages_test(name: &str) {
    let program = Program::start(name);
    std::thread::sleep(millis(5_500));
    program.signal(Signal::TERM);
    let (lines, status) = program.finish();
    assert!(status.success(), "{status}");
    for slot in 0..3 {
        assert_eq!(count(&lines, &format!("worker {slot} retiring")), 1);
        for generation in 1..=2 {
            let exits = lines.iter().filter(|line| line.contains(&format!("worker {slot} exited")));
            let exits = exits.filter(|line| line.ends_with(&format!("generation {generation}, code 0")));
            assert_eq!(exits.count(), 1, "worker {slot}, generation {generation}");
        }
    }
    assert_eq!((count(&lines, "retiring"), count(&lines, "started"), count(&lines, "exited")), (3, 6, 6));
    let retired = lines.iter().filter(|line| line.contains("retiring")).map(|line| stamp(line));
    assert!(retired.clone().all(|at| (2_990..4_000).contains(&at)), "{:?}", retired.collect::<Vec<_>>());
    assert_quiet(&lines);
}

fn pauses() {
    pool(&Options { policy: THREE, ..Options::DEFAULT }, millis(1_500));
}

fn pauses_test(name: &str) {
    let program = Program::start(name);
    for (at, signal) in [(1_000, Signal::USR1), (3_000, Signal::USR2), (2_000, Signal::TERM)] {
        std::thread::sleep(millis(at));
        program.signal(signal);
    }
    let (lines, status) = program.finish();
    assert!(status.success(), "{status}");
    assert_eq!((count(&lines, "started"), count(&lines, "retiring")), (3, 0));
    for slot in 0..3 {
        let said = lines.iter().filter(|line| line.contains(&format!("worker {slot}[")));
        let said: Vec<&str> = said.filter_map(|line| line.split("out: ").nth(1)).collect();
        assert_eq!(said, ["works 1", "pauses", "resumes", "works 2", "works 3", "stops"], "worker {slot}");
    }
    assert_quiet(&lines);
}

/// Nothing is logged at warning or above.
fn assert_quiet(lines: &[String]) {
    let loud = |line: &&String| matches!(line.split(' ').nth(1), Some("debug" | "info" | "notice") | None);
    let loud: Vec<&String> = lines.iter().filter(|line| !loud(line)).collect();
    assert!(loud.is_empty(), "{loud:?}");
}

/// Pauses itself at its first poll; the pause ends by itself after a while, and so does the worker.
struct Loner {
    polls: u32,
}

impl Worker for Loner {
    type Job = ();

    fn get_work(&mut self, context: &mut Context) -> Option<()> {
        self.polls += 1;
        say(&format!("polls {}", self.polls));
        if self.polls == 2 {
            context.pause();
        }
        None
    }

    fn work(&mut self, (): (), _context: &mut Context) {
        say("works");
    }

    fn interval(&self) -> Duration {
        millis(200)
    }

    fn pause(&mut self) {
        say("pauses");
    }

    fn shutdown(&mut self) {
        say("stops");
    }
}

fn alone() {
    let policy = Policy { workers: 1, restart: Restart::Never, ..Policy::DEFAULT };
    let options = Options { policy, ..Options::DEFAULT };
    let mut storage = Storage::<1>::new();
    let program = Role::new(|_: &mut Context| Loner { polls: 0 });
    let mut manager = Manager::new(&options, storage.lend(), program, printer()).unwrap();
    let start = std::time::Instant::now();
    let outcome = loop {
        if let Some(outcome) = manager.turn(Some(millis(100))) {
            break outcome;
        }
        if start.elapsed() >= millis(1_500) {
            manager.signal_workers(Signal::TERM);
        }
    };
    assert_eq!(outcome, Outcome::Completed { exit: Exit::Code(0) });
}

fn alone_test(name: &str) {
    let lines = lines_of(name);
    let said: Vec<&str> = lines.iter().filter_map(|line| line.split("out: ").nth(1)).collect();
    assert_eq!(said, ["polls 1", "polls 2", "pauses", "stops"]);
}
