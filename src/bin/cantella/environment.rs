//! The environment that workers get: the manager's, less what is meant for the manager, plus what names the worker.

use core::ffi::CStr;

use cantella::sys::exec::Environment;
use cantella::sys::start::Strings;
use cantella::sys::{fd, process};
use cantella::text::Text;

use super::args;
use super::memory;
use super::settings::{Fault, Settings, Usage};
use super::table::is_twin;
use super::values;

/// Variables by which a service manager speaks to the process that it started itself.
const SERVICE: [&[u8]; 3] = [b"NOTIFY_SOCKET", b"WATCHDOG_USEC", b"WATCHDOG_PID"];
/// Variables that say which descriptors were handed over.
const LISTEN: [&[u8]; 3] = [b"LISTEN_FDS", b"LISTEN_PID", b"LISTEN_FDNAMES"];
/// Variables that name the worker; those of an outer manager are not passed on.
const WORKER: [&[u8]; 4] =
    [b"CANTELLA_WORKER_SLOT", b"CANTELLA_WORKER_GENERATION", b"CANTELLA_WORKER_POOL", b"CANTELLA_MANAGER_PID"];

/// Puts the workers' environment together.
///
/// # Errors
/// There are too many variables.
pub fn build(settings: &Settings<'static>, variables: Strings) -> Result<Environment, Usage<'static>> {
    let too_many =
        || settings.usage(args::subject(settings, "env"), None, Fault::Rule("more than 4096 environment variables"));
    let edits = settings.env.entries();
    // All of them, those of the command line, and the two that name pool and manager.
    let most = variables.iter().count().saturating_add(edits.len()).saturating_add(2);
    let mut environment = memory::environment(most).ok_or_else(too_many)?;
    let inherited = variables.iter().filter(|variable| !settings.env.clear && passes(settings, variable));
    let kept = inherited.filter(|variable| edits.iter().all(|edit| name(edit) != name(variable)));
    let named = (!settings.habits.plain_environment).then(|| names(settings)).into_iter().flatten().flatten();
    for variable in kept.chain(edits.iter().copied()).chain(named) {
        if !environment.add(variable) {
            return Err(too_many());
        }
    }
    Ok(environment)
}

/// Gives the PATH on which COMMAND is looked up: the one that the worker gets, else the manager's own.
pub fn search_path(settings: &Settings<'static>, variables: Strings) -> Option<&'static [u8]> {
    let edits = settings.env.entries().iter().copied();
    edits.chain(variables).find_map(|variable| variable.to_bytes().strip_prefix(b"PATH="))
}

/// The variables by which a program knows that it is meant, of those that came in; under `--init` the child is.
pub fn own_pid(settings: &Settings<'_>, variables: Strings) -> [Option<&'static str>; 2] {
    let passed = settings.options.init.is_some() && !settings.env.clear;
    let named = |key, sign| Some(key).filter(|_| passed && value(variables, sign).is_some());
    [named("LISTEN_PID=", "LISTEN_FDS="), named("WATCHDOG_PID=", "WATCHDOG_PID=")]
}

/// How many descriptors were handed over to be handed on: under `--init` those that `LISTEN_FDS` counts and that are
/// there. To be asked before any is opened.
pub fn listen_fds(settings: &Settings<'_>, variables: Strings) -> u16 {
    let count = value(variables, "LISTEN_FDS=").filter(|_| settings.options.init.is_some());
    let count = count.and_then(values::number).and_then(|count| u16::try_from(count).ok());
    fd::count_open(3, count.unwrap_or(0))
}

/// Gives the value of the variable with this `NAME=`.
fn value(variables: Strings, key: &str) -> Option<&'static [u8]> {
    variables.iter().find_map(|variable| variable.to_bytes().strip_prefix(key.as_bytes()))
}

/// Tells whether a variable of the manager's environment is meant for the worker too.
fn passes(settings: &Settings<'_>, variable: &CStr) -> bool {
    let name = name(variable);
    let init = settings.options.init.is_some();
    let listen = init || !settings.options.setup.close_fds;
    if init && matches!(name, b"LISTEN_PID" | b"WATCHDOG_PID") {
        // The child gets its own.
        return false;
    }
    let service = !init && SERVICE.contains(&name);
    let handed_over = !listen && LISTEN.contains(&name);
    settings.habits.plain_environment || !(WORKER.contains(&name) || service || handed_over || is_twin(variable))
}

/// The two variables that are the same for all workers.
fn names(settings: &Settings<'_>) -> [Option<&'static CStr>; 2] {
    let pool = memory::text().and_then(|room| {
        let mut text = Text::new(room);
        text.say("CANTELLA_WORKER_POOL=");
        text.say(settings.options.pool);
        CStr::from_bytes_until_nul(room).ok()
    });
    let manager = memory::text().and_then(|room| {
        let mut text = Text::new(room);
        text.say("CANTELLA_MANAGER_PID=");
        text.number(u64::from(process::own_pid().get().unsigned_abs()));
        CStr::from_bytes_until_nul(room).ok()
    });
    [pool, manager]
}

/// The name of a variable.
fn name(variable: &CStr) -> &[u8] {
    variable.to_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}
