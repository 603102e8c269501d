//! The parts of tini, dumb-init and catatonit: by the name of the call, their options and variables become our settings.
//!
//! What they document is kept. Options end at the first operand for all of them, and numbers are read strictly.
//!
//! # References
//! tini 0.19.0, README and `tini -h`; dumb-init 1.2.5, README and dumb-init(1); catatonit 0.1.7, README.

use core::ffi::CStr;
use core::time::Duration;

use cantella::observe::Level;
use cantella::options::{Forward, Init, Output, Stdin};
use cantella::pool::{Restart, Signal};
use cantella::signals;

use super::help;
use super::settings::{Codes, Fault, Log, Print, Settings, Subject, Usage};
use super::values;
use super::words::{Strings, Words};

/// Changes settings.
type Change = fn(&mut Settings<'_>);

/// Takes a letter and its value; `None` if that is wrong.
type TakeOption = fn(&mut Settings<'_>, u8, &[u8]) -> Option<()>;

/// An environment variable: its name, the value for which it counts (any if there is none), and the letter that it
/// stands for; that may be one that no option has.
type Variable = (&'static [u8], Option<&'static [u8]>, u8);

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
    variables: &'static [Variable],
    codes: Codes,
    /// Whether `PROGRAM -- ARG` is a way to call it.
    dashes: bool,
    /// Its ways before any option.
    start: Change,
    option: TakeOption,
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
    variables: &[
        (b"TINI_SUBREAPER", None, b's'),
        (b"TINI_KILL_PROCESS_GROUP", None, b'g'),
        (b"TINI_VERBOSITY", None, b'='),
    ],
    codes: Codes { usage: 1, not_found: 127, not_executable: 126 },
    dashes: true,
    start: |s| s.habits.verbosity = 1,
    option: tini_option,
    end: |s| s.habits.warn_without_orphans = !s.options.subreaper && s.habits.verbosity > 0,
};

static DUMB_INIT: Program = Program {
    name: "dumb-init",
    switches: b"cv",
    valued: &[(b'r', "SIGNUM:SIGNUM, both from 1 to 31, the second also 0")],
    prints: &[(b'h', Print::err(help::DUMB_INIT)), (b'V', Print::err(help::DUMB_INIT_VERSION))],
    long: &[(b"single-child", b'c'), (b"rewrite", b'r'), (b"verbose", b'v'), (b"help", b'h'), (b"version", b'V')],
    variables: &[(b"DUMB_INIT_SETSID", Some(b"0"), b'c'), (b"DUMB_INIT_DEBUG", Some(b"1"), b'v')],
    codes: Codes { usage: 1, not_found: 2, not_executable: 2 },
    dashes: false,
    start: |s| {
        s.options.setup.detach = true;
        init(s, |init| init.leave_directory = true);
    },
    option: dumb_init_option,
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
    variables: &[(b"CATATONIT_DEBUG", None, b'v')],
    codes: Codes { usage: 1, not_found: 1, not_executable: 1 },
    dashes: false,
    start: |s| {
        s.options.subreaper = true;
        init(s, |init| init.leave_directory = true);
    },
    option: catatonit_option,
    end: |_| (),
};

/// The names by which each program is called.
static NAMES: [(&[u8], &Program); 5] = [
    (b"tini", &TINI),
    (b"tini-static", &TINI),
    (b"docker-init", &TINI),
    (b"dumb-init", &DUMB_INIT),
    (b"catatonit", &CATATONIT),
];

/// Tells whose part a call by this name asks for.
#[must_use]
pub fn called(argv0: &[u8]) -> Option<&'static Program> {
    values::choice(argv0.rsplit(|byte| *byte == b'/').next()?, &NAMES)
}

/// Reads the words behind argv\[0\], and of the environment what is the program's own, into the default settings.
/// Gives the text that is asked for instead, if one is.
///
/// # Errors
/// [`Usage`] says which option or value is wrong, with the program's own exit code.
pub fn parse<'a>(
    program: &'static Program,
    settings: &mut Settings<'a>,
    words: Words<'_, 'a>,
    env: &mut dyn Strings<'a>,
) -> Result<Option<Print>, Usage<'a>> {
    begin(program, settings);
    let mut player = Player { program, settings, words };
    if let Some(print) = player.options()? {
        return Ok(Some(print));
    }
    player.settings.command = player.words.index();
    player.settings.habits.dashes &= player.words.take() == Some(c"--");
    while let Some(entry) = env.next() {
        player.variable(entry.to_bytes());
    }
    (program.end)(settings);
    settings.log_level = Some(level(settings.habits.verbosity));
    if settings.command == 0 && !settings.habits.pause {
        return Err(settings.usage(Subject::Word(b"COMMAND"), None, Fault::Rule("missing; see -h")));
    }
    Ok(None)
}

/// A call being read.
struct Player<'p, 's, 'a> {
    program: &'static Program,
    settings: &'p mut Settings<'a>,
    words: Words<'s, 'a>,
}

impl<'a> Player<'_, '_, 'a> {
    /// Takes the options up to COMMAND, or to one that prints.
    fn options(&mut self) -> Result<Option<Print>, Usage<'a>> {
        while let Some(word) = self.words.take() {
            let print = match word.to_bytes() {
                b"--" => {
                    // COMMAND, if there is one.
                    self.words.take();
                    break;
                }
                [b'-', b'-', ..] => self.long(word)?,
                [b'-', _, ..] => self.cluster(word)?,
                _ => {
                    self.settings.habits.dashes = self.program.dashes;
                    break;
                }
            };
            if print.is_some() {
                return Ok(print);
            }
        }
        Ok(None)
    }

    /// Takes `--option`, `--option VALUE` or `--option=VALUE`.
    fn long(&mut self, word: &'a CStr) -> Result<Option<Print>, Usage<'a>> {
        let text = word.to_bytes();
        let (option, attached) = match values::split(text, b'=') {
            Some((option, value)) => (option, Some(value)),
            None => (text, None),
        };
        let letter = option.strip_prefix(b"--").and_then(|name| values::choice(name, self.program.long));
        let Some(letter) = letter else { return self.refuse(option, None, Fault::Unknown) };
        if attached.is_some() && self.allowed(letter).is_none() {
            return self.refuse(option, attached, Fault::Unwanted);
        }
        self.letter(option, letter, attached)
    }

    /// Takes `-gv`, `-e3` or `-ve 3`: letters, of which the first that takes a value takes the rest or the next word.
    fn cluster(&mut self, word: &'a CStr) -> Result<Option<Print>, Usage<'a>> {
        let mut rest = word.to_bytes().get(1..).unwrap_or_default();
        while let Some((letter, after)) = rest.split_first() {
            let attached = (self.allowed(*letter).is_some() && !after.is_empty()).then_some(after);
            let print = self.letter(word.to_bytes(), *letter, attached)?;
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
    ) -> Result<Option<Print>, Usage<'a>> {
        if let Some((_, print)) = self.program.prints.iter().find(|(name, _)| *name == letter) {
            return Ok(Some(*print));
        }
        if self.program.switches.contains(&letter) {
            (self.program.option)(self.settings, letter, b"");
            return Ok(None);
        }
        let Some(allowed) = self.allowed(letter) else { return self.refuse(spelled, None, Fault::Unknown) };
        let Some(value) = attached.or_else(|| self.words.take().map(CStr::to_bytes)) else {
            return self.refuse(spelled, None, Fault::Missing(allowed));
        };
        match (self.program.option)(self.settings, letter, value) {
            Some(()) => Ok(None),
            None => self.refuse(spelled, Some(value), Fault::Wrong(allowed)),
        }
    }

    /// Tells what the value of a letter must be, if it takes one.
    fn allowed(&self, letter: u8) -> Option<&'static str> {
        self.program.valued.iter().find(|(name, _)| *name == letter).map(|(_, allowed)| *allowed)
    }

    /// Says what is wrong with an option.
    const fn refuse<T>(&self, option: &'a [u8], value: Option<&'a [u8]>, fault: Fault) -> Result<T, Usage<'a>> {
        Err(self.settings.usage(Subject::Word(option), value, fault))
    }

    /// Takes an entry of the environment, if it is a variable of the program's.
    fn variable(&mut self, entry: &[u8]) {
        let Some((name, value)) = values::split(entry, b'=') else { return };
        for (variable, counts, letter) in self.program.variables {
            if *variable == name && counts.is_none_or(|counts| counts == value) {
                (self.program.option)(self.settings, *letter, value);
            }
        }
    }
}

/// Takes over the ways that all three share: they pass everything on, wait without end, and leave with their child.
fn begin(program: &Program, settings: &mut Settings<'_>) {
    settings.program = program.name;
    settings.codes = program.codes;
    settings.log = Log::Inherit;
    settings.habits.plain_environment = true;
    settings.habits.shell_scripts = true;
    let policy = &mut settings.options.policy;
    policy.workers = 1;
    policy.restart = Restart::Never;
    policy.stop_timeout = None;
    let setup = &mut settings.options.setup;
    setup.detach = false;
    setup.close_fds = false;
    setup.stdin = Stdin::Inherit;
    setup.output = Output::Inherit;
    init(settings, |init| init.drain = Some(Duration::ZERO));
    (program.start)(settings);
}

fn tini_option(settings: &mut Settings<'_>, letter: u8, value: &[u8]) -> Option<()> {
    match letter {
        b'g' => forward_to_group(settings),
        b's' => settings.options.subreaper = true,
        b'v' => settings.habits.verbosity = settings.habits.verbosity.saturating_add(1),
        b'=' => settings.habits.verbosity = values::code(value).unwrap_or(0),
        b'w' => init(settings, |init| init.warn_on_reap = true),
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
    init(settings, |init| {
        init.suspend = true;
        init.forward_to_group = session;
        init.farewell = session;
        for signal in [Signal::TSTP, Signal::TTIN, Signal::TTOU] {
            if let (true, Some(row @ Forward::Same)) = (session, init.row(signal)) {
                *row = Forward::As(Signal::STOP);
            }
        }
    });
}

/// Reads the number of a signal that is no real-time signal.
fn standard_signal(text: &[u8]) -> Option<Signal> {
    values::code(text).filter(|number| *number <= 31).and_then(Signal::new)
}

fn catatonit_option(settings: &mut Settings<'_>, letter: u8, _value: &[u8]) -> Option<()> {
    match letter {
        b'g' => forward_to_group(settings),
        b'P' => settings.habits.pause = true,
        b'v' => talk(settings),
        _ => return None,
    }
    Some(())
}

fn forward_to_group(settings: &mut Settings<'_>) {
    init(settings, |init| init.forward_to_group = true);
}

/// Says everything, which orphans are reaped too.
fn talk(settings: &mut Settings<'_>) {
    settings.habits.verbosity = 3;
    init(settings, |init| init.warn_on_reap = true);
}

/// Changes what the program does as an init; all three are nothing else.
fn init(settings: &mut Settings<'_>, change: impl FnOnce(&mut Init)) {
    if let Some(init) = &mut settings.options.init {
        change(init);
    }
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
