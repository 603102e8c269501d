//! What a second look at the built program found: each of these went wrong once.

use std::fs;
use std::time::Duration;

use crate::common::signals::{HUP, KILL, TERM, USR1, send};
use crate::common::{Launch, eventually, holds_for, live_children, proc};

/// Some file systems (XFS, btrfs) refuse every write that must not wait, whenever they have to allocate.
#[test]
fn a_file_gets_every_record_though_it_refuses_writes_that_must_not_wait() {
    let manager = Launch::new(&["-w1", "--", "sh", "-c", "echo one; echo two; sleep 60"])
        .below(&["strace", "-qq", "-e", "trace=pwritev2", "-e", "inject=pwritev2:error=EAGAIN", "-o", "/dev/null"])
        .start();
    eventually("every record", || manager.log().contains("two").then_some(()));
}

#[test]
fn a_slow_log_does_not_put_off_the_kill() {
    let launch = Launch::new(&["-w1", "--stop-timeout", "2s"]);
    let log = format!("file:{}", launch.file("slow").display());
    let script = "trap '' TERM; while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; sleep 0.05; done";
    let manager = launch
        .with(&["--log", &log, "--", "sh", "-c", script])
        .below(&["strace", "-qq", "-e", "trace=write", "-e", "inject=write:delay_enter=1300000", "-o", "/dev/null"])
        .start();
    manager.workers(1);
    send(manager.pid, TERM);
    assert_eq!(manager.end_within(Duration::from_secs(20)).code(), 124);
}

#[test]
fn the_log_is_reopened_though_a_record_was_torn_and_the_record_is_written_again() {
    let launch = Launch::new(&["-w1", "--stop-timeout", "2s"]).through(&["prlimit", "--fsize=8192:unlimited"]);
    let (path, aside) = (launch.file("log"), launch.file("log.1"));
    let log = format!("file:{}", path.display());
    let script = "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i of four hundred; done; sleep 60";
    let manager = launch.with(&["--log", &log, "--", "sh", "-c", script]).start();
    eventually("a file that is full", || fs::metadata(&path).ok().filter(|file| file.len() == 8192).map(|_| ()));
    fs::rename(&path, &aside).unwrap();
    manager.signal(HUP);
    let read = || fs::read_to_string(&path).ok().filter(|text| text.contains('\n'));
    let after = eventually("the new file", read);
    assert!(after.starts_with("ts="), "{after}");
    let before = fs::read_to_string(&aside).unwrap();
    let torn = before.lines().last().unwrap();
    assert!(after.starts_with(torn), "the record that was torn comes whole: {torn} before {after}");
}

#[test]
fn descriptors_that_are_only_claimed_to_be_handed_over_cost_the_init_nothing() {
    let launch = Launch::new(&["--init", "--log-level", "debug"]).env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let path = launch.file("log");
    let log = format!("file:{}", path.display());
    let ended = launch.with(&["--log", &log, "--", "true"]).run();
    assert_eq!((ended.code(), ended.err().as_str()), (0, ""));
    assert!(fs::read_to_string(&path).unwrap().contains("event=exited"));
}

#[test]
fn a_signal_while_the_end_waits_for_the_log_is_heard_once() {
    let (reader, writer) = crate::common::fd::full_pipe();
    let script = "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done";
    let arguments = ["-w1", "--restart", "never", "--stop-timeout", "none", "--", "sh", "-c", script];
    let manager = Launch::new(&arguments).stderr(writer).start();
    for pid in manager.workers(1) {
        send(pid, KILL);
    }
    eventually("nobody but the manager", || live_children(manager.pid).is_empty().then_some(()));
    manager.signal(USR1);
    let before = proc::context_switches(manager.pid);
    let ticks = proc::processor_ticks(manager.pid);
    holds_for(Duration::from_millis(500), "a quiet manager", || {
        proc::context_switches(manager.pid) < before + 20 && proc::processor_ticks(manager.pid) <= ticks + 5
    });
    drop(reader);
}

#[test]
fn what_a_worker_does_to_its_pipe_ends_with_it() {
    const NONBLOCK: i32 = 0o4000;
    let script =
        "use Fcntl; fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK) if $ENV{CANTELLA_WORKER_GENERATION} == 1; sleep 60";
    let manager = Launch::new(&["-w1", "--backoff", "0", "--", "perl", "-e", script]).start();
    let is_set = |pid| proc::descriptor_flags(pid, 1) & NONBLOCK != 0;
    let first =
        eventually("a worker that has changed it", || live_children(manager.pid).into_iter().find(|pid| is_set(*pid)));
    send(first, KILL);
    let second = eventually("its successor", || {
        let mut live = live_children(manager.pid).into_iter();
        live.find(|pid| *pid != first && proc::name(*pid) == "perl")
    });
    assert!(!is_set(second), "the successor's pipe blocks");
}

#[test]
fn descriptors_in_the_way_raise_the_soft_limit() {
    let open = "for i in $(seq 200); do exec {f}</dev/null; done; exec prlimit --nofile=256:4096 \"$@\"";
    let manager = Launch::new(&["-w60", "--", "sleep", "60"]).through(&["bash", "-c", open, "bash"]).start();
    manager.workers(60);
}

#[test]
fn a_limit_that_leaves_no_descriptor_is_refused_at_the_start() {
    for limit in ["nofile=0", "nofile=2"] {
        let ended = Launch::bare(&["--rlimit", limit, "--", "true"]).run();
        assert_eq!((ended.code(), ended.err().contains("--rlimit")), (125, true), "{}", ended.err());
    }
}

#[test]
fn the_child_of_an_init_gets_what_was_sent_and_nothing_else() {
    let script = "trap 'echo CONT' CONT; trap 'echo TERM; exit 3' TERM; echo up; while :; do sleep 0.1; done";
    let manager = Launch::bare(&["--init", "--", "sh", "-c", script]).start();
    eventually("a child that is up", || (manager.out() == "up\n").then_some(()));
    let ended = manager.end_by(TERM);
    assert_eq!((ended.code(), ended.out.as_str()), (3, "up\nTERM\n"));
}

#[test]
fn the_logs_own_troubles_heed_the_level() {
    let launch = Launch::new(&["-w1", "--log-level", "critical"]);
    let directory = launch.file("gone");
    fs::create_dir(&directory).unwrap();
    let log = format!("file:{}", directory.join("log").display());
    let manager = launch.with(&["--log", &log, "--", "sleep", "60"]).start();
    manager.workers(1);
    fs::rename(&directory, directory.with_extension("away")).unwrap();
    manager.signal(HUP);
    let written = directory.with_extension("away").join("log");
    manager.end_by(TERM);
    assert_eq!(fs::read_to_string(written).unwrap_or_default(), "");
}
