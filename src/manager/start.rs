//! What a manager needs before its first fork: descriptors, handlers, limits, and the proof that its workers' set-up works.

use crate::error::Error;
use crate::observe::Failure;
use crate::options::{Options, Output, Setup, Stdin};
use crate::pool::Pid;
use crate::relay::Relay;
use crate::signals::SignalSet;
use crate::sys::child::{self, Hands};
use crate::sys::fd::{self, AsFd, AsRawFd, OwnedFd, Pipe};
use crate::sys::limit::{self, Rlimit};
use crate::sys::signal;
use crate::sys::{Errno, process};

/// Descriptors that a manager needs besides four a worker.
const OWN_DESCRIPTORS: u64 = 16;

/// Everything that is held from before the first fork to the end.
#[derive(Debug)]
pub(super) struct Gear {
    /// This process.
    pub pid: Pid,
    /// The self-pipe.
    pub wake: Pipe,
    /// What children report of starts that failed.
    pub reports: Pipe,
    /// What workers read; `None`: what the manager reads.
    pub stdin: Option<OwnedFd>,
    /// The write end of the lifeline, which nobody else holds.
    pub _lifeline: Option<OwnedFd>,
    /// The limit of open files at the start, if it had to be raised.
    pub open_files: Option<Rlimit>,
    /// Descriptors from 3 up that were handed over to be handed on.
    pub listen_fds: u16,
    /// The signals that were ignored at the start.
    pub ignored: SignalSet,
}

/// Prepares for the first fork. Signals are let in last, so that none comes to a manager that is not ready for it.
///
/// # Errors
/// What stands in the way.
pub(super) fn gear_up(options: &Options<'_>, relay: &mut Relay<'_>) -> Result<Gear, Error> {
    let mask = signal::set_mask(SignalSet::ALL);
    let pid = process::own_pid();
    fd::hold_standard().map_err(system("hold the standard descriptors"))?;
    let listen_fds = fd::count_open(3, options.setup.listen_fds);
    let open_files = allow_descriptors(options)?;
    let wake = own_pipe("make the self-pipe")?;
    let reports = own_pipe("make the pipe of reports")?;
    let (stdin, lifeline) = standard_input(options.setup.stdin)?;
    if options.setup.output == Output::Relay {
        relay.open().map_err(system("make the pipes of the workers"))?;
    }
    if options.setup.close_fds {
        fd::close_on_exec_from(i32::from(listen_fds).saturating_add(3));
    }
    if options.subreaper {
        process::adopt_orphans().map_err(system("become a subreaper"))?;
    }
    let mut gear =
        Gear { pid, wake, reports, stdin, _lifeline: lifeline, open_files, listen_fds, ignored: SignalSet::EMPTY };
    rehearse(&options.setup, &gear)?;
    signal::wake_through(gear.wake.write.as_raw_fd(), pid);
    for signal in options.handled.iter() {
        // KILL, STOP and what libc keeps for itself cannot be handled, and need not be.
        if signal::install(signal).is_ok_and(|previous| previous.is_ignored()) {
            gear.ignored = gear.ignored.with(signal);
        }
    }
    signal::set_mask(mask.without(options.handled));
    Ok(gear)
}

fn system(step: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::System(Failure { step, errno: errno.raw_os_error() })
}

fn allow_descriptors(options: &Options<'_>) -> Result<Option<Rlimit>, Error> {
    let a_worker = if options.setup.output == Output::Relay { 4 } else { 0 };
    let needed = u64::from(options.policy.workers).saturating_mul(a_worker).saturating_add(OWN_DESCRIPTORS);
    limit::allow_open_files(needed).map_err(|allowed| Error::Descriptors { needed, allowed })
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
fn rehearse(setup: &Setup<'_>, gear: &Gear) -> Result<(), Error> {
    let refusable = setup.priority != 0
        || setup.limits.iter().any(Option::is_some)
        || setup.oom_score_adj.is_some()
        || setup.directory.is_some()
        || setup.user.is_some()
        || setup.no_new_privs;
    if !refusable {
        return Ok(());
    }
    let hands = Hands {
        standard: [None; 3],
        open_files: gear.open_files,
        terminal: None,
        reports: gear.reports.write.as_fd(),
        shares_files: false,
    };
    child::rehearse(setup, &hands, gear.pid, &gear.reports).map_err(Error::Setup)
}
