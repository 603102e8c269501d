//! A stop is final, has one deadline, and tells in the end how it went.

use cantella::pool::{Action, Exit, GiveUp, News, Outcome, Phase, Policy, Request, Restart, Signal};

use crate::rig::{CALM, Rig, at, secs};
use crate::{FAILED, KILLED, NOTHING, OK, story, wake};

const TERMED: Exit = Exit::Signal { signal: Signal::TERM, core: false };
const LAST: Option<GiveUp> = Some(GiveUp { failures: 0, within: secs(1) });

#[test]
fn all_workers_have_one_deadline() {
    let mut rig = Rig::started(CALM);
    assert_eq!(story(rig.at(5.0).ask(Request::Stop)), ["Stop 0 Drain", "Stop 1 Drain"]);
    assert_eq!(wake(&mut rig), Some(at(15.0)));
    assert_eq!(story(rig.at(14.9)), NOTHING);
    assert_eq!(story(rig.at(15.0)), ["Kill 0", "Kill 1"]);
    assert_eq!(wake(&mut rig), None, "who was killed is waited for without a deadline");
}

#[test]
fn a_retiring_worker_keeps_its_earlier_deadline() {
    let mut rig = Rig::started(Policy { max_age: Some(secs(5)), ..CALM });
    rig.at(5.0).run();
    assert_eq!(story(rig.at(8.0).ask(Request::Stop)), ["Stop 1 Drain"]);
    assert_eq!(wake(&mut rig), Some(at(15.0)));
    assert_eq!(story(rig.at(15.0)), ["Kill 0"]);
    assert_eq!(story(rig.at(18.0)), ["Kill 1"]);
}

#[test]
fn without_a_timeout_a_stop_waits_for_ever_until_it_is_asked_again() {
    let mut rig = Rig::started(Policy { stop_timeout: None, max_age: Some(secs(5)), ..CALM });
    rig.at(5.0).run();
    assert_eq!(wake(rig.ask(Request::Stop)), None);
    assert_eq!(story(rig.at(9_999.0)), NOTHING);
    assert_eq!(story(rig.ask(Request::Stop)), ["Kill 0", "Kill 1"]);
}

#[test]
fn a_kill_asks_nobody_first() {
    let mut rig = Rig::started(CALM);
    assert_eq!(story(rig.ask(Request::Kill)), ["Kill 0", "Kill 1"]);
    assert_eq!(story(rig.exit(0, KILLED).exit(1, KILLED)), ["Forced"]);
}

#[test]
fn births_that_are_under_way_are_stopped_or_forgotten() {
    for (request, owed) in [(Request::Stop, "Stop 0 Drain"), (Request::Kill, "Kill 0")] {
        let mut rig = Rig::new(CALM);
        let (Action::Spawn { slot: first }, Action::Spawn { slot: second }) = (rig.poll(), rig.poll()) else {
            panic!("nothing born");
        };
        assert_eq!(story(rig.ask(request)), NOTHING);
        let pid = rig.fresh_pid();
        assert_eq!(story(rig.tell(News::Spawned { slot: first, pid })), [owed]);
        assert_eq!(story(rig.tell(News::SpawnFailed { slot: second })), NOTHING);
        assert_eq!(story(rig.exit(0, OK)), ["Drained"]);
    }
}

#[test]
fn a_stop_before_the_first_birth_is_over_at_once() {
    assert_eq!(story(Rig::new(CALM).ask(Request::Stop)), ["Drained"]);
}

#[test]
fn whoever_asks_first_for_the_end_of_a_pool_that_gave_up_asks_gracefully() {
    let mut rig = Rig::started(Policy { workers: 3, give_up: LAST, ..CALM });
    assert_eq!(story(rig.exit(0, FAILED)), ["Stop 1 Drain", "Stop 2 Drain"]);
    assert_eq!(wake(rig.at(1.0).ask(Request::Stop)), Some(at(10.0)));
    assert_eq!(story(rig.ask(Request::Stop)), ["Kill 1", "Kill 2"]);
}

#[test]
fn the_outcome_tells_how_it_went() {
    let never = Policy { restart: Restart::Never, ..CALM };
    let on_failure = Policy { restart: Restart::OnFailure, ..CALM };
    let gives_up = Policy { give_up: LAST, ..CALM };
    let completed = |exit| Outcome::Completed { exit };
    for (policy, request, exits, outcome) in [
        (CALM, Some(Request::Stop), [OK, TERMED], Outcome::Drained),
        (CALM, Some(Request::Stop), [FAILED, FAILED], Outcome::Drained),
        (CALM, Some(Request::Stop), [OK, KILLED], Outcome::Drained), // by somebody else
        (CALM, Some(Request::Kill), [OK, KILLED], Outcome::Forced),
        (CALM, Some(Request::Kill), [OK, OK], Outcome::Drained), // they were faster
        (never, Some(Request::Stop), [FAILED, OK], Outcome::Drained),
        (never, None, [OK, OK], completed(OK)),
        (never, None, [OK, FAILED], completed(FAILED)),
        (never, None, [TERMED, FAILED], completed(TERMED)),
        (on_failure, None, [OK, OK], completed(OK)),
        (gives_up, None, [FAILED, OK], Outcome::GaveUp),
        (gives_up, None, [FAILED, KILLED], Outcome::GaveUp),
    ] {
        let mut rig = Rig::started(policy);
        if let Some(request) = request {
            rig.ask(request).run();
        }
        rig.exit(0, exits[0]).run();
        rig.exit(1, exits[1]);
        assert_eq!(rig.run(), [Action::Finish { outcome }], "{request:?} {exits:?}");
    }
}

#[test]
fn a_worker_that_had_to_be_killed_taints_a_stop_but_not_a_pool_that_gave_up() {
    for (policy, outcome) in [(CALM, "Forced"), (Policy { give_up: LAST, ..CALM }, "GaveUp")] {
        let mut rig = Rig::started(policy);
        rig.exit(0, FAILED).run();
        rig.ask(Request::Stop).run();
        rig.at(10.0).run();
        assert_eq!(story(rig.exit(1, KILLED)), [outcome]);
    }
}

#[test]
fn the_end_is_told_again_and_nothing_leads_back() {
    for request in [Request::Stop, Request::Kill, Request::Resize { workers: 3 }, Request::Resume { at: None }] {
        let mut rig = Rig::started(Policy { restart: Restart::Never, ..CALM });
        rig.exit(0, OK).exit(1, OK).run();
        let end = Phase::Finished { outcome: Outcome::Completed { exit: OK } };
        assert_eq!(rig.pool.phase(), end);
        assert_eq!(story(rig.ask(request)), story(&mut rig), "{request:?}");
        assert_eq!(rig.pool.phase(), end, "{request:?}");
    }
}
