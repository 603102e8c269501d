//! Restarting: a dead worker has a successor, and failure is met with patience.

use std::fs;
use std::time::Duration;

use crate::common::log::Record;
use crate::common::signals::{CONT, KILL, STOP, TERM, send};
use crate::common::{Ended, Launch, Manager, Pid, eventually, holds_for, live_children, proc, worker};

/// The generations that were started, in order.
fn generations(records: &[Record]) -> Vec<i64> {
    records.iter().filter(|record| record.tells("started")).map(|record| record.number("generation")).collect()
}

#[test]
fn a_killed_worker_is_replaced_by_the_next_generation_of_its_slot() {
    let manager = Manager::start(&["-w", "3", "--min-uptime", "0", "--", "sleep", "1000"]);
    let workers = manager.workers(3);
    let started = manager.count_of("a start", 3, |record| record.tells("started"));
    let slot = started.iter().find(|record| record.number("pid") == i64::from(workers[1])).unwrap().number("worker");
    send(workers[1], KILL);
    let next = manager.record("generation 2", |record| record.tells("started") && record.number("generation") == 2);
    assert_eq!(next.number("worker"), slot);
    let after = manager.workers(3);
    assert!(after.contains(&workers[0]) && after.contains(&workers[2]), "{workers:?} {after:?}");
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert!(ended.left.is_empty(), "{:?}", ended.left);
}

/// F8: the original forked 29 to 258 times a second.
#[test]
fn a_worker_that_dies_at_birth_is_retried_at_the_documented_pace() {
    let manager = Manager::start(&["-w", "1", "--backoff", "100ms..800ms", "--", "false"]);
    manager.count_of("a start", 6, |record| record.tells("started"));
    let records = manager.end_by(TERM).records();
    let ends = records.iter().filter(|record| record.tells("exited"));
    let starts = records.iter().filter(|record| record.tells("started")).skip(1);
    for ((end, start), delay) in ends.zip(starts).zip([100, 200, 400, 800, 800]) {
        let waited = start.millis() - end.millis();
        // The log counts whole milliseconds; a busy machine may be late, never early.
        assert!(waited >= delay * 9 / 10 - 10, "started after {waited} ms instead of {delay}");
        assert!(waited <= delay * 11 / 10 + 1000, "started after {waited} ms instead of {delay}");
    }
    let told: Vec<i64> = records.iter().filter(|r| r.tells("backoff")).map(|record| record.number("worker")).collect();
    assert!(told.len() >= 5 && told.iter().all(|&slot| slot == 0), "{told:?}");
}

#[test]
fn a_worker_that_lived_long_enough_is_replaced_at_once() {
    let manager = Manager::start(&["-w", "1", "--min-uptime", "0", "--backoff", "1h..1h", "--", "false"]);
    let records = manager.count_of("a start", 20, |record| record.tells("started"));
    assert_eq!(generations(&records)[..20], (1..=20).collect::<Vec<i64>>());
}

#[test]
fn more_failed_starts_than_allowed_end_the_pool_with_1() {
    let ended = Launch::new(&["-w1", "--backoff", "0", "--give-up", "3/1m", "--", "false"]).run();
    assert_eq!(ended.code(), 1, "{}", ended.err());
    assert_eq!(generations(&ended.records()), [1, 2, 3, 4]);
    assert_eq!(ended.events("draining").len(), 1);
}

#[test]
fn failed_starts_that_lie_too_far_apart_do_not_end_the_pool() {
    let options = ["-w1", "--backoff", "600ms..600ms", "--give-up", "3/1s", "--", "false"];
    let manager = Manager::start(&options);
    manager.count_of("a start", 6, |record| record.tells("started"));
    assert_eq!(manager.end_by(TERM).code(), 0);
}

#[test]
fn giving_up_counts_over_the_whole_pool_and_drains_the_healthy() {
    let script = "[ $CANTELLA_WORKER_SLOT = 0 ] && exec sleep 1000; exit 1";
    let ended = Launch::new(&["-w3", "--backoff", "0", "--give-up", "5/1m", "--", "sh", "-c", script]).run();
    assert_eq!(ended.code(), 1, "{}", ended.err());
    assert!(ended.left.is_empty(), "{:?}", ended.left);
    let failed = ended.events("exited").iter().filter(|record| record.number("worker") != 0).count();
    assert!((6..=7).contains(&failed), "{failed} failed starts");
}

#[test]
fn on_failure_restarts_failures_alone() {
    let script = "test $CANTELLA_WORKER_GENERATION -ge 3";
    let ended = Launch::new(&["-w1", "--restart", "on-failure", "--backoff", "0", "--", "sh", "-c", script]).run();
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert_eq!(generations(&ended.records()), [1, 2, 3]);
}

#[test]
fn never_replaces_nobody_and_passes_the_workers_code_on() {
    let run = |workers: &str, script: &str| -> Ended {
        Launch::new(&["-w", workers, "--restart", "never", "--", "sh", "-c", script]).run()
    };
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)] {
        let ended = run("1", script);
        assert_eq!(ended.code(), code, "{script}: {}", ended.err());
        assert_eq!(generations(&ended.records()), [1], "{script}");
    }
    let ended = run("4", "[ $CANTELLA_WORKER_SLOT = 2 ] && exit 9; exit 0");
    assert_eq!(ended.code(), 9, "the only one that is not 0: {}", ended.err());
    assert_eq!(generations(&ended.records()), [1; 4]);
}

#[test]
fn a_command_that_is_not_there_starts_nothing() {
    let launch = Launch::bare(&[]);
    let script = launch.file("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    let script = script.to_str().unwrap();
    for (command, code) in [("no-such-command-anywhere", 127), ("/no/such/file", 127), (script, 126), ("/", 126)] {
        let ended = Launch::bare(&["--", command]).run();
        assert_eq!(ended.code(), code, "{command}: {}", ended.err());
        assert_eq!(ended.err().lines().count(), 1, "{command}: {}", ended.err());
        assert!(ended.err().contains(command), "{}", ended.err());
        assert_eq!(ended.out, "");
    }
}

#[test]
fn an_exec_that_fails_later_is_reported_and_retried() {
    let launch = Launch::new(&["-w1", "--backoff", "50ms..50ms", "--"]);
    let program = launch.file("program");
    let hidden = launch.file("hidden");
    fs::copy("/bin/sleep", &program).unwrap();
    let manager = launch.with(&[program.to_str().unwrap(), "1000"]).start();
    let first = manager.workers_running(1, &program)[0];
    fs::rename(&program, &hidden).unwrap();
    send(first, KILL);
    let told = manager.record("the failed exec", |record| record.tells("exec"));
    assert!(told.text("msg").contains("No such file"), "{told:?}");
    fs::rename(&hidden, &program).unwrap();
    let next = manager.workers_running(1, &program)[0];
    assert_ne!(next, first);
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// F2: the original ended and orphaned its pool.
#[test]
fn a_fork_that_fails_is_retried_and_told_once() {
    for error in ["EAGAIN", "ENOMEM"] {
        // The first two forks succeed, the next four fail.
        let inject = format!("inject=fork,vfork,clone,clone3:error={error}:when=3..6");
        let options = ["-w2", "--min-uptime", "0", "--give-up", "1/1h", "--", "sleep", "1000"];
        let manager = Launch::new(&options).below(&["strace", "-qq", "-o", "/dev/null", "-e", &inject]).start();
        let workers = manager.workers(2);
        send(workers[0], KILL);
        manager.count_of("a start", 3, |record| record.tells("started"));
        assert_eq!(manager.workers(2).len(), 2);
        let records = manager.records();
        let told: Vec<_> = records.iter().filter(|record| record.tells("fork")).collect();
        assert_eq!(told.len(), 2, "once that it fails, once that it works: {told:?}");
        assert_eq!(manager.end_by(TERM).code(), 0);
    }
}

/// F15: the original waits for each child's hand-shake.
#[test]
fn a_child_that_hangs_before_its_exec_holds_up_nobody() {
    let delaying = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=execve:delay_enter=2000000"];
    let manager = Launch::new(&["-w4", "--", "sleep", "1000"]).below(&delaying).start();
    let own = proc::program(manager.pid);
    let hanging = |pid: &Pid| proc::program(*pid) == own;
    eventually("four children that hang", || {
        (proc::children(manager.pid).iter().filter(|pid| hanging(pid)).count() == 4).then_some(())
    });
    manager.signal(TERM).record("the drain", |record| record.tells("draining"));
    assert!(proc::children(manager.pid).iter().any(hanging), "it answers only when they are done");
    assert_eq!(manager.end().code(), 0);
}

/// F12: the original took it for dead.
#[test]
fn a_worker_that_closes_its_output_lives_on() {
    let manager = Manager::start(&["-w1", "--", worker(), "mute"]);
    let first = manager.workers(1);
    eventually("a worker without output", || {
        let open = proc::descriptors(first[0]);
        (!open.is_empty() && open.iter().all(|(number, _)| *number == 0)).then_some(())
    });
    holds_for(Duration::from_secs(1), "the same worker", || live_children(manager.pid) == first);
    assert_eq!(manager.end_by(TERM).events("started").len(), 1);
}

/// SIGCHLD coalesces: one may stand for many.
#[test]
fn workers_that_die_while_the_manager_is_stopped_are_all_replaced() {
    let manager = Manager::start(&["-w20", "--min-uptime", "0", "--", "sleep", "1000"]);
    let workers = manager.workers(20);
    manager.signal(STOP);
    eventually("a stopped manager", || proc::stat(manager.pid).filter(|stat| stat.state == 'T'));
    for &worker in &workers {
        send(worker, KILL);
    }
    manager.signal(CONT);
    manager.count_of("a start", 40, |record| record.tells("started"));
    let after = manager.workers(20);
    assert!(after.iter().all(|pid| !workers.contains(pid)), "{workers:?} {after:?}");
    assert_eq!(proc::children(manager.pid), after, "zombies are left");
}

/// A frozen tree (a paused container, a suspended machine) kills nobody when it thaws.
#[test]
fn a_stop_that_was_frozen_half_way_gets_its_whole_time() {
    let manager = Manager::start(&["-w1", "--stop-timeout", "3s", "--", worker(), "slow", "1000"]);
    manager.record("a ready worker", |record| record.text("msg") == "ready");
    let frozen = manager.workers(1)[0];
    manager.signal(TERM);
    manager.record("the drain", |record| record.tells("draining"));
    manager.signal(STOP);
    send(frozen, STOP);
    std::thread::sleep(Duration::from_secs(6));
    manager.signal(CONT);
    // The manager is awake first, and sees a worker that had no chance to move.
    holds_for(Duration::from_millis(500), "a worker that is not killed", || proc::is_alive(frozen));
    send(frozen, CONT);
    let ended = manager.end();
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert!(ended.events("killed").is_empty());
}
