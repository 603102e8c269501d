//! What a manager does as a container's init: signals are passed on to its one child, job control goes through it.

use core::time::Duration;

use super::Manager;
use crate::observe::Observer;
use crate::options::{Forward, Init};
use crate::pool::{Exit, Phase, Pid, Request, Restart, Signal, Slot};
use crate::program::Program;
use crate::signals::SignalSet;
use crate::sys::fd::BorrowedFd;
use crate::sys::{fd, process, signal, terminal};

/// Deliveries of one signal that are passed on in one turn at most; the rest have a turn of their own.
const DELIVERIES: u32 = 256;

/// What an init keeps in mind of its child.
#[derive(Debug)]
pub(super) struct Job {
    /// What asks the child to end: the signal that came.
    pub stop_signal: Signal,
    /// The terminal whose foreground the child was given.
    pub terminal: Option<BorrowedFd<'static>>,
    /// Whether it failed before its program ran.
    pub never_ran: bool,
}

impl<P: Program, O: Observer> Manager<'_, P, O> {
    /// Passes on every signal that came, as often as it came.
    pub(super) fn forward_signals(&mut self, init: &Init) {
        let child = self.only_child();
        let starting = child.is_none() && self.is_new() && self.pool.fork_failures() == 0;
        for signal in SignalSet::ALL.iter() {
            if signal == Signal::CHLD {
                self.children |= signal::take(signal, u32::MAX).is_some();
                continue;
            }
            let asks_to_stop = matches!(signal, Signal::TERM | Signal::INT);
            // Without a child it waits for one; but a pool that only may have one again is stopped.
            if starting || (child.is_none() && !asks_to_stop) {
                continue;
            }
            let Some(received) = signal::take(signal, DELIVERIES) else { continue };
            self.again |= received.count == DELIVERIES;
            if signal == Signal::HUP {
                self.observer.reopen();
            }
            // What the terminal sent to this whole group has reached a child in it already.
            let seen = if self.leads_group() { 0 } else { received.from_kernel };
            self.forward(init, child, signal, received.count.saturating_sub(seen));
            if init.suspend && matches!(signal, Signal::TSTP | Signal::TTIN | Signal::TTOU) {
                signal::raise(Signal::STOP);
            }
        }
    }

    /// Passes one signal on, `count` times, as the map says. The first TERM or INT starts the stop, which sends it.
    fn forward(&mut self, init: &Init, child: Option<Pid>, signal: Signal, count: u32) {
        let row = usize::from(signal.get()).checked_sub(1).and_then(|row| init.map.get(row));
        let passed = match row {
            Some(Forward::Drop) => return,
            Some(Forward::As(other)) => *other,
            Some(Forward::Same) | None => signal,
        };
        let mut left = count;
        if matches!(signal, Signal::TERM | Signal::INT) && left > 0 && !self.is_stopping() {
            self.job.stop_signal = passed;
            self.ask(Request::Stop);
            left = left.saturating_sub(1);
        }
        let Some(pid) = child else {
            // Who asks again while strays are drained is in a hurry.
            self.stops = self.stops.saturating_add(left);
            return;
        };
        for _ in 0..left {
            self.send(pid, passed, init.forward_to_group);
        }
    }

    /// Chooses the terminal that the next child takes over.
    pub(super) fn offer_terminal(&mut self) {
        if self.options.init.is_none() {
            return;
        }
        self.job.terminal = if self.options.setup.detach { terminal::leave() } else { self.own_terminal() };
    }

    /// Follows a child that was stopped: the manager stops too, so that its shell gets its prompt, and goes on with it.
    pub(super) fn suspend(&mut self, pid: Pid, signal: Signal) {
        let wants_terminal = matches!(signal, Signal::TTIN | Signal::TTOU);
        let held_on_terminal = signal == Signal::STOP && terminal::controlling().is_some();
        if self.only_child() != Some(pid) || !(wants_terminal || held_on_terminal || signal == Signal::TSTP) {
            return;
        }
        // In a script, in a pipeline or after fg(1) the foreground is here, though the child did not get it at the start.
        let wanted = terminal::foreground().filter(|_| wants_terminal && self.leads_group());
        let was_stopped = wanted.is_none() && self.stop_with(pid);
        self.job.terminal = wanted.or_else(|| self.own_terminal());
        if let Some(terminal) = self.job.terminal {
            terminal::give(terminal, pid);
        } else if wants_terminal && !was_stopped && terminal::controlling().is_some() {
            // It would only ask again, and again. It goes on when somebody tells it to.
            return;
        }
        self.send(pid, Signal::CONT, true);
    }

    /// Stops this process, too, until it is continued; tells whether it could be stopped.
    fn stop_with(&mut self, pid: Pid) -> bool {
        self.take_terminal_back(pid);
        self.observer.flush(self.now);
        terminal::suspend();
        // What continued the manager continues the child, once.
        signal::take(Signal::CONT, u32::MAX).is_some()
    }

    fn own_terminal(&self) -> Option<BorrowedFd<'static>> {
        terminal::own().filter(|_| self.leads_group())
    }

    /// Takes the terminal's foreground back from the child's group.
    pub(super) fn take_terminal_back(&mut self, pid: Pid) {
        if let Some(terminal) = self.job.terminal.take() {
            terminal::take_back(terminal, pid);
        }
    }

    /// The last words to the group of a child that has ended; its leader is not reaped yet, so that the id is still its.
    pub(super) fn part_from_group(&mut self, init: &Init, pid: Pid, exit: Exit) {
        self.take_terminal_back(pid);
        let drains = init.drain != Some(Duration::ZERO);
        if self.has_successor(exit) {
            self.send(pid, Signal::KILL, true);
        } else if init.farewell || (drains && self.gear.pid != Pid::INIT) {
            self.send(pid, Signal::TERM, true);
            self.send(pid, Signal::CONT, true);
        }
    }

    /// What the parent does once its child is there: what came before the child did goes to it now.
    pub(super) fn be_parent(&mut self, init: &Init) {
        if init.leave_directory {
            process::leave_directory();
        }
        if self.pool.policy().restart == Restart::Never {
            fd::close_numbers(3, self.options.setup.listen_fds);
        }
        self.forward_signals(init);
    }

    /// Tells whether another child follows one that ended like this.
    const fn has_successor(&self, exit: Exit) -> bool {
        self.pool.policy().restart.follows(exit) && !self.is_stopping()
    }

    /// The child, if there is one.
    fn only_child(&self) -> Option<Pid> {
        self.pool.slot(0).and_then(Slot::pid)
    }

    /// Tells whether no child was started yet.
    fn is_new(&self) -> bool {
        self.pool.slot(0).is_some_and(|slot| slot.id().generation == 0)
    }

    const fn is_stopping(&self) -> bool {
        matches!(self.pool.phase(), Phase::Stopping { .. } | Phase::Finished { .. })
    }
}
