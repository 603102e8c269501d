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

/// Whom a variable is meant for that not every worker gets.
#[derive(Clone, Copy)]
enum For {
    /// A worker of an outer manager, by which it knows who it is.
    Worker,
    /// The process that a service manager started itself.
    Service,
    /// That process alone, whose pid it holds.
    ServicePid,
    /// Who gets the descriptors that were handed over.
    Listener,
    /// That process alone, whose pid it holds.
    ListenerPid,
}

static RESERVED: [(&[u8], For); 10] = [
    (b"CANTELLA_WORKER_SLOT", For::Worker),
    (b"CANTELLA_WORKER_GENERATION", For::Worker),
    (b"CANTELLA_WORKER_POOL", For::Worker),
    (b"CANTELLA_MANAGER_PID", For::Worker),
    (b"NOTIFY_SOCKET", For::Service),
    (b"WATCHDOG_USEC", For::Service),
    (b"WATCHDOG_PID", For::ServicePid),
    (b"LISTEN_FDS", For::Listener),
    (b"LISTEN_FDNAMES", For::Listener),
    (b"LISTEN_PID", For::ListenerPid),
];

/// Puts the workers' environment together.
///
/// # Errors
/// There are too many variables.
pub fn build(settings: &Settings<'static>, variables: Strings) -> Result<Environment, Usage<'static>> {
    gather(settings, variables).ok_or_else(|| {
        settings.usage(args::subject(settings, "env"), None, Fault::Rule("more than 4096 environment variables"))
    })
}

fn gather(settings: &Settings<'static>, variables: Strings) -> Option<Environment> {
    let (edits, plain) = (settings.env.entries(), settings.habits.plain_environment);
    // All of them, those of the command line, and the two that name pool and manager.
    let most = variables.count().saturating_add(edits.len()).saturating_add(2);
    let mut environment = memory::environment(most)?;
    for variable in variables {
        let replaced = settings.env.clear || edits.iter().any(|edit| name(edit) == name(variable));
        if !replaced && passes(settings, variable) {
            environment.add(variable)?;
        }
    }
    for variable in edits {
        // Who a worker is, its manager says.
        if plain || !matches!(values::choice(name(variable), &RESERVED), Some(For::Worker)) {
            environment.add(variable)?;
        }
    }
    if !plain {
        environment.add(pair("CANTELLA_WORKER_POOL=", |text| text.say(settings.options.pool))?)?;
        let pid = process::own_pid().get().unsigned_abs();
        environment.add(pair("CANTELLA_MANAGER_PID=", |text| text.number(u64::from(pid)))?)?;
    }
    Some(environment)
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
    let (init, plain) = (settings.options.init.is_some(), settings.habits.plain_environment);
    match values::choice(name(variable), &RESERVED) {
        // The child of an init gets a pid of its own.
        Some(For::ServicePid | For::ListenerPid) if init => false,
        Some(For::Worker) => plain,
        Some(For::Service | For::ServicePid) => plain || init,
        Some(For::Listener | For::ListenerPid) => plain || init || !settings.options.setup.close_fds,
        None => plain || !is_twin(variable),
    }
}

/// Writes a variable, which both parts fit in.
fn pair(name: &str, value: impl FnOnce(&mut Text<'_>)) -> Option<&'static CStr> {
    let room = memory::text()?;
    let mut text = Text::new(room);
    text.say(name);
    value(&mut text);
    CStr::from_bytes_until_nul(room).ok()
}

/// The name of a variable.
fn name(variable: &CStr) -> &[u8] {
    variable.to_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}
