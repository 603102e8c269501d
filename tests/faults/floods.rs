//! Signals by the million, and at the worst of times.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::signals::{
    ABRT, ALRM, CHLD, HUP, INT, IO, KILL, PIPE, PROF, PWR, QUIT, TERM, TTIN, TTOU, URG, USR1, USR2, VTALRM, WINCH,
    XCPU, XFSZ, try_send,
};
use crate::common::{Manager, Pid, eventually, proc, worker};
use crate::kit::{Herd, NOISE, SLEEPERS, WORLDS, World, busy, end_well, figure, form, imp, quiet};

/// T6: whatever flood of signals there is, a killed worker is replaced, and the flood leaves nothing.
#[test]
fn a_flood_of_signals_delays_nothing() {
    let _quiet = quiet();
    let everything =
        [CHLD, USR1, USR2, HUP, PIPE, ALRM, WINCH, URG, IO, PWR, VTALRM, PROF, XCPU, XFSZ, TTIN, TTOU, ABRT, USR2];
    for world in [WORLDS[1], WORLDS[3]] {
        for signals in [&[CHLD][..], &everything] {
            let manager = world.start(&SLEEPERS);
            flood(&manager, world, signals);
            let ended = end_well(manager);
            // Each is noted once, and none but those.
            assert!(ended.events("signal").len() <= signals.len(), "{}", ended.err());
        }
    }
}

fn flood(manager: &Manager, world: World, signals: &[i32]) {
    let mut herd = Herd::of(manager);
    herd.settle(world.workers);
    let seconds = form(3, 60);
    let words: Vec<String> = [manager.pid, seconds].iter().chain(signals).map(ToString::to_string).collect();
    let flooding = Command::new(imp()).arg("flood").args(&words).stdout(Stdio::piped()).spawn().expect("imp runs");
    let end = Instant::now() + Duration::from_secs(u64::try_from(seconds).unwrap() - 1);
    let mut slowest = Duration::ZERO;
    while Instant::now() < end {
        let begun = Instant::now();
        assert!(herd.hit(herd.whole()[0], KILL));
        // A flood that pauses the pool half of the time may meet it there.
        eventually("the successor", || (herd.whole().len() == world.workers).then_some(()));
        slowest = slowest.max(begun.elapsed());
        sleep(Duration::from_millis(50));
    }
    let sent = String::from_utf8(flooding.wait_with_output().expect("its end").stdout).expect("a number");
    let what = format!("{world:?}: signals sent, and the slowest restart");
    figure("T6", &what, format!("{} {slowest:?}", sent.trim()));
    assert!(slowest <= NOISE * Duration::from_millis(100), "{what}: {slowest:?}");
    manager.signal(USR2);
    herd.settle(world.workers);
}

/// What each worker is told to have done when the stop comes, and the COMMAND of which that is true.
const STATES: [(&str, &str); 2] = [("started", "sleep 1000"), ("backoff", "false")];

/// T28: in whatever state the pool is, TERM ends it, and so does a storm of it.
#[test]
fn term_ends_a_pool_in_every_state() {
    let _busy = busy();
    for world in WORLDS {
        for (state, command) in STATES {
            for times in [1, 100] {
                let manager = world.start(&["--backoff", "1h..1h", "--", "sh", "-c", command]);
                manager.count_of(state, world.workers, |record| record.tells(state));
                storm(manager, times, &format!("{world:?} {state}"));
            }
        }
        let manager = world.start(&SLEEPERS);
        manager.workers(world.workers);
        manager.signal(USR1).record("the pause", |record| record.tells("paused"));
        storm(manager, 1, &format!("{world:?} paused"));
    }
}

/// Sends TERM so many times and waits for an end in which everybody ended.
#[track_caller]
fn storm(manager: Manager, times: usize, what: &str) {
    for _ in 0..times {
        try_send(manager.pid, TERM);
    }
    let ended = manager.end();
    // A second TERM kills; who dies of the first is quicker now and then.
    assert!(ended.code() == 0 || (times > 1 && ended.code() == 124), "{what}: {}\n{}", ended.code(), ended.err());
    assert!(ended.took < Duration::from_secs(5), "{what}: {:?}", ended.took);
    assert_eq!(ended.events("started").len(), ended.events("exited").len(), "{what}: {}", ended.err());
    assert!(ended.left.is_empty(), "{what}: {:?}", ended.left);
}

/// T28: at any moment of the start, by each of the three, once or twice.
#[test]
fn a_stop_at_any_moment_of_the_start_ends_everything() {
    let _busy = busy();
    let signals = [&[TERM][..], &[INT], &[QUIT], &[TERM, TERM], &[INT, QUIT]];
    for round in 0..form(100_u32, 1000) {
        let world = WORLDS[usize::try_from(round % 2).unwrap()];
        let manager = world.start(&SLEEPERS);
        // Before its first instruction a signal still ends it, as any program.
        eventually("blocked signals", || handles(manager.pid, TERM).then_some(()));
        sleep(Duration::from_micros(u64::from(round % 50) * 100));
        for &signal in signals[usize::try_from(round).unwrap() % signals.len()] {
            try_send(manager.pid, signal);
        }
        let ended = manager.end();
        assert!([0, 124].contains(&ended.code()), "round {round}: {} {}", ended.code(), ended.err());
        assert_eq!(ended.events("started").len(), ended.events("exited").len(), "round {round}: {}", ended.err());
        assert!(ended.left.is_empty(), "round {round}: {:?}", ended.left);
    }
}

/// Whether a signal would not end the process by itself.
fn handles(pid: Pid, signal: i32) -> bool {
    ["SigCgt", "SigBlk"].iter().any(|set| proc::has(proc::signal_set(pid, set), signal))
}

/// T28: during a stop that hangs, everything that is not a stop changes nothing, and a second stop ends it.
#[test]
fn a_stop_that_hangs_is_ended_by_a_second_one_whatever_comes_in_between() {
    let _busy = busy();
    for world in WORLDS {
        let manager = world.start(&["--stop-timeout", "none", "--", worker(), "ignore", "15", "2", "1", "3"]);
        manager.count_of("ready", world.workers, |record| record.text("msg") == "ready");
        manager.signal(TERM).record("the stop", |record| record.tells("draining"));
        for signal in [USR1, USR2, HUP, CHLD, WINCH, USR2, USR1] {
            manager.signal(signal);
        }
        sleep(Duration::from_millis(100));
        assert_eq!(proc::live_children(manager.pid).len(), world.workers, "{}", manager.log());
        let ended = manager.end_by(TERM);
        assert_eq!(ended.code(), 124, "{}", ended.err());
        assert!(ended.took < NOISE * Duration::from_millis(100), "{world:?}: {:?}", ended.took);
        assert_eq!(ended.events("started").len(), world.workers);
        assert!(ended.left.is_empty(), "{:?}", ended.left);
    }
}
