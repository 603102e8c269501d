//! From settings to a running manager: COMMAND, its environment and its user are looked up, the log is opened.

use core::ffi::CStr;

use cantella::errno;
use cantella::error::Error;
use cantella::manager::{self, Manager};
use cantella::options::{Init, Options, User};
use cantella::pool::{Outcome, Pid, Signal};
use cantella::program::Command;
use cantella::relay::{Formatter, Sink, Target};
use cantella::report::{Failed, Step};
use cantella::signals::SignalSet;
use cantella::sys::exec;
use cantella::sys::fd::{self, AsFd};
use cantella::sys::start::Strings;
use cantella::sys::{Errno, process, signal, title};

use super::args;
use super::environment;
use super::memory;
use super::settings::{Fault, Log, Settings, Subject, Usage, UserSpec};
use super::users::{self, Missing};

/// Why `--name` cannot be had.
const TOO_LONG: &str = "at most 4096 arguments of 65536 bytes in all can make room for a name";

/// Supervises COMMAND as `settings` say, and gives the exit code.
///
/// # Errors
/// What stands in the way; nothing has been started then.
pub fn launch(
    settings: &mut Settings<'static>,
    arguments: Strings,
    variables: Strings,
    mask: SignalSet,
) -> Result<u8, Usage<'static>> {
    let path = find(settings, arguments, variables)?;
    let Some(name) = settings.options.name else { return supervise(settings, path, arguments, variables, mask) };
    // The name is written over the arguments, so that everything that was read from them is read again from a copy, in
    // which it also stands for COMMAND's own name.
    let copy = memory::copy(arguments, settings.command, name);
    let copy = copy.ok_or_else(|| fault(settings, "name", None, Fault::Rule(TOO_LONG)))?;
    // In the copy the name stands where COMMAND stood, and might look like an option there.
    let mut words = copy.iter().take(settings.command).chain([c"--", c"COMMAND"]);
    let command = settings.command;
    *settings = Settings::defaults();
    args::parse(settings, &mut words, &mut variables.iter())?;
    settings.command = command;
    title::rename(arguments, settings.options.name.unwrap_or(name), "-pm");
    supervise(settings, path, copy, variables, mask)
}

fn supervise(
    settings: &mut Settings<'static>,
    path: &'static CStr,
    arguments: Strings,
    variables: Strings,
    mask: SignalSet,
) -> Result<u8, Usage<'static>> {
    play_part(settings);
    settings.options.handled = handled(&settings.options);
    settings.options.reap_all = true;
    settings.options.setup.user = look_up(settings)?;
    settings.options.setup.listen_fds = environment::listen_fds(settings, variables);
    let (settings, options) = (&*settings, &settings.options);
    let command = arguments.skip(settings.command);
    let command = Command {
        path,
        arguments: if settings.habits.dashes { command.without_second() } else { command },
        environment: environment::build(settings, variables)?,
        mask,
        named: !settings.habits.plain_environment,
        own_pid: environment::own_pid(settings, variables),
        shell_scripts: settings.habits.shell_scripts,
    };
    memory::withhold_rest();
    let sink = open_log(settings)?;
    let table =
        memory::table(options).ok_or_else(|| fault(settings, "workers", None, Fault::Rule("no memory is left")))?;
    let mut manager = Manager::new(options, table, command, sink).map_err(|error| refusal(settings, error))?;
    // A pool that writes its log to a terminal in the background must not be stopped for it.
    let background = SignalSet::EMPTY.with(Signal::TTIN).with(Signal::TTOU);
    signal::set_mask(background.without(options.handled));
    let outcome = manager.run();
    let (last_exit, never_ran) = (manager.last_exit(), manager.never_ran());
    // The process ends with its manager; there is no host to give anything back to.
    core::mem::forget(manager);
    Ok(match (&options.init, last_exit) {
        (Some(_), Some(exit)) if never_ran => settings.codes.of_start(exit),
        (Some(init), Some(exit)) => mapped(init, exit.shell_code()),
        (Some(_), None) | (None, _) => code(outcome),
    })
}

/// Does what only the other inits do before they start anything.
fn play_part(settings: &Settings<'_>) {
    if let Some(signal) = settings.habits.parent_death_signal {
        // The signal was checked when the option was read.
        let _ = process::die_with_parent(signal);
    }
    if settings.habits.warn_without_orphans && process::own_pid() != Pid::INIT {
        let warning = b"tini: neither PID 1 nor a subreaper (-s), so zombie reaping won't work\n";
        // A closed standard error harms nobody.
        let _ = fd::write_shared(fd::standard(2), warning);
    }
    if settings.habits.pause {
        process::exit(manager::idle());
    }
}

/// Every signal; but outside init, not those by which a shell's job control stops and continues the manager as a whole.
const fn handled(options: &Options<'_>) -> SignalSet {
    if options.init.is_some() {
        return SignalSet::ALL;
    }
    let job_control = SignalSet::EMPTY.with(Signal::TSTP).with(Signal::CONT).with(Signal::TTIN).with(Signal::TTOU);
    SignalSet::ALL.without(job_control)
}

/// The exit code of an init whose child gave `code`.
fn mapped(init: &Init, code: u8) -> u8 {
    init.map_exit.get(usize::from(code)).copied().unwrap_or(code)
}

/// The exit code of an outcome.
const fn code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Completed { exit } => exit.shell_code(),
        Outcome::Drained => 0,
        Outcome::GaveUp => 1,
        Outcome::Forced => 124,
    }
}

/// Finds the file of COMMAND, before the directory is changed and before anything is started.
fn find(settings: &Settings<'static>, arguments: Strings, variables: Strings) -> Result<&'static CStr, Usage<'static>> {
    let command = arguments.skip(settings.command).iter().next().unwrap_or_default();
    let search = environment::search_path(settings, variables);
    let absolute = settings.options.setup.directory.is_some();
    let found = memory::path().map_or(Err(Errno::NOMEM), |room| exec::find(command, search, absolute, room));
    found.map_err(|errno| {
        let (code, rule) = match errno {
            Errno::NOENT => (settings.codes.not_found, "command not found"),
            _ => (settings.codes.not_executable, "command cannot be executed"),
        };
        Usage { code, ..settings.usage(Subject::Word(command.to_bytes()), None, Fault::Rule(rule)) }
    })
}

fn open_log(settings: &Settings<'static>) -> Result<Sink<'static>, Usage<'static>> {
    let target = match settings.log {
        Log::Stderr | Log::Inherit => Target::standard_error(),
        Log::None => Target::None,
        Log::File(path) => Target::file(path).map_err(|errno| {
            let reason = errno::text(errno.raw_os_error()).unwrap_or("cannot be opened");
            fault(settings, "log", Some(path), Fault::Rule(reason))
        })?,
    };
    let formatter = Formatter::new(settings.format, settings.options.pool, process::own_pid());
    let buffer = memory::log().unwrap_or_default();
    Ok(Sink::new(target, formatter, settings.level(), buffer))
}

/// Looks the user up in /etc/passwd and /etc/group, if one is named.
fn look_up(settings: &Settings<'static>) -> Result<Option<User>, Usage<'static>> {
    let Some(user) = &settings.user else { return Ok(None) };
    find_user(user).map(Some).map_err(|rule| fault(settings, "user", Some(user.text), Fault::Rule(rule)))
}

fn find_user(user: &UserSpec<'_>) -> Result<User, &'static str> {
    let room = memory::accounts().unwrap_or_default();
    let (passwd, room) = read_file(c"/etc/passwd", room).ok_or("/etc/passwd is too large")?;
    let (group, _) = read_file(c"/etc/group", room).ok_or("/etc/group is too large")?;
    users::resolve(user, passwd, group).map_err(Missing::reason)
}

/// Reads a file into the front of `room` and gives that and the rest; an absent file is empty. `None`: it does not fit.
fn read_file<'r>(path: &CStr, room: &'r mut [u8]) -> Option<(&'r [u8], &'r mut [u8])> {
    let mut used = 0;
    if let Ok(file) = fd::open_read(path) {
        while let Ok(count @ 1..) = fd::read(file.as_fd(), room.get_mut(used..)?) {
            used = used.checked_add(count)?;
        }
        if used == room.len() {
            return None;
        }
    }
    let (text, rest) = room.split_at_mut_checked(used)?;
    Some((text, rest))
}

/// Says what is wrong with an option, or with the environment twin that was given in its place.
fn fault<'v>(settings: &Settings<'_>, option: &'static str, value: Option<&'v CStr>, fault: Fault) -> Usage<'v> {
    settings.usage(args::subject(settings, option), value.map(CStr::to_bytes), fault)
}

/// Says why the manager could not start, in the words of the option that asked for it.
fn refusal(settings: &Settings<'static>, error: Error) -> Usage<'static> {
    let because = |errno| Fault::Rule(errno::text(errno).unwrap_or("refused by the kernel"));
    match error {
        Error::Threads | Error::Occupied => fault(settings, "workers", None, Fault::Rule("this process is not alone")),
        Error::Policy(_) => fault(settings, "workers", None, Fault::Rule("the numbers do not go together")),
        Error::Descriptors { needed, allowed } => {
            fault(settings, "workers", None, Fault::OpenFiles { needed, allowed })
        }
        Error::Setup(Failed { step, errno }) => {
            let directory = settings.options.setup.directory.filter(|_| step == Step::Directory);
            let user = settings.user.map(|user| user.text).filter(|_| step == Step::User);
            fault(settings, option_of(step), directory.or(user), because(errno))
        }
        Error::System(failure) => settings.usage(Subject::Word(failure.step.as_bytes()), None, because(failure.errno)),
    }
}

/// The option that asked for a step of the set-up.
const fn option_of(step: Step) -> &'static str {
    match step {
        Step::Session => "detach",
        Step::Group | Step::Foreground => "process-group",
        Step::Priority => "priority",
        // With fewer open files than the standard ones.
        Step::Limit | Step::Descriptors => "rlimit",
        Step::OomScore => "oom-score-adj",
        Step::Directory => "chdir",
        Step::User => "user",
        Step::NoNewPrivs => "no-new-privs",
        Step::DeathSignal => "death-signal",
        Step::Handlers | Step::Exec => "workers",
    }
}
