//! Signals to the manager: each does what is documented, and no stray one ends a pool.

use std::path::Path;
use std::time::Duration;

use crate::common::signals::{
    ABRT, ALRM, BUS, CHLD, CONT, FPE, HUP, ILL, IO, KILL, PIPE, PROF, PWR, SEGV, STKFLT, SYS, TERM, TRAP, TSTP, TTIN,
    TTOU, URG, USR1, USR2, VTALRM, WINCH, XCPU, XFSZ, send, try_send,
};
use crate::common::{Launch, Manager, eventually, holds_for, live_children, proc};

/// Signals that mean nothing to a pool, real-time ones among them.
const STRAYS: [i32; 22] = [
    HUP, ILL, TRAP, ABRT, BUS, FPE, SEGV, PIPE, ALRM, STKFLT, CHLD, URG, XCPU, XFSZ, VTALRM, PROF, WINCH, IO, PWR, SYS,
    34, 64,
];

/// F17: HUP and QUIT killed the original's manager.
#[test]
fn no_stray_signal_ends_or_disturbs_a_pool() {
    let manager = Manager::start(&["-w2", "--", "sleep", "1000"]);
    let workers = manager.workers_running(2, Path::new("/usr/bin/sleep"));
    for signal in STRAYS {
        manager.signal(signal).signal(signal);
        eventually("a manager at rest", || (proc::stat(manager.pid)?.state == 'S').then_some(()));
        assert_eq!(live_children(manager.pid), workers, "after signal {signal}");
    }
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert_eq!(ended.events("started").len(), 2);
}

#[test]
fn a_stray_signal_is_noted_once() {
    let manager = Manager::start(&["-w1", "--", "sleep", "1000"]);
    manager.workers(1);
    let notes = || manager.records().iter().filter(|record| record.text("msg").contains("ALRM")).count();
    manager.signal(ALRM);
    eventually("the note", || (notes() == 1).then_some(()));
    for _ in 0..5 {
        manager.signal(ALRM);
        holds_for(Duration::from_millis(20), "one note", || notes() == 1);
    }
}

#[test]
fn a_flood_of_signals_delays_no_successor() {
    let manager = Manager::start(&["-w2", "--min-uptime", "0", "--", "sleep", "1000"]);
    let workers = manager.workers(2);
    let pid = manager.pid;
    let flood = std::thread::spawn(move || {
        for round in 0..200_000_u32 {
            let signal = [CHLD, HUP, WINCH, ALRM, CONT][(round % 5) as usize];
            try_send(pid, signal);
        }
    });
    for victim in workers {
        send(victim, KILL);
        eventually("a successor", || {
            let live = live_children(pid);
            (live.len() == 2 && !live.contains(&victim)).then_some(())
        });
    }
    flood.join().unwrap();
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert_eq!(ended.events("started").len(), 4);
}

#[test]
fn tstp_stops_the_manager_alone_and_cont_makes_it_catch_up() {
    let manager = Manager::start(&["-w2", "--min-uptime", "0", "--", "sleep", "1000"]);
    let workers = manager.workers_running(2, Path::new("/usr/bin/sleep"));
    manager.signal(TSTP);
    eventually("a stopped manager", || (proc::stat(manager.pid)?.state == 'T').then_some(()));
    assert!(workers.iter().all(|&pid| proc::stat(pid).unwrap().state != 'T'));
    send(workers[0], KILL);
    let nobody_new = || live_children(manager.pid).iter().all(|pid| workers.contains(pid));
    holds_for(Duration::from_millis(300), "nobody acts", nobody_new);
    manager.signal(CONT);
    assert!(!manager.workers(2).contains(&workers[0]));
    manager.signal(TSTP);
    eventually("a second stop", || (proc::stat(manager.pid)?.state == 'T').then_some(()));
    manager.signal(CONT);
    assert_eq!(manager.end_by(TERM).code(), 0);
}

#[test]
fn ttin_and_ttou_never_stop_the_manager() {
    let manager = Manager::start(&["-w1", "--", "sleep", "1000"]);
    manager.workers(1);
    manager.signal(TTIN).signal(TTOU);
    holds_for(Duration::from_millis(300), "a running manager", || proc::stat(manager.pid).unwrap().state != 'T');
    assert_eq!(manager.end_by(TERM).code(), 0);
}

#[test]
fn signals_that_were_ignored_or_blocked_at_the_start_work_all_the_same() {
    for through in [["env", "--ignore-signal=TERM,CHLD,USR1"], ["env", "--block-signal=TERM,CHLD,USR1"]] {
        let launch = Launch::new(&["-w1", "--min-uptime", "0", "--stop-signal", "KILL", "--", "sleep", "1000"]);
        let manager = launch.through(&through).start();
        let worker = manager.workers(1)[0];
        send(worker, KILL);
        manager.record("generation 2", |record| record.tells("started") && record.number("generation") == 2);
        manager.signal(USR1).record("the pause", |record| record.tells("paused"));
        assert_eq!(manager.end_by(TERM).code(), 0, "{through:?}");
    }
}

/// F13: the original signalled pids that were reaped, which may be anybody's by then.
#[test]
fn signals_go_only_to_children_that_are_not_reaped() {
    let options = ["-w4", "--min-uptime", "0", "--max-age", "30ms", "--", "sh", "-c", "exec sleep 0.0$((RANDOM % 9))"];
    let launch = Launch::new(&options);
    let trace = launch.file("trace");
    let tracing =
        ["strace", "-qq", "-e", "signal=none", "-e", "trace=kill,tgkill,wait4,waitid,fork,vfork,clone,clone3"];
    let manager = launch.below(&[&tracing[..], &["-o", trace.to_str().unwrap()]].concat()).start();
    manager.count_of("an end", 100, |record| record.tells("exited"));
    for _ in 0..20 {
        manager.signal(USR1).signal(USR2);
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0);
    let text = std::fs::read_to_string(trace).unwrap();
    let mut live = std::collections::HashSet::new();
    let mut sent = 0;
    for line in text.lines() {
        let answer = line.rsplit_once("= ").and_then(|(_, answer)| answer.split(' ').next()?.parse::<i64>().ok());
        let call = line.split('(').next().unwrap();
        match call {
            "fork" | "vfork" | "clone" | "clone3" => drop(answer.map(|pid| live.insert(pid))),
            "wait4" => drop(answer.map(|pid| live.remove(&pid))),
            "kill" => {
                let target: i64 = line["kill(".len()..].split(',').next().unwrap().parse().unwrap();
                assert!(live.contains(&target.abs()), "{line} goes to one that is not ours:\n{text}");
                sent += 1;
            }
            _ => {}
        }
    }
    assert!(sent > 10, "{sent} signals were sent:\n{text}");
}
