//! Workers that die: in a loop, one by one, all at once, by thousands.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::common::log::Record;
use crate::common::signals::{ABRT, CONT, HUP, INT, KILL, SEGV, STOP, TERM, USR1, USR2, send};
use crate::common::{Launch, eventually, proc, within};
use crate::kit::{
    Belongings, Herd, NOISE, SLEEP, SLEEPERS, WORLDS, World, busy, end_well, figure, form, imp, monotonic_nanos,
    percentile, quiet,
};

/// T1: the delays double up to the limit, each within a tenth, whatever the world and the number of workers.
#[test]
fn a_crash_loop_keeps_its_schedule() {
    let _quiet = quiet();
    for world in WORLDS {
        let manager = world.start(&["--backoff", "100ms..800ms", "--", "false"]);
        let wanted = |record: &Record| record.tells("started") && record.number("generation") == 6;
        manager.count_of("a sixth start", world.workers, wanted);
        let ended = end_well(manager);
        for worker in 0..i64::try_from(world.workers).unwrap() {
            let told = |event| ended.events(event).into_iter().filter(move |record| record.number("worker") == worker);
            let (starts, ends): (Vec<_>, Vec<_>) = (told("started").skip(1).collect(), told("exited").collect());
            for ((start, end), delay) in starts.iter().zip(&ends).zip([100, 200, 400, 800, 800]) {
                let (took, late) = (start.millis() - end.millis(), i64::from(10 * NOISE));
                let allowed = delay * 9 / 10 - 10..=delay * 11 / 10 + late;
                assert!(allowed.contains(&took), "{world:?}: {took} ms instead of {delay}\n{}", ended.err());
            }
        }
    }
}

/// T1: how many failed starts are too many is no matter of chance.
#[test]
fn a_pool_gives_up_at_the_same_start_in_a_hundred_runs() {
    let _busy = busy();
    for run in 1..=100 {
        let ended = Launch::new(&["-w1", "--backoff", "0..0", "--give-up", "5/1h", "--", "false"]).run();
        assert_eq!((ended.code(), ended.events("started").len()), (1, 6), "run {run}: {}", ended.err());
    }
}

/// T2: from the kill to the successor's main.
#[test]
fn a_killed_worker_is_back_within_milliseconds() {
    let _quiet = quiet();
    for world in WORLDS {
        let manager = world.start(&["--min-uptime", "0", "--", imp(), "clock"]);
        let herd = Herd::of(&manager);
        let ready = || herd.whole().into_iter().filter(|&pid| proc::name(pid) == "ready").collect::<Vec<_>>();
        let kills: Vec<i64> = (0..form(100, 1000))
            .map(|_| {
                let workers = eventually("all ready", || Some(ready()).filter(|found| found.len() == world.workers));
                let now = monotonic_nanos();
                send(workers[0], KILL);
                eventually("its end", || (!proc::is_alive(workers[0])).then_some(()));
                now
            })
            .collect();
        let starts = manager.count_of("a start", world.workers + kills.len(), Record::is_line);
        let nanos = |record: &Record| record.number("msg");
        let mut times: Vec<Duration> = starts[world.workers..]
            .iter()
            .zip(&kills)
            .map(|(start, kill)| Duration::from_nanos(u64::try_from(nanos(start) - kill).expect("first the kill")))
            .collect();
        let (half, most) = (percentile(&mut times, 50), percentile(&mut times, 99));
        figure(
            "T2",
            &format!("{world:?}: from a kill to its successor, median and 99 %"),
            format!("{half:?} {most:?}"),
        );
        assert!(half <= NOISE * Duration::from_millis(5), "{world:?}: median {half:?}");
        assert!(most <= NOISE * Duration::from_millis(20), "{world:?}: 99 % {most:?}");
        assert_eq!(end_well(manager).events("started").len(), world.workers + kills.len());
    }
}

/// T7: forty deaths may be one SIGCHLD.
#[test]
fn deaths_that_come_as_one_signal_are_all_noticed() {
    let _quiet = quiet();
    for world in
        [World { workers: 1, ..WORLDS[0] }, World { workers: 40, ..WORLDS[1] }, World { workers: 40, ..WORLDS[3] }]
    {
        let manager = world.start(&SLEEPERS);
        // A single child may be the one that only tries the set-up.
        manager.workers_running(world.workers, Path::new(SLEEP));
        let mut herd = Herd::of(&manager);
        for round in 1..=5 {
            herd.settle(world.workers);
            manager.signal(STOP);
            for pid in herd.whole() {
                assert!(herd.hit(pid, KILL));
            }
            manager.signal(CONT);
            let took = herd.settle(world.workers);
            figure("T7", &format!("{world:?}: all back"), format!("{took:?}"));
            assert!(took <= NOISE * Duration::from_millis(50), "{world:?}, round {round}: {took:?}");
        }
        assert_eq!(end_well(manager).events("started").len(), 6 * world.workers);
    }
}

/// T18: a storm of deaths, with pauses in between, loses and gathers nothing.
#[test]
fn ten_thousand_deaths_leave_no_trace() {
    let _quiet = quiet();
    let world = World { workers: 40, is_pid_1: false };
    for _ in 0..form(1, 3) {
        let manager = world.start(&SLEEPERS);
        let mut herd = Herd::of(&manager);
        herd.settle(world.workers);
        let mut signals = [KILL, TERM, SEGV, ABRT, INT, HUP, KILL].into_iter().cycle();
        let mut storm = |herd: &mut Herd, hits| {
            while herd.hits() < hits {
                for pid in herd.whole() {
                    herd.hit(pid, signals.next().unwrap());
                }
                if herd.hits().is_multiple_of(50) {
                    manager.signal(USR1).signal(USR2);
                }
            }
            manager.signal(USR2);
            herd.settle(world.workers)
        };
        // What a storm takes of the stack and of the log's buffer, it takes once.
        storm(&mut herd, 1000);
        let before = Belongings::of(&manager, world.workers, Path::new(SLEEP));
        let (begun, first) = (Instant::now(), herd.hits());
        let settled = storm(&mut herd, form(11_000, 101_000));
        let rate = f64::from(u32::try_from(herd.hits() - first).unwrap()) / begun.elapsed().as_secs_f64();
        figure("T18", "deaths a second, and time until all are back", format!("{rate:.0} {settled:?}"));
        assert!(rate >= 300.0 / f64::from(NOISE), "only {rate:.0} a second");
        before.assert_kept_by(&Belongings::of(&manager, world.workers, Path::new(SLEEP)), 0);
        let ended = end_well(manager);
        assert_eq!(ended.events("started").len(), world.workers + herd.hits());
    }
}

/// T20: a manager that is killed at any moment takes its workers along, those too that are not born yet.
#[test]
fn a_manager_that_is_killed_at_any_moment_leaves_nobody() {
    let _busy = busy();
    let mut slowest = Duration::ZERO;
    for round in 0..form(200_u32, 1000) {
        let manager = World { workers: 5, is_pid_1: false }.start(&SLEEPERS);
        // From before the first fork to after the last exec.
        std::thread::sleep(Duration::from_micros(u64::from(round % 100) * 100));
        send(manager.pid, KILL);
        let begun = Instant::now();
        let left = || manager.descendants();
        within(Duration::from_secs(10), || left().is_empty().then_some(()))
            .unwrap_or_else(|| panic!("round {round}: left {:?}", left()));
        slowest = slowest.max(begun.elapsed());
    }
    figure("T20", "from the manager's death to the last worker's, at most", format!("{slowest:?}"));
    assert!(slowest <= NOISE * Duration::from_millis(100), "{slowest:?}");
    assert!(proc::processes().len() > 1);
}
