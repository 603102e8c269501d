//! TURN: the poll(2) loop. Kernel news go to the pool, the pool's actions go to the kernel; the loop decides nothing.
//!
//! After the first fork every error is handled here and the loop goes on.

use core::time::Duration;

use crate::error::Error;
use crate::observe::{Cause, Event, Failure, Observer, Want, Worker};
use crate::options::{KillMode, Options};
use crate::pool::{
    Action, Clock, Exit, Instant, News, Outcome, Phase, Pid, Pool, Request, Signal, Slot, SlotId, State, Told, Why,
    sooner,
};
use crate::program::{Birth, Program};
use crate::relay::{Relay, level};
use crate::report::{Failed, Report};
use crate::signals::SignalSet;
use crate::sys::fd::{self, AsFd, AsRawFd, IDLE_ROW, Pipe, PollRow};
use crate::sys::process::{self, Forked, Shared};
use crate::sys::procfs::{self, Catches};
use crate::sys::signal;
use crate::sys::{Errno, child, clock};
use crate::table::Table;

mod close;
mod hear;
mod host;
mod idle;
mod init;
mod start;
mod strays;

pub use host::Live;
pub use idle::idle;
use init::Job;
use start::{Gear, gear_up};
use strays::{Elders, Orphans};

/// Workers forked in one turn at most, so that signals are answered while a large pool starts.
const SPAWNS: usize = 64;
/// Exit codes of a child whose start failed, as a shell gives them.
const NOT_FOUND: u8 = 127;
const EXEC_FAILED: u8 = 126;
/// The rows of the poll array: the self-pipe, the pipe of reports, the log target, the workers' output.
const WAKE: usize = 0;
const REPORTS: usize = 1;
const WRITABLE: usize = 2;
const OUTPUT: usize = 3;
/// How long a turn may sleep when the kernel cannot tell news from none.
const STUMBLE: Duration = Duration::from_millis(100);

/// Supervises one pool.
///
/// It stays with the thread that made it, because the kernel takes the end of that thread for the end of its workers' parent:
///
/// ```compile_fail,E0277
/// fn is_sent<T: Send>() {}
/// is_sent::<cantella::Manager<'static, cantella::Spawn<'static, fn(&mut cantella::Context) -> u8>, ()>>();
/// ```
#[derive(Debug)]
pub struct Manager<'a, P, O> {
    options: &'a Options<'a>,
    pool: Pool<'a>,
    relay: Relay<'a>,
    rows: [PollRow; 4],
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
    /// Whether the observer was told that there is no /proc.
    blind: bool,
    /// Whether a child may be waiting to be reaped.
    children: bool,
    /// Whether signals may be waiting that this turn did not get to.
    again: bool,
    /// How long the last turn took to write the log.
    spoke: Duration,
    /// How often somebody asked to stop.
    stops: u32,
    /// When a stop that was asked for is to be over; all of it, the strays included.
    stop_by: Option<Instant>,
    /// How the last worker ended that was reaped.
    last_exit: Option<Exit>,
    orphans: Orphans,
    elders: Elders,
    job: Job,
}

impl<'a, P: Program, O: Observer> Manager<'a, P, O> {
    /// Prepares everything that can fail: checks, descriptors, handlers. No worker is started yet.
    ///
    /// # Errors
    /// What stands in the way; the process is as it was then.
    #[expect(clippy::needless_pass_by_value, reason = "the table is lent for good")]
    // Inlined, it would move its many fields one by one.
    #[inline(never)]
    pub fn new(options: &'a Options<'a>, table: Table<'a>, program: P, observer: O) -> Result<Self, Error> {
        let now = clock::monotonic();
        let mut relay =
            Relay::new(table.channels, table.buffers, table.input, [options.stdout_level, options.stderr_level]);
        let seed = now.as_nanos() ^ u64::from(process::own_pid().get().unsigned_abs()).rotate_left(32);
        let pool = Pool::new(table.slots, table.window, options.policy, seed, now).map_err(Error::Policy)?;
        let gear = gear_up(options, &mut relay, P::LISTENS)?;
        let elders = Elders::of(gear.pid, options.reap_all);
        Ok(Self {
            options,
            told: pool.phase(),
            pool,
            relay,
            rows: [IDLE_ROW; 4],
            gear,
            program,
            observer,
            clock: Clock::new(now),
            now,
            due: Some(now),
            noted: SignalSet::EMPTY,
            blind: false,
            // Whoever ended before the handler stood made no sound.
            children: options.reap_all,
            again: false,
            spoke: Duration::ZERO,
            stops: 0,
            stop_by: None,
            last_exit: None,
            orphans: Orphans::NONE,
            elders,
            job: Job { stop_signal: options.stop_signal, terminal: None, never_ran: false },
        })
    }

    /// Supervises until the pool is over, and tells how it ended.
    ///
    /// From here on the program answers signals as a supervisor does: see [`Options::ANSWERED`].
    pub fn run(&mut self) -> Outcome {
        self.gear.answer(Options::ANSWERED, signal::set_mask(SignalSet::ALL));
        loop {
            if let Some(outcome) = self.turn(None) {
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
        if outcome.is_some() {
            self.wind_up();
        } else {
            self.grant_wish();
        }
        outcome
    }

    /// Tells how the last worker ended that was reaped.
    #[must_use]
    pub const fn last_exit(&self) -> Option<Exit> {
        self.last_exit
    }

    /// Tells whether the last worker failed before its program ran, so that its exit is not the program's.
    #[must_use]
    pub const fn never_ran(&self) -> bool {
        self.job.never_ran
    }

    /// Sleeps until there is news, and takes it in.
    fn listen(&mut self, timeout: Option<Duration>) {
        self.sleep(timeout);
        // A wake-up that came late because the log was slow is no sign of a freeze.
        let due = self.due.map(|due| due.after(self.spoke));
        self.now = self.clock.turn(clock::monotonic(), due);
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
        let before = clock::monotonic();
        self.relay.carry(self.has_news(OUTPUT), &mut self.observer, self.now);
        self.observer.flush(self.now);
        self.spoke = clock::monotonic().since(before);
    }

    /// Tells what is worth a [`turn`](Self::turn): news on one of these descriptors (a signal, a child's report, output to
    /// read, a log target with room), or that this time has passed; `None`: the descriptors alone.
    ///
    /// This is for a program with a poll(2) of its own. What it is told holds until the next call of any method.
    pub fn expect(&mut self) -> (&[PollRow], Option<Duration>) {
        let ready = self.observer.ready();
        let want = self.observer.want();
        let writable = if let Want::Writable(fd) = want { fd } else { -1 };
        self.rows = [
            fd::readable(self.gear.wake.read.as_raw_fd()),
            fd::readable(self.gear.reports.read.as_raw_fd()),
            fd::writable(writable),
            self.relay.row(ready),
        ];

        let show = self.relay.deadline().filter(|_| ready);
        let retry = if let Want::Time(at) = want { Some(at) } else { None };
        let again = core::mem::take(&mut self.again) || self.children || (ready && self.relay.is_holding());
        let again = again.then_some(self.now);
        let due = [self.due, show, retry, again].into_iter().fold(None, sooner);
        self.due = due;
        let left = due.map(|due| due.since(self.clock.pool_time(clock::monotonic())));
        (&self.rows, left)
    }

    /// Waits for news, for `timeout` at most.
    fn sleep(&mut self, timeout: Option<Duration>) {
        let gather = self.orphans.gather();
        let (_, left) = self.expect();
        let limit = sooner(sooner(left, timeout), gather);
        let mask = gather.map(|_| signal::block(Signal::CHLD));
        let slept = fd::poll(&mut self.rows, limit);
        if let Some(mask) = mask {
            signal::set_mask(mask);
        }
        match slept {
            Ok(false) => {}
            // What the self-pipe would say the next time is known already.
            Ok(true) => assume_news(self.rows.get_mut(..=WAKE).unwrap_or_default()),
            // No memory for the kernel's own table: a short nap, then a look at everything that may have news.
            Err(_) => {
                let _ = fd::poll(&mut [], Some(limit.unwrap_or(STUMBLE).min(STUMBLE)));
                assume_news(&mut self.rows);
            }
        }
    }

    /// Tells whether one of the manager's own rows has news.
    fn has_news(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| row.revents != 0)
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
            // Nobody was left to be drained, and the reason of the end is owed all the same.
            (Phase::Running | Phase::Paused { .. }, Phase::Finished { outcome: Outcome::GaveUp }) => {
                Event::Draining { cause: Cause::GaveUp }
            }
            _ => return,
        };
        self.told = phase;
        if P::LISTENS {
            self.gear.show_paused(matches!(phase, Phase::Paused { .. }));
        }
        self.tell(&event);
    }

    fn tell(&mut self, event: &Event<'_>) {
        self.observer.event(level(event), event);
    }

    /// Carries out what the pool owes, until it owes nothing or a turn's share of forks is done.
    fn act(&mut self) -> Option<Outcome> {
        let mut forks_left = SPAWNS;
        self.due = loop {
            let action = self.pool.poll(self.now);
            self.tell_phase();
            match action {
                Action::Spawn { slot } => {
                    self.spawn(slot);
                    forks_left = forks_left.saturating_sub(1);
                }
                Action::Stop { slot, pid, why } => self.stop(slot, pid, why),
                Action::Kill { slot, pid } => self.kill(slot, pid),
                Action::Pause { slot, pid } => self.pause_worker(slot, pid),
                Action::Resume { slot, pid } => self.resume_worker(slot, pid),
                Action::Wait { until } => break until,
                Action::Finish { outcome } => return Some(outcome),
            }
            if forks_left == 0 {
                break Some(self.now);
            }
        };
        None
    }

    /// Forks a worker.
    fn spawn(&mut self, slot: SlotId) {
        self.offer_terminal();
        self.job.never_ran = false;
        // A signal in the child before its own handlers stand would be lost to it; see F1 in the contract.
        let mask = signal::set_mask(SignalSet::ALL);
        let forked = self.fork(slot);
        self.now = self.clock.pool_time(clock::monotonic());
        let failing = self.pool.fork_failures() > 0;
        match forked {
            Ok(pid) => {
                let worker = Worker { slot, pid };
                if self.options.setup.process_group && !self.options.setup.detach {
                    // The child does the same, where it had its own memory perhaps later; whoever is second fails.
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
            Err(errno) => {
                self.pool.handle(News::SpawnFailed { slot }, self.now);
                if !failing {
                    self.tell(&Event::ForkFailed { failure: Failure { step: "fork", errno: errno.raw_os_error() } });
                }
            }
        }
        signal::set_mask(mask);
    }

    /// Forks a child that becomes a worker. It never returns into the manager's code and runs none of its destructors.
    fn fork(&mut self, slot: SlotId) -> Result<Pid, Errno> {
        if P::LISTENS {
            return match process::fork(&self.gear.alone)? {
                Forked::Parent(pid) => Ok(pid),
                Forked::Child => process::exit(self.be_value(slot)),
            };
        }
        let Self { gear, pool, relay, job, program, options, .. } = self;
        let setup = &options.setup;
        let shared = Shared {
            // The child is all that there is to wait for. But a user to whom it is given up could stop it, and so its init.
            memory: options.init.is_some() && setup.user.is_none(),
            // What was handed over is closed here as soon as the child is there, perhaps before it has its own table.
            files: gear.can_share_files && setup.listen_fds == 0,
        };
        let birth = Birth { slot, options, manager: gear.pid, ignored: gear.ignored() };
        if shared.files {
            // In a storm of starts the children lag behind.
            relay.bring_near(slot.index, |other| {
                pool.slot(other).and_then(Slot::pid).is_some_and(process::shares_files)
            });
        }
        // Looked up here: the child may have no copy of the table.
        let ends = relay.ends(slot.index);
        process::spawn(&gear.alone, shared, &mut |shared| {
            let hands = gear.hands(ends, job.terminal, shared);
            work(program, &birth, child::prepare(setup, &hands, gear.pid), &gear.reports)
        })
    }

    /// What a fresh child does that is to run a value of this program.
    fn be_value(&mut self, slot: SlotId) -> u8 {
        let (options, gear) = (self.options, &self.gear);
        let hands = gear.hands(self.relay.ends(slot.index), self.job.terminal, Shared::NOTHING);
        let prepared = child::prepare(&options.setup, &hands, gear.pid);
        let birth = Birth { slot, options, manager: gear.pid, ignored: gear.ignored() };
        self.leave();
        work(&mut self.program, &birth, prepared, &self.gear.reports)
    }

    fn stop(&mut self, slot: SlotId, pid: Pid, why: Why) {
        if why == Why::Retire {
            let born = self.pool.slot(slot.index).and_then(Slot::started);
            let age = born.map_or(Duration::ZERO, |born| self.now.since(born));
            self.tell(&Event::Retiring { worker: Worker { slot, pid }, age });
        }
        let init = self.options.init.as_ref();
        let group = self.options.kill_mode == KillMode::Group || init.is_some_and(|init| init.forward_to_group);
        self.send(pid, self.job.stop_signal, group);
        // A stopped worker would never see it. A child of an init is sent nothing that is not needed.
        if init.is_none() || procfs::is_stopped(pid).unwrap_or(true) {
            self.send(pid, Signal::CONT, group);
        }
    }

    fn kill(&mut self, slot: SlotId, pid: Pid) {
        self.tell(&Event::Killed { worker: Worker { slot, pid } });
        let group = self.options.kill_mode != KillMode::Worker && self.leads_group();
        self.note_sent(signal::destroy(pid, group));
    }

    /// Signals an un-reaped worker, or its group.
    fn send(&mut self, pid: Pid, signal: Signal, group: bool) {
        let group = group && self.leads_group();
        self.note_sent(if group { signal::send_group(pid, signal) } else { signal::send(pid, signal) });
    }

    fn note_sent(&mut self, sent: Result<(), Errno>) {
        if let Err(errno) = sent {
            self.tell(&Event::Trouble { failure: Failure { step: "signal a worker", errno: errno.raw_os_error() } });
        }
    }

    /// Passes the pause signal on, or tells the pool that the worker does not catch it.
    fn pause_worker(&mut self, slot: SlotId, pid: Pid) {
        let Some(signal) = self.options.pause_signal else { return };
        if self.catches(pid, signal) {
            return self.send(pid, signal, false);
        }
        self.pool.handle(News::Deaf { slot }, self.now);
        let row = self.pool.slot(slot.index).map(Slot::state);
        let too_young = matches!(row, Some(State::Running { told: Told::Deaf { again: true }, .. }));
        if !too_young && !self.blind {
            self.tell(&Event::Deaf { worker: Worker { slot, pid }, signal });
        }
    }

    /// Passes the resume signal on to a worker that catches it.
    fn resume_worker(&mut self, slot: SlotId, pid: Pid) {
        let Some(signal) = self.options.resume_signal else { return };
        if self.catches(pid, signal) {
            self.send(pid, signal, false);
        } else if !self.blind {
            self.tell(&Event::Deaf { worker: Worker { slot, pid }, signal });
        }
    }

    /// Looks whether a signal would reach the worker's handler, and not end a worker that has none.
    fn catches(&mut self, pid: Pid, signal: Signal) -> bool {
        // STOP and CONT work on any program, whatever it catches.
        if P::LISTENS || matches!(signal, Signal::STOP | Signal::CONT) {
            return true;
        }
        procfs::catches(pid, signal).unwrap_or_else(|errno| {
            self.tell_blindness(errno);
            Catches::No
        }) == Catches::Yes
    }

    /// Tells once that there is no /proc to look at.
    fn tell_blindness(&mut self, errno: Errno) {
        if !core::mem::replace(&mut self.blind, true) {
            let step = "see in /proc which signals workers catch, so none is passed on";
            self.tell(&Event::Trouble { failure: Failure { step, errno: errno.raw_os_error() } });
        }
    }

    /// Tells whether each worker leads a process group of its own.
    const fn leads_group(&self) -> bool {
        self.options.setup.detach || self.options.setup.process_group
    }
}

/// Does a worker's work in a child that is set up, and gives its exit code.
fn work<P: Program>(program: &mut P, birth: &Birth<'_>, prepared: Result<(), Failed>, reports: &Pipe) -> u8 {
    prepared.and_then(|()| program.run(birth)).unwrap_or_else(|failed| {
        // A manager that is gone hears nothing, and the exit code says the rest.
        let _ = fd::write(reports.write.as_fd(), &Report { slot: birth.slot, failed }.encode());
        if failed.errno == Errno::NOENT.raw_os_error() { NOT_FOUND } else { EXEC_FAILED }
    })
}

/// Takes each row for one that has what it waits for; a look that finds nothing is no harm.
fn assume_news(rows: &mut [PollRow]) {
    for row in rows {
        row.revents = row.events;
    }
}
