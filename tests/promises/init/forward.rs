//! Signals: each that can be caught reaches the child, exactly once, and never a process that was reaped.

use std::fs;
use std::time::Duration;

use super::{child, init, script};
use crate::common::signals::{ABRT, CHLD, CONT, HUP, INT, KILL, QUIT, SEGV, STOP, TERM, USR1, USR2, WINCH, send};
use crate::common::{Directory, Manager, eventually, holds_for, proc, worker};

/// Starts a worker that catches these signals and says so.
fn catching(options: &[&str], signals: &[i32]) -> Manager {
    let numbers: Vec<String> = signals.iter().map(ToString::to_string).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let manager = init(&[options, &["--", worker(), "catch"], &numbers].concat()).start();
    manager.says("ready");
    manager
}

/// What a worker said that it got, in order.
fn got(said: &str) -> Vec<i32> {
    said.lines().filter_map(|line| line.strip_prefix("got ")?.parse().ok()).collect()
}

/// A shell that counts what comes, without ever ending of it.
const STEADFAST: &str = "trap 'echo got 15' TERM; trap 'echo got 2' INT; echo ready; while :; do sleep 0.02; done";

/// dumb-init reads out of bounds for real-time signals; tini ends itself of SEGV and its like.
#[test]
fn every_signal_that_can_be_caught_reaches_the_child_once() {
    let caught: Vec<i32> = (1..=64).filter(|signal| ![KILL, STOP, CHLD, 32, 33].contains(signal)).collect();
    let manager = catching(&["--stop-timeout=none"], &caught);
    let mut expected = Vec::new();
    for &signal in caught.iter().filter(|signal| ![TERM, INT, CONT].contains(signal)) {
        manager.signal(signal);
        expected.push(signal);
        eventually("the signal", || (got(&manager.out()).len() >= expected.len()).then_some(()));
    }
    assert_eq!(got(&manager.out()), expected);
    let ended = manager.end_by(TERM);
    assert_eq!((ended.code(), got(&ended.out).len()), (0, expected.len() + 1), "{}", ended.out);
}

/// libc keeps 32 and 33 for its threads, and lets no program name them.
#[test]
fn the_signals_that_libc_keeps_for_itself_are_forwarded_too() {
    let directory = Directory::new();
    let file = directory.file("trace");
    let strace = ["strace", "-qq", "-e", "signal=none", "-e", "trace=kill", "-o", file.to_str().unwrap()];
    let manager = init(&["--", "sleep", "1000"]).below(&strace).start();
    let child = child(&manager);
    eventually("sleep", || (proc::name(child) == "sleep").then_some(()));
    for (signal, name) in [(33, "SIGRT_1"), (32, "SIGRTMIN")] {
        manager.signal(signal);
        let call = format!("kill({child}, {name})");
        eventually("the signal", || fs::read_to_string(&file).ok().filter(|calls| calls.contains(&call)));
    }
}

/// Real-time signals queue, so that each one that was sent is delivered.
#[test]
fn real_time_signals_arrive_as_often_as_they_were_sent() {
    let manager = catching(&[], &[34, 40, 64, TERM]);
    for _ in 0..100 {
        manager.signal(34).signal(40).signal(64);
    }
    let count = |signal: i32| got(&manager.out()).iter().filter(|&&found| found == signal).count();
    eventually("all of them", || (got(&manager.out()).len() >= 300).then_some(()));
    assert_eq!([count(34), count(40), count(64)], [100; 3]);
}

/// What came while the child was not there yet, or its init was stopped, is not lost.
#[test]
fn signals_that_come_in_a_burst_all_arrive() {
    let burst = [ABRT, HUP, SEGV, USR1, USR2, WINCH, 34, 50];
    let manager = catching(&[], &[&burst[..], &[TERM]].concat());
    manager.signal(STOP);
    for signal in burst {
        manager.signal(signal);
    }
    manager.signal(CONT);
    eventually("all of them", || (got(&manager.out()).len() >= burst.len()).then_some(()));
    let mut found = got(&manager.out());
    found.sort_unstable();
    assert_eq!(found, burst.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>());
}

#[test]
fn a_group_is_reached_only_if_that_is_asked_for() {
    for (options, reached) in [(&[][..], false), (&["-g"], true), (&["--forward-to=group"], true)] {
        let family = format!("trap : USR1; {} catch 10 15 & while :; do wait; done", worker());
        let manager = script(&[options, &["--stop-timeout=1s"]].concat(), &family).start();
        manager.says("ready");
        manager.signal(USR1);
        if reached {
            manager.says("got 10");
        } else {
            holds_for(Duration::from_millis(300), "a silent member", || got(&manager.out()).is_empty());
        }
    }
}

#[test]
fn a_second_term_is_forwarded_too_and_the_stop_timeout_kills() {
    let manager = script(&["--stop-timeout=1500ms"], STEADFAST).start();
    manager.says("ready");
    let asked = std::time::Instant::now();
    for (count, signal) in [TERM, TERM, INT].into_iter().enumerate() {
        manager.signal(signal);
        eventually("the signal", || (got(&manager.out()).len() > count).then_some(()));
    }
    let ended = manager.end();
    assert_eq!((ended.code(), got(&ended.out)), (137, vec![TERM, TERM, INT]));
    let took = asked.elapsed();
    assert!(took >= Duration::from_millis(1490) && took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn without_a_stop_timeout_the_child_is_waited_for_without_end() {
    let manager = script(&["--stop-timeout=none"], STEADFAST).start();
    manager.says("ready");
    manager.signal(TERM);
    manager.says("got 15");
    holds_for(Duration::from_secs(1), "a child that is waited for", || proc::is_alive(child(&manager)));
    send(child(&manager), KILL);
    assert_eq!(manager.end().code(), 137);
}

#[test]
fn signals_are_rewritten_and_dropped() {
    let map = ["--map=USR1=HUP", "--map", "WINCH=0", "--map=RTMIN+2=QUIT", "--map=15=INT"];
    let manager = catching(&map, &[HUP, QUIT, USR1, USR2, WINCH, INT, 36]);
    for (signal, arrives) in [(WINCH, 0), (USR1, HUP), (36, QUIT), (USR2, USR2), (TERM, INT)] {
        let before = got(&manager.out());
        manager.signal(signal);
        if arrives == 0 {
            holds_for(Duration::from_millis(200), "a dropped signal", || got(&manager.out()) == before);
        } else {
            eventually("what it became", || (got(&manager.out()) == [&before[..], &[arrives]].concat()).then_some(()));
        }
    }
    // TERM asked for the end all the same.
    assert_eq!(manager.end_within(Duration::from_secs(20)).code(), 137);
}

#[test]
fn a_hangup_reopens_the_log_file_and_is_forwarded() {
    let directory = Directory::new();
    let (log, moved) = (directory.file("log"), directory.file("moved"));
    let target = format!("--log=file:{}", log.display());
    let manager = init(&["--log-level=debug", &target, "--", worker(), "catch", "1", "15"]).start();
    eventually("the log", || fs::read_to_string(&log).ok().filter(|text| text.contains("started")));
    eventually("a handler", || {
        (proc::name(child(&manager)) == "worker" && proc::catches(child(&manager), HUP)).then_some(())
    });
    fs::rename(&log, &moved).unwrap();
    manager.signal(HUP);
    eventually("a new log", || log.exists().then_some(()));
    manager.end_by(TERM);
    assert!(fs::read_to_string(&log).unwrap().contains("exited"));
}

/// dumb-init -c signals a pid that it has reaped.
#[test]
fn no_signal_goes_to_a_process_that_was_reaped() {
    for _ in 0..super::rounds(5, 100) {
        let directory = Directory::new();
        let file = directory.file("trace");
        let strace = ["strace", "-qq", "-e", "signal=none", "-e", "trace=kill,wait4,waitid,/^(v?fork|clone)", "-o"];
        let strace = [&strace[..], &[file.to_str().unwrap()]].concat();
        let manager = script(
            &[],
            "trap go=1 USR1; echo up; until [ \"$go\" ]; do sleep 0.02; done; sleep 0.1; sleep 1000 & exit 0",
        )
        .below(&strace)
        .start();
        manager.says("up");
        while proc::is_alive(manager.pid) && crate::common::signals::try_send(manager.pid, USR1) {
            std::thread::sleep(Duration::from_micros(300));
        }
        manager.end();
        let calls = fs::read_to_string(&file).unwrap();
        let reaped = calls.lines().position(|call| call.starts_with("wait4(")).expect("the child is reaped");
        let pid = calls.lines().nth(reaped).unwrap().trim_start_matches("wait4(").split(',').next().unwrap();
        let late = calls.lines().skip(reaped).filter(|call| call.starts_with(&format!("kill({pid},")));
        assert_eq!(late.count(), 0, "{calls}");
    }
}

/// The child stays behind in tini, dumb-init and catatonit.
#[test]
fn an_init_that_is_killed_takes_its_child_along() {
    let manager = init(&["--", "sleep", "1000"]).start();
    let child = child(&manager);
    eventually("sleep", || (proc::name(child) == "sleep").then_some(()));
    manager.signal(KILL);
    eventually("the child's end", || (!proc::is_alive(child)).then_some(()));
    assert_eq!(manager.end().code(), 137);
}
