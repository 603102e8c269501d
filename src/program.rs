//! What runs in a forked child once it is set up: another program, or a Rust value.

use core::ffi::CStr;

use crate::options::Options;
use crate::pool::{Pid, Signal, SlotId};
use crate::report::{Failed, Step};
use crate::signals::SignalSet;
use crate::sys::exec::{self, Environment};
use crate::sys::start::Strings;
use crate::sys::{process, signal};
use crate::text::Text;

/// What a fresh child knows of itself.
#[derive(Clone, Copy, Debug)]
pub struct Birth<'a> {
    /// Its slot and generation.
    pub slot: SlotId,
    /// What its manager was told.
    pub options: &'a Options<'a>,
    /// Its manager.
    pub manager: Pid,
    /// The signals that were ignored when the manager started.
    pub ignored: SignalSet,
}

/// What a worker does.
pub trait Program {
    /// Whether each worker is a value of this program: it catches the pause and resume signals before any can reach it, so
    /// that nobody has to look, its standard input is the lifeline, and it closes the descriptors that are not its own.
    const LISTENS: bool;

    /// Runs in the forked child, with every signal blocked, and gives the worker's exit code.
    ///
    /// # Errors
    /// What kept it from running.
    fn run(&mut self, birth: &Birth<'_>) -> Result<u8, Failed>;
}

/// Another program, executed in place of the child.
#[derive(Debug)]
pub struct Command {
    /// The file to execute.
    pub path: &'static CStr,
    /// Its arguments, its name first.
    pub arguments: Strings,
    /// Its environment, but for what is a worker's own.
    pub environment: Environment,
    /// The signals that it starts with blocked.
    pub mask: SignalSet,
    /// Whether slot and generation are added to its environment.
    pub named: bool,
    /// Variables (`NAME=`) whose value is to be the worker's own pid.
    pub own_pid: [Option<&'static str>; 2],
    /// A script without `#!` is run by /bin/sh.
    pub shell_scripts: bool,
}

impl Program for Command {
    const LISTENS: bool = false;

    fn run(&mut self, birth: &Birth<'_>) -> Result<u8, Failed> {
        let pid = u64::from(process::own_pid().get().unsigned_abs());
        let [first, second] = self.own_pid;
        let mut rooms = [[0; 48]; 4];
        let [slot, generation, one, other] = &mut rooms;
        let variables = [
            self.named.then(|| variable("CANTELLA_WORKER_SLOT=", u64::from(birth.slot.index), slot)),
            self.named.then(|| variable("CANTELLA_WORKER_GENERATION=", u64::from(birth.slot.generation), generation)),
            first.map(|name| variable(name, pid, one)),
            second.map(|name| variable(name, pid, other)),
        ];
        for signal in birth.ignored.iter().filter(|signal| *signal != Signal::CHLD) {
            // Ignoring worked before, in the process that this one is a copy of.
            let _ = signal::set_ignored(signal, true);
        }
        // A signal that came since the fork is delivered here.
        signal::set_mask(self.mask);
        let variables = variables.iter().flatten().copied();
        let errno = exec::execute(self.path, self.arguments, &mut self.environment, variables, self.shell_scripts);
        Err(Failed { step: Step::Exec, errno: errno.raw_os_error() })
    }
}

fn variable<'a>(name: &str, value: u64, room: &'a mut [u8; 48]) -> &'a CStr {
    let mut text = Text::new(room);
    text.say(name);
    text.number(value);
    text.put(b"\0");
    CStr::from_bytes_until_nul(room).unwrap_or(c"")
}
