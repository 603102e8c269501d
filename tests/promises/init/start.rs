//! The first moments: nothing is lost from the first instruction on, and hardly anything is needed to start.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::{child, init, rounds, script};
use crate::common::fd::full_pipe;
use crate::common::signals::{CONT, TERM, TSTP, send};
use crate::common::{Launch, eventually, proc};

/// Waits more exactly than a sleep would.
fn pass(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        core::hint::spin_loop();
    }
}

/// tini -g, dumb-init and catatonit -g lose one in eight to one in four.
#[test]
fn a_term_at_any_moment_after_the_start_ends_child_and_init() {
    for round in 0..rounds(200, 2000) {
        for options in [&["--", "sleep", "1000"][..], &["-g", "--", "sleep", "1000"]] {
            let delay = Duration::from_micros(u64::from(round * 7919 % 2000));
            let manager = init(options).start();
            pass(delay);
            let ended = manager.end_by(TERM);
            assert_eq!(ended.code(), 143, "{options:?} after {delay:?}: {}", ended.err());
            assert!(ended.left.is_empty(), "{options:?} after {delay:?}: {:?}", ended.left);
        }
    }
}

#[test]
fn a_term_before_the_group_is_made_reaches_the_child() {
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=setpgid"];
    for millis in [0, 5, 10, 20, 40] {
        for inject in ["inject=setpgid:delay_enter=30000", "inject=setpgid:delay_exit=30000"] {
            let manager = init(&["-g", "--", "sleep", "1000"]).below(&[&strace[..], &["-e", inject]].concat()).start();
            thread::sleep(Duration::from_millis(millis));
            let ended = manager.end_by(TERM);
            assert_eq!(ended.code(), 143, "{inject} after {millis} ms");
            assert!(ended.left.is_empty(), "{inject} after {millis} ms: {:?}", ended.left);
        }
    }
}

/// A PID 1 without a handler drops a signal, unless it blocks it.
#[test]
fn as_pid_1_a_term_counts_as_soon_as_signals_are_blocked() {
    for round in 0..rounds(20, 200) {
        let manager = init(&["--", "sleep", "1000"]).within_pid_namespace().start();
        while proc::signal_set(manager.pid, "SigBlk") == 0 && proc::children(manager.pid).is_empty() {}
        pass(Duration::from_micros(u64::from(round * 7919 % 500)));
        assert_eq!(manager.end_by(TERM).code(), 143, "round {round}");
    }
}

/// What libc's own start-up may do before main, static or dynamic.
const START_UP: [&str; 19] = [
    "execve",
    "brk",
    "mmap",
    "arch_prctl",
    "access",
    "openat",
    "newfstatat",
    "fstat",
    "read",
    "pread64",
    "close",
    "mprotect",
    "set_tid_address",
    "set_robust_list",
    "rseq",
    "prlimit64",
    "munmap",
    "getrandom",
    "futex",
];

#[test]
fn the_first_system_call_blocks_every_signal_and_none_is_let_in_before_its_handler_stands() {
    let launch = script(&[], "exit 0");
    let file = launch.file("trace");
    let ended = launch.through(&["strace", "-qq", "-o", file.to_str().unwrap()]).start();
    let calls = eventually("the trace", || fs::read_to_string(&file).ok().filter(|text| text.contains("exit_group")));
    ended.end();
    let calls: Vec<&str> = calls.lines().collect();
    let is_mask = |call: &str| call.starts_with("rt_sigprocmask");
    let first = calls.iter().position(|call| call.starts_with("rt_sigprocmask(SIG_SETMASK, ~[]")).unwrap();
    let ours: Vec<&&str> = calls[..first].iter().filter(|call| !START_UP.contains(&name(call))).collect();
    assert!(ours.is_empty(), "before all signals are blocked: {ours:?}");
    let fork = calls.iter().position(|call| ["fork", "clone", "vfork"].contains(&name(call))).unwrap();
    let last = calls[..fork].iter().rposition(|call| call.starts_with("rt_sigaction")).unwrap();
    let closed = |call: &&&str| call.contains("SETMASK, ~[") || call.contains("BLOCK, ~[");
    let open: Vec<&&str> = calls[first..last].iter().filter(|call| is_mask(call) && !closed(call)).collect();
    assert!(open.is_empty(), "before the last handler stands: {open:?}");
}

/// The system call of a line of strace's.
fn name(line: &str) -> &str {
    line.split('(').next().unwrap_or_default()
}

/// tini and catatonit hang for ever.
#[test]
fn an_inherited_sigchld_that_is_ignored_is_undone() {
    let ended = script(&[], "exit 3").through(&["env", "--ignore-signal=CHLD"]).run();
    assert_eq!(ended.code(), 3);
}

/// With stdin closed tini refuses; with stderr closed a line of the log kills tini's and catatonit's child.
#[test]
fn closed_standard_descriptors_harm_nobody_and_stay_closed() {
    let report = "for n in 0 1 2; do [ -e /proc/$$/fd/$n ] && open=$open$n; done; echo $open. >$PROMISE/open; exit 5";
    for (closing, open) in [("<&-", "12.\n"), (">&-", "02.\n"), ("2>&-", "01.\n"), ("<&- >&- 2>&-", ".\n")] {
        for level in ["warning", "debug"] {
            let start = format!("exec \"$@\" {closing}");
            let launch = script(&["--log-level", level], report).through(&["sh", "-c", &start, "sh"]);
            let file = launch.file("open");
            let manager = launch.start();
            let found = eventually("the report", || fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')));
            assert_eq!((manager.end().code(), found.as_str()), (5, open), "{closing} {level}");
        }
    }
}

#[test]
fn a_standard_error_that_is_full_or_without_reader_harms_nobody() {
    let (_reader, full) = full_pipe();
    let (reader, broken) = std::io::pipe().unwrap();
    drop(reader);
    for (what, stderr) in [("full", full), ("without reader", broken)] {
        let ended = script(&["--log-level=debug", "--stop-timeout=none"], "exit 4").stderr(stderr).run();
        assert_eq!(ended.code(), 4, "{what}");
        assert!(ended.took < Duration::from_secs(5), "{what}: {:?}", ended.took);
    }
}

#[test]
fn who_ended_before_the_start_is_reaped() {
    let leave = "for (1..3) { exit 0 unless fork } select(undef, undef, undef, 0.2); exec @ARGV";
    for arguments in [&["--init", "--", "sleep", "1000"][..], &["-w1", "--", "sleep", "1000"]] {
        let manager = Launch::bare(arguments).through(&["perl", "-e", leave]).start();
        eventually("the child", || (proc::live_children(manager.pid).len() == 1).then_some(()));
        eventually("nobody but the child", || (proc::children(manager.pid) == [child(&manager)]).then_some(()));
        manager.end_by(TERM);
    }
}

/// A pending stop that took effect between fork and exec would stop an init that waits for the exec.
#[test]
fn a_stop_between_fork_and_exec_is_passed_on_after_it() {
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=setpgid"];
    let late = ["-e", "inject=setpgid:delay_exit=500000:when=1"];
    let manager = init(&["--", "sleep", "1000"]).below(&[&strace[..], &late].concat()).start();
    let stopped = child(&manager);
    send(stopped, TSTP);
    // In small letters, because it is traced.
    let both = [stopped, manager.pid];
    let is_stopped = |pid: &i32| proc::stat(*pid).is_some_and(|stat| stat.state == 't');
    eventually("both stopped", || both.iter().all(is_stopped).then_some(()));
    assert_eq!(proc::name(stopped), "sleep");
    send(manager.pid, CONT);
    assert_eq!(manager.end_by(TERM).code(), 143);
}

#[test]
fn an_empty_environment_is_enough_and_nothing_but_the_workers_own_is_added() {
    let ended = init(&["--", "/usr/bin/env"]).through(&["env", "-i"]).run();
    let others: Vec<&str> = ended.out.lines().filter(|line| !line.starts_with("CANTELLA_")).collect();
    assert_eq!((ended.code(), others), (0, vec![]), "{}", ended.err());
}

#[test]
fn without_proc_it_runs_and_drains_the_childs_group() {
    let hide = "mount -t tmpfs none /proc && exec \"$@\"";
    let launch = script(&["--drain=2s"], "[ ! -e /proc/self ] || exit 1; sleep 1000 & exit 6");
    let ended = launch.through(&["unshare", "--mount", "sh", "-c", hide, "sh"]).run();
    assert_eq!(ended.code(), 6, "{}", ended.err());
    assert!(ended.left.is_empty(), "{:?}", ended.left);
    assert!(ended.took < Duration::from_secs(1), "{:?}", ended.took);
}
