//! Limits: no heap, no wake-ups, and nothing that grows while workers come and go.

use std::path::Path;
use std::time::Duration;

use crate::common::signals::{KILL, TERM, send};
use crate::common::{Manager, eventually, holds_for, proc};

/// The program under test is the static one; a dynamic loader has a heap and mappings of its own.
fn is_static(manager: &Manager) -> bool {
    !proc::mappings(manager.pid).iter().any(|mapping| mapping.contains("/ld-"))
}

#[test]
fn memory_and_descriptors_are_the_same_after_many_restarts() {
    let manager = Manager::start(&["-w2", "--min-uptime", "0", "--", "true"]);
    let restarted = |times: i64| {
        manager.record("many restarts", |record| record.tells("started") && record.number("generation") >= times);
    };
    restarted(50);
    // Nothing is ever mapped, so whatever pages of its fixed buffers it comes to use, it cannot grow beyond them.
    let (mappings, descriptors) = (proc::mappings(manager.pid), proc::descriptors(manager.pid));
    restarted(1000);
    assert_eq!(proc::mappings(manager.pid), mappings);
    assert_eq!(proc::descriptors(manager.pid), descriptors);
    assert!(proc::children(manager.pid).len() <= 2, "zombies are left");
}

#[test]
fn there_is_no_heap_and_little_memory() {
    let manager = Manager::start(&["-w10", "--", "sh", "-c", "echo one; printf two; exec sleep 1000"]);
    manager.count_of("an unfinished line", 10, |record| record.text("msg") == "two");
    if !is_static(&manager) {
        return;
    }
    let mappings = proc::mappings(manager.pid);
    assert!(!mappings.iter().any(|mapping| mapping.contains("[heap]")), "{mappings:#?}");
    let memory = proc::private_dirty(manager.pid);
    assert!(memory <= 256 + 16 * 10, "{memory} KiB of its own");
}

#[test]
fn an_idle_manager_is_never_woken() {
    let manager = Manager::start(&["-w10", "--", "sleep", "1000"]);
    let workers = manager.workers_running(10, Path::new("/usr/bin/sleep"));
    // The last thing on its own account is a look at the workers when they reach their minimum uptime.
    std::thread::sleep(Duration::from_secs(2));
    let (switches, ticks) = (proc::context_switches(manager.pid), proc::processor_ticks(manager.pid));
    holds_for(Duration::from_secs(20), "the same workers", || workers.iter().all(|&pid| proc::is_alive(pid)));
    assert_eq!(proc::context_switches(manager.pid), switches);
    assert_eq!(proc::processor_ticks(manager.pid), ticks);
}

/// Else each fork would cost the manager a copy of every page that it writes to next.
#[test]
fn what_only_the_manager_writes_to_is_kept_from_workers() {
    let manager = Manager::start(&["-w3", "--", "sleep", "1000"]);
    manager.workers(3);
    let mappings = std::fs::read_to_string(format!("/proc/{}/smaps", manager.pid)).unwrap();
    let kept = mappings.lines().filter(|line| line.starts_with("VmFlags:") && line.contains(" dc"));
    assert_eq!(kept.count(), 1, "{mappings}");
}

#[test]
fn descriptors_stay_within_16_and_4_for_each_worker() {
    for workers in [1_usize, 20] {
        let manager = Manager::start(&["-w", &workers.to_string(), "--", "sleep", "1000"]);
        manager.workers_running(workers, Path::new("/usr/bin/sleep"));
        let open = proc::descriptors(manager.pid);
        assert!(open.len() <= 16 + 4 * workers, "{open:#?}");
    }
}

#[test]
fn a_thousand_workers_start_and_end() {
    let manager = Manager::start(&["-w1000", "--min-uptime", "0", "--", "sleep", "1000"]);
    let workers = manager.workers_running(1000, Path::new("/usr/bin/sleep"));
    for &pid in &workers[..100] {
        send(pid, KILL);
    }
    manager.count_of("a start", 1100, |record| record.tells("started"));
    manager.workers(1000);
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0);
    assert_eq!((ended.events("started").len(), ended.events("exited").len()), (1100, 1100));
    assert!(ended.left.is_empty(), "{:?}", ended.left);
}

#[test]
fn signals_are_answered_while_a_thousand_workers_start() {
    let manager = Manager::start(&["-w1024", "--", "sleep", "1000"]);
    eventually("a first worker", || (!proc::children(manager.pid).is_empty()).then_some(()));
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert!(ended.events("started").len() < 1024, "the start was waited for");
    assert_eq!(ended.events("started").len(), ended.events("exited").len());
    assert!(ended.left.is_empty(), "{:?}", ended.left);
}
