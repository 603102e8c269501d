//! An init that also restarts.

use std::time::Duration;

use super::{child, init, script};
use crate::common::signals::{INT, KILL, TERM, USR1, USR2, send};
use crate::common::{Manager, eventually, holds_for, proc, worker};

const AGAIN: [&str; 3] = ["--restart=always", "--min-uptime=0", "--backoff=0..0"];

fn next_child(manager: &Manager, last: i32) -> i32 {
    eventually("a successor", || proc::live_children(manager.pid).into_iter().find(|&pid| pid != last))
}

#[test]
fn a_child_that_ends_is_replaced() {
    let manager = init(&[&AGAIN[..], &["--", "sleep", "1000"]].concat()).start();
    let mut last = child(&manager);
    for _ in 0..5 {
        eventually("sleep", || (proc::name(last) == "sleep").then_some(()));
        send(last, KILL);
        last = next_child(&manager, last);
    }
}

#[test]
fn term_and_int_are_forwarded_and_start_the_drain() {
    for (signal, code) in [(TERM, 4), (INT, 5)] {
        let traps = "trap 'echo got; exit 4' TERM; trap 'echo got; exit 5' INT; echo up; while :; do sleep 0.02; done";
        let manager = script(&AGAIN, traps).start();
        manager.says("up");
        let ended = manager.end_by(signal);
        assert_eq!((ended.code(), ended.out.as_str()), (code, "up\ngot\n"));
        assert!(ended.left.is_empty(), "{:?}", ended.left);
    }
}

#[test]
fn usr1_and_usr2_are_forwarded_and_nothing_pauses() {
    let manager = init(&[&AGAIN[..], &["--", worker(), "catch", "10", "12", "15"]].concat()).start();
    manager.says("ready");
    for (signal, line) in [(USR1, "got 10"), (USR2, "got 12"), (USR1, "got 10")] {
        manager.signal(signal).says(line);
    }
    manager.signal(USR1);
    let last = child(&manager);
    send(last, KILL);
    let next = next_child(&manager, last);
    eventually("a handler", || (proc::name(next) == "worker" && proc::catches(next, TERM)).then_some(()));
    assert_eq!(manager.end_by(TERM).code(), 0);
}

#[test]
fn on_failure_a_good_end_is_the_end_and_what_is_left_is_drained() {
    let manager = script(
        &["--restart=on-failure", "--min-uptime=0", "--backoff=0..0", "--drain=2s"],
        "[ $CANTELLA_WORKER_GENERATION = 3 ] || exit 9; trap 'sleep 0.2; echo done' EXIT; exit 0",
    );
    let ended = manager.run();
    assert_eq!((ended.code(), ended.out.as_str()), (0, "done\n"), "{}", ended.err());
}

/// Under an init the drain takes the place of the SIGKILL that else follows a leader's end.
#[test]
fn at_the_last_end_the_childs_group_is_drained_not_killed() {
    let member = "trap 'exit 6' TERM; sh -c \"trap 'sleep 0.2; echo done; exit' TERM; echo up; while :; do sleep 0.02; done\" & \
                  while :; do sleep 0.02; done";
    let manager = script(&AGAIN, member).start();
    manager.says("up");
    let ended = manager.end_by(TERM);
    assert_eq!((ended.code(), ended.out.as_str()), (6, "up\ndone\n"), "{}", ended.err());
    assert!(ended.left.is_empty(), "{:?}", ended.left);
}

#[test]
fn a_child_that_cannot_live_is_given_up() {
    let ended = script(&["--restart=always", "--backoff=10ms..20ms", "--give-up=3/10s"], "exit 7").run();
    assert_eq!(ended.code(), 7, "{}", ended.err());
}

#[test]
fn a_term_while_no_child_runs_ends_the_init() {
    let manager = script(&["--restart=always", "--backoff=60s..60s"], "exit 7").start();
    holds_for(Duration::from_millis(300), "a back-off", || proc::is_alive(manager.pid));
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 7, "{}", ended.err());
    assert!(ended.took < Duration::from_secs(2), "{:?}", ended.took);
}
