//! Shortage: of processes, of memory to fork with, of descriptors, of pids.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use crate::common::log::Record;
use crate::common::signals::{KILL, TERM, USR1, USR2};
use crate::common::{Launch, Manager, Pid, eventually, proc, within};
use crate::kit::{
    Belongings, Herd, NOISE, SLEEP, SLEEPERS, WORLDS, World, busy, end_well, figure, form, is_full, last_generation,
    processor_share,
};

/// A control group that counts processes, removed with the last of them.
struct Pids(PathBuf);

impl Pids {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = Path::new("/sys/fs/cgroup/pids").join(format!("cantella-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a control group");
        Self(path)
    }

    /// A start within the group.
    fn around(&self, launch: Launch) -> Launch {
        let enter = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", self.0.display());
        launch.through(&["sh", "-c", &enter, "sh"])
    }

    fn allow(&self, most: &str) {
        fs::write(self.0.join("pids.max"), most).expect("a limit");
    }
}

impl Drop for Pids {
    fn drop(&mut self) {
        eventually("an empty control group", || fs::remove_dir(&self.0).ok());
    }
}

fn is_of_fork(record: &Record) -> bool {
    record.tells("fork")
}

/// T3, for real: no process is to be had for a while.
#[test]
fn a_pool_waits_until_there_are_processes_again() {
    let _busy = busy();
    let waits: &[f32] = if is_full() { &[0.1, 10.0, 120.0] } else { &[0.1, 10.0] };
    let worlds = [WORLDS[1], WORLDS[3]];
    let trials = waits.iter().flat_map(|wait| worlds.map(|world| (world, *wait)));
    std::thread::scope(|scope| {
        for (world, wait) in trials {
            scope.spawn(move || starve(world, Duration::from_secs_f32(wait)));
        }
    });
}

fn starve(world: World, wait: Duration) {
    let group = Pids::new();
    // Forks that fail are no failed starts, of which two would be too many.
    let options = [&["--give-up", "1/1h"], &SLEEPERS[..]].concat();
    let manager = group.around(world.launch(&options)).start();
    let mut herd = Herd::of(&manager);
    herd.settle(world.workers);
    group.allow("1");
    for pid in herd.whole() {
        assert!(herd.hit(pid, KILL));
    }
    let share = processor_share(manager.pid, || sleep(wait));
    assert!(proc::live_children(manager.pid).is_empty(), "{world:?}: somebody was born");
    group.allow("max");
    let took = herd.settle(world.workers);
    figure("T3", &format!("{world:?}: after {wait:?} without processes, back in"), format!("{took:?}"));
    assert!(took <= Duration::from_secs(5) + NOISE * Duration::from_millis(100), "{world:?}, {wait:?}: {took:?}");
    assert!(share < 0.01 || wait < Duration::from_secs(1), "{world:?}, {wait:?}: {share} of a processor");
    let told: Vec<String> =
        manager.count_of("a word on fork", 2, is_of_fork).iter().map(|record| record.text("level")).collect();
    assert_eq!(told, ["error", "notice"], "{world:?}, {wait:?}: {}", manager.log());
    assert_eq!(end_well(manager).events("started").len(), 2 * world.workers);
}

/// T3: no memory for a while, at the first fork or later.
#[test]
fn a_fork_without_memory_is_tried_again() {
    let _busy = busy();
    for when in ["1..4", "2..5"] {
        let inject = format!("inject=clone,clone3,fork,vfork:error=ENOMEM:when={when}");
        let tracing = ["strace", "-qq", "-e", "signal=none", "-o", "/dev/null", "-e", &inject];
        let manager = Launch::new(&["-w3", "--", "sleep", "1000"]).below(&tracing).start();
        manager.workers(3);
        let told = manager.count_of("a word on fork", 2, is_of_fork);
        assert_eq!(told.len(), 2, "{}", manager.log());
        // 100, 200, 400 and 800 ms, from the first failure to the first success.
        let took = told[1].millis() - told[0].millis();
        assert!((1490..=1500 + i64::from(100 * NOISE)).contains(&took), "{when}: {took} ms");
        end_well(manager);
    }
}

fn set_descriptor_limit(pid: Pid, limit: usize) {
    let set = Command::new("prlimit").args([format!("--pid={pid}"), format!("--nofile={limit}:{limit}")]).status();
    assert!(set.expect("prlimit runs").success());
}

/// T4: with no descriptor to be had, workers are restarted, paused and stopped, and nothing spins.
#[test]
fn a_pool_without_a_free_descriptor_goes_on() {
    let _busy = busy();
    for world in WORLDS {
        let manager = world.start(&SLEEPERS);
        let mut herd = Herd::of(&manager);
        herd.settle(world.workers);
        let before = Belongings::of(&manager, world.workers, Path::new(SLEEP));
        set_descriptor_limit(manager.pid, proc::descriptors(manager.pid).len());
        for _ in 0..10 {
            for pid in herd.whole() {
                assert!(herd.hit(pid, KILL));
            }
            herd.settle(world.workers);
        }
        manager.signal(USR1).record("the pause", |record| record.tells("paused"));
        let share = processor_share(manager.pid, || sleep(Duration::from_secs(1)));
        assert!(share < 0.02, "{world:?}: {share} of a processor");
        manager.signal(USR2).record("the end of the pause", |record| record.tells("resumed"));
        before.assert_kept_by(&Belongings::of(&manager, world.workers, Path::new(SLEEP)), 0);
        assert_eq!(end_well(manager).events("started").len(), 11 * world.workers);
    }
}

/// T4: a start needs what is documented and no descriptor more.
#[test]
fn a_start_needs_16_descriptors_and_4_for_each_worker() {
    for workers in [1, 20, 200] {
        let needed = 16 + 4 * workers;
        let launch = |limit: usize| {
            let limit = format!("--nofile={limit}:{limit}");
            Launch::new(&["-w", &workers.to_string(), "--restart", "never", "--", "true"]).through(&["prlimit", &limit])
        };
        let refused = launch(needed - 1).run();
        assert_eq!(refused.code(), 125, "{}", refused.err());
        assert!(refused.err().contains(&needed.to_string()), "{}", refused.err());
        let ended = launch(needed).run();
        assert_eq!((ended.code(), ended.events("started").len()), (0, workers), "{}", ended.err());
    }
}

/// T4: no call of a restart could fail for want of a descriptor in the whole system.
#[test]
fn a_restart_opens_nothing() {
    let trace = std::env::temp_dir().join(format!("cantella-opens-{}", std::process::id()));
    let opening =
        "trace=open,openat,openat2,pipe,pipe2,dup,dup2,dup3,socket,eventfd2,signalfd4,pidfd_open,memfd_create";
    let file = trace.display().to_string();
    let tracing = ["strace", "-qq", "-e", "signal=none", "-e", opening, "-o", &file];
    let world = World { workers: 5, is_pid_1: false };
    let manager = world.launch(&SLEEPERS).below(&tracing).start();
    let mut herd = Herd::of(&manager);
    herd.settle(world.workers);
    let opens = || fs::read_to_string(&trace).expect("a trace").lines().count();
    let before = opens();
    for _ in 0..10 {
        for pid in herd.whole() {
            assert!(herd.hit(pid, KILL));
        }
        herd.settle(world.workers);
    }
    assert_eq!(opens(), before, "{}", fs::read_to_string(&trace).unwrap());
    end_well(manager);
    fs::remove_file(&trace).unwrap();
}

/// T15: whoever holds a dead worker's output, its successor comes at once and nothing piles up.
#[test]
fn descendants_that_hold_the_output_gather_nothing() {
    let _busy = busy();
    let rounds = form(500, 10_000);
    // The stray leaves its group and session, so that nobody's kill reaches it, and outlives its parent by a while.
    let options = ["--min-uptime", "0", "--backoff", "0..0", "--", "sh", "-c", "setsid sleep 0.3 & exit 0"];
    for is_pid_1 in [false, true] {
        let manager = World { workers: 2, is_pid_1 }.start(&options);
        reach(&manager, 20);
        let before = proc::descriptors(manager.pid);
        reach(&manager, rounds);
        assert_eq!(proc::descriptors(manager.pid), before);
        let ended = end_well(manager);
        let delays = successions(&ended.records());
        let longest = delays.iter().max().expect("a succession");
        figure("T15", "from an end to the next start, at most", format!("{longest} ms"));
        assert!(*longest <= i64::from(NOISE * 20), "{longest} ms");
    }
}

/// Waits until a worker of this generation was started.
fn reach(manager: &Manager, generation: i64) {
    within(Duration::from_mins(10), || (last_generation(manager) >= generation).then_some(()))
        .unwrap_or_else(|| panic!("no generation {generation}"));
}

/// From each end to the start of the successor, in milliseconds.
fn successions(records: &[Record]) -> Vec<i64> {
    let mut ends = HashMap::new();
    let mut delays = Vec::new();
    for record in records {
        if record.tells("exited") {
            ends.insert(record.number("worker"), record.millis());
        } else if record.tells("started")
            && let Some(end) = ends.get(&record.number("worker"))
        {
            delays.push(record.millis() - end);
        }
    }
    delays
}

/// T22: pids come round again and again, and no signal hits a stranger that has one.
#[test]
fn pids_that_come_round_again_confuse_nobody() {
    let _busy = busy();
    // Once it has come round, the kernel gives no pid below 300.
    let starts = 60 * form(10, 100);
    let strangers = "echo 360 >/proc/sys/kernel/pid_max; for n in 1 2 3 4 5; do sleep 1000 & done; exec \"$@\"";
    let options = ["--min-uptime", "0", "--backoff", "0..0", "--subreaper", "--", "sh", "-c", "(sleep 0.02) & exit 0"];
    let launch = World { workers: 5, is_pid_1: false }.launch(&options);
    let manager = launch.through(&["sh", "-c", strangers, "sh"]).within_pid_namespace().start();
    reach(&manager, starts / 5);
    let is_stranger = |pid: &Pid| proc::arguments(*pid) == ["sleep", "1000"];
    let strangers = proc::live_children(manager.pid).iter().filter(|pid| is_stranger(pid)).count();
    assert_eq!(strangers, 5, "strangers were hit");
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert_eq!(ended.events("started").len(), ended.events("exited").len());
    let pids: HashSet<i64> = ended.events("started").iter().map(|record| record.number("pid")).collect();
    assert!(pids.len() < 360, "pids did not come round");
}
