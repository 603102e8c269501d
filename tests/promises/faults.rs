//! Faults: what the kernel, the machine and the neighbours can do wrong, and what must hold all the same.

use std::path::Path;
use std::time::Duration;

use crate::common::signals::{KILL, TERM, USR1, USR2, send, send_all};
use crate::common::{Launch, Manager, eventually, proc, worker};

/// T5: a call that a signal cuts short is no failure, whichever it is.
#[test]
fn an_interrupted_system_call_changes_nothing() {
    // What cannot fail so and is never made again, as rt_sigprocmask and fcntl at the start, is left out.
    let calls = [
        "poll,ppoll",
        "read,readv,preadv2",
        "write,writev,pwritev2",
        "wait4,waitid",
        "kill",
        "open,openat",
        "clone,clone3,fork,vfork",
        "dup3,dup2",
        "ioctl",
    ];
    for calls in calls {
        // Every second call would always hit the same one of two that take turns, which no signal does.
        for step in [3, 4, 5] {
            let inject = format!("inject={calls}:error=EINTR:when=2+{step}");
            let options = ["-w3", "--min-uptime", "0", "--", "sh", "-c", "echo line; exec sleep 1000"];
            let tracing = ["strace", "-qq", "-e", "signal=none", "-o", "/dev/null", "-e", &inject];
            let manager = Launch::new(&options).below(&tracing).start();
            for round in 1..=5 {
                let workers = manager.workers_running(3, Path::new("/usr/bin/sleep"));
                send_all(&workers, KILL);
                let what = format!("{calls}, every {step}th: round {round}");
                manager.count_of(&what, 3 * (round + 1), |record| record.text("msg") == "line");
            }
            let ended = manager.end_by(TERM);
            assert_eq!(ended.code(), 0, "{calls}, every {step}th: {}", ended.err());
            assert_eq!(ended.events("started").len(), ended.events("exited").len(), "{calls}");
        }
    }
}

/// T4: everything that a restart needs was opened at the start.
#[test]
fn a_restart_needs_no_new_descriptor() {
    let manager = Manager::start(&["-w3", "--min-uptime", "0", "--", "sh", "-c", "echo line; exec sleep 1000"]);
    let workers = manager.workers_running(3, Path::new("/usr/bin/sleep"));
    let open = proc::descriptors(manager.pid).len();
    let limit = ["--pid", &manager.pid.to_string(), &format!("--nofile={open}:{open}")];
    assert!(std::process::Command::new("prlimit").args(limit).status().unwrap().success());
    for round in 1..=3 {
        send_all(&manager.workers(3), KILL);
        manager.count_of("a line", 3 * (round + 1), |record| record.text("msg") == "line");
    }
    assert!(manager.workers(3).iter().all(|pid| !workers.contains(pid)));
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// T22: pids come round again within seconds here, and no signal hits a stranger.
#[test]
fn pids_that_come_round_again_confuse_nobody() {
    let strangers = "echo 400 >/proc/sys/kernel/pid_max; for n in 1 2 3 4 5; do sleep 1000 & done; exec \"$@\"";
    let options = ["-w5", "--min-uptime", "0", "--subreaper", "--", "sh", "-c", "(exit 0) & exit 0"];
    let launch = Launch::new(&options).through(&["sh", "-c", strangers, "sh"]).within_pid_namespace();
    let manager = launch.start();
    manager.count_of("an end", 1500, |record| record.tells("exited"));
    let mut alive = proc::live_children(manager.pid);
    alive.retain(|&pid| proc::program(pid).is_some_and(|program| program == Path::new("/usr/bin/sleep")));
    assert_eq!(alive.len(), 5, "strangers were hit");
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// T23: as PID 1 it reaps what others leave.
#[test]
fn orphans_are_reaped_by_a_pool_that_is_pid_1() {
    let script = "for n in $(seq 200); do (sleep 0.01 &) ; done; echo spread; exec sleep 1000";
    let manager = Launch::new(&["-w3", "--", "sh", "-c", script]).within_pid_namespace().start();
    manager.count_of("spreading", 3, |record| record.text("msg") == "spread");
    eventually("three workers and no zombie", || (proc::children(manager.pid).len() == 3).then_some(()));
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// T20 and F3: a killed manager that is started anew never has two pools.
#[test]
fn a_manager_that_is_killed_and_started_anew_has_one_pool() {
    for _ in 0..5 {
        let manager = Manager::start(&["-w3", "--", "sleep", "1000"]);
        let workers = manager.workers(3);
        manager.signal(KILL);
        eventually("no worker left", || workers.iter().all(|&pid| !proc::is_alive(pid)).then_some(()));
    }
}

/// T3 for real: the pids of a control group run out.
#[test]
fn a_full_process_table_is_waited_out() {
    let group = Path::new("/sys/fs/cgroup/pids").join(format!("cantella-{}", std::process::id()));
    std::fs::create_dir(&group).unwrap();
    let enter = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", group.display());
    let launch = Launch::new(&["-w3", "--min-uptime", "0", "--", "sleep", "1000"]);
    let manager = launch.through(&["sh", "-c", &enter, "sh"]).start();
    let workers = manager.workers_running(3, Path::new("/usr/bin/sleep"));
    std::fs::write(group.join("pids.max"), "3").unwrap();
    send(workers[0], KILL);
    manager.record("the failing fork", |record| record.tells("fork"));
    std::thread::sleep(Duration::from_millis(700));
    std::fs::write(group.join("pids.max"), "max").unwrap();
    manager.workers(3);
    let told = manager.count_of("a fork", 2, |record| record.tells("fork"));
    assert_eq!(told.len(), 2, "once each: {told:?}");
    assert_eq!(manager.end_by(TERM).code(), 0);
    eventually("an empty control group", || std::fs::remove_dir(&group).ok());
}

/// T15: whoever still holds the pipe, the slot goes on, and descriptors do not pile up.
#[test]
fn descendants_that_hold_the_output_pile_up_nothing() {
    let script = "sleep 1000 & exec sleep 0.01";
    let options = ["-w2", "--min-uptime", "0", "--kill-mode", "worker", "--", "sh", "-c", script];
    let manager = Manager::start(&options);
    manager.count_of("an end", 20, |record| record.tells("exited"));
    let before = proc::descriptors(manager.pid).len();
    manager.count_of("an end", 100, |record| record.tells("exited"));
    assert_eq!(proc::descriptors(manager.pid).len(), before);
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// Without /proc the pool runs; only what needs it is left out.
#[test]
fn a_pool_runs_without_proc() {
    let hide = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"];
    let options = ["-w2", "--min-uptime", "0", "--", worker(), "catch", "10", "15"];
    let manager = Launch::new(&options).through(&hide).start();
    let workers = manager.workers_that_catch(2, TERM);
    manager.signal(USR1).record("the pause", |record| record.tells("paused"));
    manager.signal(USR2).record("the end of the pause", |record| record.tells("resumed"));
    send(workers[0], KILL);
    manager.record("generation 2", |record| record.tells("started") && record.number("generation") == 2);
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert!(!ended.err().contains("got 10"), "the signal may kill one that does not catch it: {}", ended.err());
    assert_eq!(ended.records().iter().filter(|record| record.text("msg").contains("/proc")).count(), 1);
}
