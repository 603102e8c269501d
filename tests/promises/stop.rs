//! Stopping: asked for once it is graceful, then it is finite, and nothing is left behind.

use std::time::{Duration, Instant};

use crate::common::signals::{CONT, HUP, INT, KILL, QUIT, STOP, TERM, USR1, USR2, send, send_all, try_send};
use crate::common::{Launch, Manager, Pid, eventually, holds_for, proc, within, worker};

/// Workers that ignore what they are asked with, up and ready.
fn stubborn(options: &[&str]) -> Manager {
    let manager = Manager::start(&[options, &["--", worker(), "ignore", "15", "2", "1", "3"]].concat());
    manager.record("a stubborn worker", |record| record.text("msg") == "ready");
    manager
}

/// The process that a worker said it left.
fn child_of_worker(manager: &Manager) -> Pid {
    let said = manager.record("a child", |record| record.text("msg").starts_with("child "));
    said.text("msg")["child ".len()..].parse().unwrap()
}

#[test]
fn term_and_int_end_every_worker_and_leave_nothing() {
    for signal in [TERM, INT] {
        let manager = Manager::start(&["-w", "8", "--", "sleep", "1000"]);
        manager.workers(8);
        let ended = manager.end_by(signal);
        assert_eq!(ended.code(), 0, "{}", ended.err());
        assert!(ended.left.is_empty(), "{:?}", ended.left);
        assert_eq!(ended.events("started").len(), 8);
        let exits = ended.events("exited");
        assert_eq!(exits.len(), 8);
        assert!(exits.iter().all(|record| record.number("signal") == i64::from(TERM)), "{exits:?}");
        assert_eq!(ended.events("draining").len(), 1);
    }
}

/// F9: the original waited without end.
#[test]
fn a_worker_that_ignores_term_is_killed_at_the_stop_timeout() {
    let manager = stubborn(&["-w1", "--stop-timeout", "700ms"]);
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 124, "{}", ended.err());
    assert!(ended.took >= Duration::from_millis(690), "{:?}", ended.took);
    assert!(ended.took <= Duration::from_secs(5), "{:?}", ended.took);
    assert_eq!(ended.events("killed").len(), 1);
    assert!(ended.left.is_empty(), "{:?}", ended.left);
}

#[test]
fn a_second_term_kills_at_once() {
    let manager = stubborn(&["-w3", "--stop-timeout", "none"]);
    manager.count_of("a stubborn worker", 3, |record| record.text("msg") == "ready");
    let workers = manager.workers(3);
    manager.signal(TERM).record("the drain", |record| record.tells("draining"));
    let all_live = || workers.iter().all(|&pid| proc::is_alive(pid));
    holds_for(Duration::from_secs(1), "workers that are waited for", all_live);
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 124, "{}", ended.err());
    assert_eq!(ended.events("killed").len(), 3);
    assert!(ended.left.is_empty(), "{:?}", ended.left);
}

#[test]
fn quit_kills_at_once() {
    let manager = stubborn(&["-w2", "--stop-timeout", "1h"]);
    manager.workers(2);
    let ended = manager.end_by(QUIT);
    assert_eq!(ended.code(), 124, "{}", ended.err());
    assert!(ended.left.is_empty(), "{:?}", ended.left);
}

#[test]
fn quit_hurries_a_stop_that_is_under_way() {
    let manager = stubborn(&["-w1", "--stop-timeout", "1h"]);
    manager.signal(TERM).record("the drain", |record| record.tells("draining"));
    assert_eq!(manager.end_by(QUIT).code(), 124);
}

/// F25: the original left its TERM pending for ever.
#[test]
fn a_stopped_worker_gets_its_stop_signal() {
    let manager = Manager::start(&["-w1", "--stop-timeout", "1h", "--", worker(), "catch", "15"]);
    let stopped = manager.workers_that_catch(1, TERM)[0];
    send(stopped, STOP);
    eventually("a stopped worker", || proc::stat(stopped).filter(|stat| stat.state == 'T'));
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert_eq!(ended.events("exited")[0].number("code"), 0);
}

/// F6: in the original USR2 revived a worker, and USR1 made the manager wait for ever.
#[test]
fn stopping_is_final_whatever_comes_after_it() {
    let manager = Manager::start(&["-w3", "--", worker(), "slow", "500"]);
    manager.count_of("a ready worker", 3, |record| record.text("msg") == "ready");
    manager.signal(TERM).record("the drain", |record| record.tells("draining"));
    for signal in [USR2, USR1, USR2, USR1, HUP] {
        manager.signal(signal);
    }
    let ended = manager.end();
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert_eq!(ended.events("started").len(), 3);
    assert!(ended.events("paused").is_empty() && ended.events("resumed").is_empty());
}

#[test]
fn a_paused_pool_ends_too() {
    let manager = Manager::start(&["-w2", "--", "sleep", "1000"]);
    manager.workers(2);
    manager.signal(USR1).record("the pause", |record| record.tells("paused"));
    assert_eq!(manager.end_by(TERM).code(), 0);
}

#[test]
fn term_ends_a_pool_that_waits_before_the_next_try() {
    let manager = Manager::start(&["-w3", "--backoff", "1h..1h", "--", "false"]);
    manager.count_of("a wait", 3, |record| record.tells("backoff"));
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert_eq!(ended.events("started").len(), 3);
}

/// A start is the moment at which most supervisors lose a signal.
#[test]
fn term_at_any_moment_of_the_start_ends_it() {
    for step in 0..60_u64 {
        let manager = Manager::start(&["-w", "4", "--", "sleep", "1000"]);
        let wait = Duration::from_micros(step * 150);
        let begun = Instant::now();
        while begun.elapsed() < wait {
            std::hint::spin_loop();
        }
        let ended = manager.end_by(TERM);
        // Before the first instruction of ours the kernel's own defaults apply, and nothing has been started.
        let untouched = ended.code() == 143 && ended.err().is_empty();
        assert!(ended.code() == 0 || untouched, "after {wait:?}: {} {}", ended.code(), ended.err());
        assert!(ended.left.is_empty(), "after {wait:?}: {:?}", ended.left);
    }
}

#[test]
fn a_storm_of_terms_ends_it_once() {
    let manager = Manager::start(&["-w4", "--", worker(), "catch", "15"]);
    manager.workers_that_catch(4, TERM);
    for _ in 0..1000 {
        try_send(manager.pid, TERM);
    }
    let ended = manager.end();
    assert!([0, 124].contains(&ended.code()), "{} {}", ended.code(), ended.err());
    assert_eq!(ended.events("exited").len(), 4);
    assert!(ended.left.is_empty(), "{:?}", ended.left);
}

#[test]
fn the_stop_signal_can_be_chosen() {
    let script = "trap 'exit 5' HUP; echo ready; while :; do sleep 0.02; done";
    let manager = Manager::start(&["-w1", "--stop-signal", "HUP", "--", "sh", "-c", script]);
    manager.record("a ready worker", |record| record.text("msg") == "ready");
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert_eq!(ended.events("exited")[0].number("code"), 5);
}

#[test]
fn what_a_worker_leaves_in_its_group_ends_with_it() {
    for mode in ["mixed", "group"] {
        let manager = Manager::start(&["-w1", "--kill-mode", mode, "--stop-timeout", "1s", "--", worker(), "family"]);
        let child = child_of_worker(&manager);
        let ended = manager.end_by(TERM);
        assert_eq!(ended.code(), 0, "{mode}: {}", ended.err());
        assert!(!proc::is_alive(child), "{mode}: {child} is left");
        assert!(ended.left.is_empty(), "{mode}: {:?}", ended.left);
    }
}

/// Descendants must not pile up while workers come and go.
#[test]
fn what_a_dead_worker_left_in_its_group_is_killed_while_the_pool_runs() {
    let manager = Manager::start(&["-w1", "--backoff", "1h..1h", "--", worker(), "forsaken"]);
    let child = child_of_worker(&manager);
    eventually("the end of what was left", || (!proc::is_alive(child)).then_some(()));
    assert!(proc::is_alive(manager.pid));
}

#[test]
fn kill_mode_worker_leaves_descendants_alone() {
    let manager = Manager::start(&["-w1", "--kill-mode", "worker", "--", worker(), "family"]);
    let child = child_of_worker(&manager);
    let worker = manager.workers(1)[0];
    send(worker, KILL);
    manager.record("the end", |record| record.tells("exited"));
    holds_for(Duration::from_millis(500), "a descendant that lives on", || proc::is_alive(child));
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert!(ended.left.contains(&child), "{:?}", ended.left);
}

#[test]
fn the_kill_mode_says_whom_the_stop_signal_reaches() {
    // The shell ends by the signal itself; its child is asked only where the whole group is.
    let script = format!("{} catch 15 & trap 'sleep 0.3; exit 0' TERM; wait", worker());
    for (mode, reached) in [("worker", false), ("mixed", false), ("group", true)] {
        let manager = Manager::start(&["-w1", "--kill-mode", mode, "--", "sh", "-c", &script]);
        manager.record("a ready descendant", |record| record.text("msg") == "ready");
        let tree = manager.descendants();
        let ended = manager.end_by(TERM);
        let got = ended.records().iter().filter(|record| record.text("msg") == "got 15").count();
        assert_eq!(got, usize::from(reached), "{mode}: {}", ended.err());
        for pid in tree {
            try_send(pid, KILL);
        }
    }
}

/// With a subreaper nothing gets away, not even into a session of its own.
#[test]
fn a_subreaper_drains_what_left_its_group_too() {
    let options = ["-w1", "--subreaper", "--stop-timeout", "1s", "--", worker(), "stray"];
    let manager = Manager::start(&options);
    let stray = child_of_worker(&manager);
    eventually("a stray that was adopted", || proc::children(manager.pid).contains(&stray).then_some(()));
    let ended = manager.end_by(TERM);
    assert!([0, 124].contains(&ended.code()), "{} {}", ended.code(), ended.err());
    assert!(!proc::is_alive(stray) && ended.left.is_empty(), "{:?}", ended.left);
}

#[test]
fn a_pool_that_is_pid_1_reaps_orphans_and_drains_them() {
    let options = ["-w1", "--stop-timeout", "1s", "--", worker(), "stray"];
    let manager = Launch::new(&options).within_pid_namespace().start();
    manager.record("a stray", |record| record.text("msg").starts_with("child "));
    let inside = eventually("an adopted stray", || Some(proc::live_children(manager.pid)).filter(|all| all.len() == 2));
    send_all(&inside, KILL);
    eventually("no zombie", || {
        let all = proc::children(manager.pid);
        all.iter().all(|&pid| proc::is_alive(pid)).then_some(())
    });
    let ended = manager.end_by(TERM);
    assert!([0, 124].contains(&ended.code()), "{} {}", ended.code(), ended.err());
    assert!(ended.left.is_empty(), "{:?}", ended.left);
}

/// The kernel tells workers that their manager is gone, however it went.
#[test]
fn workers_end_with_a_manager_that_is_killed() {
    for _ in 0..20 {
        let manager = Manager::start(&["-w4", "--", "sleep", "1000"]);
        let workers = manager.workers(4);
        manager.signal(KILL);
        let gone = within(Duration::from_secs(5), || workers.iter().all(|&pid| !proc::is_alive(pid)).then_some(()));
        assert!(gone.is_some(), "workers outlive their manager");
    }
}

/// The window between fork and prctl counts too: killed while it starts many, the manager leaves none.
#[test]
fn workers_end_with_a_manager_that_is_killed_while_it_forks() {
    for step in 0..40_u64 {
        let manager = Manager::start(&["-w", "50", "--", "sleep", "1000"]);
        std::thread::sleep(Duration::from_micros(1000 + step * 500));
        manager.signal(KILL);
        let gone = within(Duration::from_secs(10), || manager.descendants().is_empty().then_some(()));
        assert!(gone.is_some(), "after step {step}: {:?} outlive their manager", manager.descendants());
    }
}

#[test]
fn the_death_signal_can_be_chosen_or_left_out() {
    let manager = Manager::start(&["-w1", "--death-signal", "KILL", "--", worker(), "ignore", "15"]);
    manager.record("a stubborn worker", |record| record.text("msg") == "ready");
    let worker = manager.workers(1)[0];
    manager.signal(KILL);
    eventually("the worker's end", || (!proc::is_alive(worker)).then_some(()));

    let manager = Manager::start(&["-w1", "--death-signal", "none", "--", "sleep", "1000"]);
    let worker = manager.workers(1)[0];
    manager.signal(KILL);
    holds_for(Duration::from_millis(500), "a worker that lives on", || proc::is_alive(worker));
    send(worker, CONT);
}
