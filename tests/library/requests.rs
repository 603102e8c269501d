//! What a host asks of its manager, and what an observer does.

use std::time::{Duration, Instant};

use cantella::manager::Manager;
use cantella::observe::{Event, Level, Observer};
use cantella::options::Options;
use cantella::pool::{self, Outcome, Phase, Policy, PolicyError, Request, Signal, State};
use cantella::program::Program;
use cantella::signals::SignalSet;
use cantella::sys::signal;
use cantella::table::Storage;
use cantella::worker::{Context, Role, Spawn, Worker};

use crate::kit::{self, millis, quick};

pub(crate) const PROMISES: &[kit::Promise] = &[
    ("f19_the_number_of_workers_changes_at_once_and_the_youngest_stop_first", resized, kit::ends_well),
    ("an_age_limit_applies_to_workers_already_alive", aged, kit::ends_well),
    ("pause_and_resume_take_a_time_and_are_idempotent", paused, kit::ends_well),
    ("f22_workers_converge_to_the_managers_state", burst, kit::ends_well),
    ("requests_that_come_while_others_are_heard_are_kept_in_their_order", crossed, kit::ends_well),
    ("shutdown_is_idempotent_and_final", stopped, kit::ends_well),
    ("a_worker_that_will_not_end_makes_the_outcome_forced", forced, kit::ends_well),
    ("too_many_failed_starts_make_the_outcome_gave_up", gave_up, kit::ends_well),
    ("signal_workers_tells_how_many_it_signalled", signalled, kit::ends_well),
    ("an_observer_has_wishes", wishes, kit::ends_well),
];

fn idle(context: &mut Context) -> u8 {
    while !context.stopping() {
        context.wait_for_orders();
    }
    0
}

/// Turns for so long, or until `done`.
fn turn_until<P: Program, O: Observer>(
    manager: &mut Manager<'_, P, O>,
    time: Duration,
    mut done: impl FnMut(&mut Manager<'_, P, O>) -> bool,
) -> bool {
    let end = Instant::now() + time;
    while Instant::now() < end {
        manager.turn(Some(millis(10)));
        if done(manager) {
            return true;
        }
    }
    false
}

const LONG: Duration = Duration::from_secs(5);

fn resized() {
    let options = quick(2);
    let mut storage = Storage::<8>::new();
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(idle), ()).unwrap();
    assert!(turn_until(&mut manager, LONG, |manager| manager.current_worker_count() == 2));
    let old: Vec<_> = manager.workers().map(|live| live.worker).collect();
    std::thread::sleep(millis(20));
    manager.set_workers(6).unwrap();
    assert!(turn_until(&mut manager, LONG, |manager| manager.current_worker_count() == 6));
    let ages: Vec<_> = manager.workers().map(|live| live.age).collect();
    assert!(ages[..2].iter().all(|age| *age >= millis(20)) && ages[2..].iter().all(|age| *age < LONG), "{ages:?}");
    manager.set_workers(2).unwrap();
    assert!(turn_until(&mut manager, LONG, |manager| manager.current_worker_count() == 2));
    assert_eq!(manager.workers().map(|live| live.worker).collect::<Vec<_>>(), old);
    assert!(manager.workers().all(|live| matches!(live.state, State::Running { .. })));
    assert_eq!(manager.set_workers(0), Err(PolicyError::Workers));
    assert_eq!(manager.set_workers(9), Err(PolicyError::Workers));
    manager.shutdown();
    assert_eq!(manager.run(), Outcome::Drained);
    assert_eq!(manager.current_worker_count(), 0);
}

fn aged() {
    let options = quick(2);
    let mut storage = Storage::<4>::new();
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(idle), ()).unwrap();
    assert!(!turn_until(&mut manager, millis(200), |manager| newest(manager) > 1));
    assert_eq!(manager.set_max_worker_age(Some(Duration::ZERO)), Err(PolicyError::MaxAge));
    manager.set_max_worker_age(Some(millis(100))).unwrap();
    assert!(turn_until(&mut manager, LONG, |manager| newest(manager) > 2));
    manager.set_max_worker_age(None).unwrap();
    turn_until(&mut manager, millis(50), |_| false);
    let last = newest(&manager);
    assert!(!turn_until(&mut manager, millis(300), |manager| newest(manager) > last));
}

fn newest<P: Program, O: Observer>(manager: &Manager<'_, P, O>) -> u32 {
    manager.workers().map(|live| live.worker.slot.generation).max().unwrap_or(0)
}

fn paused() {
    let mut heard = Vec::new();
    let options = quick(1);
    let mut storage = Storage::<4>::new();
    let observer = |_: Level, event: &Event<'_>| {
        if matches!(event, Event::Paused | Event::Resumed) {
            heard.push(format!("{event:?}"));
        }
    };
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(idle), observer).unwrap();
    manager.pause(None);
    manager.pause(None);
    assert!(!turn_until(&mut manager, millis(100), |manager| manager.current_worker_count() > 0), "spawned in a pause");
    manager.resume(Some(millis(200)));
    let start = Instant::now();
    assert!(turn_until(&mut manager, LONG, |manager| manager.current_worker_count() > 0));
    assert!(start.elapsed() >= millis(190), "{:?}", start.elapsed());
    manager.resume(None);
    manager.pause(Some(millis(100)));
    assert!(turn_until(&mut manager, millis(90), |manager| matches!(manager.phase(), Phase::Paused { .. })));
    assert!(turn_until(&mut manager, LONG, |manager| manager.phase() == Phase::Running));
    manager.shutdown();
    manager.pause(None);
    manager.resume(None);
    assert_eq!(manager.run(), Outcome::Drained);
    drop(manager);
    assert_eq!(heard, ["Paused", "Resumed", "Paused", "Resumed"]);
}

/// A manager looks at one signal after the other, and each may come again meanwhile.
fn crossed() {
    const SEGV: Signal = Signal::new(11).unwrap();
    let options = Options { handled: SignalSet::ALL, ..quick(1) };
    let mut storage = Storage::<4>::new();
    let mut heard = Vec::new();
    // ABRT and SEGV mean nothing to a manager: it says so, the first time, before it looks at USR1 or between that and USR2.
    let observer = |_: Level, event: &Event<'_>| {
        if let Event::Ignored { signal } = *event {
            let requests: &[Signal] = if signal == SEGV { &[Signal::USR1, Signal::USR2] } else { &[Signal::USR1] };
            requests.iter().copied().for_each(signal::raise);
        } else if matches!(event, Event::Paused | Event::Resumed) {
            heard.push(format!("{event:?}"));
        }
    };
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(idle), observer).unwrap();
    manager.turn(Some(Duration::ZERO));
    signal::raise(Signal::ABRT);
    assert!(turn_until(&mut manager, LONG, |manager| matches!(manager.phase(), Phase::Paused { .. })));
    signal::raise(SEGV);
    assert!(turn_until(&mut manager, LONG, |manager| manager.phase() == Phase::Running));
    assert!(
        !turn_until(&mut manager, millis(50), |manager| manager.phase() != Phase::Running),
        "paused by an old request"
    );
    drop(manager);
    assert_eq!(heard, ["Paused", "Resumed"]);
}

/// Has work without end and says so.
struct Chatter;

impl Worker for Chatter {
    type Job = ();

    fn get_work(&mut self, context: &mut Context) -> Option<()> {
        context.sleep(millis(1));
        Some(())
    }

    fn work(&mut self, (): (), _context: &mut Context) {
        kit::say("job");
    }
}

fn burst() {
    let options = quick(4);
    let mut storage = Storage::<4>::new();
    let lines = std::cell::Cell::new(0);
    let observer = |_: Level, event: &Event<'_>| {
        if matches!(event, Event::Line { .. }) {
            lines.set(lines.get() + 1);
        }
    };
    let mut manager = Manager::new(&options, storage.lend(), Role::new(|_: &mut Context| Chatter), observer).unwrap();
    for round in 0..60 {
        for _ in 0..2 {
            manager.pause(None);
            manager.turn(Some(Duration::ZERO));
            manager.resume(None);
            manager.turn(Some(Duration::ZERO));
        }
        manager.pause(None);
        let rests = (0..100).any(|_| {
            lines.set(0);
            turn_until(&mut manager, millis(20), |_| false);
            lines.get() == 0
        });
        assert!(rests, "round {round}: somebody works in a pause");
        manager.resume(None);
        assert!(turn_until(&mut manager, LONG, |_| lines.get() >= 4), "round {round}: nobody works");
    }
    manager.shutdown();
    assert_eq!(manager.run(), Outcome::Drained);
}

fn stopped() {
    let options = quick(2);
    let mut storage = Storage::<4>::new();
    let slow = |context: &mut Context| {
        while !context.stopping() {
            context.wait_for_orders();
        }
        std::thread::sleep(millis(100));
        0
    };
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(slow), ()).unwrap();
    manager.turn(Some(Duration::ZERO));
    for _ in 0..3 {
        manager.shutdown();
        manager.set_workers(4).unwrap();
        manager.turn(Some(millis(10)));
    }
    assert_eq!(manager.run(), Outcome::Drained);
}

fn forced() {
    let mut options = quick(2);
    options.policy.stop_timeout = Some(millis(100));
    let mut storage = Storage::<4>::new();
    let deaf = |_: &mut Context| loop {
        std::thread::sleep(LONG);
    };
    for hurry in [false, true] {
        let mut manager = Manager::new(&options, storage.lend(), Spawn::new(deaf), ()).unwrap();
        manager.turn(Some(Duration::ZERO));
        if hurry {
            manager.kill_workers();
        } else {
            manager.shutdown();
        }
        assert_eq!(manager.run(), Outcome::Forced);
    }
}

fn gave_up() {
    let give_up = Some(pool::GiveUp { failures: 3, within: LONG });
    let policy = Policy { min_uptime: LONG, backoff_min: Duration::ZERO, give_up, ..quick(2).policy };
    let options = Options { policy, ..kit::QUICK };
    let mut storage = Storage::<4>::new();
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(|_: &mut Context| 1), ()).unwrap();
    assert_eq!(manager.run(), Outcome::GaveUp);
}

fn signalled() {
    let options = quick(3);
    let mut storage = Storage::<4>::new();
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(idle), ()).unwrap();
    assert_eq!(manager.signal_workers(Signal::TERM), 0, "nobody is there yet");
    manager.turn(Some(Duration::ZERO));
    assert_eq!(manager.signal_workers(Signal::TERM), 3);
    assert!(turn_until(&mut manager, LONG, |manager| manager.workers().all(|live| live.worker.slot.generation == 2)));
}

/// Wishes for a third worker when it hears of the second, and for the end when it hears of the third.
#[derive(Default)]
struct Greedy {
    starts: u32,
    wish: Option<Request>,
}

impl Observer for Greedy {
    fn event(&mut self, _level: Level, event: &Event<'_>) {
        if matches!(event, Event::Started { .. }) {
            self.starts += 1;
            self.wish = match self.starts {
                2 => Some(Request::Resize { workers: 3 }),
                3 => Some(Request::Stop),
                _ => None,
            };
        }
    }

    fn wish(&mut self, _now: pool::Instant) -> Option<Request> {
        self.wish.take()
    }
}

fn wishes() {
    let options = quick(2);
    let mut storage = Storage::<4>::new();
    let mut manager = Manager::new(&options, storage.lend(), Spawn::new(idle), Greedy::default()).unwrap();
    assert_eq!(manager.run(), Outcome::Drained);
    assert_eq!(manager.observer().starts, 3);
}
