//! What the command line says, once it is understood; and the one line that says why it is not.

use core::ffi::CStr;

use cantella::observe::Level;
use cantella::options::{Forward, Init, Limit, Options};
use cantella::pool::{Exit, Signal};
use cantella::relay::{Format, escape};
use cantella::text::Text;

/// The most `--env` entries, counted by name.
pub const MAX_ENV: usize = 64;

/// The most bytes of a wrong value that are shown.
const SHOWN: usize = 200;

/// A text that was asked for, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    /// The text, with its last newline.
    pub text: &'static str,
    /// Whether it goes to standard error instead of standard output.
    pub to_stderr: bool,
}

impl Print {
    /// A text for standard output.
    #[must_use]
    pub const fn out(text: &'static str) -> Self {
        Self { text, to_stderr: false }
    }

    /// A text for standard error.
    #[must_use]
    pub const fn err(text: &'static str) -> Self {
        Self { text, to_stderr: true }
    }
}

/// Where log records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log<'a> {
    /// The manager's standard error.
    Stderr,
    /// A file, reopened at HUP.
    File(&'a CStr),
    /// The manager's own to standard error; workers keep its standard output and error.
    Inherit,
    /// Nowhere.
    None,
}

/// A user or group, as `--user` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id<'a> {
    /// By number.
    Number(u32),
    /// By name.
    Name(&'a [u8]),
}

/// Whom workers run as, as `--user` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserSpec<'a> {
    /// The option's value as it was written, for messages.
    pub text: &'a CStr,
    /// U.
    pub user: Id<'a>,
    /// G.
    pub group: Option<Id<'a>>,
}

/// What is done to the environment that workers get.
#[derive(Clone, Copy, Debug)]
pub struct EnvEdits<'a> {
    /// Start from an empty one.
    pub clear: bool,
    entries: [&'a CStr; MAX_ENV],
    count: usize,
}

impl<'a> EnvEdits<'a> {
    /// Leaves the environment as it is.
    #[must_use]
    pub const fn none() -> Self {
        Self { clear: false, entries: [c""; MAX_ENV], count: 0 }
    }

    /// Gives the `NAME=VALUE` entries to set; no name stands twice.
    #[must_use]
    pub fn entries(&self) -> &[&'a CStr] {
        self.entries.get(..self.count).unwrap_or_default()
    }

    /// Adds an entry in the place of an earlier one of that name; `None` if it has no name or there is no room.
    pub fn set(&mut self, entry: &'a CStr) -> Option<()> {
        let name = name_of(entry).filter(|name| !name.is_empty())?;
        let earlier = self.entries().iter().position(|earlier| name_of(earlier) == Some(name));
        let row = earlier.unwrap_or(self.count);
        *self.entries.get_mut(row)? = entry;
        self.count = self.count.max(row.saturating_add(1));
        Some(())
    }
}

/// The name of an environment entry; `None` without a `=`.
fn name_of(entry: &CStr) -> Option<&[u8]> {
    let bytes = entry.to_bytes();
    bytes.get(..bytes.iter().position(|byte| *byte == b'=')?)
}

/// Exit codes for what goes wrong before a worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codes {
    /// Wrong usage, or the manager could not start.
    pub usage: u8,
    /// COMMAND was not found.
    pub not_found: u8,
    /// COMMAND was found and cannot be executed.
    pub not_executable: u8,
}

impl Codes {
    /// The code for a child that ended like this because its program could not be started.
    #[must_use]
    pub const fn of_start(self, exit: Exit) -> u8 {
        match exit {
            Exit::Code(127) => self.not_found,
            Exit::Code(_) | Exit::Signal { .. } => self.not_executable,
        }
    }
}

/// What has no option of its own, because only other programs whose part is played here do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub struct Habits {
    /// The environment is passed on as it is, nothing is added and nothing taken out.
    pub plain_environment: bool,
    /// What the kernel sends the manager itself when its parent dies.
    pub parent_death_signal: Option<Signal>,
    /// Run nothing: reap, and wait for TERM or INT.
    pub pause: bool,
    /// A script without `#!` is run by /bin/sh, as execvp(3) does.
    pub shell_scripts: bool,
    /// Warn when orphans will not come here: neither PID 1 nor a subreaper.
    pub warn_without_orphans: bool,
    /// A `--` stands between COMMAND and its arguments, and is none of them.
    pub dashes: bool,
    /// How much is said: 0 errors, 1 warnings too, 2 what happens, 3 everything.
    pub verbosity: u8,
}

impl Habits {
    /// None of them.
    pub const NONE: Self = Self {
        plain_environment: false,
        parent_death_signal: None,
        pause: false,
        shell_scripts: false,
        warn_without_orphans: false,
        dashes: false,
        verbosity: 0,
    };
}

/// All that the command line and the environment say.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The program whose part is played, for messages.
    pub program: &'static str,
    /// What the manager is told.
    pub options: Options<'a>,
    /// Where log records go.
    pub log: Log<'a>,
    /// How they are written.
    pub format: Format,
    /// The least level that is written, if one was given.
    pub log_level: Option<Level>,
    /// Whom workers run as, to be looked up.
    pub user: Option<UserSpec<'a>>,
    /// What is done to the workers' environment.
    pub env: EnvEdits<'a>,
    /// Where COMMAND stands in the arguments.
    pub command: usize,
    /// Exit codes for what goes wrong before a worker runs.
    pub codes: Codes,
    /// What has no option of its own.
    pub habits: Habits,
    /// The options that the environment gave, a bit for each row of the table.
    pub from_twin: u64,
}

impl Settings<'_> {
    /// The documented defaults, and room for what only `--init` needs.
    // Put together here and not by the compiler: most of it is one value many times, which takes room in the file.
    #[inline(never)]
    #[must_use]
    pub const fn defaults() -> Self {
        Self {
            program: "cantella",
            options: Options { init: Some(Init::new()), ..Options::DEFAULT },
            log: Log::Stderr,
            format: Format::Plain,
            log_level: None,
            user: None,
            env: EnvEdits::none(),
            command: 0,
            codes: Codes { usage: 125, not_found: 127, not_executable: 126 },
            habits: Habits::NONE,
            from_twin: 0,
        }
    }

    /// Gives the least level that is written: where workers write for themselves, from warnings up unless told otherwise.
    #[must_use]
    pub fn level(&self) -> Level {
        let usual = if matches!(self.log, Log::Inherit) { Level::Warning } else { Level::Info };
        self.log_level.unwrap_or(usual)
    }

    /// Says what is wrong, in the name and with the code of the program whose part is played.
    #[must_use]
    pub const fn usage<'v>(&self, subject: Subject<'v>, value: Option<&'v [u8]>, fault: Fault) -> Usage<'v> {
        Usage { program: self.program, subject, value, fault, code: self.codes.usage }
    }

    /// Notes what becomes of a signal under `--init`.
    pub fn map(&mut self, signal: Signal, forward: Forward) -> Option<()> {
        *self.options.init.as_mut()?.row(signal)? = forward;
        Some(())
    }

    /// Notes what becomes of an exit code under `--init`.
    pub fn map_exit(&mut self, from: u8, to: u8) -> Option<()> {
        *self.options.init.as_mut()?.map_exit.get_mut(usize::from(from))? = to;
        Some(())
    }

    /// Notes a resource limit in the place of an earlier one.
    pub fn limit(&mut self, limit: Limit) -> Option<()> {
        let mut rows = self.options.setup.limits.iter_mut();
        let row = rows.find(|row| row.is_none_or(|earlier| earlier.resource == limit.resource))?;
        *row = Some(limit);
        Some(())
    }
}

/// What a wrong usage is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The long option of this name.
    Option(&'static str),
    /// The environment twin of the long option of this name.
    Twin(&'static str),
    /// A word as it was written, or a word of our own.
    Word(&'a [u8]),
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no such option.
    Unknown,
    /// A value is missing that must be this.
    Missing(&'static str),
    /// There is a value where none may be.
    Unwanted,
    /// The value must be this.
    Wrong(&'static str),
    /// What it says does not go with the rest.
    Rule(&'static str),
    /// It needs more open files than are allowed.
    OpenFiles {
        /// How many are needed.
        needed: u64,
        /// How many are allowed.
        allowed: u64,
    },
}

/// A wrong option, value or combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage<'a> {
    /// The program whose part is played.
    pub program: &'static str,
    /// What it is about.
    pub subject: Subject<'a>,
    /// The value that was given.
    pub value: Option<&'a [u8]>,
    /// What is wrong.
    pub fault: Fault,
    /// The exit code.
    pub code: u8,
}

impl Usage<'_> {
    /// The most bytes that [`write`](Self::write) writes.
    pub const BYTES: usize = 2048;

    /// Writes one line: who speaks, the option, the value and what is allowed.
    pub fn write(&self, text: &mut Text<'_>) {
        text.say(self.program);
        text.say(": ");
        self.subject.write(text);
        text.say(": ");
        if let Some(value) = self.value {
            text.say("\"");
            show(value, text);
            text.say("\": ");
        }
        let (before, what) = match self.fault {
            Fault::Unknown => ("", "no such option; see -h"),
            Fault::Missing(allowed) => ("a value is missing; must be ", allowed),
            Fault::Unwanted => ("", "takes no value"),
            Fault::Wrong(allowed) => ("must be ", allowed),
            Fault::Rule(rule) => ("", rule),
            Fault::OpenFiles { .. } => ("", "not enough open files (RLIMIT_NOFILE): "),
        };
        text.say(before);
        text.say(what);
        if let Fault::OpenFiles { needed, allowed } = self.fault {
            text.number(needed);
            text.say(" needed, ");
            text.number(allowed);
            text.say(" allowed");
        }
        text.say("\n");
    }
}

impl Subject<'_> {
    /// Writes the option, the variable or the word.
    fn write(self, text: &mut Text<'_>) {
        match self {
            Self::Option(name) => {
                text.say("--");
                text.say(name);
            }
            Self::Twin(name) => {
                text.say(TWIN_PREFIX);
                name.bytes().for_each(|byte| text.put(&[twin_byte(byte)]));
            }
            Self::Word(word) => show(word, text),
        }
    }
}

/// What the names of environment twins begin with.
pub const TWIN_PREFIX: &str = "CANTELLA_";

/// A byte of an option's name as its environment twin has it.
#[must_use]
pub const fn twin_byte(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }
}

/// Writes bytes that somebody else chose: escaped, and cut where they get long.
fn show(bytes: &[u8], text: &mut Text<'_>) {
    match bytes.get(..SHOWN) {
        Some(cut) if cut.len() < bytes.len() => {
            escape(text, Format::Logfmt, cut);
            text.say("...");
        }
        Some(_) | None => escape(text, Format::Logfmt, bytes),
    }
}
