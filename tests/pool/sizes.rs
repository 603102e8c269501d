//! A pool grows and shrinks at once, and no number is too large for it.

use core::time::Duration;

use cantella::pool::{
    Action, GiveUp, Instant, News, Outcome, Pid, Policy, PolicyError, Pool, Request, Restart, Slot, SlotId, State,
};

use crate::rig::{CALM, ROWS, Rig, secs};
use crate::{FAILED, NOTHING, OK, story};

const fn size(workers: u16) -> Request {
    Request::Resize { workers }
}

#[test]
fn growth_takes_effect_at_once_up_to_the_tables_size() {
    let mut rig = Rig::started(CALM);
    assert_eq!(story(rig.ask(size(3))), ["Spawn 2"]);
    assert_eq!(story(rig.ask(size(u16::MAX))), ["Spawn 3"]);
    assert_eq!(rig.pool.policy().workers, ROWS);
}

#[test]
fn the_youngest_stop_first_and_one_stays() {
    let mut rig = Rig::started(Policy { workers: 4, ..CALM });
    rig.at(2.0).exit(1, OK).run();
    assert_eq!(story(rig.ask(size(3))), ["Stop 1 Shrink"], "born last");
    assert_eq!(story(rig.ask(size(2))), ["Stop 3 Shrink"], "of one age the last slot");
    assert_eq!(story(rig.ask(size(0))), ["Stop 2 Shrink"]);
    assert_eq!(rig.pool.policy().workers, 1, "a pool of nobody is no pool");
}

#[test]
fn whoever_is_least_missed_goes_first() {
    let mut rig = Rig::started(Policy { workers: 4, restart: Restart::OnFailure, max_age: Some(secs(5)), ..CALM });
    rig.at(0.1).exit(0, OK).exit(2, FAILED);
    rig.ask(size(3));
    assert_eq!((rig.state(0), rig.slot(2).due().is_some()), (State::Empty, true), "it had ended");
    assert_eq!(story(rig.ask(size(2))), NOTHING);
    assert_eq!(rig.state(2), State::Empty, "it was not born");
    assert_eq!(story(rig.at(5.0)), ["Stop 1 Retire"]);
    assert_eq!(story(rig.ask(size(1)).ask(Request::MaxAge { age: None })), NOTHING, "it was about to go");
    assert_eq!(story(rig.exit(1, OK)), NOTHING);
}

#[test]
fn growing_again_gives_those_that_still_stop_a_successor_first() {
    let mut rig = Rig::started(Policy { workers: 3, ..CALM });
    assert_eq!(story(rig.ask(size(2))), ["Stop 2 Shrink"]);
    assert_eq!(story(rig.ask(size(3))), NOTHING, "never more than three at once");
    assert_eq!(story(rig.exit(2, OK)), ["Spawn 2"]);
    assert_eq!(story(rig.ask(size(1)).ask(size(3))), NOTHING, "between two polls nothing happened");
}

#[test]
fn who_still_stops_takes_the_place_of_a_birth() {
    let mut rig = Rig::started(Policy { workers: 3, ..CALM });
    rig.ask(size(2)).run();
    assert_eq!(story(rig.at(2.0).exit(0, OK)), NOTHING, "one runs, one stops: two");
    assert_eq!(story(rig.exit(2, OK)), ["Spawn 0"]);
}

#[test]
fn a_birth_that_is_no_longer_wanted_is_stopped() {
    let mut rig = Rig::new(CALM);
    let births = [rig.poll(), rig.poll()];
    rig.ask(size(1));
    for action in births {
        let Action::Spawn { slot } = action else { panic!("no birth") };
        let pid = rig.fresh_pid();
        rig.tell(News::Spawned { slot, pid });
    }
    assert_eq!(story(&mut rig), ["Stop 1 Shrink"]);
    assert_eq!(rig.pool.live(), 2);
}

#[test]
fn a_slot_that_was_given_up_starts_afresh() {
    let mut rig = Rig::started(CALM);
    rig.exit(1, FAILED).ask(size(1)).ask(size(2));
    assert_eq!(rig.slot(1).failures(), 0);
    assert_eq!(story(&mut rig), ["Spawn 1"]);
    assert_eq!(rig.id(1), SlotId { index: 1, generation: 2 });
}

#[test]
fn a_process_is_found_while_it_lives() {
    let mut rig = Rig::started(CALM);
    let pid = rig.slot(1).pid().expect("a live worker");
    assert_eq!(rig.pool.find(pid), Some(rig.id(1)));
    rig.ask(size(1)).run();
    assert_eq!(rig.pool.find(pid), Some(rig.id(1)));
    rig.exit(1, OK);
    assert_eq!((rig.pool.find(pid), rig.pool.live()), (None, 1));
}

#[test]
fn a_policy_that_does_not_fit_the_storage_is_refused() {
    let build = |policy| Pool::new(&mut [Slot::EMPTY; 2], &mut [Instant::ZERO; 2], policy, 0, Instant::ZERO).err();
    let give_up = |failures| Some(GiveUp { failures, within: secs(1) });
    assert_eq!(build(Policy { give_up: give_up(2), ..CALM }), None);
    assert_eq!(build(Policy { workers: 3, ..CALM }), Some(PolicyError::Workers));
    assert_eq!(build(Policy { give_up: give_up(3), ..CALM }), Some(PolicyError::GiveUp));
}

#[test]
fn storage_is_taken_as_it_comes() {
    let mut used = Rig::started(CALM).pool.slots().to_vec();
    let pool = Pool::new(&mut used, &mut [], CALM, 0, Instant::ZERO).expect("a good policy");
    assert_eq!((pool.live(), pool.slot(3).map(Slot::id)), (0, Some(SlotId { index: 3, generation: 0 })));
    let mut many = vec![Slot::EMPTY; 70_000];
    let pool = Pool::new(&mut many, &mut [], CALM, 0, Instant::ZERO).expect("a good policy");
    assert_eq!(pool.slots().len(), 65_536, "an index has 16 bits");
}

#[test]
fn a_slot_is_small() {
    assert!(size_of::<Slot>() <= 48, "{}", size_of::<Slot>());
}

#[test]
fn the_largest_numbers_harm_nobody() {
    let policy = Policy {
        max_age: Some(Duration::MAX),
        max_age_jitter: 100,
        min_uptime: Duration::MAX,
        backoff_min: Duration::MAX,
        backoff_max: Duration::MAX,
        give_up: Some(GiveUp { failures: 2, within: Duration::MAX }),
        stop_timeout: Some(Duration::MAX),
        ..CALM
    };
    let end = Instant::from_nanos(u64::MAX);
    for start in [Instant::ZERO, end] {
        let (mut slots, mut window) = ([Slot::EMPTY; 2], [end; 2]);
        let mut pool = Pool::new(&mut slots, &mut window, policy, u64::MAX, start).expect("a good policy");
        for now in [start, end, Instant::ZERO] {
            while let Action::Spawn { slot } = pool.poll(now) {
                let pid = Pid::new(i32::MAX).expect("a positive number");
                pool.handle(News::Spawned { slot, pid }, now);
                pool.handle(News::Exited { slot, exit: FAILED }, now);
            }
        }
        pool.handle(News::Request(Request::Pause { until: Some(end) }), start);
        pool.handle(News::Request(Request::Stop), end);
        assert_eq!(pool.poll(Instant::ZERO), Action::Finish { outcome: Outcome::GaveUp });
    }
}
