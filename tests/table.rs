//! Every state of a slot × everything a pool can be told, as tables.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::redundant_pub_crate,
    reason = "a test fails loudly; rustc asks for the visibility that clippy finds redundant"
)]

mod rig;

use cantella::pool::{Action, Exit, News, Policy, Request, Restart, SlotId, State, Told};
use rig::{CALM, Rig, secs};

/// What becomes of a slot that is told something about its worker. `!`: the news does not fit, and nothing changes.
const NEWS: &str = "
                  Spawned   SpawnFailed  ExecFailed  Deaf      Exited
    empty         !         !            !           !         !
    due           !         !            !           !         !
    starting      Running   Due          !           !         !
    surplus       Running   Empty        !           !         !
    running       !         !            Failing     Running   Due
    paused        !         !            Failing     Deaf      Due
    deaf          !         !            Failing     Deaf      Due
    failing       !         !            Failing     Failing   Due
    retiring      !         !            Stopping    Stopping  Due
    shrinking     !         !            Stopping    Stopping  Empty
    draining      !         !            Stopping    Stopping  Empty
    killed        !         !            Killed      Killed    Due
    ended         !         !            !           !         !
";

/// What a slot is owed, and what becomes of it, when time passes or somebody asks for something.
///
/// Of two workers of one age the second is the younger and the first the more overdue: `MaxAge` retires the other one.
const REQUESTS: &str = "
                now             later           Pause           Resume
    empty       Empty           Empty           Empty           Empty
    due         Spawn:Starting  Spawn:Starting  Due             Spawn:Starting
    starting    Starting        Starting        Starting        Starting
    surplus     Starting        Starting        Starting        Starting
    running     Running         Running         Pause:Paused    Running
    paused      Paused          Paused          Paused          Resume:Running
    deaf        Deaf            Deaf            Deaf            Running
    failing     Failing         Failing         Pause:Failing   Failing
    retiring    Stopping        Kill:Killed     Stopping        Stopping
    shrinking   Stopping        Kill:Killed     Stopping        Stopping
    draining    Stopping        Kill:Killed     Stopping        Stopping
    killed      Killed          Killed          Killed          Killed
    ended       Ended           Ended           Ended           Ended

                Stop            Kill            Grow            Shrink          MaxAge
    empty       Empty           Empty           Spawn:Starting  Empty           Empty
    due         Empty           Empty           Spawn:Starting  Empty           Spawn:Starting
    starting    Starting        Starting        Starting        Starting        Starting
    surplus     Starting        Starting        Starting        Starting        Starting
    running     Stop:Stopping   Kill:Killed     Running         Stop:Stopping   Running
    paused      Stop:Stopping   Kill:Killed     Paused          Stop:Stopping   Paused
    deaf        Stop:Stopping   Kill:Killed     Deaf            Stop:Stopping   Deaf
    failing     Stop:Stopping   Kill:Killed     Failing         Stop:Stopping   Failing
    retiring    Stopping        Kill:Killed     Stopping        Stopping        Stopping
    shrinking   Stopping        Kill:Killed     Stopping        Stopping        Stopping
    draining    Kill:Killed     Kill:Killed     Stopping        Stopping        Stopping
    killed      Killed          Killed          Killed          Killed          Killed
    ended       Empty           Empty           Ended           Empty           Ended
";

#[test]
fn a_slot_takes_in_what_fits_its_state_and_nothing_else() {
    for (row, column, cell) in cells(NEWS) {
        let Case { mut rig, index } = case(row);
        let before = *rig.slot(index);
        let slot = before.id();
        let news = news(column, slot, &mut rig).expect("a column of news");
        rig.tell(news);
        let fits = rig.pool.ignored() == 0;
        if cell == "!" {
            assert!(!fits && *rig.slot(index) == before, "{row} × {column}: {:?}", rig.state(index));
        } else {
            assert_eq!((fits, name(rig.state(index))), (true, cell), "{row} × {column}");
        }
    }
}

#[test]
fn a_slot_is_owed_what_its_state_calls_for() {
    for (row, column, cell) in cells(REQUESTS) {
        let Case { mut rig, index } = case(row);
        let slot = rig.id(index);
        if column == "later" {
            rig.at(3_600.0);
        }
        if let Some(news) = news(column, slot, &mut rig) {
            rig.tell(news);
        }
        let owed = unanswered(&mut rig, index);
        assert_eq!(owed + name(rig.state(index)), cell, "{row} × {column}");
        assert_eq!(rig.pool.ignored(), 0, "{row} × {column}");
    }
}

#[test]
fn news_of_another_worker_changes_nothing() {
    for (row, column, _) in cells(NEWS) {
        let Case { mut rig, index } = case(row);
        let SlotId { generation, .. } = rig.id(index);
        let strangers = [
            SlotId { index, generation: generation.wrapping_sub(1) },
            SlotId { index, generation: generation.wrapping_add(1) },
            SlotId { index: rig::ROWS, generation },
            SlotId { index: u16::MAX, generation },
        ];
        let before = rig.pool.slots().to_vec();
        for slot in strangers {
            let news = news(column, slot, &mut rig).expect("a column of news");
            rig.tell(news);
        }
        assert_eq!(rig.pool.slots(), before, "{row} × {column}");
        assert_eq!(rig.pool.ignored(), 4, "{row} × {column}");
    }
}

#[test]
fn a_poll_after_the_last_one_changes_nothing() {
    for (row, column, _) in cells(REQUESTS) {
        let Case { mut rig, index } = case(row);
        let slot = rig.id(index);
        if let Some(news) = news(column, slot, &mut rig) {
            rig.tell(news);
        }
        let last = rig.run().pop();
        let before = (rig.pool.slots().to_vec(), rig.pool.phase());
        assert_eq!(Some(rig.poll()), last, "{row} × {column}");
        assert_eq!((rig.pool.slots().to_vec(), rig.pool.phase()), before, "{row} × {column}");
    }
}

#[test]
fn the_tables_leave_nothing_out() {
    let columns: Vec<&str> = cells(NEWS).into_iter().chain(cells(REQUESTS)).map(|(_, column, _)| column).collect();
    let mut rig = Rig::new(CALM);
    let slot = rig.id(0);
    for told in
        ["Spawned", "SpawnFailed", "ExecFailed", "Deaf", "Exited", "Pause", "Resume", "Stop", "Kill", "Grow", "MaxAge"]
    {
        assert_eq!(news(told, slot, &mut rig).as_ref().map(column_of), Some(told));
        assert!(columns.contains(&told), "no column {told}");
    }
    let rows = cells(NEWS).into_iter().map(|(row, ..)| case(row));
    let states: Vec<&str> = rows.map(|case| name(case.rig.state(case.index))).collect();
    for state in ["Empty", "Due", "Starting", "Running", "Paused", "Deaf", "Failing", "Stopping", "Killed", "Ended"] {
        assert!(states.contains(&state), "no row in state {state}");
    }
}

/// Gives each cell of a table with the name of its row and of its column.
fn cells(table: &'static str) -> Vec<(&'static str, &'static str, &'static str)> {
    let mut cells = Vec::new();
    let mut columns = Vec::new();
    for line in table.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.split_first() {
            None => columns.clear(),
            Some(_) if columns.is_empty() => columns = words,
            Some((row, row_cells)) => {
                assert_eq!(row_cells.len(), columns.len(), "{line}");
                cells.extend(columns.iter().zip(row_cells).map(|(column, cell)| (*row, *column, *cell)));
            }
        }
    }
    cells
}

/// The name that the tables give a state. A new state asks for a new row.
const fn name(state: State) -> &'static str {
    match state {
        State::Empty => "Empty",
        State::Due { .. } => "Due",
        State::Starting => "Starting",
        State::Running { exec_failed: true, .. } => "Failing",
        State::Running { told: Told::Work, .. } => "Running",
        State::Running { told: Told::Pause, .. } => "Paused",
        State::Running { told: Told::Deaf { .. }, .. } => "Deaf",
        State::Stopping { .. } => "Stopping",
        State::Killed { .. } => "Killed",
        State::Ended => "Ended",
    }
}

/// Polls until nothing is left to do and answers nothing; gives what one slot was owed, as `Name:`.
fn unanswered(rig: &mut Rig, index: u16) -> String {
    let mut owed = String::new();
    loop {
        let (slot, name) = match rig.poll() {
            Action::Spawn { slot } => (slot, "Spawn:"),
            Action::Stop { slot, .. } => (slot, "Stop:"),
            Action::Kill { slot, .. } => (slot, "Kill:"),
            Action::Pause { slot, .. } => (slot, "Pause:"),
            Action::Resume { slot, .. } => (slot, "Resume:"),
            Action::Wait { .. } | Action::Finish { .. } => return owed,
        };
        if slot.index == index {
            owed.push_str(name);
        }
    }
}

/// One slot of a small pool, brought into a state by what leads there in life.
struct Case {
    rig: Rig,
    index: u16,
}

fn case(name: &str) -> Case {
    let (rig, index) = match name {
        "empty" => (Rig::started(CALM), 2),
        "due" => (Rig::new(CALM), 1),
        "starting" => (unborn(), 1),
        "surplus" => (then(unborn(), Request::Resize { workers: 1 }), 1),
        "running" => (aged(CALM), 1),
        "paused" => (then(aged(CALM), Request::Pause { until: None }), 1),
        "deaf" => (told(case("paused"), |slot| News::Deaf { slot }), 1),
        "failing" => (told(case("running"), |slot| News::ExecFailed { slot }), 1),
        "retiring" => (aged(Policy { max_age: Some(secs(5)), ..CALM }), 0),
        "shrinking" => (then(aged(CALM), Request::Resize { workers: 1 }), 1),
        "draining" => (then(aged(CALM), Request::Stop), 1),
        "killed" => (killed(case("retiring").rig), 0),
        "ended" => (ended(aged(Policy { restart: Restart::Never, ..CALM })), 1),
        _ => panic!("no case {name}"),
    };
    Case { rig, index }
}

/// Both births were handed out, and neither was answered.
fn unborn() -> Rig {
    let mut rig = Rig::new(CALM);
    let _ = (rig.poll(), rig.poll());
    rig
}

/// Both workers are five seconds old.
fn aged(policy: Policy) -> Rig {
    let mut rig = Rig::started(policy);
    rig.at(5.0).run();
    rig
}

fn then(mut rig: Rig, request: Request) -> Rig {
    rig.ask(request).run();
    rig
}

fn told(mut case: Case, news: impl Fn(SlotId) -> News) -> Rig {
    let slot = case.rig.id(case.index);
    case.rig.tell(news(slot));
    case.rig
}

fn ended(mut rig: Rig) -> Rig {
    rig.exit(1, Exit::Code(0));
    rig
}

fn killed(mut rig: Rig) -> Rig {
    rig.at(15.0).run();
    rig
}

/// What happens in a column; where nothing does, only time passes.
fn news(column: &str, slot: SlotId, rig: &mut Rig) -> Option<News> {
    let request = match column {
        "Spawned" => return Some(News::Spawned { slot, pid: rig.fresh_pid() }),
        "SpawnFailed" => return Some(News::SpawnFailed { slot }),
        "ExecFailed" => return Some(News::ExecFailed { slot }),
        "Deaf" => return Some(News::Deaf { slot }),
        "Exited" => return Some(News::Exited { slot, exit: Exit::Code(0) }),
        "now" | "later" => return None,
        "Pause" => Request::Pause { until: None },
        "Resume" => Request::Resume { at: None },
        "Stop" => Request::Stop,
        "Kill" => Request::Kill,
        "Grow" => Request::Resize { workers: 3 },
        "Shrink" => Request::Resize { workers: 1 },
        "MaxAge" => Request::MaxAge { age: Some(secs(1)) },
        _ => panic!("no column {column}"),
    };
    Some(News::Request(request))
}

/// The column that a piece of news belongs to. A new variant asks for a new column here.
const fn column_of(news: &News) -> &'static str {
    match news {
        News::Spawned { .. } => "Spawned",
        News::SpawnFailed { .. } => "SpawnFailed",
        News::ExecFailed { .. } => "ExecFailed",
        News::Deaf { .. } => "Deaf",
        News::Exited { .. } => "Exited",
        News::Request(Request::Pause { .. }) => "Pause",
        News::Request(Request::Resume { .. }) => "Resume",
        News::Request(Request::Stop) => "Stop",
        News::Request(Request::Kill) => "Kill",
        News::Request(Request::Resize { .. }) => "Grow",
        News::Request(Request::MaxAge { .. }) => "MaxAge",
    }
}
