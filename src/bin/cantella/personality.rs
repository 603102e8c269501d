//! The parts of tini, dumb-init and catatonit: by the name of the call, their options and variables become our settings.
//!
//! What they document is kept. Options end at the first operand for all of them, and numbers are read strictly.
//!
//! # References
//! tini 0.19.0, README and `tini -h`; dumb-init 1.2.5, README and dumb-init(1); catatonit 0.1.7, README.

use core::ffi::CStr;
use core::time::Duration;

use cantella::observe::Level;
use cantella::options::{Forward, Init, Options, Output, Setup, Stdin};
use cantella::pool::{Policy, Restart, Signal};
use cantella::signals;

use super::help;
use super::settings::{Codes, Fault, Habits, Log, Parsed, Print, Settings, Subject, Usage};
use super::values;

/// Changes settings.
type Change = fn(&mut Settings<'_>);

/// Takes a letter and its value; `None` if that is wrong.
type TakeOption = fn(&mut Settings<'_>, u8, &[u8]) -> Option<()>;

/// Takes the name and the value of an environment variable.
type TakeVariable = fn(&mut Settings<'_>, &[u8], &[u8]);

/// A program whose part can be played.
#[derive(Debug)]
pub struct Program {
    name: &'static str,
    /// The letters that take no value.
    switches: &'static [u8],
    /// The letters that take one, and what it must be.
    valued: &'static [(u8, &'static str)],
    /// The letters that print a text.
    prints: &'static [(u8, Print)],
    /// The long options and their letters.
    long: &'static [(&'static [u8], u8)],
    codes: Codes,
    /// Its ways before any option.
    start: Change,
    option: TakeOption,
    variable: TakeVariable,
    /// What follows from all of them together.
    end: Change,
}

static TINI: Program = Program {
    name: "tini",
    switches: b"gsvw",
    valued: &[(b'e', "an exit code from 0 to 255"), (b'p', "a signal's name such as SIGKILL")],
    prints: &[
        (b'h', Print::out(help::TINI)),
        (b'l', Print::out(help::LICENCE)),
        (b'V', Print::out(help::TINI_VERSION)),
    ],
    long: &[(b"version", b'V')],
    codes: Codes { usage: 1, not_found: 127, not_executable: 126 },
    start: |s| s.habits.verbosity = 1,
    option: tini_option,
    variable: |s, name, value| match name {
        b"TINI_SUBREAPER" => s.options.subreaper = true,
        b"TINI_KILL_PROCESS_GROUP" => forward_to_group(s),
        b"TINI_VERBOSITY" => s.habits.verbosity = values::code(value).unwrap_or(0),
        _ => (),
    },
    end: |s| s.habits.warn_without_orphans = !s.options.subreaper,
};

static DUMB_INIT: Program = Program {
    name: "dumb-init",
    switches: b"cv",
    valued: &[(b'r', "SIGNUM:SIGNUM, both from 1 to 31, the second also 0")],
    prints: &[(b'h', Print::err(help::DUMB_INIT)), (b'V', Print::err(help::DUMB_INIT_VERSION))],
    long: &[(b"single-child", b'c'), (b"rewrite", b'r'), (b"verbose", b'v'), (b"help", b'h'), (b"version", b'V')],
    codes: Codes { usage: 1, not_found: 2, not_executable: 2 },
    start: |s| {
        s.options.setup.detach = true;
        init(s).leave_directory = true;
    },
    option: dumb_init_option,
    variable: |s, name, value| match (name, value) {
        (b"DUMB_INIT_SETSID", b"0") => s.options.setup.detach = false,
        (b"DUMB_INIT_DEBUG", b"1") => talk(s),
        _ => (),
    },
    end: dumb_init_end,
};

static CATATONIT: Program = Program {
    name: "catatonit",
    switches: b"gP",
    valued: &[],
    prints: &[
        (b'h', Print::err(help::CATATONIT)),
        (b'L', Print::out(help::LICENCE)),
        (b'V', Print::out(help::CATATONIT_VERSION)),
    ],
    long: &[(b"version", b'V')],
    codes: Codes { usage: 1, not_found: 1, not_executable: 1 },
    start: |s| {
        s.options.subreaper = true;
        init(s).leave_directory = true;
    },
    option: |s, letter, _| {
        match letter {
            b'g' => forward_to_group(s),
            b'P' => s.habits.pause = true,
            _ => return None,
        }
        Some(())
    },
    variable: |s, name, _| {
        if name == b"CATATONIT_DEBUG" {
            talk(s);
        }
    },
    end: |_| (),
};

/// Tells whose part a call by this name asks for.
#[must_use]
pub fn called(argv0: &[u8]) -> Option<&'static Program> {
    match argv0.rsplit(|byte| *byte == b'/').next()? {
        b"tini" | b"tini-static" | b"docker-init" => Some(&TINI),
        b"dumb-init" => Some(&DUMB_INIT),
        b"catatonit" => Some(&CATATONIT),
        _ => None,
    }
}

/// Reads the words behind argv\[0\], and of the environment what is the program's own.
///
/// # Errors
/// [`Usage`] says which option or value is wrong, with the program's own exit code.
pub fn parse<'a>(
    program: &'static Program,
    words: impl Iterator<Item = (usize, &'a CStr)>,
    env: impl Iterator<Item = &'a CStr>,
) -> Result<Parsed<'a>, Usage<'a>> {
    let mut player = Player { program, settings: settings(program), command: None };
    if let Some(print) = player.words(words)? {
        return Ok(Parsed::Print(print));
    }
    let Player { mut settings, command, .. } = player;
    for (name, value) in env.filter_map(|entry| values::split(entry.to_bytes(), b'=')) {
        (program.variable)(&mut settings, name, value);
    }
    (program.end)(&mut settings);
    settings.log_level = Some(level(settings.habits.verbosity));
    let missing = || settings.usage(Subject::Word(b"COMMAND"), None, Fault::Rule("missing; see -h"));
    settings.command = command.or_else(|| settings.habits.pause.then_some(0)).ok_or_else(missing)?;
    Ok(Parsed::Run(settings))
}

/// The words of a call being read.
struct Player<'a> {
    program: &'static Program,
    settings: Settings<'a>,
    command: Option<usize>,
}

impl<'a> Player<'a> {
    /// Takes the options up to COMMAND, or to one that prints.
    fn words(&mut self, mut words: impl Iterator<Item = (usize, &'a CStr)>) -> Result<Option<Print>, Usage<'a>> {
        while let Some((index, word)) = words.next() {
            let print = match word.to_bytes() {
                b"--" => {
                    self.command = words.next().map(|(index, _)| index);
                    return Ok(None);
                }
                [b'-', b'-', ..] => self.long(word, &mut words)?,
                [b'-', _, ..] => self.cluster(word, &mut words)?,
                _ => {
                    self.command = Some(index);
                    return Ok(None);
                }
            };
            if print.is_some() {
                return Ok(print);
            }
        }
        Ok(None)
    }

    /// Takes `--option`, `--option VALUE` or `--option=VALUE`.
    fn long(
        &mut self,
        word: &'a CStr,
        words: &mut impl Iterator<Item = (usize, &'a CStr)>,
    ) -> Result<Option<Print>, Usage<'a>> {
        let text = word.to_bytes();
        let (option, attached) = match values::split(text, b'=') {
            Some((option, value)) => (option, Some(value)),
            None => (text, None),
        };
        let letter = option.strip_prefix(b"--").and_then(|name| values::choice(name, self.program.long));
        let letter = letter.ok_or_else(|| self.settings.usage(Subject::Word(option), None, Fault::Unknown))?;
        if attached.is_some() && self.allowed(letter).is_none() {
            return Err(self.settings.usage(Subject::Word(option), attached, Fault::Unwanted));
        }
        self.letter(option, letter, attached, words)
    }

    /// Takes `-gv`, `-e3` or `-ve 3`: letters, of which the first that takes a value takes the rest or the next word.
    fn cluster(
        &mut self,
        word: &'a CStr,
        words: &mut impl Iterator<Item = (usize, &'a CStr)>,
    ) -> Result<Option<Print>, Usage<'a>> {
        let mut rest = word.to_bytes().get(1..).unwrap_or_default();
        while let Some((letter, after)) = rest.split_first() {
            let attached = (self.allowed(*letter).is_some() && !after.is_empty()).then_some(after);
            let print = self.letter(word.to_bytes(), *letter, attached, words)?;
            if print.is_some() || attached.is_some() {
                return Ok(print);
            }
            rest = after;
        }
        Ok(None)
    }

    /// Takes one option by its letter; `spelled` is how it was written.
    fn letter(
        &mut self,
        spelled: &'a [u8],
        letter: u8,
        attached: Option<&'a [u8]>,
        words: &mut impl Iterator<Item = (usize, &'a CStr)>,
    ) -> Result<Option<Print>, Usage<'a>> {
        if let Some((_, print)) = self.program.prints.iter().find(|(name, _)| *name == letter) {
            return Ok(Some(*print));
        }
        let subject = Subject::Word(spelled);
        if self.program.switches.contains(&letter) {
            (self.program.option)(&mut self.settings, letter, b"");
            return Ok(None);
        }
        let allowed = self.allowed(letter).ok_or_else(|| self.settings.usage(subject, None, Fault::Unknown))?;
        let value = attached.or_else(|| words.next().map(|(_, word)| word.to_bytes()));
        let value = value.ok_or_else(|| self.settings.usage(subject, None, Fault::Missing(allowed)))?;
        (self.program.option)(&mut self.settings, letter, value)
            .ok_or_else(|| self.settings.usage(subject, Some(value), Fault::Wrong(allowed)))?;
        Ok(None)
    }

    /// Tells what the value of a letter must be, if it takes one.
    fn allowed(&self, letter: u8) -> Option<&'static str> {
        self.program.valued.iter().find(|(name, _)| *name == letter).map(|(_, allowed)| *allowed)
    }
}

/// The ways that all three share: they pass everything on, wait without end, and leave with their child.
fn settings<'a>(program: &Program) -> Settings<'a> {
    let mut settings = Settings {
        program: program.name,
        options: Options {
            policy: Policy { workers: 1, restart: Restart::Never, stop_timeout: None, ..Policy::DEFAULT },
            setup: Setup {
                detach: false,
                close_fds: false,
                stdin: Stdin::Inherit,
                output: Output::Inherit,
                ..Setup::DEFAULT
            },
            init: Some(Init { drain: Some(Duration::ZERO), ..Init::DEFAULT }),
            ..Options::DEFAULT
        },
        log: Log::Inherit,
        codes: program.codes,
        habits: Habits { plain_environment: true, shell_scripts: true, ..Habits::NONE },
        ..Settings::DEFAULT
    };
    (program.start)(&mut settings);
    settings
}

fn tini_option(settings: &mut Settings<'_>, letter: u8, value: &[u8]) -> Option<()> {
    match letter {
        b'g' => forward_to_group(settings),
        b's' => settings.options.subreaper = true,
        b'v' => settings.habits.verbosity = settings.habits.verbosity.saturating_add(1),
        b'w' => init(settings).warn_on_reap = true,
        b'e' => settings.map_exit(values::code(value)?, 0)?,
        b'p' => {
            let signal = signals::parse(value).filter(|_| value.starts_with(b"SIG"))?;
            settings.habits.parent_death_signal = Some(signal);
        }
        _ => return None,
    }
    Some(())
}

fn dumb_init_option(settings: &mut Settings<'_>, letter: u8, value: &[u8]) -> Option<()> {
    match letter {
        b'c' => settings.options.setup.detach = false,
        b'v' => talk(settings),
        b'r' => {
            let (from, to) = values::split(value, b':')?;
            let to = if to == b"0" { Forward::Drop } else { Forward::As(standard_signal(to)?) };
            settings.map(standard_signal(from)?, to)?;
        }
        _ => return None,
    }
    Some(())
}

/// Settles what depends on whether the child has a session of its own. Stop signals mean nothing to an orphaned group,
/// so STOP takes their place there; what the user rewrote stays.
fn dumb_init_end(settings: &mut Settings<'_>) {
    let session = settings.options.setup.detach;
    settings.options.setup.process_group = session;
    let init = init(settings);
    init.suspend = true;
    init.forward_to_group = session;
    init.farewell = session;
    if session {
        for signal in [Signal::TSTP, Signal::TTIN, Signal::TTOU] {
            if let Some(row @ Forward::Same) = init.row(signal) {
                *row = Forward::As(Signal::STOP);
            }
        }
    }
}

/// Reads the number of a signal that is no real-time signal.
fn standard_signal(text: &[u8]) -> Option<Signal> {
    values::code(text).filter(|number| *number <= 31).and_then(Signal::new)
}

fn forward_to_group(settings: &mut Settings<'_>) {
    init(settings).forward_to_group = true;
}

/// What the program does as an init; all three are nothing else.
fn init<'s>(settings: &'s mut Settings<'_>) -> &'s mut Init {
    settings.options.init.get_or_insert(Init::DEFAULT)
}

/// Says everything, which orphans are reaped too.
fn talk(settings: &mut Settings<'_>) {
    settings.habits.verbosity = 3;
    init(settings).warn_on_reap = true;
}

/// The least level that is said.
const fn level(verbosity: u8) -> Level {
    match verbosity {
        0 => Level::Error,
        1 => Level::Warning,
        2 => Level::Info,
        _ => Level::Debug,
    }
}
