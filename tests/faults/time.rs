//! Time: clocks that jump, trees that freeze, hours in which nothing happens. And what it costs to wait.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::signals::{CONT, STOP, TERM, USR1, send};
use crate::common::{Launch, Manager, eventually, proc, worker};
use crate::kit::{NOISE, SLEEP, SLEEPERS, WORLDS, busy, end_well, figure, form, imp, is_dynamic, quiet};

/// T10: the wall clock jumps by hours and years at each look, and no delay, age or timeout knows of it.
#[test]
fn a_jumping_wall_clock_changes_nothing() {
    let _quiet = quiet();
    let options = [
        "--min-uptime=200ms",
        "--max-age=1s",
        "--max-age-jitter=0",
        "--backoff=100ms..100ms",
        "--stop-timeout=500ms",
        "--",
        worker(),
        "ignore",
        "15",
    ];
    let manager = WORLDS[0].launch(&options).below(&[imp(), "wall"]).start();
    let begun = Instant::now();
    // Retired after 1 s, killed after another half, replaced at once.
    manager.count_of("a retirement", 3, |record| record.tells("retiring"));
    let retired = begun.elapsed();
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 124, "{}", ended.err());
    // Three ages and two stops.
    let expected = Duration::from_secs(4);
    figure("T10", "three ages and two stops of 4 s on a jumping wall clock took", format!("{retired:?}"));
    assert!(
        (expected.checked_sub(Duration::from_millis(50)).unwrap()..expected + NOISE * Duration::from_millis(100))
            .contains(&retired)
    );
    let stop = ended.took;
    let allowed = Duration::from_millis(400)..Duration::from_millis(500) + NOISE * Duration::from_millis(100);
    assert!(allowed.contains(&stop), "{stop:?}");
    // Or the clock did not jump, and the test is none.
    let years: HashSet<String> = ended.records().iter().map(|record| record.text("ts")[..4].to_owned()).collect();
    assert!(years.len() >= 3, "{}", ended.err());
}

/// T10: the same for the delays of a crash loop.
#[test]
fn a_jumping_wall_clock_changes_no_delay() {
    let _quiet = quiet();
    let options = ["--backoff=200ms..200ms", "--give-up=5/1h", "--", "false"];
    let begun = Instant::now();
    let ended = WORLDS[0].launch(&options).below(&[imp(), "wall"]).run();
    let took = begun.elapsed();
    assert_eq!((ended.code(), ended.events("started").len()), (1, 6), "{}", ended.err());
    // Five delays, each within a tenth.
    let allowed = Duration::from_millis(900)..Duration::from_millis(1100) + NOISE * Duration::from_millis(200);
    assert!(allowed.contains(&took), "{took:?}\n{}", ended.err());
}

/// What freezes a whole tree, and lets it go on, the manager first.
enum Ice {
    Signals,
    ControlGroup(PathBuf),
}

impl Ice {
    fn new_group() -> Option<Self> {
        let group = Path::new("/sys/fs/cgroup/freezer").join(format!("cantella-{}", std::process::id()));
        fs::create_dir(&group).ok().map(|()| Self::ControlGroup(group))
    }

    fn around(&self, launch: Launch) -> Launch {
        let Self::ControlGroup(group) = self else { return launch };
        let enter = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", group.display());
        launch.through(&["sh", "-c", &enter, "sh"])
    }

    fn freeze(&self, manager: &Manager, time: Duration) {
        match self {
            Self::Signals => {
                let workers = proc::live_children(manager.pid);
                let all = || std::iter::once(manager.pid).chain(workers.iter().copied());
                all().for_each(|pid| send(pid, STOP));
                sleep(time);
                send(manager.pid, CONT);
                // The manager acts on what it believes before its workers can do anything.
                sleep(Duration::from_millis(300));
                all().for_each(|pid| send(pid, CONT));
            }
            Self::ControlGroup(group) => {
                let state = |word| fs::write(group.join("freezer.state"), word).expect("a freezer");
                state("FROZEN");
                sleep(time);
                state("THAWED");
            }
        }
    }
}

impl Drop for Ice {
    fn drop(&mut self) {
        if let Self::ControlGroup(group) = self {
            eventually("an empty control group", || fs::remove_dir(&group).ok());
        }
    }
}

/// Beyond the table: the whole tree is frozen for longer than the stop timeout, in the middle of a stop, and nobody that
/// would have ended by itself is killed for it.
#[test]
fn a_frozen_tree_kills_nobody() {
    let _busy = busy();
    let ices = [Some(Ice::Signals), Ice::new_group()];
    for ice in ices.into_iter().flatten() {
        for state in ["running", "paused", "stopping"] {
            // Half a second from the stop signal to the end, all of it after the freeze or before.
            let options = ["-w3", "--stop-timeout=1500ms", "--max-age=2h", "--", worker(), "slow", "500"];
            let manager = ice.around(Launch::new(&options)).start();
            let workers = manager.workers_that_catch(3, TERM);
            match state {
                "running" => {}
                "paused" => {
                    manager.signal(USR1).record("the pause", |record| record.tells("paused"));
                }
                _ => {
                    manager.signal(TERM).record("the stop", |record| record.tells("draining"));
                }
            }
            ice.freeze(&manager, Duration::from_secs(form(4, 30)));
            if state != "stopping" {
                assert_eq!(manager.workers(3), workers, "{state}: {}", manager.log());
                manager.signal(TERM);
            }
            let ended = manager.end();
            assert_eq!(ended.code(), 0, "{state}: {}", ended.err());
            assert!(ended.events("killed").is_empty(), "{state}: {}", ended.err());
        }
    }
}

/// T24: while nothing happens, nothing is done.
#[test]
fn an_idle_pool_does_nothing_at_all() {
    let idle = Duration::from_secs(form(30, 600));
    let managers = WORLDS.map(|world| (world, world.start(&SLEEPERS)));
    for (world, manager) in &managers {
        manager.workers_running(world.workers, Path::new(SLEEP));
    }
    // The last wake-up on its own account is when they reach their minimum uptime.
    sleep(Duration::from_secs(2));
    let look = |manager: &Manager| {
        let pid = manager.pid;
        (proc::context_switches(pid), proc::processor_ticks(pid), system_calls(pid))
    };
    let before: Vec<_> = managers.iter().map(|(_, manager)| look(manager)).collect();
    sleep(idle);
    for ((world, manager), before) in managers.into_iter().zip(before) {
        assert_eq!(look(&manager), before, "{world:?}");
        end_well(manager);
    }
    figure("T24", "wake-ups of four idle pools", format!("0 in {idle:?}"));
}

/// What a process counts of its reads and writes, which is every one of them.
fn system_calls(pid: crate::common::Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/io")).expect("a running process")
}

/// T25: the memory of the largest table, and what is in it after a while.
#[test]
fn the_largest_pool_has_no_heap_and_little_memory() {
    let _busy = busy();
    for workers in [1, 100, 1000] {
        let manager = Launch::new(&["-w", &workers.to_string(), "--", "sleep", "1000"]).start();
        manager.workers_running(workers, Path::new(SLEEP));
        let mappings = proc::mappings(manager.pid);
        let memory = proc::private_dirty(manager.pid);
        figure("T25", &format!("private memory with {workers} workers"), format!("{memory} KiB"));
        if is_dynamic() {
            // A loader has a heap and memory of its own.
            continue;
        }
        assert!(!mappings.iter().any(|mapping| mapping.contains("[heap]")), "{mappings:#?}");
        assert!(memory <= 256, "{workers} workers: {memory} KiB");
        end_well(manager);
    }
}
