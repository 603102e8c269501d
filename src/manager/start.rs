//! What a manager needs before its first fork: descriptors, handlers, limits, and the proof that its workers' set-up works.

use crate::error::Error;
use crate::observe::Failure;
use crate::options::{Options, Output, Setup, Stdin};
use crate::pool::{Pid, Signal};
use crate::relay::Relay;
use crate::signals::SignalSet;
use crate::sys::alone::{Alone, Crowd};
use crate::sys::child::{self, Hands};
use crate::sys::fd::{self, AsFd, AsRawFd, BorrowedFd, OwnedFd, Pipe};
use crate::sys::limit::{self, Rlimit};
use crate::sys::process::Shared;
use crate::sys::signal::{self, Handlers};
use crate::sys::{Errno, process, title};

/// Descriptors that a manager needs besides four a worker.
const OWN_DESCRIPTORS: u64 = 16;

/// Everything that is held from before the first fork to the end, and given back then.
#[derive(Debug)]
pub(super) struct Gear {
    /// The proof that this process may fork.
    pub alone: Alone,
    /// This process.
    pub pid: Pid,
    /// The self-pipe.
    pub wake: Pipe,
    /// What children report of starts that failed.
    pub reports: Pipe,
    /// What workers read; `None`: what the manager reads.
    pub stdin: Option<OwnedFd>,
    /// The write end of the lifeline, which nobody else holds.
    pub lifeline: Option<OwnedFd>,
    /// The limit of open files at the start, if it had to be raised.
    pub open_files: Option<Rlimit>,
    /// Whether a child may use this process's descriptors until it has a table of its own.
    pub can_share_files: bool,
    handlers: Handlers,
    /// What was let in that was blocked at the start.
    let_in: SignalSet,
}

impl Gear {
    /// Answers `signals` from now on, in a program that otherwise blocks `mask`. They are let in last, so that none comes
    /// to a manager that is not ready for it.
    pub(super) fn answer(&mut self, signals: SignalSet, mask: SignalSet) {
        self.handlers.install(signals);
        let let_in = mask.without(SignalSet::ALL.without(signals));
        self.let_in = SignalSet::from_bits(self.let_in.bits() | let_in.bits());
        signal::set_mask(mask.without(signals));
    }

    /// What a child is handed that writes to `ends`.
    pub(super) fn hands<'a>(
        &'a self,
        [out, err]: [Option<BorrowedFd<'a>>; 2],
        terminal: Option<BorrowedFd<'a>>,
        shared: Shared,
    ) -> Hands<'a> {
        let standard = [self.stdin.as_ref().map(AsFd::as_fd), out, err];
        Hands { standard, open_files: self.open_files, terminal, reports: self.reports.write.as_fd(), shared }
    }

    /// Leaves a byte in the lifeline while the pool is paused, for workers to whom signals came in an order of their own.
    pub(super) fn show_paused(&self, paused: bool) {
        let (Some(read), Some(write)) = (&self.stdin, &self.lifeline) else { return };
        // An empty pipe has room, and where a worker has taken the byte away there is nothing to take back.
        let _ = if paused { fd::write(write.as_fd(), &[1]) } else { fd::read_shared(read.as_fd(), &mut [0]) };
    }

    /// Gives the signals that were ignored before they were answered.
    #[must_use]
    pub(super) const fn ignored(&self) -> SignalSet {
        self.handlers.ignored()
    }
}

impl Drop for Gear {
    fn drop(&mut self) {
        let mask = signal::set_mask(SignalSet::ALL);
        self.handlers.restore();
        signal::wake_through(-1, self.pid);
        if let Some(limit) = self.open_files {
            limit::restore_open_files(limit);
        }
        signal::set_mask(SignalSet::from_bits(mask.bits() | self.let_in.bits()));
    }
}

/// Prepares for the first fork of workers that, as `listens` says, are values of this program or other programs.
///
/// # Errors
/// What stands in the way; the process is as it was then, but for a limit of open files that may have been raised.
pub(super) fn gear_up(options: &Options<'_>, relay: &mut Relay<'_>, listens: bool) -> Result<Gear, Error> {
    let mask = signal::set_mask(SignalSet::ALL);
    match assemble(options, relay, listens) {
        Ok(mut gear) => {
            signal::wake_through(gear.wake.write.as_raw_fd(), gear.pid);
            gear.answer(options.handled.with(Signal::CHLD), mask);
            Ok(gear)
        }
        Err(error) => {
            relay.close();
            signal::set_mask(mask);
            Err(error)
        }
    }
}

fn assemble(options: &Options<'_>, relay: &mut Relay<'_>, listens: bool) -> Result<Gear, Error> {
    let alone = Alone::claim().map_err(|crowd| match crowd {
        Crowd::Threads => Error::Threads,
        Crowd::Manager => Error::Occupied,
    })?;
    let pid = process::own_pid();
    fd::hold_standard().map_err(system("hold the standard descriptors"))?;
    let relayed = if options.setup.output == Output::Relay { relay.workers() } else { 0 };
    let mut open_files = allow_descriptors(relayed)?;
    let wake = own_pipe("make the self-pipe")?;
    let reports = own_pipe("make the pipe of reports")?;
    // A worker of this program has nothing else by which to learn of its manager's end, should the signal be lost.
    let (stdin, lifeline) = standard_input(if listens { Stdin::Lifeline } else { options.setup.stdin })?;
    if options.setup.output == Output::Relay {
        open_pipes(relay, &mut open_files)?;
    }
    // Workers of this program close what is not theirs; the program itself keeps its descriptors as they are.
    let can_share_files = options.setup.close_fds
        && !listens
        && fd::close_on_exec_from(i32::from(options.setup.listen_fds).saturating_add(3));
    if options.subreaper {
        let adopted = process::adopt_orphans();
        // An emulator or a sandbox may not know it. An init serves its child all the same, a pool was asked for it.
        adopted
            .or_else(|errno| if options.init.is_some() { Ok(()) } else { Err(system("become a subreaper")(errno)) })?;
    }
    let (handlers, let_in) = (Handlers::NONE, SignalSet::EMPTY);
    let gear = Gear { alone, pid, wake, reports, stdin, lifeline, open_files, can_share_files, handlers, let_in };
    rehearse(&options.setup, &gear.hands(relay.ends(0), None, Shared::NOTHING), &gear.alone, &gear.reports)?;
    if listens && let Some(name) = options.name {
        title::rename_found(name, "-pm");
    }
    Ok(gear)
}

fn system(step: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::System(Failure { step, errno: errno.raw_os_error() })
}

/// Each worker whose output is relayed has two pipes.
fn allow_descriptors(relayed: usize) -> Result<Option<Rlimit>, Error> {
    let relayed = u64::try_from(relayed).unwrap_or(u64::MAX);
    let needed = relayed.saturating_mul(4).saturating_add(OWN_DESCRIPTORS);
    limit::allow_open_files(needed).map_err(|allowed| Error::Descriptors { needed, allowed })
}

/// Makes the workers' pipes; where descriptors that were there before are in the way, with all room that is allowed.
fn open_pipes(relay: &mut Relay<'_>, open_files: &mut Option<Rlimit>) -> Result<(), Error> {
    if relay.open().is_ok() {
        return Ok(());
    }
    relay.close();
    let before = limit::allow_all_open_files();
    *open_files = open_files.or(before);
    relay.open().map_err(system("make the pipes of the workers"))
}

fn own_pipe(step: &'static str) -> Result<Pipe, Error> {
    fd::pipe_to_read().map_err(system(step))
}

/// Opens what workers read, and for a lifeline the end that the manager keeps.
fn standard_input(stdin: Stdin) -> Result<(Option<OwnedFd>, Option<OwnedFd>), Error> {
    match stdin {
        Stdin::Inherit => Ok((None, None)),
        Stdin::Lifeline => {
            let pipe = fd::pipe().map_err(system("make the lifeline"))?;
            Ok((Some(pipe.read), Some(pipe.write)))
        }
        Stdin::Null => {
            // Without a /dev/null, a pipe that nobody writes gives the same end-of-file.
            let null = fd::open_read(c"/dev/null").or_else(|_| fd::pipe().map(|pipe| pipe.read));
            Ok((Some(null.map_err(system("open /dev/null"))?), None))
        }
    }
}

/// Lets a trial child do the set-up, if it has a step that the kernel may refuse.
fn rehearse(setup: &Setup<'_>, hands: &Hands<'_>, alone: &Alone, reports: &Pipe) -> Result<(), Error> {
    let refusable = setup.priority != 0
        || setup.limits.iter().any(Option::is_some)
        || setup.oom_score_adj.is_some()
        || setup.directory.is_some()
        || setup.user.is_some()
        || setup.no_new_privs;
    if !refusable {
        return Ok(());
    }
    child::rehearse(setup, hands, alone, reports).map_err(Error::Setup)
}
