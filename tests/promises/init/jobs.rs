//! Job control without a terminal: the init stops with its child, so that whoever waits for it sees it.

use std::time::Duration;

use super::{child, init, script};
use crate::common::signals::{CONT, STOP, TERM, TSTP, TTIN, TTOU, send};
use crate::common::{Manager, Pid, eventually, holds_for, proc, worker};

fn state(pid: Pid) -> char {
    proc::stat(pid).map_or('-', |stat| stat.state)
}

#[track_caller]
fn is_stopped(manager: &Manager) {
    eventually("a stopped init", || (state(manager.pid) == 'T').then_some(()));
}

#[test]
fn the_init_stops_with_its_child_and_both_go_on_together() {
    for signal in ["TSTP", "TTIN", "TTOU"] {
        let manager = script(&[], &format!("kill -{signal} $$; echo back; exit 3")).start();
        is_stopped(&manager);
        assert_eq!((state(child(&manager)), manager.out().as_str()), ('T', ""), "{signal}");
        let ended = manager.end_by(CONT);
        assert_eq!((ended.code(), ended.out.as_str()), (3, "back\n"), "{signal}");
    }
}

#[test]
fn a_stop_that_was_sent_to_the_init_stops_both() {
    for signal in [TSTP, TTIN, TTOU] {
        let manager = script(&[], "echo up; while :; do sleep 0.02; done").start();
        manager.says("up");
        let child = child(&manager);
        manager.signal(signal);
        is_stopped(&manager);
        assert_eq!(state(child), 'T', "{signal}");
        manager.signal(CONT);
        eventually("a child that goes on", || (state(child) != 'T').then_some(()));
        assert_eq!(manager.end_by(TERM).code(), 143, "{signal}");
    }
}

#[test]
fn a_child_that_catches_the_stop_does_not_stop_the_init() {
    let manager = init(&["--", worker(), "catch", "18", "20", "21", "22", "15"]).start();
    manager.says("ready");
    for (signal, line) in [(TSTP, "got 20"), (TTIN, "got 21"), (TTOU, "got 22"), (CONT, "got 18")] {
        manager.signal(signal).says(line);
    }
    holds_for(Duration::from_millis(300), "an init that goes on", || state(manager.pid) != 'T');
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// STOP is how others hold a process, a debugger for instance; without a terminal no shell waits for it.
#[test]
fn a_child_that_is_held_does_not_stop_the_init() {
    let manager = script(&[], "echo up; while :; do sleep 0.02; done").start();
    manager.says("up");
    let child = child(&manager);
    send(child, STOP);
    eventually("a stopped child", || (state(child) == 'T').then_some(()));
    holds_for(Duration::from_millis(300), "an init that goes on", || state(manager.pid) != 'T');
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 143, "a held child is ended all the same");
}

/// Nobody would ever continue it.
#[test]
fn in_an_orphaned_group_a_child_that_stops_itself_is_continued_at_once() {
    let ended = script(&[], "kill -TSTP $$; echo back; exit 3").below(&["setsid", "--wait"]).run();
    assert_eq!((ended.code(), ended.out.as_str()), (3, "back\n"));
}

/// An init that is told to end while it is stopped does so as soon as it is continued.
#[test]
fn a_term_to_a_stopped_job_ends_it_when_it_is_continued() {
    let manager = script(&[], "kill -TSTP $$; sleep 1000").start();
    is_stopped(&manager);
    manager.signal(TERM);
    assert_eq!(manager.end_by(CONT).code(), 143);
}
