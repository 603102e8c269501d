//! At the child's end what is left of the container is drained, not dropped; the code stays the child's.

use std::fs;
use std::time::{Duration, Instant};

use super::script;
use crate::common::signals::{KILL, TERM, send};
use crate::common::{Launch, Manager, Pid, eventually, holds_for, proc};

/// The ways to be the one to whom orphans come: as a subreaper, as PID 1.
const PLACES: [fn(Launch) -> Launch; 2] = [|launch| launch, Launch::within_pid_namespace];

/// Leaves `stray`, a script, behind in a session of its own and ends with 7.
fn leaving(options: &[&str], stray: &str) -> Launch {
    let leave = "mkfifo $PROMISE/up; setsid sh -c \"$STRAY\" & read x <$PROMISE/up; exit 7";
    script(options, leave).env("STRAY", stray)
}

/// A stray that ends in its own good time after a TERM.
const ORDERLY: &str = "trap 'sleep 0.3; echo done; exit' TERM; mkfifo $PROMISE/hold; exec 3<>$PROMISE/hold; \
                       echo >$PROMISE/up; while :; do read x <&3; done";
/// One that is stopped when TERM comes.
const STOPPED: &str = "trap 'echo done; exit' TERM; echo >$PROMISE/up; kill -STOP $$; while :; do sleep 0.02; done";
/// One that does not end.
const STUBBORN: &str = "trap '' TERM; echo >$PROMISE/up; while :; do sleep 0.1; done";

/// Waits until the stray that was left behind is all that there is, and gives it.
fn drained(manager: &Manager) -> Pid {
    let orphan = || proc::live_children(manager.pid).into_iter().find(|&pid| proc::arguments(pid).len() == 3);
    let stray = eventually("the orphan", || orphan().filter(|&pid| proc::stat(pid).is_some_and(|s| s.session == pid)));
    eventually("the child's end", || (proc::live_children(manager.pid) == [stray]).then_some(()));
    stray
}

#[test]
fn what_is_left_is_asked_to_end_and_waited_for() {
    for place in PLACES {
        for stray in [ORDERLY, STOPPED] {
            let ended = place(leaving(&[], stray)).run();
            assert_eq!((ended.code(), ended.out.as_str(), ended.err().as_str()), (7, "done\n", ""), "{stray}");
            assert!(ended.left.is_empty(), "{stray}: {:?}", ended.left);
            assert!(ended.took < Duration::from_secs(4), "{stray}: {:?}", ended.took);
        }
    }
}

#[test]
fn what_does_not_end_is_killed_after_the_drain() {
    for place in PLACES {
        for options in [&["--drain=700ms"][..], &["--stop-timeout=700ms"]] {
            let ended = place(leaving(options, STUBBORN)).run();
            assert_eq!(ended.code(), 7, "{options:?}: {}", ended.err());
            assert!(ended.left.is_empty(), "{options:?}: {:?}", ended.left);
            let (least, most) = (Duration::from_millis(690), Duration::from_secs(5));
            assert!(ended.took >= least && ended.took < most, "{options:?}: {:?}", ended.took);
        }
    }
}

#[test]
fn a_drain_of_zero_leaves_at_once() {
    let ended = leaving(&["--drain=0"], ORDERLY).run();
    assert_eq!((ended.code(), ended.out.as_str(), ended.left.is_empty()), (7, "", false));
    ended.left.iter().for_each(|&pid| send(pid, KILL));
}

#[test]
fn a_drain_without_end_waits_for_the_last() {
    let manager = leaving(&["--stop-timeout=none"], STUBBORN).start();
    let stray = drained(&manager);
    holds_for(Duration::from_secs(1), "a drain", || proc::is_alive(stray) && proc::is_alive(manager.pid));
    send(stray, KILL);
    assert_eq!(manager.end().code(), 7);
}

#[test]
fn who_asks_to_stop_while_strays_are_drained_is_in_a_hurry() {
    for place in PLACES {
        let manager = place(leaving(&["--drain=1m"], STUBBORN)).start();
        drained(&manager);
        let ended = manager.end_by(TERM);
        assert_eq!(ended.code(), 7);
        assert!(ended.left.is_empty(), "{:?}", ended.left);
        assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
    }
}

/// A shell that executes an init may have children already: who reads its output, for instance.
#[test]
fn who_was_there_before_is_no_stray() {
    let reader = "exec \"$@\" > >(sleep 0.5; cat >$PROMISE/kept)";
    for options in [&["--drain=700ms"][..], &["--drain=1m"]] {
        let leaves = options == ["--drain=700ms"];
        let launch = leaving(options, if leaves { STUBBORN } else { "echo >$PROMISE/up" });
        let kept = launch.file("kept");
        let ended = launch.through(&["bash", "-c", reader, "bash"]).run();
        assert_eq!(ended.code(), 7);
        assert!(ended.took < Duration::from_secs(5), "{options:?}: {:?}", ended.took);
        eventually("a reader that came to its end", || fs::exists(&kept).unwrap().then_some(()));
        let stubborn = ended.left.iter().any(|&pid| proc::arguments(pid).len() == 3);
        assert!(!stubborn, "{options:?}: {:?}", ended.left);
    }
}

#[test]
fn the_drain_shares_the_deadline_of_the_stop() {
    for place in PLACES {
        let stubborn = "trap 'exit 7' TERM; mkfifo $PROMISE/up; setsid sh -c \"$STRAY\" & read x <$PROMISE/up; echo up; \
                        while :; do sleep 0.02; done";
        let options = ["--stop-timeout=1500ms", "--drain=20s"];
        let manager = place(script(&options, stubborn).env("STRAY", STUBBORN)).start();
        manager.says("up");
        let asked = Instant::now();
        let ended = manager.end_by(TERM);
        assert_eq!(ended.code(), 7, "{}", ended.err());
        assert!(ended.left.is_empty(), "{:?}", ended.left);
        let took = asked.elapsed();
        assert!(took >= Duration::from_millis(1490) && took < Duration::from_secs(6), "{took:?}");
    }
}

#[test]
fn the_childs_group_is_drained_though_its_leader_is_gone() {
    let ended = script(&["--drain=5s"], "sleep 1000 & sleep 1000 & exit 3").run();
    assert_eq!((ended.code(), ended.left.len()), (3, 0), "{:?}", ended.left);
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
}

#[test]
fn descendants_that_move_about_while_they_are_drained_are_all_reached() {
    let breed = "for i in 1 2 3 4 5 6 7 8; do setsid sh -c 'sleep 0.05; setsid sleep 1000 & setsid sleep 1000' & done; \
                 sleep 0.1; exit 2";
    for place in PLACES {
        let ended = place(script(&["--drain=1s"], breed)).run();
        assert_eq!((ended.code(), ended.left.len()), (2, 0), "{:?}", ended.left);
    }
}

/// What was put into the namespace from outside is no child of PID 1's, and still part of the container.
#[test]
fn as_pid_1_a_process_that_came_from_outside_is_waited_for_too() {
    let manager =
        script(&[], "echo up; read x; exit 7").stdin(std::process::Stdio::piped()).within_pid_namespace().start();
    manager.says("up");
    let enter = ["--pid", "--mount", "--target", &manager.pid.to_string()].map(str::to_owned);
    let mut guest = std::process::Command::new("nsenter")
        .args(enter)
        .args(["sh", "-c", "trap 'sleep 0.3; exit 9' TERM; echo guest; while :; do sleep 0.02; done"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(guest.stdout.take().unwrap()), &mut line).unwrap();
    send(manager.pid, TERM);
    let ended = manager.end();
    assert_eq!(ended.code(), 143);
    assert_eq!(guest.wait().unwrap().code(), Some(9), "it was not waited for");
}
