//! A manager as the guest of a program that has a life of its own.
#![expect(unsafe_code, reason = "a host's own signal handler is installed as hosts do it")]

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cantella::error::Error;
use cantella::manager::Manager;
use cantella::options::Options;
use cantella::pool::{Exit, Outcome, Policy, PolicyError, Restart, Signal};
use cantella::sys::process;
use cantella::table::Storage;
use cantella::worker::{Context, Spawn};

use crate::kit::{self, Program, is_alive, kill, millis, printer, quick, say, until};

pub(crate) const PROMISES: &[kit::Promise] = &[
    ("a_process_with_more_than_one_thread_gets_no_manager", threads, kit::ends_well),
    ("there_is_one_manager_at_a_time", two, kit::ends_well),
    ("a_refused_manager_leaves_the_process_as_it_was", refused, kit::ends_well),
    ("the_hosts_handlers_come_back", handlers, kit::ends_well),
    ("the_hosts_chld_handler_is_called_too", chained, kit::ends_well),
    ("f16_the_hosts_children_are_left_to_it", children, kit::ends_well),
    ("a_host_that_reaps_everything_loses_no_worker", thief, thief_test),
    ("a_dropped_manager_takes_its_workers_along", dropped, kit::ends_well),
    ("turn_takes_over_no_signal_that_was_not_asked_for", embedded, embedded_test),
    ("a_host_polls_for_the_manager", polled, kit::ends_well),
];

fn idle(context: &mut Context) -> u8 {
    while !context.stopping() {
        context.wait_for_orders();
    }
    0
}

const fn once() -> Options<'static> {
    Options { policy: Policy { restart: Restart::Never, ..kit::QUICK.policy }, ..kit::QUICK }
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What the kernel does with a signal of this process, from /proc.
fn is_caught(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("SigCgt:")).unwrap();
    let caught = u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
    caught >> (signal.get() - 1) & 1 == 1
}

fn threads() {
    let options = once();
    let mut storage = Storage::<4>::new();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || stopped.recv().is_err());
    let error = Manager::new(&options, storage.lend(), Spawn::new(idle), ()).err().expect("no manager beside a thread");
    assert_eq!(error, Error::Threads);
    assert!(error.to_string().contains("thread"), "{error}");
    drop(stop);
    assert!(other.join().unwrap());
    // The kernel is done with a thread a moment after it was joined.
    until("one thread is enough", || Manager::new(&options, storage.lend(), Spawn::new(idle), ()).is_ok());
}

fn two() {
    let options = once();
    let (mut storage, mut other) = (Storage::<4>::new(), Storage::<4>::new());
    let first = Manager::new(&options, storage.lend(), Spawn::new(idle), ()).unwrap();
    let second = Manager::new(&options, other.lend(), Spawn::new(idle), ());
    assert_eq!(second.err(), Some(Error::Occupied));
    drop(first);
    assert!(Manager::new(&options, other.lend(), Spawn::new(idle), ()).is_ok());
}

fn refused() {
    let open = open_descriptors();
    let mut options = once();
    let mut storage = Storage::<4>::new();
    options.policy.workers = 5;
    let refused = Manager::new(&options, storage.lend(), Spawn::new(idle), ());
    assert_eq!(refused.err(), Some(Error::Policy(PolicyError::Workers)));
    let directory = c"/nowhere";
    let mut options = once();
    options.setup.directory = Some(directory);
    let refused = Manager::new(&options, storage.lend(), Spawn::new(idle), ());
    assert!(matches!(refused, Err(Error::Setup(_))));
    drop(refused);
    assert_eq!(open_descriptors(), open);
    assert!(!is_caught(Signal::CHLD));
    assert!(Manager::new(&once(), storage.lend(), Spawn::new(idle), ()).is_ok());
}

fn handlers() {
    let handler: extern "C" fn(i32) = hear;
    // SAFETY: the handler touches only an atomic.
    unsafe { libc::signal(libc::SIGTERM, handler as libc::sighandler_t) };
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    let mut options = quick(2);
    options.handled = Options::ANSWERED;
    let mut storage = Storage::<4>::new();
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(idle), ()).unwrap();
    manager.turn(Some(Duration::ZERO));
    assert!([Signal::TERM, Signal::HUP, Signal::INT, Signal::CHLD].into_iter().all(is_caught));
    manager.shutdown();
    assert_eq!(manager.run(), Outcome::Drained);
    drop(manager);
    // SAFETY: signal only sets a handler, and gives the one before it.
    let term = unsafe { libc::signal(libc::SIGTERM, libc::SIG_DFL) };
    // SAFETY: as above.
    let hangup = unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
    assert_eq!((term, hangup), (handler as libc::sighandler_t, libc::SIG_IGN));
    assert!(!is_caught(Signal::INT) && !is_caught(Signal::CHLD));
}

/// How often the host heard of a child.
static HEARD: AtomicU32 = AtomicU32::new(0);

extern "C" fn hear(_: i32) {
    HEARD.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn hear_with_info(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO a valid siginfo, and the library passes it on.
    let info = unsafe { &*info };
    // SAFETY: SIGCHLD comes with the pid of a child.
    let child = unsafe { info.si_pid() };
    HEARD.fetch_add(u32::from(child > 0), Ordering::SeqCst);
}

fn chained() {
    let options = once();
    let mut storage = Storage::<4>::new();
    let simple: extern "C" fn(i32) = hear;
    let full: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = hear_with_info;
    for (address, flags) in [(simple as libc::sighandler_t, 0), (full as libc::sighandler_t, libc::SA_SIGINFO)] {
        HEARD.store(0, Ordering::SeqCst);
        // SAFETY: an all-zero sigaction is a valid one.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = address;
        action.sa_flags = flags;
        // SAFETY: the handler touches only an atomic.
        unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()) };
        let mut manager = Manager::new(&options, storage.lend(), Spawn::new(|_: &mut Context| 0), ()).unwrap();
        assert_eq!(manager.run(), Outcome::Completed { exit: Exit::Code(0) });
        assert!(HEARD.load(Ordering::SeqCst) >= 1, "flags {flags}");
    }
}

fn children() {
    let mut short = Command::new("sh").args(["-c", "exit 42"]).spawn().unwrap();
    let mut long = Command::new("sleep").arg("60").spawn().unwrap();
    std::thread::sleep(millis(50));
    let options = quick(3);
    let mut storage = Storage::<4>::new();
    let mut ends = 0;
    let work = |context: &mut Context| {
        context.sleep(millis(20));
        0
    };
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(work), ()).unwrap();
    while ends < 200 {
        assert_eq!(manager.turn(None), None);
        ends += 1;
    }
    assert!(manager.workers().any(|live| live.worker.slot.generation > 3), "the host's zombie stands in the way");
    manager.shutdown();
    assert_eq!(manager.run(), Outcome::Drained);
    drop(manager);
    assert_eq!(short.wait().unwrap().code(), Some(42));
    assert_eq!(long.try_wait().unwrap(), None);
    long.kill().unwrap();
    long.wait().unwrap();
}

extern "C" fn reap_everything(_: i32) {
    // SAFETY: waitpid may be called in a handler; it is told to write nothing.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

fn thief() {
    let handler: extern "C" fn(i32) = reap_everything;
    // SAFETY: the handler makes a system call that handlers may make.
    unsafe { libc::signal(libc::SIGCHLD, handler as libc::sighandler_t) };
    let options = quick(2);
    let mut storage = Storage::<4>::new();
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(idle), printer()).unwrap();
    assert_eq!(manager.run(), Outcome::Drained);
}

fn thief_test(name: &str) {
    let mut program = Program::start(name);
    let pid = kit::number_after(&program.wait_for("worker 1 started"), "pid ");
    kill(pid, Signal::KILL);
    program.wait_for("cannot wait for a worker");
    program.wait_for("worker 1 started");
    program.signal(Signal::TERM);
    let (_, status) = program.finish();
    assert!(status.success());
}

fn dropped() {
    let open = open_descriptors();
    let options = quick(3);
    let mut storage = Storage::<4>::new();
    let deaf = |_: &mut Context| loop {
        std::thread::sleep(millis(1000));
    };
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(deaf), ()).unwrap();
    manager.turn(Some(Duration::ZERO));
    let pids: Vec<i32> = manager.workers().map(|live| live.worker.pid.get()).collect();
    assert_eq!(pids.len(), 3);
    drop(manager);
    assert!(pids.into_iter().all(|pid| !is_alive(pid)));
    assert!(process::look(false).is_err(), "a zombie is left");
    assert_eq!(open_descriptors(), open);
}

fn embedded() {
    let options = quick(1);
    let mut storage = Storage::<4>::new();
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(idle), printer()).unwrap();
    assert!(![Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT].into_iter().any(is_caught));
    loop {
        manager.turn(None);
        say("turned");
    }
}

fn embedded_test(name: &str) {
    let mut program = Program::start(name);
    let worker = kit::number_after(&program.wait_for("started"), "pid ");
    program.wait_for("turned");
    program.signal(Signal::TERM);
    let (_, status) = program.finish();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    until("the worker is told by the kernel", || !is_alive(worker));
}

/// A host with a poll(2) of its own, in which the manager is one among others.
fn polled() {
    let options = quick(2);
    let mut storage = Storage::<4>::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(idle), ()).unwrap();
    let mut turns = 0;
    loop {
        let (rows, time) = manager.expect();
        let own = cantella::sys::fd::readable(std::os::fd::AsRawFd::as_raw_fd(&reader));
        let mut rows: Vec<_> = rows.iter().copied().chain([own]).collect();
        cantella::sys::fd::poll(&mut rows, time).unwrap();
        if rows.last().unwrap().revents != 0 {
            let mut word = [0; 4];
            std::io::Read::read_exact(&mut &reader, &mut word).unwrap();
            manager.shutdown();
        }
        turns += 1;
        if let Some(outcome) = manager.turn(Some(Duration::ZERO)) {
            assert_eq!(outcome, Outcome::Drained);
            break;
        }
        if turns == 1 {
            assert_eq!(manager.current_worker_count(), 2);
            std::io::Write::write_all(&mut &writer, b"stop").unwrap();
        }
    }
    assert!(turns < 10, "{turns} turns");
}
