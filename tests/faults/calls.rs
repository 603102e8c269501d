//! System calls that fail: one by one, interrupted or with an error, in the loop and in the fresh child.

use std::path::Path;
use std::thread;

use crate::common::Launch;
use crate::common::log::Record;
use crate::common::signals::{KILL, TERM, try_send};
use crate::kit::busy;

/// The calls of the loop, each under all the names that a C library may call it by, so that every step of them is tried.
///
/// close, exit, getpid, `rt_sigprocmask` and `rt_sigreturn` cannot fail. kill(2) has no error that is over the next time,
/// so it is only interrupted.
const LOOP: [&str; 11] = [
    "poll,ppoll",
    "read,readv,preadv2",
    "write,writev,pwritev2",
    "wait4,waitid",
    "open,openat",
    "clone,clone3,fork,vfork",
    "ioctl",
    "kill",
    "epoll_wait,epoll_pwait,epoll_pwait2",
    "dup2,dup3",
    "kcmp",
];

/// Starts it below strace, which tampers as `inject` says, here and (with `follow`) in its children.
fn tampered(inject: &str, follow: bool, arguments: &[&str]) -> Launch {
    let tracing: &[&str] = &["strace", "-qq", "-e", "signal=none", "-o", "/dev/null", "-e", inject];
    Launch::new(arguments).below(&[tracing, if follow { &["-f"] } else { &[] }].concat())
}

/// T5: a call that fails now and then, whichever it is, changes nothing in the end.
///
/// Every call of a kind cannot fail: nothing would ever happen. Nor every second one of poll(2), which takes turns with the
/// poll that the write of a record makes where the log's file system has no `RWF_NOWAIT`.
#[test]
fn a_system_call_that_fails_now_and_then_changes_nothing() {
    let _busy = busy();
    let trials = LOOP.into_iter().flat_map(|calls| [("EINTR", calls), ("EIO", calls)]);
    thread::scope(|scope| {
        for (error, calls) in trials.filter(|trial| *trial != ("EIO", "kill")) {
            scope.spawn(move || {
                let first = if calls.starts_with("poll") { 3 } else { 2 };
                (first..=5).for_each(|step| stumble(calls, error, step));
            });
        }
    });
}

fn stumble(calls: &str, error: &str, step: usize) {
    let what = format!("{error} from every {step}th of {calls}");
    let inject = format!("inject={calls}:error={error}:when=2+{step}");
    // Few workers need no exchange of numbers.
    let count = if calls.contains("dup") || calls == "kcmp" { 20 } else { 3 };
    let number = count.to_string();
    let command = ["--", "sh", "-c", "echo line of $CANTELLA_WORKER_SLOT; exec sleep 1000"];
    let options = [&["-w", &number, "--min-uptime=0", "--backoff=10ms..20ms"], &command[..]].concat();
    let manager = tampered(&inject, false, &options).start();
    for round in 1..=3 {
        let workers = manager.workers_running(count, Path::new("/usr/bin/sleep"));
        // One that is being reaped meanwhile was killed in the last round.
        assert!(workers.iter().all(|&pid| try_send(pid, KILL)), "{what}");
        manager.count_of(&what, count * (round + 1), is_own_line);
    }
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{what}: {}", ended.err());
    assert_eq!(ended.events("started").len(), 4 * count, "{what}: {}", ended.err());
    // At its end the manager does not wait for a log that takes nothing.
    if !(error == "EIO" && calls.starts_with("write")) {
        assert_eq!(ended.events("exited").len(), 4 * count, "{what}: {}", ended.err());
    }
    assert!(ended.left.is_empty(), "{what}: {:?}", ended.left);
}

/// Whether it is a line in the name of the worker that wrote it.
fn is_own_line(record: &Record) -> bool {
    record.is_line() && record.text("msg") == format!("line of {}", record.number("worker"))
}

/// T27: a worker whose set-up fails never runs, and the log names the step. What can be found out at the start is.
#[test]
fn a_worker_never_runs_half_configured() {
    /// The call, what asks for it, and what is told of it; with `--`, at the start.
    const STEPS: [(&str, &[&str], &str); 10] = [
        ("setsid", &[], "cannot make a session"),
        ("setpgid", &["--no-detach"], "cannot make a process group"),
        ("dup2,dup3", &[], "cannot set up the standard descriptors"),
        ("prctl", &[], "cannot set the death signal"),
        ("setpriority", &["--priority=1"], "--priority"),
        ("chdir", &["--chdir=/tmp"], "--chdir"),
        ("setgroups", &["--user=nobody"], "--user"),
        ("setresgid", &["--user=nobody"], "--user"),
        ("setresuid", &["--user=nobody"], "--user"),
        ("prctl", &["--no-new-privs"], "--no-new-privs"),
    ];
    let _busy = busy();
    for (calls, options, told) in STEPS {
        let inject = format!("inject={calls}:error=EPERM");
        let arguments = [options, &["-w2", "--restart", "never", "--", "sh", "-c", "echo ran"]].concat();
        let ended = tampered(&inject, true, &arguments).run();
        let wanted = if told.starts_with("--") { 125 } else { 126 };
        assert_eq!(ended.code(), wanted, "{calls}: {}", ended.err());
        assert!(ended.err().contains(told) && ended.err().contains("Operation not permitted"), "{calls}");
        assert!(!ended.err().contains("ran"), "{calls}: {}", ended.err());
    }
}

/// T29: a sandbox that answers optional calls with an error costs what they are for, and nothing else.
#[test]
fn calls_that_are_optional_may_be_forbidden() {
    let _busy = busy();
    for error in ["ENOSYS", "EPERM"] {
        for calls in ["close_range,unshare", "pwritev2,preadv2", "ioctl", "clone3", "kcmp", "madvise"] {
            let inject = format!("inject={calls}:error={error}");
            let options = ["-w2", "--restart", "never", "--", "sh", "-c", "echo one; echo two"];
            let ended = tampered(&inject, true, &options).run();
            assert_eq!(ended.code(), 0, "{calls}: {}", ended.err());
            let lines = ended.records().iter().filter(|record| record.is_line()).count();
            assert_eq!((lines, ended.events("exited").len()), (4, 2), "{error} from {calls}: {}", ended.err());
        }
    }
}
