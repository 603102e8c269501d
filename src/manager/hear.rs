//! Kernel news: what signals, children's reports and deaths mean to the pool.

use super::{EXEC_FAILED, Manager, NOT_FOUND, SPAWNS};
use crate::observe::{Event, Failure, Level, Observer, Worker};
use crate::options::KillMode;
use crate::pool::{Exit, News, Pid, Request, Restart, Signal, SlotId, State};
use crate::program::Program;
use crate::relay::level;
use crate::report::Report;
use crate::signals::SignalSet;
use crate::sys::Errno;
use crate::sys::fd::{self, AsFd};
use crate::sys::process::{self, Seen};
use crate::sys::signal::{self, Received};

/// Children reaped in one turn at most; the rest have a turn of their own.
const REAPS: usize = 1024;

impl<P: Program, O: Observer> Manager<'_, P, O> {
    pub(super) fn hear_signals(&mut self) {
        let mut bytes = [0; 16];
        // Emptied first and looked at second: what comes in between writes a byte for the next turn.
        while fd::read(self.gear.wake.read.as_fd(), &mut bytes).is_ok_and(|count| count == bytes.len()) {}
        signal::rearm();
        if let Some(init) = &self.options.init {
            return self.forward_signals(init);
        }
        for signal in SignalSet::ALL.iter() {
            if let Some(received) = signal::take(signal, u32::MAX) {
                self.hear_signal(received);
            }
        }
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
            // The one that came last wins, also over what has come since this one was taken.
            Signal::USR1 | Signal::USR2 if signal::last(Signal::USR1) > signal::last(Signal::USR2) => {
                self.ask(Request::Pause { until: None });
            }
            Signal::USR1 | Signal::USR2 => self.ask(Request::Resume { at: None }),
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
    pub(super) fn hear_reports(&mut self) {
        let mut bytes = [0; Report::LEN];
        // No more reports can be waiting than children were forked.
        for _ in 0..SPAWNS {
            let Ok(Report::LEN) = fd::read(self.gear.reports.read.as_fd(), &mut bytes) else { return };
            let Some(report) = Report::decode(&bytes) else { continue };
            let Some(worker) = self.worker(report.slot) else { continue };
            self.job.never_ran = true;
            let failure = Failure { step: report.failed.step.name(), errno: report.failed.errno };
            self.tell(&Event::ExecFailed { worker, failure });
            self.pool.handle(News::ExecFailed { slot: report.slot }, self.now);
        }
    }

    /// Reaps what has ended, if a signal said that something has.
    pub(super) fn reap(&mut self) {
        if !core::mem::take(&mut self.children) {
            return;
        }
        if P::LISTENS && !self.options.reap_all {
            return self.reap_own();
        }
        for _ in 0..REAPS {
            match process::look(self.options.init.is_some()) {
                Ok(Some(Seen::Ended(pid, exit))) => self.bury(pid, exit),
                Ok(Some(Seen::Stopped(pid, signal))) => self.suspend(pid, signal),
                Ok(None) | Err(Errno::CHILD) => return,
                // No answer is no reason to forget the question.
                Err(_) => break,
            }
        }
        self.children = true;
    }

    /// Reaps one child. Until then its pid and the id of its group are still its own.
    pub(super) fn bury(&mut self, pid: Pid, exit: Exit) {
        let Some(slot) = self.pool.find(pid) else {
            process::reap(pid);
            self.elders.forget(pid);
            self.orphans.note(self.now);
            return self.tell_orphan(pid, exit);
        };
        if let Some(init) = &self.options.init {
            self.part_from_group(init, pid, exit);
        } else if self.options.kill_mode != KillMode::Worker {
            // Whoever is left in the group would pile up. That nobody is left is the usual case.
            self.send(pid, Signal::KILL, true);
        }
        process::reap(pid);
        self.part(Worker { slot, pid }, exit);
    }

    /// Takes in that a worker is gone.
    pub(super) fn part(&mut self, worker: Worker, exit: Exit) {
        let slot = worker.slot;
        self.last_exit = Some(exit);
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

    fn worker(&self, slot: SlotId) -> Option<Worker> {
        let row = self.pool.slot(slot.index).filter(|row| row.id() == slot)?;
        Some(Worker { slot, pid: row.pid()? })
    }
}
