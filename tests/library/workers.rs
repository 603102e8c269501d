//! Workers that are Rust values.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use cantella::manager::Manager;
use cantella::observe::{Event, Level};
use cantella::options::Options;
use cantella::pool::{Exit, Outcome, Policy, Restart, Signal};
use cantella::sys::signal;
use cantella::table::Storage;
use cantella::worker::{Context, Role, Spawn, Worker};

use crate::kit::{
    self, Program, count, is_alive, kill, lines_of, millis, number_after, printer, quick, say, stamp, until,
    without_death_signal,
};

pub(crate) const PROMISES: &[kit::Promise] = &[
    ("a_closure_runs_in_a_child_and_its_value_is_the_exit_code", codes, codes_test),
    ("f1_a_signal_right_after_the_fork_kills_nobody", early_signals, kit::ends_well),
    ("f3_a_worker_holds_only_what_is_handed_over", descriptors, kit::ends_well),
    ("f3_kept_descriptors_do_not_hide_the_end_of_the_manager", keeping, orphans_test),
    ("f4_an_orphan_that_cannot_log_stops_first", loud_orphans, orphans_test),
    ("f5_a_worker_that_ends_itself_exits_0_and_is_replaced", quitters, quitters_test),
    ("f6_stopping_is_final", stubborn, stubborn_test),
    ("f7_at_most_the_job_in_hand_is_finished", busy, busy_test),
    ("f12_a_worker_without_output_is_not_taken_for_dead", silent, silent_test),
    ("a_panic_ends_the_worker_and_never_reaches_the_host", panicking, panicking_test),
    ("a_worker_starts_with_an_empty_mask_and_pipe_ignored", signals_at_start, kit::ends_well),
    ("manager_and_workers_are_named", named, kit::ends_well),
];

/// Runs a pool to its end and gives its outcome.
fn run_pool<P: cantella::program::Program>(options: &Options<'_>, program: P) -> Outcome {
    let mut storage = Storage::<4>::new();
    let mut manager = Manager::new(options, storage.lend(), program, printer()).expect("a manager");
    manager.run()
}

const ONCE: Policy = Policy { restart: Restart::Never, ..kit::QUICK.policy };

fn codes() {
    let options = Options { policy: Policy { workers: 2, ..ONCE }, ..kit::QUICK };
    let outcome = run_pool(
        &options,
        Spawn::new(|context: &mut Context| {
            say(&format!("slot {} generation {}", context.slot(), context.generation()));
            if context.slot() == 1 { 7 } else { 0 }
        }),
    );
    assert_eq!(outcome, Outcome::Completed { exit: Exit::Code(7) });
}

fn codes_test(name: &str) {
    let lines = lines_of(name);
    for text in ["out: slot 0 generation 1", "out: slot 1 generation 1", "generation 1, code 0", "generation 1, code 7"]
    {
        assert_eq!(count(&lines, text), 1, "{text}");
    }
}

/// An observer that signals each worker as soon as it is forked, and remembers the first exit that was not 0.
fn early_signals() {
    let options =
        Options { policy: Policy { workers: 4, backoff_min: Duration::ZERO, ..kit::QUICK.policy }, ..kit::QUICK };
    let mut storage = Storage::<4>::new();
    let mut ends = 0;
    let observer = |_: Level, event: &Event<'_>| {
        if let Event::Started { worker } = *event {
            for early in [Signal::USR1, Signal::USR2, Signal::USR1, Signal::TERM] {
                signal::send(worker.pid, early).unwrap();
            }
        }
        if let Event::Exited { exit, .. } = *event {
            assert_eq!(exit, Exit::Code(0));
            ends += 1;
            if ends == 300 {
                signal::raise(Signal::TERM);
            }
        }
    };
    let work = |context: &mut Context| {
        while !context.stopping() {
            context.wait_for_orders();
        }
        0
    };
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(work), observer).unwrap();
    assert_eq!(manager.run(), Outcome::Drained);
    drop(manager);
    assert!(ends >= 300);
}

fn descriptors() {
    let mut host = File::open("/proc/self/exe").unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let handed = [writer.as_raw_fd()];
    let options = Options { policy: ONCE, ..kit::QUICK };
    let outcome = run_pool(
        &options,
        Spawn::new(|_: &mut Context| {
            let names = std::fs::read_dir("/proc/self/fd").unwrap();
            // Standard input, output, error, two of the self-pipe, the one that was handed over, and the directory.
            let open = names.count();
            let host_is_closed = host.read(&mut [0; 1]).is_err();
            let mut writer = &writer;
            writer.write_all(format!("{open} {host_is_closed}").as_bytes()).unwrap();
            0
        })
        .handing_over(&handed),
    );
    assert_eq!(outcome, Outcome::Completed { exit: Exit::Code(0) });
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "7 true");
}

fn wait_to_be_orphaned(context: &mut Context) {
    say(&format!("worker pid {}", std::process::id()));
    while !context.stopping() {
        context.wait_for_orders();
    }
    assert!(context.orphaned());
}

fn keeping() {
    let mut options = without_death_signal(3);
    options.setup.close_fds = false;
    run_pool(
        &options,
        Spawn::new(|context: &mut Context| {
            wait_to_be_orphaned(context);
            0
        }),
    );
}

fn loud_orphans() {
    run_pool(
        &without_death_signal(3),
        Spawn::new(|context: &mut Context| {
            wait_to_be_orphaned(context);
            // The pipe behind it has no reader any more.
            assert!(std::io::stderr().write_all(b"orphaned\n").is_err());
            0
        }),
    );
}

fn orphans_test(name: &str) {
    let mut program = Program::start(name);
    let pids: Vec<i32> = (0..3).map(|_| number_after(&program.wait_for("worker pid"), "worker pid ")).collect();
    program.signal(Signal::KILL);
    for pid in pids {
        until("orphans end", || !is_alive(pid));
    }
    program.finish();
}

/// Works three jobs, then ends itself.
struct Quitter {
    jobs: u32,
}

impl Worker for Quitter {
    type Job = u32;

    fn get_work(&mut self, _context: &mut Context) -> Option<u32> {
        self.jobs += 1;
        Some(self.jobs)
    }

    fn work(&mut self, job: u32, context: &mut Context) {
        say(&format!("job {job} of generation {}", context.generation()));
        if job == 3 {
            context.stop();
        }
        if context.generation() == 3 {
            kill(context.manager().get(), Signal::TERM);
            context.sleep(Duration::from_secs(5));
        }
    }
}

fn quitters() {
    run_pool(&quick(1), Role::new(|_: &mut Context| Quitter { jobs: 0 }));
}

fn quitters_test(name: &str) {
    let lines = lines_of(name);
    assert_eq!(count(&lines, "job"), 7, "three of each of the first two, one of the last");
    assert_eq!(count(&lines, "code 0"), 3);
}

/// Fetches a job each 20 ms and says what it hears.
struct Talker {
    jobs: u32,
}

impl Worker for Talker {
    type Job = u32;

    fn get_work(&mut self, _context: &mut Context) -> Option<u32> {
        self.jobs += 1;
        (self.jobs % 2 == 1).then_some(self.jobs.div_ceil(2))
    }

    fn work(&mut self, job: u32, _context: &mut Context) {
        say(&format!("job {job}"));
    }

    fn interval(&self) -> Duration {
        millis(20)
    }

    fn pause(&mut self) {
        say("pauses");
    }

    fn resume(&mut self) {
        say("resumes");
    }

    fn shutdown(&mut self) {
        // While this takes its time, more signals come.
        say(&format!("stops {}", std::process::id()));
        std::thread::sleep(millis(200));
    }
}

fn stubborn() {
    run_pool(&quick(1), Role::new(|_: &mut Context| Talker { jobs: 0 }));
}

fn stubborn_test(name: &str) {
    let mut program = Program::start(name);
    program.wait_for("job 2");
    program.signal(Signal::TERM);
    let pid = number_after(&program.wait_for("stops"), "stops ");
    for late in [Signal::USR1, Signal::USR2, Signal::USR1] {
        kill(pid, late);
        program.signal(late);
        std::thread::sleep(millis(10));
    }
    let (lines, status) = program.finish();
    assert!(status.success() && count(&lines, "code 0") == 1, "{status}");
    assert_eq!(count(&lines, "pause") + count(&lines, "resume") + count(&lines, "job"), 0);
}

/// Has work without end; each job takes 100 ms.
struct Busy {
    jobs: u32,
}

impl Worker for Busy {
    type Job = u32;

    fn get_work(&mut self, _context: &mut Context) -> Option<u32> {
        self.jobs += 1;
        Some(self.jobs)
    }

    fn work(&mut self, job: u32, _context: &mut Context) {
        say(&format!("begin {job}"));
        std::thread::sleep(millis(100));
        say(&format!("end {job}"));
    }
}

fn busy() {
    run_pool(&quick(2), Role::new(|_: &mut Context| Busy { jobs: 0 }));
}

fn busy_test(name: &str) {
    let mut program = Program::start(name);
    program.wait_for("begin 2");
    for _ in 0..3 {
        program.signal(Signal::USR2);
        std::thread::sleep(millis(5));
    }
    program.signal(Signal::TERM);
    let (lines, status) = program.finish();
    assert!(status.success());
    let draining = lines.iter().position(|line| line.contains("draining")).unwrap();
    // What was written before the signal may be read after it: one line of each worker.
    assert!(count(&lines[draining..], "begin") <= 2, "a job that was not in hand was begun");
    assert_eq!(count(&lines[draining..], "end"), 2, "the job in hand was not finished");
}

fn silent() {
    run_pool(
        &quick(1),
        Spawn::new(|context: &mut Context| {
            // What the library puts in the place of a standard descriptor is put there again.
            let null = cantella::sys::fd::open_read(c"/dev/null").unwrap();
            for number in 1..=2 {
                cantella::sys::fd::replace_standard(cantella::sys::fd::AsFd::as_fd(&null), number).unwrap();
            }
            context.sleep(millis(700));
            0
        }),
    );
}

fn silent_test(name: &str) {
    let mut program = Program::start(name);
    let first = stamp(&program.wait_for("started"));
    let second = stamp(&program.wait_for("started"));
    // The first may have been told of late, on a busy machine.
    assert!(second - first >= 400, "replaced after {} ms", second - first);
    program.signal(Signal::TERM);
    let (_, status) = program.finish();
    assert!(status.success());
}

/// Says when it is dropped: once, in the host.
struct Bell;

impl Drop for Bell {
    fn drop(&mut self) {
        say(&format!("dropped in {}", std::process::id()));
    }
}

fn panicking() {
    let _bell = Bell;
    let options = Options { policy: Policy { workers: 1, ..ONCE }, ..kit::QUICK };
    let outcome = run_pool(&options, Spawn::new(|_: &mut Context| panic!("on purpose")));
    assert_eq!(outcome, Outcome::Completed { exit: Exit::Code(101) });
    say(&format!("host {}", std::process::id()));
}

fn panicking_test(name: &str) {
    let lines = lines_of(name);
    assert_eq!(count(&lines, "dropped in"), 1);
    assert!(count(&lines, "on purpose") == 1 && count(&lines, "code 101") == 1);
}

fn signals_at_start() {
    let options = Options { policy: ONCE, ..kit::QUICK };
    let outcome = run_pool(
        &options,
        Spawn::new(|_: &mut Context| {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let bits = |key: &str| {
                let line = status.lines().find(|line| line.starts_with(key)).unwrap();
                // The C library keeps 32 and 33 for its threads.
                u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap() & !(3 << 31)
            };
            let bit = |signal: Signal| 1 << (signal.get() - 1);
            assert_eq!(bits("SigBlk:"), 0, "mask");
            assert_eq!(bits("SigIgn:"), bit(Signal::PIPE), "ignored");
            let own = [Signal::TERM, Signal::INT, Signal::USR1, Signal::USR2];
            let own = own.into_iter().fold(0, |own, signal| own | bit(signal));
            assert_eq!(bits("SigCgt:"), own, "caught");
            0
        }),
    );
    assert_eq!(outcome, Outcome::Completed { exit: Exit::Code(0) });
}

fn named() {
    let title = || {
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
        let arguments = std::fs::read("/proc/self/cmdline").unwrap();
        let arguments = String::from_utf8(arguments).unwrap();
        format!("{} {}", comm.trim_end(), arguments.trim_end_matches('\0'))
    };
    let options = Options { policy: ONCE, name: Some("a-rather-long-name"), ..kit::QUICK };
    let outcome = run_pool(
        &options,
        Spawn::new(|_: &mut Context| {
            assert_eq!(title(), "a-rather-long-n a-rather-long-name");
            0
        }),
    );
    assert_eq!(title(), "a-rather-lon-pm a-rather-long-name-pm");
    assert_eq!(outcome, Outcome::Completed { exit: Exit::Code(0) });
}
