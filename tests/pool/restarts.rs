//! Who ended gets a successor: at once, after a delay, or not at all.

use core::time::Duration;

use cantella::pool::{Action, Exit, GiveUp, News, Policy, Request, Restart};

use crate::rig::{CALM, Rig, at, secs};
use crate::{FAILED, KILLED, NOTHING, OK, story, wake};

/// Asserts that an instant lies within ten percent of a delay from now.
fn assert_about(rig: &mut Rig, millis: u64, note: &str) {
    let until = wake(rig).expect("a wake-up");
    let delay = until.since(rig.now);
    let range = Duration::from_millis(millis * 9 / 10)..=Duration::from_millis(millis * 11 / 10);
    assert!(range.contains(&delay), "{note}: {delay:?} is not about {millis} ms");
    rig.now = until;
}

#[test]
fn who_ended_is_followed_by_the_policy() {
    for (restart, exit, lived, expected) in [
        (Restart::Always, OK, 5.0, Some(0)),
        (Restart::Always, KILLED, 1.0, Some(0)),
        (Restart::Always, OK, 0.99, Some(1)),
        (Restart::OnFailure, FAILED, 5.0, Some(0)),
        (Restart::OnFailure, KILLED, 0.5, Some(1)),
        (Restart::OnFailure, OK, 5.0, None),
        (Restart::OnFailure, OK, 0.5, None),
        (Restart::Never, FAILED, 5.0, None),
        (Restart::Never, FAILED, 0.5, None),
    ] {
        let mut rig = Rig::started(Policy { restart, ..CALM });
        rig.at(lived).exit(0, exit);
        let followed = rig.slot(0).due().map(|due| (rig.slot(0).failures(), due == rig.now));
        let expected = expected.map(|failures| (failures, failures == 0));
        assert_eq!(followed, expected, "{restart:?} {exit:?} after {lived} s");
    }
}

#[test]
fn a_crash_loop_slows_down_and_a_long_life_ends_it() {
    let mut rig = Rig::started(Policy { workers: 1, ..CALM });
    for millis in [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
        rig.exit(0, FAILED);
        assert_about(&mut rig, millis, "a further failure");
        assert_eq!(story(&mut rig), ["Spawn 0"]);
    }
    rig.now = rig.now.after(secs(1));
    assert_eq!(story(rig.exit(0, FAILED)), ["Spawn 0"], "it lived long enough");
    rig.exit(0, FAILED);
    assert_about(&mut rig, 100, "the first failure of a new row");
}

#[test]
fn each_slot_waits_for_itself() {
    let mut rig = Rig::started(CALM);
    assert_eq!(story(rig.exit(0, FAILED)), NOTHING);
    assert_eq!(story(rig.at(1.0)), ["Spawn 0"]);
    assert_eq!(story(rig.exit(1, FAILED)), ["Spawn 1"], "it was one second old");
}

#[test]
fn no_delay_and_no_uptime_restart_at_once() {
    let none = Duration::ZERO;
    for policy in [Policy { min_uptime: none, ..CALM }, Policy { backoff_min: none, backoff_max: none, ..CALM }] {
        let mut rig = Rig::started(policy);
        assert_eq!(story(rig.exit(0, FAILED)), ["Spawn 0"]);
    }
}

#[test]
fn a_failed_exec_is_a_failed_start_whatever_the_uptime() {
    let mut rig = Rig::started(Policy { min_uptime: Duration::ZERO, ..CALM });
    let slot = rig.id(0);
    rig.at(7.0).tell(News::ExecFailed { slot }).exit(0, Exit::Code(127));
    assert_about(&mut rig, 100, "a failed exec");
}

#[test]
fn an_end_that_was_asked_for_is_no_failed_start() {
    let give_up = Some(GiveUp { failures: 0, within: secs(1) });
    let mut rig = Rig::started(Policy { max_age: Some(secs(1)), min_uptime: secs(5), give_up, ..CALM });
    rig.at(1.0).run();
    assert_eq!(story(rig.exit(0, FAILED)), ["Spawn 0", "Stop 1 Retire"]);
    assert_eq!(story(rig.ask(Request::Resize { workers: 1 }).exit(1, FAILED)), NOTHING);
}

#[test]
fn a_refused_fork_holds_all_births_and_costs_nothing_else() {
    let give_up = Some(GiveUp { failures: 0, within: secs(60) });
    let mut rig = Rig::new(Policy { give_up, ..CALM });
    for (count, millis) in (1..).zip([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
        let Action::Spawn { slot } = rig.poll() else { panic!("no {count}. try") };
        let until = rig.now.after(Duration::from_millis(millis));
        assert_eq!(wake(rig.tell(News::SpawnFailed { slot })), Some(until), "refusal {count}");
        assert_eq!((rig.pool.fork_failures(), slot.generation, rig.slot(0).failures()), (count, 1, 0));
        rig.now = until;
    }
    assert_eq!(story(&mut rig), ["Spawn 1", "Spawn 0"], "the one that was refused last comes last");
    assert_eq!(rig.pool.fork_failures(), 0);
    let slot = rig.id(0);
    assert_eq!(slot.generation, 1, "a worker that was never born is not counted");
}

#[test]
fn too_many_failed_starts_within_the_time_end_the_pool() {
    let policy = |failures| Policy { give_up: Some(GiveUp { failures, within: secs(10) }), ..CALM };
    let mut rig = Rig::started(policy(0));
    assert_eq!(story(rig.exit(1, FAILED)), ["Stop 0 Drain"], "the first one of none allowed");
    let mut rig = Rig::started(policy(2));
    rig.exit(0, FAILED).exit(1, FAILED);
    assert_eq!(story(rig.at(1.0)).len(), 2, "two are allowed");
    assert_eq!(story(rig.exit(0, FAILED)), ["Stop 1 Drain"], "counted over the pool");
    let mut rig = Rig::started(policy(2));
    rig.exit(0, FAILED).exit(1, FAILED);
    rig.at(10.1).run();
    rig.exit(0, FAILED);
    assert_eq!(story(rig.at(11.0)), ["Spawn 0"], "the first two were too long ago");
}

#[test]
fn what_gets_no_successor_is_no_failed_start() {
    let give_up = Some(GiveUp { failures: 0, within: secs(10) });
    for (restart, exit) in [(Restart::Never, FAILED), (Restart::OnFailure, OK)] {
        let mut rig = Rig::started(Policy { restart, give_up, ..CALM });
        assert_eq!(story(rig.exit(0, exit)), NOTHING, "{restart:?}");
    }
}

#[test]
fn a_generation_counts_the_workers_of_a_slot() {
    let mut rig = Rig::started(CALM);
    for generation in 1..10 {
        assert_eq!((rig.id(0).generation, rig.id(1).generation), (generation, 1));
        rig.at(f64::from(generation) * 2.0).exit(0, OK).run();
    }
    assert_eq!(wake(rig.at(60.0)), None);
    assert_eq!(rig.now, at(60.0));
}
