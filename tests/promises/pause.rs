//! Pausing: nothing is started, nothing retires, and who can hear it is told.

use std::time::Duration;

use crate::common::log::Record;
use crate::common::signals::{ALRM, CONT, KILL, STOP, TERM, USR1, USR2, send};
use crate::common::{Manager, Pid, eventually, holds_for, live_children, proc, worker};

/// How often workers said that they got a signal.
fn got(manager: &Manager, signal: i32) -> usize {
    let said = format!("got {signal}");
    manager.records().iter().filter(|record| record.text("msg") == said).count()
}

#[test]
fn a_paused_pool_starts_nobody_and_refills_at_once_when_resumed() {
    let manager = Manager::start(&["-w2", "--min-uptime", "0", "--", "sleep", "1000"]);
    let workers = manager.workers(2);
    manager.signal(USR1).record("the pause", |record| record.tells("paused"));
    send(workers[0], KILL);
    manager.record("the end", |record| record.tells("exited"));
    holds_for(Duration::from_secs(1), "no successor", || live_children(manager.pid) == [workers[1]]);
    manager.signal(USR2).record("the end of the pause", |record| record.tells("resumed"));
    assert!(manager.workers(2).contains(&workers[1]));
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// F11: the original drained its pool to zero.
#[test]
fn nothing_retires_while_paused() {
    let options = ["-w3", "--max-age", "1s", "--max-age-jitter", "0", "--", "sleep", "1000"];
    let manager = Manager::start(&options);
    let workers = manager.workers(3);
    manager.signal(USR1).record("the pause", |record| record.tells("paused"));
    let young = manager.records().iter().all(|record| !record.tells("retiring"));
    assert!(young, "the machine was too slow to pause them in time");
    holds_for(Duration::from_secs(3), "the same workers", || live_children(manager.pid) == workers);
    manager.signal(USR2);
    manager.count_of("a retirement", 3, |record| record.tells("retiring"));
    assert_eq!(manager.end_by(TERM).code(), 0);
}

#[test]
fn pause_and_resume_reach_the_workers_that_catch_them_once_each() {
    let manager = Manager::start(&["-w3", "--", worker(), "catch", "10", "12", "15"]);
    manager.workers_that_catch(3, TERM);
    for _ in 0..2 {
        manager.signal(USR1);
        eventually("three pauses", || (got(&manager, USR1) >= 3).then_some(()));
    }
    for _ in 0..2 {
        manager.signal(USR2);
        eventually("three resumes", || (got(&manager, USR2) >= 3).then_some(()));
    }
    let ended = manager.end_by(TERM);
    let said = |text: &str| ended.records().iter().filter(|record| record.text("msg") == text).count();
    assert_eq!((said("got 10"), said("got 12"), said("got 15")), (3, 3, 3), "{}", ended.err());
    assert_eq!((ended.events("paused").len(), ended.events("resumed").len()), (1, 1));
    assert_eq!(ended.events("started").len(), 3);
    assert!(ended.events("retiring").is_empty());
    assert!(ended.events("exited").iter().all(|record| record.number("code") == 0));
}

/// F1: exec resets handlers, so a command that has none would die of the pause signal.
#[test]
fn a_worker_that_does_not_catch_the_pause_signal_is_named_and_spared() {
    let manager = Manager::start(&["-w1", "--", "sleep", "1000"]);
    let worker = manager.workers_running(1, "/usr/bin/sleep".as_ref())[0];
    manager.signal(USR1);
    manager.record("the worker that is spared", |record| {
        record.text("msg").contains("USR1") && record.number("worker") == 0
    });
    manager.signal(USR2).record("the end of the pause", |record| record.tells("resumed"));
    assert_eq!(manager.workers(1), [worker]);
    assert_eq!(manager.end_by(TERM).events("started").len(), 1);
}

/// F1: the original's worker dies of the first signal after its fork.
#[test]
fn a_worker_too_young_for_the_pause_signal_is_told_when_it_is_grown() {
    let options = ["-w1", "--min-uptime", "1s", "--", worker(), "late", "400", "10", "15"];
    let manager = Manager::start(&options);
    manager.record("a start", |record| record.tells("started"));
    manager.signal(USR1).record("the pause", |record| record.tells("paused"));
    eventually("the pause reaching it", || (got(&manager, USR1) == 1).then_some(()));
    let ended = manager.end_by(TERM);
    assert_eq!(ended.events("started").len(), 1, "{}", ended.err());
    assert_eq!(ended.events("exited")[0].number("code"), 0);
}

/// F1, at every moment: neither fork nor exec nor the first instructions of a worker are a time to be hit.
#[test]
fn a_storm_of_pauses_during_births_kills_nobody() {
    let options = ["-w4", "--min-uptime", "0", "--max-age", "50ms", "--", worker(), "catch", "10", "12", "15"];
    let manager = Manager::start(&options);
    manager.record("a start", |record| record.tells("started"));
    for _ in 0..300 {
        manager.signal(USR1).signal(USR2);
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = manager.end_by(TERM);
    let exits = ended.events("exited");
    let by_pause = exits.iter().filter(|record| [10, 12].map(|n| n.to_string()).contains(&record.text("signal")));
    assert_eq!(by_pause.count(), 0, "{}", ended.err());
    assert!(exits.len() > 4, "nothing was born: {}", ended.err());
}

/// F22: the original ends such a burst in either state.
#[test]
fn after_a_burst_workers_converge_to_the_managers_state() {
    let manager = Manager::start(&["-w2", "--", worker(), "catch", "10", "12", "15"]);
    let workers = manager.workers_that_catch(2, TERM);
    let at_rest = |pid: Pid| {
        let pending = proc::signal_set(pid, "ShdPnd");
        pending == 0 && proc::stat(pid).is_some_and(|stat| stat.state == 'S')
    };
    for round in 0..20 {
        for _ in 0..=round {
            manager.signal(USR1).signal(USR2);
        }
        // The last request stands alone, so that the kernel cannot merge it with another.
        let all = || at_rest(manager.pid) && workers.iter().all(|&pid| at_rest(pid));
        eventually("rest", || all().then_some(()));
        manager.signal(USR1);
        eventually("paused workers", || {
            let records = manager.records();
            let last = |wanted: &dyn Fn(&Record) -> bool| records.iter().rfind(|record| wanted(record));
            let state = last(&|record| record.tells("paused") || record.tells("resumed"))?;
            let word = |pid: Pid| last(&|record| is_word_of(record, pid)).map(|record| record.text("msg"));
            let heard = workers.iter().all(|&pid| word(pid).as_deref() == Some("got 10"));
            (state.tells("paused") && heard).then_some(())
        });
    }
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// F22: what was pending together arrives in the order of the numbers, so the resume is the last word.
#[test]
fn of_requests_that_wait_together_the_last_one_received_wins() {
    let manager = Manager::start(&["-w2", "--", worker(), "catch", "10", "12", "15"]);
    manager.workers_that_catch(2, TERM);
    manager.signal(USR1);
    eventually("two pauses", || (got(&manager, USR1) == 2).then_some(()));
    for _ in 0..10 {
        manager.signal(STOP);
        eventually("a stopped manager", || (proc::stat(manager.pid)?.state == 'T').then_some(()));
        manager.signal(USR2).signal(USR1).signal(CONT);
        eventually("a running manager", || (proc::stat(manager.pid)?.state == 'S').then_some(()));
    }
    manager.record("the end of the pause", |record| record.tells("resumed"));
    eventually("two resumes", || (got(&manager, USR2) == 2).then_some(()));
    let ended = manager.end_by(TERM);
    assert_eq!((ended.events("paused").len(), ended.events("resumed").len()), (1, 1), "{}", ended.err());
}

fn is_word_of(record: &Record, pid: Pid) -> bool {
    record.text("msg").starts_with("got ") && record.number("pid") == i64::from(pid)
}

#[test]
fn pause_and_resume_signals_can_be_chosen_or_left_out() {
    let signals = ["--pause-signal", "ALRM", "--resume-signal", "none"];
    let manager = Manager::start(&[&signals[..], &["-w1", "--", worker(), "catch", "10", "12", "14", "15"]].concat());
    manager.workers_that_catch(1, TERM);
    manager.signal(USR1);
    eventually("the chosen signal", || (got(&manager, ALRM) == 1).then_some(()));
    manager.signal(USR2).record("the end of the pause", |record| record.tells("resumed"));
    let ended = manager.end_by(TERM);
    assert!(!ended.err().contains("got 10") && !ended.err().contains("got 12"), "{}", ended.err());
}

#[test]
fn stop_and_cont_freeze_any_program() {
    let signals = ["--pause-signal", "STOP", "--resume-signal", "CONT"];
    let manager = Manager::start(&[&signals[..], &["-w2", "--", "sleep", "1000"]].concat());
    let workers = manager.workers(2);
    let all_in = |state: char| workers.iter().all(|&pid| proc::stat(pid).is_some_and(|stat| stat.state == state));
    manager.signal(USR1);
    eventually("frozen workers", || all_in('T').then_some(()));
    manager.signal(USR2);
    eventually("thawed workers", || all_in('S').then_some(()));
    manager.signal(USR1);
    eventually("frozen workers", || all_in('T').then_some(()));
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert!(ended.events("killed").is_empty());
}
