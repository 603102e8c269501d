//! A pause holds births and retirements, and every worker converges to the last request that came.

use cantella::pool::{Action, Exit, News, Phase, Policy, Request};

use crate::rig::{CALM, Rig, at, secs};
use crate::{FAILED, NOTHING, OK, story, wake};

const PAUSE: Request = Request::Pause { until: None };
const RESUME: Request = Request::Resume { at: None };

/// Two workers of five seconds.
fn aged() -> Rig {
    let mut rig = Rig::started(CALM);
    rig.at(5.0);
    rig
}

#[test]
fn each_worker_pauses_resumes_and_stops_once() {
    let mut rig = Rig::started(Policy { workers: 3, ..CALM });
    assert_eq!(story(rig.at(1.0).ask(PAUSE)), ["Pause 0", "Pause 1", "Pause 2"]);
    assert_eq!(story(rig.at(2.0).ask(PAUSE)), NOTHING);
    assert_eq!(story(rig.at(4.0).ask(RESUME)), ["Resume 0", "Resume 1", "Resume 2"]);
    assert_eq!(story(rig.at(5.0).ask(RESUME)), NOTHING);
    assert_eq!(story(rig.at(6.0).ask(Request::Stop)), ["Stop 0 Drain", "Stop 1 Drain", "Stop 2 Drain"]);
}

#[test]
fn nothing_is_born_and_nothing_retires_in_a_pause() {
    let mut rig = Rig::started(Policy { max_age: Some(secs(5)), ..CALM });
    rig.at(2.0).exit(1, OK).ask(PAUSE);
    assert_eq!(story(&mut rig), ["Pause 0"]);
    assert_eq!(wake(rig.at(60.0)), None);
    assert_eq!(story(rig.ask(RESUME)), ["Resume 0", "Spawn 1", "Stop 0 Retire"]);
}

#[test]
fn a_birth_that_was_under_way_is_told_of_the_pause() {
    let mut rig = Rig::new(Policy { workers: 1, ..CALM });
    let Action::Spawn { slot } = rig.poll() else { panic!("nothing born") };
    assert_eq!(story(rig.ask(PAUSE)), NOTHING);
    let pid = rig.fresh_pid();
    assert_eq!(story(rig.tell(News::Spawned { slot, pid })), ["Pause 0"]);
}

#[test]
fn a_pause_ends_by_itself_when_its_time_is_over() {
    let mut rig = aged();
    assert_eq!(wake(rig.ask(Request::Pause { until: Some(at(9.0)) })), Some(at(9.0)));
    assert_eq!(story(rig.at(8.9)), NOTHING);
    assert_eq!(story(rig.at(9.0)), ["Resume 0", "Resume 1"]);
    assert_eq!(rig.pool.phase(), Phase::Running);
}

#[test]
fn the_last_request_wins() {
    let until = |seconds| Request::Pause { until: Some(at(seconds)) };
    let resume = |seconds| Request::Resume { at: Some(at(seconds)) };
    for (requests, end) in [
        ([until(9.0), PAUSE], Some(None)),
        ([PAUSE, until(9.0)], Some(Some(at(9.0)))),
        ([PAUSE, resume(8.0)], Some(Some(at(8.0)))),
        ([resume(8.0), PAUSE], Some(None)),
        ([until(7.0), resume(8.0)], Some(Some(at(8.0)))),
        ([PAUSE, RESUME], None),
        ([PAUSE, resume(4.0)], None),
        ([resume(8.0), RESUME], None),
        ([until(5.0), resume(8.0)], None), // it was over when it came
    ] {
        let mut rig = aged();
        for request in requests {
            rig.ask(request);
        }
        rig.run();
        let expected = end.map_or(Phase::Running, |until| Phase::Paused { until });
        assert_eq!(rig.pool.phase(), expected, "{requests:?}");
    }
}

#[test]
fn a_burst_between_two_polls_leaves_the_last_state_alone_to_be_told() {
    let mut rig = aged();
    assert_eq!(story(rig.ask(PAUSE).ask(RESUME)), NOTHING);
    assert_eq!(story(rig.ask(PAUSE).ask(RESUME).ask(PAUSE)), ["Pause 0", "Pause 1"]);
    assert_eq!(story(rig.ask(RESUME).ask(PAUSE)), NOTHING);
}

#[test]
fn a_deaf_worker_is_let_alone_and_not_resumed() {
    let mut rig = aged();
    rig.ask(PAUSE).run();
    let slot = rig.id(0);
    assert_eq!(wake(rig.tell(News::Deaf { slot })), None);
    assert_eq!(story(rig.ask(RESUME)), ["Resume 1"]);
    assert_eq!(story(rig.ask(PAUSE)), ["Pause 0", "Pause 1"], "the next pause is a new chance");
}

#[test]
fn a_young_deaf_worker_is_looked_at_once_more_when_it_is_grown() {
    let mut rig = Rig::started(CALM);
    rig.at(0.2).ask(PAUSE).run();
    let slot = rig.id(0);
    assert_eq!(wake(rig.tell(News::Deaf { slot })), Some(at(1.0)));
    assert_eq!(story(rig.at(1.0)), ["Pause 0"]);
    assert_eq!(wake(rig.tell(News::Deaf { slot })), None, "once");
}

#[test]
fn a_stop_is_not_undone_by_a_pause_or_its_end() {
    for request in [PAUSE, RESUME, Request::Pause { until: Some(at(6.0)) }, Request::Resume { at: Some(at(6.0)) }] {
        let mut rig = aged();
        rig.ask(Request::Stop).run();
        let stopping = rig.pool.phase();
        assert_eq!(story(rig.ask(request)), NOTHING, "{request:?}");
        assert_eq!(rig.pool.phase(), stopping, "{request:?}");
    }
}

#[test]
fn workers_that_were_asked_to_end_are_told_of_no_pause() {
    let mut rig = aged();
    assert_eq!(story(rig.ask(Request::Resize { workers: 1 })), ["Stop 1 Shrink"]);
    assert_eq!(story(rig.ask(PAUSE)), ["Pause 0"]);
    assert_eq!(story(rig.ask(RESUME)), ["Resume 0"]);
}

#[test]
fn a_paused_pool_shrinks_and_gives_up_all_the_same() {
    let mut rig = aged();
    rig.ask(PAUSE).run();
    assert_eq!(story(rig.ask(Request::Resize { workers: 1 })), ["Stop 1 Shrink"]);
    let give_up = Some(cantella::pool::GiveUp { failures: 0, within: secs(1) });
    let mut rig = Rig::started(Policy { give_up, ..CALM });
    rig.ask(PAUSE).run();
    assert_eq!(story(rig.exit(0, FAILED)), ["Stop 1 Drain"]);
    assert_eq!(story(rig.exit(1, Exit::Code(0))), ["GaveUp"]);
}
