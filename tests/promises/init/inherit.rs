//! What the child is born with: the mask, the ignored signals and the descriptors that its init was started with.

use std::process::Command;
use std::time::Duration;

use super::{child, init};
use crate::common::signals::{CHLD, HUP, TERM};
use crate::common::{Pid, eventually, holds_for, proc};

/// The signals that a process has blocked, and those it ignores, once it is sleep(1).
fn sets(pid: Pid) -> (u64, u64) {
    eventually("sleep", || (proc::name(pid) == "sleep").then_some(()));
    (proc::signal_set(pid, "SigBlk"), proc::signal_set(pid, "SigIgn"))
}

/// nohup has no effect under dumb-init; catatonit's children have TSTP, TTIN and TTOU blocked.
#[test]
fn the_mask_and_the_ignored_signals_are_exactly_those_at_the_start() {
    for options in [
        &["env"][..],
        &["env", "--block-signal"],
        &["env", "--ignore-signal"],
        &["env", "--ignore-signal=HUP,RTMIN,RTMAX,TSTP,PIPE", "--block-signal=USR1,TTOU,RTMIN+1"],
        &["env", "--ignore-signal=CHLD"],
    ] {
        let mut plain = Command::new(options[0]).args(&options[1..]).args(["sleep", "1000"]).spawn().unwrap();
        let (blocked, ignored) = sets(plain.id().cast_signed());
        plain.kill().and_then(|()| plain.wait()).unwrap();
        let manager = init(&["--", "sleep", "1000"]).through(options).start();
        let expected = (blocked, ignored & !(1 << (CHLD - 1)));
        assert_eq!(sets(child(&manager)), expected, "{options:?}");
    }
}

#[test]
fn nohup_keeps_its_meaning() {
    let manager = init(&["--", "sleep", "1000"]).through(&["nohup"]).start();
    let child = child(&manager);
    sets(child);
    manager.signal(HUP);
    holds_for(Duration::from_millis(200), "a child that ignores HUP", || proc::is_alive(child));
    assert_eq!(manager.end_by(TERM).code(), 143);
}

const SHOW: &str = "echo $LISTEN_PID:$$:$LISTEN_FDS:$LISTEN_FDNAMES; ls -l /proc/$$/fd; echo end; exec sleep 1000";

#[test]
fn descriptors_that_were_handed_over_go_to_the_child_alone() {
    let hand = "exec 3</etc/passwd 4</etc/group 5</etc/hosts 9</etc/hosts; LISTEN_PID=$$ exec \"$@\"";
    let launch = init(&["--", "sh", "-c", SHOW]).env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "a:b");
    let manager = launch.through(&["sh", "-c", hand, "sh"]).start();
    manager.says("end");
    let said = manager.out();
    let names: Vec<&str> = said.lines().next().unwrap().split(':').collect();
    assert_eq!((names[0], &names[2..]), (names[1], &["2", "a", "b"][..]), "{said}");
    assert!(said.contains(" 3 -> /etc/passwd") && said.contains(" 4 -> /etc/group"), "{said}");
    assert!(!said.contains("/etc/hosts"), "{said}");
    let kept = || proc::descriptors(manager.pid);
    let handed = ["/etc/passwd", "/etc/group"].map(std::path::Path::new);
    eventually("them closed", || (!kept().iter().any(|(_, path)| handed.contains(&path.as_path()))).then_some(()));
    assert_eq!(manager.end_by(TERM).code(), 143);
}

/// Or the second child would miss them.
#[test]
fn an_init_that_restarts_keeps_what_was_handed_over() {
    let hand = "exec 3</etc/passwd; LISTEN_PID=$$ exec \"$@\"";
    let show =
        "[ /proc/$$/fd/3 -ef /etc/passwd ] && [ $LISTEN_PID = $$ ] && echo generation $CANTELLA_WORKER_GENERATION";
    let options = ["--restart=always", "--min-uptime=0", "--backoff=0..0", "--", "sh", "-c"];
    let launch = init(&[&options[..], &[&format!("{show}; sleep 0.1")]].concat()).env("LISTEN_FDS", "1");
    let manager = launch.through(&["sh", "-c", hand, "sh"]).start();
    manager.says("generation 2");
}

/// A variable that was left over from somebody else must not cost the init its own descriptors.
#[test]
fn a_count_of_descriptors_that_are_not_there_harms_nobody() {
    let launch = init(&["--", "sh", "-c", "echo up; exec sleep 1000"]);
    let manager = launch.env("LISTEN_FDS", "40").env("LISTEN_PID", "1").start();
    manager.says("up");
    assert_eq!(manager.end_by(TERM).code(), 143);
}

#[test]
fn other_descriptors_are_closed_unless_they_are_to_be_kept() {
    let show = "for n in 3 7 20; do [ -e /proc/$$/fd/$n ] && echo open $n; done; exit 0";
    for (options, expected) in [(&[][..], ""), (&["--keep-fds"], "open 7\nopen 20\n")] {
        let launch = init(&[options, &["--", "sh", "-c", show]].concat());
        let ended = launch.through(&["bash", "-c", "exec 7</dev/null 20</dev/null; exec \"$@\"", "sh"]).run();
        assert_eq!((ended.code(), ended.out.as_str()), (0, expected), "{options:?}");
    }
}
