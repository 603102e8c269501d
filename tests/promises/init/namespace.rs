//! As PID 1, or in its place: orphans are reaped, and the container ends when it should.

use std::time::Duration;

use super::{init, rounds, script};
use crate::common::signals::{KILL, STOP, TERM, send};
use crate::common::{Launch, eventually, holds_for, proc, worker};

#[test]
fn as_pid_1_every_orphan_is_reaped() {
    let count = rounds(1_000, 10_000).to_string();
    let manager = init(&["--", worker(), "orphans", &count]).within_pid_namespace().start();
    manager.says("made");
    eventually("no zombies", || (proc::children(manager.pid).len() == 1).then_some(()));
    assert_eq!(manager.end_by(TERM).code(), 143);
}

#[test]
fn as_subreaper_every_orphan_is_reaped() {
    let manager = init(&["--", worker(), "orphans", "300"]).start();
    manager.says("made");
    eventually("no zombies", || (proc::children(manager.pid).len() == 1).then_some(()));
    assert_eq!(manager.end_by(TERM).code(), 143);
}

#[test]
fn a_pool_that_is_pid_1_reaps_every_orphan_too() {
    let manager = Launch::new(&["-w1", "--", worker(), "orphans", "300"]).within_pid_namespace().start();
    manager.record("the orphans", |record| record.text("msg") == "made");
    eventually("no zombies", || (proc::children(manager.pid).len() == 1).then_some(()));
}

#[test]
fn as_pid_1_a_stop_is_over_as_soon_as_the_container_is_empty() {
    let manager =
        script(&[], "setsid sleep 1000 & sleep 1000 & echo up; exec sleep 1000").within_pid_namespace().start();
    manager.says("up");
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 143);
    assert!(ended.took < Duration::from_millis(1500), "{:?}", ended.took);
}

/// Signals that nobody in the container asked for cannot kill PID 1, and are forwarded all the same.
#[test]
fn as_pid_1_signals_from_inside_and_outside_are_forwarded() {
    let manager = init(&["--", worker(), "catch", "1", "10", "11", "15"]).within_pid_namespace().start();
    manager.says("ready");
    for (signal, line) in [(1, "got 1"), (10, "got 10"), (11, "got 11")] {
        send(manager.pid, signal);
        manager.says(line);
    }
    let inside =
        script(&["--map=USR1=USR2"], "trap 'echo got; exit 3' USR2; kill -USR1 1; while :; do sleep 0.02; done");
    let ended = inside.within_pid_namespace().run();
    assert_eq!((ended.code(), ended.out.as_str()), (3, "got\n"));
}

/// Nobody could continue a PID 1 that stopped itself.
#[test]
fn as_pid_1_a_child_that_stops_itself_is_continued_at_once() {
    for signal in ["TSTP", "TTIN", "TTOU"] {
        let ended = script(&[], &format!("kill -{signal} $$; echo back")).within_pid_namespace().run();
        assert_eq!((ended.code(), ended.out.as_str()), (0, "back\n"), "{signal}");
    }
}

#[test]
fn an_idle_init_is_never_woken_and_is_small() {
    let manager = init(&["--", "sleep", "1000"]).start();
    let child = super::child(&manager);
    eventually("sleep", || (proc::name(child) == "sleep").then_some(()));
    eventually("rest", || (proc::stat(manager.pid)?.state == 'S').then_some(()));
    let is_static = !proc::mappings(manager.pid).iter().any(|mapping| mapping.contains("/ld-"));
    let memory = proc::private_dirty(manager.pid);
    assert!(!is_static || memory <= 48, "{memory} KiB of its own");
    let switches = proc::context_switches(manager.pid);
    holds_for(Duration::from_secs(rounds(3, 60).into()), "a child", || proc::is_alive(child));
    assert_eq!(proc::context_switches(manager.pid), switches);
    let _ = (KILL, STOP);
}
