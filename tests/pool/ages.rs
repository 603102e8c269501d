//! Workers retire at their age, one at a time.

use core::time::Duration;

use cantella::pool::{Action, News, Policy, Request, Restart};

use crate::rig::{CALM, Rig, at, secs};
use crate::{KILLED, NOTHING, OK, name, story, wake};

#[test]
fn three_workers_of_three_seconds_retire_once_until_the_stop() {
    let mut rig = Rig::started(Policy { workers: 3, max_age: Some(secs(3)), ..CALM });
    let mut told = Vec::new();
    for seconds in [1.0, 2.0, 3.0, 4.0, 5.0] {
        told.extend(obeyed(rig.at(seconds)));
    }
    told.extend(obeyed(rig.at(5.5).ask(Request::Stop)));
    let expected = [
        ["Stop 0 Retire", "Spawn 0", "Stop 1 Retire", "Spawn 1", "Stop 2 Retire", "Spawn 2"].as_slice(),
        ["Stop 0 Drain", "Stop 1 Drain", "Stop 2 Drain", "Drained"].as_slice(),
    ];
    assert_eq!(told, expected.concat());
}

/// Runs; whoever is asked to end does so at once, until nobody is asked.
fn obeyed(rig: &mut Rig) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        let actions = rig.run();
        told.extend(actions.iter().copied().filter_map(name));
        let asked = actions
            .iter()
            .filter_map(|action| if let Action::Stop { slot, .. } = action { Some(slot.index) } else { None });
        let asked: Vec<u16> = asked.collect();
        if asked.is_empty() {
            return told;
        }
        for index in asked {
            rig.exit(index, OK);
        }
    }
}

#[test]
fn workers_of_one_age_retire_one_after_the_other() {
    let mut rig = Rig::started(Policy { max_age: Some(secs(5)), ..CALM });
    assert_eq!(story(rig.at(5.0)), ["Stop 0 Retire"]);
    assert_eq!(story(rig.at(6.0)), NOTHING, "the old one is not reaped");
    rig.exit(0, OK);
    let Action::Spawn { slot } = rig.poll() else { panic!("no successor") };
    rig.tell(News::SpawnFailed { slot });
    assert_eq!(wake(&mut rig), Some(at(6.1)), "the successor is not born");
    assert_eq!(story(rig.at(6.1)), ["Spawn 0", "Stop 1 Retire"]);
}

#[test]
fn the_most_overdue_retires_first() {
    let mut rig = Rig::started(CALM);
    rig.at(1.0).exit(0, OK).run();
    assert_eq!(wake(rig.at(10.0).ask(Request::MaxAge { age: Some(secs(20)) })), Some(at(20.0)));
    rig.at(30.0).ask(Request::MaxAge { age: Some(secs(3)) });
    assert_eq!(story(&mut rig), ["Stop 1 Retire"]);
}

#[test]
fn a_retirement_of_a_slot_that_is_no_longer_wanted_is_over() {
    let mut rig = Rig::started(Policy { workers: 3, max_age: Some(secs(5)), ..CALM });
    rig.at(5.0).run();
    assert_eq!(story(rig.ask(Request::Resize { workers: 2 })), ["Stop 1 Retire"]);
    assert_eq!(story(rig.exit(0, OK)), NOTHING, "nobody follows the first one");
}

#[test]
fn a_new_age_applies_to_workers_that_are_alive_and_none_at_all_is_refused() {
    let mut rig = Rig::started(CALM);
    assert_eq!(wake(rig.at(1.0).ask(Request::MaxAge { age: Some(secs(5)) })), Some(at(5.0)));
    assert_eq!(wake(rig.ask(Request::MaxAge { age: None })), None);
    assert_eq!(wake(rig.ask(Request::MaxAge { age: Some(Duration::ZERO) })), None);
    assert_eq!(rig.pool.ignored(), 1);
}

#[test]
fn age_limits_are_drawn_from_the_jitter() {
    let policy = Policy { workers: 1, max_age: Some(secs(100)), max_age_jitter: 20, min_uptime: secs(0), ..CALM };
    let mut rig = Rig::started(policy);
    let limits: Vec<Duration> = (0..200)
        .map(|_| {
            let limit = wake(&mut rig).expect("an age limit").since(rig.now);
            rig.exit(0, OK);
            limit
        })
        .collect();
    assert!(limits.iter().all(|limit| (secs(80)..=secs(100)).contains(limit)), "{limits:?}");
    assert!(limits.iter().any(|limit| *limit < secs(82)) && limits.iter().any(|limit| *limit > secs(98)), "{limits:?}");
}

#[test]
fn a_retired_worker_is_followed_whatever_the_restart_policy() {
    for restart in [Restart::Always, Restart::OnFailure, Restart::Never] {
        for exit in [OK, KILLED] {
            let mut rig = Rig::started(Policy { restart, max_age: Some(secs(5)), ..CALM });
            rig.at(5.0).run();
            let actions = story(rig.exit(0, exit));
            assert_eq!(actions, ["Spawn 0", "Stop 1 Retire"], "{restart:?} {exit:?}");
        }
    }
}
