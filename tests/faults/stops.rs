//! The end, and those who do not want it: stopped, stubborn, left behind, escaped.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::signals::{INT, QUIT, STOP, TERM, send, try_send};
use crate::common::{Launch, Manager, Pid, eventually, proc, worker};
use crate::kit::{NOISE, SLEEP, SLEEPERS, WORLDS, busy, end_well, figure, form, imp, quiet, run_imp};

/// T11: a worker that was stopped ends as fast as any other.
#[test]
fn stopped_workers_end_at_once() {
    let _quiet = quiet();
    for world in WORLDS {
        let manager = world.start(&SLEEPERS);
        for pid in manager.workers_running(world.workers, Path::new(SLEEP)) {
            send(pid, STOP);
            eventually("its stop", || proc::stat(pid).filter(|stat| stat.state == 'T'));
        }
        let took = end_well(manager).took;
        figure("T11", &format!("{world:?}: an end with all workers stopped"), format!("{took:?}"));
        assert!(took <= NOISE * Duration::from_millis(50), "{world:?}: {took:?}");
    }
}

/// T12: who ignores everything is killed at the stop timeout, and no sooner.
#[test]
fn stubborn_workers_are_killed_at_the_stop_timeout() {
    let _quiet = quiet();
    for world in WORLDS {
        let options = ["--stop-timeout", "700ms", "--", worker(), "ignore", "15", "2", "1", "3", "10", "12"];
        let manager = world.start(&options);
        manager.count_of("ready", world.workers, |record| record.text("msg") == "ready");
        let ended = manager.end_by(TERM);
        assert_eq!(ended.code(), 124, "{}", ended.err());
        let asked = ended.events("draining")[0].millis();
        let after: Vec<i64> = ended.events("killed").iter().map(|killed| killed.millis() - asked).collect();
        figure("T12", &format!("{world:?}: the last killed after"), format!("{:?} ms of 700", after.iter().max()));
        assert!(after.iter().all(|after| (699..=700 + i64::from(20 * NOISE)).contains(after)), "{world:?}: {after:?}");
        assert_eq!(after.len(), world.workers);
    }
}

/// Waits until every worker has said who its child is.
fn children_of_workers(manager: &Manager, count: usize) {
    manager.count_of("children", count, |record| record.text("msg").starts_with("child "));
}

/// T13: a group whose leader ended at once, and that ignores TERM, is gone by the end; not before it, in a pool.
#[test]
fn groups_without_a_leader_are_gone_at_the_end() {
    let _busy = busy();
    for world in WORLDS {
        // `family` stays and ends by TERM, at once; its child ignores it.
        let manager = world.start(&["--stop-timeout", "1s", "--", worker(), "family"]);
        children_of_workers(&manager, world.workers);
        let ended = manager.end_by(TERM);
        assert!(ended.left.is_empty(), "{world:?}: {:?}", ended.left);
        assert!(
            ended.took < Duration::from_secs(1) + NOISE * Duration::from_millis(100),
            "{world:?}: {:?}",
            ended.took
        );
    }
}

/// T13: the same while the pool runs: each dead worker's group goes with it, so that a crash loop piles up nobody.
#[test]
fn groups_without_a_leader_never_pile_up() {
    let _busy = busy();
    for world in [WORLDS[1], WORLDS[3]] {
        let options = ["--min-uptime", "0", "--backoff", "20ms..20ms", "--", worker(), "forsaken"];
        let manager = world.start(&options);
        manager.count_of("a tenth start", 1, |record| record.tells("started") && record.number("generation") == 10);
        // Of each slot the present worker, its child, and one that is just being killed.
        let all = manager.descendants().len();
        assert!(all <= 3 * world.workers + 1, "{world:?}: {all} processes");
        end_well(manager);
    }
}

/// T14: who leaves group and session is found at the end all the same, where orphans come to the manager.
#[test]
fn whoever_leaves_its_session_does_not_outlive_a_manager_that_orphans_come_to() {
    let _busy = busy();
    for world in WORLDS {
        let subreaper: &[&str] = if world.is_pid_1 { &[] } else { &["--subreaper"] };
        let manager = world.start(&[subreaper, &["--stop-timeout", "1s", "--", worker(), "stray"]].concat());
        children_of_workers(&manager, world.workers);
        let ended = manager.end_by(TERM);
        assert!(ended.left.is_empty(), "{world:?}: {:?}", ended.left);
        let most = Duration::from_secs(1) + NOISE * Duration::from_millis(100);
        assert!(ended.took < most, "{world:?}: {:?}", ended.took);
    }
}

/// Beyond the table: a worker that leaves the group that was made for it, or makes a session, is stopped all the same, by
/// force too, and so is whom it left behind.
#[test]
fn a_worker_that_moves_to_another_group_or_session_is_stopped_all_the_same() {
    let _busy = busy();
    let worlds: [(&str, &[&str]); 3] = [
        ("group", &["--no-detach"]),
        ("group", &["--no-detach", "--kill-mode=group"]),
        ("session", &["--no-detach", "--no-process-group"]),
    ];
    for (place, options) in worlds {
        for stubborn in [false, true] {
            let ignoring: &[&str] = if stubborn { &["env", "--ignore-signal=TERM"] } else { &[] };
            let command = [&["--stop-timeout=500ms", "-w2", "--"], ignoring, &[imp(), "move", place]].concat();
            let manager = Manager::start(&[options, &command].concat());
            manager.count_of("moves", 2, |record| record.text("msg") == "moved");
            manager.count_of("children", 2, |record| record.text("msg") == "child");
            let ended = manager.end_by(TERM);
            // In group mode the stop signal goes where the worker is not any more.
            let forced = stubborn || options.contains(&"--kill-mode=group");
            assert_eq!(ended.code(), if forced { 124 } else { 0 }, "{options:?}, {place}: {}", ended.err());
            // Without a group of its own, what a worker leaves behind is nobody's.
            let alone = options.contains(&"--no-process-group");
            assert_eq!(ended.left.len(), if alone { 2 } else { 0 }, "{options:?}, {place}: {:?}", ended.left);
        }
    }
}

/// T23: orphans by the thousand are reaped as they come.
#[test]
fn ten_thousand_orphans_are_reaped_at_once() {
    let _quiet = quiet();
    let count = form(2_000, 10_000);
    let words = count.to_string();
    for init in [false, true] {
        let options: &[&str] = if init { &["--init"] } else { &["-w1"] };
        let command = [options, &["--", imp(), "orphans", &words]].concat();
        let manager = Launch::bare(&command).within_pid_namespace().start();
        let zombies = || proc::children(manager.pid).len() - proc::live_children(manager.pid).len();
        let said = || if init { manager.out() } else { manager.log() };
        eventually("all orphans", || said().contains("spread").then_some(()));
        let begun = Instant::now();
        eventually("no zombie", || (zombies() == 0).then_some(()));
        figure("T23", &format!("init {init}: all of {count} reaped after"), format!("{:?}", begun.elapsed()));
        assert!(begun.elapsed() <= NOISE * Duration::from_millis(100), "{:?}", begun.elapsed());
        let ended = manager.end_by(TERM);
        assert_eq!(ended.code(), if init { 143 } else { 0 }, "{}", ended.err());
    }
}

/// T23: as PID 1, with who ignores it and who does not, the stop takes its timeout at most, and no longer than needed.
#[test]
fn as_pid_1_a_stop_is_over_in_time_and_as_soon_as_nobody_is_left() {
    let _quiet = quiet();
    let timeout = Duration::from_secs(1);
    let late = timeout + NOISE * Duration::from_millis(100);
    for (signals, code) in [(&[TERM][..], 0), (&[INT], 0), (&[QUIT], 124), (&[TERM, TERM], 124)] {
        let manager = WORLDS[3].start(&[&["--stop-timeout", "1s"], &SLEEPERS[..]].concat());
        manager.workers(20);
        let took = stop(manager, signals, &[0, code]);
        assert!(took < NOISE * Duration::from_millis(100), "{signals:?}: {took:?}");
        let manager = WORLDS[3].start(&["--stop-timeout", "1s", "--", worker(), "ignore", "15", "2"]);
        manager.count_of("ready", 20, |record| record.text("msg") == "ready");
        let took = stop(manager, signals, &[124]);
        assert!(took < late && (signals.len() > 1 || signals == [QUIT] || took >= timeout), "{signals:?}: {took:?}");
    }
}

fn stop(manager: Manager, signals: &[i32], codes: &[i32]) -> Duration {
    let begun = Instant::now();
    for &signal in signals {
        try_send(manager.pid, signal);
    }
    let ended = manager.end();
    assert!(codes.contains(&ended.code()), "{signals:?}: {} {}", ended.code(), ended.err());
    assert_eq!(ended.events("started").len(), ended.events("exited").len(), "{}", ended.err());
    begun.elapsed()
}

/// T30: a manager that runs into a fault of its own ends as any program would, and its workers with it.
#[test]
fn a_manager_that_faults_is_dead_and_does_not_look_alive() {
    let _busy = busy();
    for world in WORLDS {
        let manager = world.start(&SLEEPERS);
        let workers = manager.workers(world.workers);
        run_imp(&["crash", &manager.pid.to_string()]);
        let gone = |pid: &Pid| !proc::is_alive(*pid);
        let begun = Instant::now();
        eventually("the end of all", || workers.iter().chain([&manager.pid]).all(gone).then_some(()));
        assert!(begun.elapsed() < NOISE * Duration::from_millis(200), "{world:?}: {:?}", begun.elapsed());
        assert_eq!(manager.end().code(), 139, "{world:?}");
    }
}
