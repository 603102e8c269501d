//! TURN: the poll(2) loop. Kernel news go to the pool, the pool's actions go to the kernel; the loop decides nothing.
//!
//! After the first fork every error is handled here and the loop goes on.

use core::time::Duration;

use crate::error::Error;
use crate::observe::{Cause, Event, Failure, Level, Observer, Want, Worker};
use crate::options::{KillMode, Options};
use crate::pool::{
    Action, Clock, Exit, Instant, News, Outcome, Phase, Pid, Pool, Request, Restart, Signal, Slot, SlotId, State, Told,
    Why,
};
use crate::program::{Birth, Program};
use crate::relay::{Relay, level};
use crate::report::Report;
use crate::signals::SignalSet;
use crate::start::{Gear, gear_up};
use crate::sys::fd::{self, AsFd, AsRawFd, PollRow};
use crate::sys::process::{self, Forked, Seen};
use crate::sys::procfs::{self, Catches};
use crate::sys::signal::{self, Received};
use crate::sys::{Errno, child, clock, terminal};
use crate::table::{OWN_ROWS, Table};

mod init;
mod strays;

use init::Job;

/// Children reaped in one turn at most; the rest have a turn of their own.
const REAPS: usize = 1024;
/// Workers forked in one turn at most, so that signals are answered while a large pool starts.
const SPAWNS: usize = 64;
/// Exit codes of a child whose start failed, as a shell gives them.
const NOT_FOUND: u8 = 127;
const EXEC_FAILED: u8 = 126;
/// The manager's own rows of the poll array: the self-pipe, the pipe of reports, the log target.
const WAKE: usize = 0;
const REPORTS: usize = 1;
const WRITABLE: usize = 2;
/// How long a turn may sleep when the kernel cannot tell news from none.
const STUMBLE: Duration = Duration::from_millis(100);

/// Supervises one pool.
#[derive(Debug)]
pub struct Manager<'a, P, O> {
    options: &'a Options<'a>,
    pool: Pool<'a>,
    relay: Relay<'a>,
    rows: &'a mut [PollRow],
    gear: Gear,
    program: P,
    observer: O,
    clock: Clock,
    now: Instant,
    /// When the pool is to be polled again; `None`: at the next news.
    due: Option<Instant>,
    /// The phase that the observer knows of.
    told: Phase,
    /// Signals without a meaning that the observer was told of.
    noted: SignalSet,
    /// Whether a child may be waiting to be reaped.
    children: bool,
    /// Whether signals may be waiting that this turn did not get to.
    again: bool,
    /// How often somebody asked to stop.
    stops: u32,
    /// When a stop that was asked for is to be over; all of it, the strays included.
    stop_by: Option<Instant>,
    /// How the last worker ended that was reaped.
    last_exit: Option<Exit>,
    job: Job,
}

impl<'a, P: Program, O: Observer> Manager<'a, P, O> {
    /// Prepares everything that can fail: checks, descriptors, handlers. No worker is started yet.
    ///
    /// # Errors
    /// What stands in the way; nothing is left behind then but handlers that do nothing.
    #[expect(clippy::needless_pass_by_value, reason = "the table is lent for good")]
    pub fn new(options: &'a Options<'a>, table: Table<'a>, program: P, observer: O) -> Result<Self, Error> {
        let now = clock::monotonic();
        let mut relay =
            Relay::new(table.channels, table.buffers, table.input, [options.stdout_level, options.stderr_level]);
        let gear = gear_up(options, &mut relay)?;
        let seed = now.as_nanos() ^ u64::from(gear.pid.get().unsigned_abs()).rotate_left(32);
        let pool = Pool::new(table.slots, table.window, options.policy, seed, now).map_err(Error::Policy)?;
        Ok(Self {
            options,
            told: pool.phase(),
            pool,
            relay,
            rows: table.rows,
            gear,
            program,
            observer,
            clock: Clock::new(now),
            now,
            due: Some(now),
            noted: SignalSet::EMPTY,
            children: false,
            again: false,
            stops: 0,
            stop_by: None,
            last_exit: None,
            job: Job { stop_signal: options.stop_signal, terminal: None },
        })
    }

    /// Supervises until the pool is over, and tells how it ended.
    pub fn run(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.turn(None) {
                self.wind_up();
                return outcome;
            }
        }
    }

    /// Sleeps until there is news, or for `timeout` at most (`None`: without limit), and deals with it.
    ///
    /// Gives the outcome once the pool is over.
    pub fn turn(&mut self, timeout: Option<Duration>) -> Option<Outcome> {
        self.listen(timeout);
        let outcome = self.act();
        self.speak();
        outcome
    }

    /// Tells how the last worker ended that was reaped.
    #[must_use]
    pub const fn last_exit(&self) -> Option<Exit> {
        self.last_exit
    }

    /// Sleeps until there is news, and takes it in.
    fn listen(&mut self, timeout: Option<Duration>) {
        self.sleep(timeout);
        self.now = self.clock.turn(clock::monotonic(), self.due);
        if self.has_news(WAKE) {
            self.hear_signals();
        }
        if self.has_news(REPORTS) {
            self.hear_reports();
        }
        if self.has_news(WRITABLE) {
            self.observer.writable();
        }
        self.reap();
    }

    /// Passes on what workers wrote and what there is to tell.
    fn speak(&mut self) {
        self.relay.carry(self.rows.get(OWN_ROWS..).unwrap_or_default(), &mut self.observer, self.now);
        self.observer.flush(self.now);
    }

    /// Waits for news: a signal, a child's report, output to read, a log target with room, or a deadline.
    fn sleep(&mut self, timeout: Option<Duration>) {
        let ready = self.observer.ready();
        let want = self.observer.want();
        let writable = if let Want::Writable(fd) = want { fd } else { -1 };
        let own = [
            (self.gear.wake.read.as_raw_fd(), libc::POLLIN),
            (self.gear.reports.read.as_raw_fd(), libc::POLLIN),
            (writable, libc::POLLOUT),
        ];
        for (row, (fd, events)) in self.rows.iter_mut().zip(own) {
            *row = PollRow { fd, events, revents: 0 };
        }
        self.relay.expect(self.rows.get_mut(OWN_ROWS..).unwrap_or_default(), ready);

        let show = self.relay.deadline().filter(|_| ready);
        let retry = if let Want::Time(at) = want { Some(at) } else { None };
        let again = core::mem::take(&mut self.again) || self.children || (ready && self.relay.is_holding());
        let again = again.then_some(self.now);
        let due = [self.due, show, retry, again].into_iter().flatten().min();
        self.due = due;
        let left = due.map(|due| due.since(self.clock.pool_time(clock::monotonic())));
        let limit = [left, timeout].into_iter().flatten().min();
        if fd::poll(self.rows, limit).is_err() {
            // No memory for the kernel's own table: a short nap, then a look at everything that may have news.
            let _ = fd::poll(&mut [], Some(limit.unwrap_or(STUMBLE).min(STUMBLE)));
            for row in self.rows.iter_mut() {
                row.revents = row.events;
            }
        }
    }

    /// Tells whether one of the manager's own rows has news.
    fn has_news(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| row.revents != 0)
    }

    fn hear_signals(&mut self) {
        let mut bytes = [0; 16];
        // Emptied first and looked at second: what comes in between writes a byte for the next turn.
        while fd::read(self.gear.wake.read.as_fd(), &mut bytes).is_ok_and(|count| count == bytes.len()) {}
        signal::rearm();
        if let Some(init) = &self.options.init {
            return self.forward_signals(init);
        }
        let pause = signal::take(Signal::USR1, u32::MAX);
        let resume = signal::take(Signal::USR2, u32::MAX);
        for signal in SignalSet::ALL.iter() {
            if let Some(received) = signal::take(signal, u32::MAX) {
                self.hear_signal(received);
            }
        }
        self.hear_pauses(pause, resume);
    }

    /// The last request that was received wins.
    fn hear_pauses(&mut self, pause: Option<Received>, resume: Option<Received>) {
        let pause_is_last = match (pause, resume) {
            (None, None) => return,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            // The order wraps around, so it is compared by distance.
            (Some(pause), Some(resume)) => pause.order.wrapping_sub(resume.order) < u32::MAX / 2,
        };
        self.ask(if pause_is_last { Request::Pause { until: None } } else { Request::Resume { at: None } });
    }

    fn hear_signal(&mut self, received: Received) {
        match received.signal {
            Signal::TERM | Signal::INT => {
                // Two are as good as many: the second one kills.
                for _ in 0..received.count.min(2) {
                    self.ask(Request::Stop);
                }
            }
            Signal::QUIT => self.ask(Request::Kill),
            Signal::CHLD => self.children = true,
            Signal::HUP => self.observer.reopen(),
            Signal::PIPE => {}
            signal if self.noted.has(signal) => {}
            signal => {
                self.noted = self.noted.with(signal);
                self.tell(&Event::Ignored { signal });
            }
        }
    }

    /// Reads what children report of starts that failed.
    fn hear_reports(&mut self) {
        let mut bytes = [0; Report::LEN];
        // No more reports can be waiting than children were forked.
        for _ in 0..SPAWNS {
            let Ok(Report::LEN) = fd::read(self.gear.reports.read.as_fd(), &mut bytes) else { return };
            let Some(report) = Report::decode(&bytes) else { continue };
            let Some(worker) = self.worker(report.slot) else { continue };
            let failure = Failure { step: report.failed.step.name(), errno: report.failed.errno };
            self.tell(&Event::ExecFailed { worker, failure });
            self.pool.handle(News::ExecFailed { slot: report.slot }, self.now);
        }
    }

    /// Reaps what has ended, if a signal said that something has.
    fn reap(&mut self) {
        if !core::mem::take(&mut self.children) {
            return;
        }
        for _ in 0..REAPS {
            match process::look(self.options.init.is_some()) {
                Ok(Some(Seen::Ended(pid, exit))) => self.bury(pid, exit),
                Ok(Some(Seen::Stopped(pid, signal))) => self.suspend(pid, signal),
                Ok(None) | Err(_) => return,
            }
        }
        self.children = true;
    }

    /// Reaps one child. Until then its pid and the id of its group are still its own.
    fn bury(&mut self, pid: Pid, exit: Exit) {
        let Some(slot) = self.pool.find(pid) else {
            process::reap(pid);
            return self.tell_orphan(pid, exit);
        };
        if let Some(init) = &self.options.init {
            self.part_from_group(init, pid);
        } else if self.options.kill_mode != KillMode::Worker {
            // Whoever is left in the group would pile up. That nobody is left is the usual case.
            self.send(pid, Signal::KILL, true);
        }
        process::reap(pid);
        self.last_exit = Some(exit);
        let worker = Worker { slot, pid };
        let asked = self.pool.slot(slot.index).is_some_and(|slot| !matches!(slot.state(), State::Running { .. }));
        self.relay.ended(slot.index, &mut self.observer, self.now);
        if matches!(exit, Exit::Code(EXEC_FAILED | NOT_FOUND)) {
            // The report of a start that failed is always there before the end that follows it.
            self.hear_reports();
        }
        self.pool.handle(News::Exited { slot, exit }, self.now);
        self.tell_exit(worker, exit, asked);
        self.tell_backoff(slot);
    }

    /// An end is nothing to talk of where the exit code says it all.
    fn tell_exit(&mut self, worker: Worker, exit: Exit, asked: bool) {
        let event = Event::Exited { worker, exit, asked };
        let silent = self.options.init.is_some() && self.pool.policy().restart == Restart::Never;
        self.observer.event(if silent { Level::Debug } else { level(&event) }, &event);
    }

    fn tell_orphan(&mut self, pid: Pid, exit: Exit) {
        let event = Event::Orphan { pid, exit };
        let warn = self.options.init.as_ref().is_some_and(|init| init.warn_on_reap);
        self.observer.event(if warn { Level::Warning } else { level(&event) }, &event);
    }

    fn tell_backoff(&mut self, slot: SlotId) {
        let Some(row) = self.pool.slot(slot.index) else { return };
        let (failures, due) = (row.failures(), row.due());
        if let (Some(at), 1..) = (due, failures) {
            self.tell(&Event::Backoff { slot, failures, delay: at.since(self.now) });
        }
    }

    fn ask(&mut self, request: Request) {
        if matches!(request, Request::Stop | Request::Kill) {
            self.stops = self.stops.saturating_add(1);
        }
        self.pool.handle(News::Request(request), self.now);
        self.tell_phase();
    }

    /// Tells the observer of a change of phase, once.
    fn tell_phase(&mut self) {
        let phase = self.pool.phase();
        if let Phase::Stopping { kill_at, .. } = phase {
            self.stop_by = kill_at;
        }
        let event = match (self.told, phase) {
            (Phase::Running, Phase::Paused { .. }) => Event::Paused,
            (Phase::Paused { .. }, Phase::Running) => Event::Resumed,
            (Phase::Running | Phase::Paused { .. }, Phase::Stopping { asked, .. }) => {
                Event::Draining { cause: if asked { Cause::Request } else { Cause::GaveUp } }
            }
            _ => return,
        };
        self.told = phase;
        self.tell(&event);
    }

    fn tell(&mut self, event: &Event<'_>) {
        self.observer.event(level(event), event);
    }

    /// Carries out what the pool owes, until it owes nothing or a turn's share of forks is done.
    fn act(&mut self) -> Option<Outcome> {
        let mut forks_left = SPAWNS;
        self.due = loop {
            match self.pool.poll(self.now) {
                Action::Spawn { slot } => {
                    self.spawn(slot);
                    forks_left = forks_left.saturating_sub(1);
                }
                Action::Stop { slot, pid, why } => self.stop(slot, pid, why),
                Action::Kill { slot, pid } => self.kill(slot, pid),
                Action::Pause { slot, pid } => self.pass_on(slot, pid, self.options.pause_signal),
                Action::Resume { slot, pid } => self.pass_on(slot, pid, self.options.resume_signal),
                Action::Wait { until } => break until,
                Action::Finish { outcome } => return Some(outcome),
            }
            self.tell_phase();
            if forks_left == 0 {
                break Some(self.now);
            }
        };
        self.tell_phase();
        None
    }

    /// Forks a worker.
    fn spawn(&mut self, slot: SlotId) {
        self.job.terminal = self.options.init.as_ref().filter(|_| self.leads_group()).and_then(|_| terminal::own());
        // A signal in the child before its own handlers stand would be lost to it; see F1 in the contract.
        let mask = signal::set_mask(SignalSet::ALL);
        let forked = process::fork();
        if forked == Ok(Forked::Child) {
            self.be_worker(slot);
        }
        self.now = self.clock.pool_time(clock::monotonic());
        let failing = self.pool.fork_failures() > 0;
        match forked {
            Ok(Forked::Parent(pid)) => {
                let worker = Worker { slot, pid };
                if self.options.setup.process_group && !self.options.setup.detach {
                    // The child does the same; whoever is second fails, and it is no matter who.
                    let _ = process::lead_group(pid);
                }
                self.relay.began(worker);
                self.pool.handle(News::Spawned { slot, pid }, self.now);
                if failing {
                    self.tell(&Event::ForkWorks);
                }
                self.tell(&Event::Started { worker });
                if let Some(init) = &self.options.init {
                    self.be_parent(init);
                }
            }
            Ok(Forked::Child) => {}
            Err(errno) => {
                self.pool.handle(News::SpawnFailed { slot }, self.now);
                if !failing {
                    self.tell(&Event::ForkFailed { failure: Failure { step: "fork", errno: errno.raw_os_error() } });
                }
            }
        }
        signal::set_mask(mask);
    }

    /// What a fresh child does. It never returns into the manager's code and runs none of its destructors.
    fn be_worker(&mut self, slot: SlotId) -> ! {
        signal::disown();
        let [out, err] = self.relay.ends(slot.index);
        let hands = child::Hands {
            standard: [self.gear.stdin.as_ref().map(AsFd::as_fd), out, err],
            open_files: self.gear.open_files,
            terminal: self.job.terminal,
        };
        let birth = Birth { slot, manager: self.gear.pid, ignored: self.gear.ignored };
        let ran = child::prepare(&self.options.setup, &hands, self.gear.pid).and_then(|()| self.program.run(&birth));
        process::exit(ran.unwrap_or_else(|failed| {
            // A manager that is gone hears nothing, and the exit code says the rest.
            let _ = fd::write(self.gear.reports.write.as_fd(), &Report { slot, failed }.encode());
            if failed.errno == Errno::NOENT.raw_os_error() { NOT_FOUND } else { EXEC_FAILED }
        }))
    }

    fn stop(&mut self, slot: SlotId, pid: Pid, why: Why) {
        if why == Why::Retire {
            let born = self.pool.slot(slot.index).and_then(Slot::started);
            let age = born.map_or(Duration::ZERO, |born| self.now.since(born));
            self.tell(&Event::Retiring { worker: Worker { slot, pid }, age });
        }
        let init = self.options.init.as_ref();
        let group = init.map_or(self.options.kill_mode == KillMode::Group, |init| init.forward_to_group);
        self.send(pid, self.job.stop_signal, group);
        // A stopped worker would never see it.
        self.send(pid, Signal::CONT, group);
    }

    fn kill(&mut self, slot: SlotId, pid: Pid) {
        self.tell(&Event::Killed { worker: Worker { slot, pid } });
        self.send(pid, Signal::KILL, self.options.kill_mode != KillMode::Worker);
    }

    /// Signals an un-reaped worker, or its group.
    fn send(&mut self, pid: Pid, signal: Signal, group: bool) {
        let sent =
            if group && self.leads_group() { signal::send_group(pid, signal) } else { signal::send(pid, signal) };
        if let Err(errno) = sent {
            self.tell(&Event::Trouble { failure: Failure { step: "signal a worker", errno: errno.raw_os_error() } });
        }
    }

    /// Passes the pause or resume signal on to a worker that catches it.
    fn pass_on(&mut self, slot: SlotId, pid: Pid, signal: Option<Signal>) {
        let Some(signal) = signal else { return };
        // STOP and CONT work on any program, whatever it catches.
        let always = P::LISTENS || matches!(signal, Signal::STOP | Signal::CONT);
        if always || procfs::catches(pid, signal) == Ok(Catches::Yes) {
            return self.send(pid, signal, false);
        }
        self.pool.handle(News::Deaf { slot }, self.now);
        let looked_at_again =
            |slot: &Slot| matches!(slot.state(), State::Running { told: Told::Deaf { again: true }, .. });
        let again = self.pool.slot(slot.index).is_some_and(looked_at_again);
        if !again {
            self.tell(&Event::Deaf { worker: Worker { slot, pid }, signal });
        }
    }

    /// Tells whether each worker leads a process group of its own.
    const fn leads_group(&self) -> bool {
        self.options.setup.detach || self.options.setup.process_group
    }

    fn worker(&self, slot: SlotId) -> Option<Worker> {
        let row = self.pool.slot(slot.index).filter(|row| row.id() == slot)?;
        Some(Worker { slot, pid: row.pid()? })
    }

    /// Ends what the workers left behind, and passes on what they wrote.
    fn wind_up(&mut self) {
        let init = self.options.init.as_ref();
        let allowed = init.map_or(self.options.policy.stop_timeout, |init| init.drain);
        let own_end = allowed.map(|allowed| self.now.after(allowed));
        let until = [self.stop_by, own_end].into_iter().flatten().min();
        let adopts = self.gear.pid == Pid::INIT || self.options.subreaper;
        if adopts && allowed != Some(Duration::ZERO) {
            self.drain_strays(until);
        }
        self.close();
    }

    /// Passes on what the last workers left, for the stop timeout at most.
    fn close(&mut self) {
        let until = self.options.policy.stop_timeout.map(|timeout| self.now.after(timeout));
        loop {
            let stuck = !self.observer.ready() || self.observer.want() != Want::Nothing;
            self.due = until;
            self.sleep(if stuck { None } else { Some(Duration::ZERO) });
            self.now = self.clock.pool_time(clock::monotonic());
            if self.has_news(WRITABLE) {
                self.observer.writable();
            }
            self.speak();
            let empty = !self.relay.is_owing() && self.observer.want() == Want::Nothing;
            if empty || self.is_hurried() || until.is_some_and(|until| until <= self.now) {
                break;
            }
        }
        self.relay.end_all(&mut self.observer);
        self.observer.flush(self.now);
        self.observer.close();
    }

    /// Tells whether waiting is over: a full disk had its last try, or somebody asks again.
    fn is_hurried(&self) -> bool {
        let asked_again = [Signal::TERM, Signal::INT, Signal::QUIT].map(|signal| signal::take(signal, u32::MAX));
        matches!(self.observer.want(), Want::Time(_)) || asked_again.iter().any(Option::is_some)
    }
}
