//! From arguments and environment to settings: pure, and without a heap.

use core::ffi::CStr;

use super::help;
use super::personality;
use super::settings::{Fault, Parsed, Print, Settings, Subject, Usage};
use super::table::{self, Found, Row, TABLE};
use super::values;

/// Reads the arguments, argv\[0\] first, and the environment.
///
/// # Errors
/// [`Usage`] says which option, value or combination is wrong. Nothing has been started then.
pub fn parse<'a>(
    argv: impl Iterator<Item = &'a CStr>,
    env: impl Iterator<Item = &'a CStr>,
) -> Result<Parsed<'a>, Usage<'a>> {
    let mut words = argv.enumerate();
    let called = words.next().map_or(c"", |(_, word)| word);
    match personality::called(called.to_bytes()) {
        Some(program) => personality::parse(program, words, env),
        None => Parser::new().parse(words, env),
    }
}

/// A value as it was given.
#[derive(Clone, Copy)]
struct Given<'a> {
    value: &'a CStr,
    by_twin: bool,
}

/// Settings in the making.
struct Parser<'a> {
    settings: Settings<'a>,
    given: [Option<Given<'a>>; TABLE.len()],
}

/// How a walk over the words ended.
enum End {
    /// COMMAND stands at this index.
    Command(usize),
    /// A text is asked for.
    Print(Print),
}

impl<'a> Parser<'a> {
    const fn new() -> Self {
        Self { settings: Settings::DEFAULT, given: [None; TABLE.len()] }
    }

    fn parse(
        mut self,
        words: impl Iterator<Item = (usize, &'a CStr)>,
        env: impl Iterator<Item = &'a CStr>,
    ) -> Result<Parsed<'a>, Usage<'a>> {
        self.settings.command = match self.words(words)? {
            End::Command(index) => index,
            End::Print(print) => return Ok(Parsed::Print(print)),
        };
        self.twins(env)?;
        self.init();
        self.clashes()?;
        Ok(Parsed::Run(self.settings))
    }

    /// Takes the options up to COMMAND.
    fn words(&mut self, mut words: impl Iterator<Item = (usize, &'a CStr)>) -> Result<End, Usage<'a>> {
        while let Some((index, word)) = words.next() {
            match word.to_bytes() {
                b"-h" | b"--help" => return Ok(End::Print(Print::out(help::HELP))),
                b"-V" | b"--version" => return Ok(End::Print(Print::out(help::VERSION))),
                b"--" => {
                    let command = words.next().map(|(index, _)| End::Command(index));
                    return command.ok_or_else(|| self.no_command());
                }
                [b'-', b'-', ..] => self.long(word, &mut words)?,
                [b'-', _, ..] => self.short(word, &mut words)?,
                _ => return Ok(End::Command(index)),
            }
        }
        Err(self.no_command())
    }

    /// Takes `--opt`, `--opt VALUE` or `--opt=VALUE`.
    fn long(&mut self, word: &'a CStr, words: &mut impl Iterator<Item = (usize, &'a CStr)>) -> Result<(), Usage<'a>> {
        let text = word.to_bytes();
        let (option, attached) = match values::split(text, b'=') {
            Some((option, _)) => (option, table::suffix(word, option.len().saturating_add(1))),
            None => (text, None),
        };
        let name = option.strip_prefix(b"--").unwrap_or_default();
        let found = table::spelled(name).filter(|_| name.len() > 1).ok_or_else(|| self.unknown(option))?;
        self.option(found, option, attached, words)
    }

    /// Takes `-g`, `-w5` or `-w 5`.
    fn short(&mut self, word: &'a CStr, words: &mut impl Iterator<Item = (usize, &'a CStr)>) -> Result<(), Usage<'a>> {
        let option = word.to_bytes().get(..2).unwrap_or_default();
        let letter = option.get(1..).unwrap_or_default();
        let found = table::spelled(letter).ok_or_else(|| self.unknown(word.to_bytes()))?;
        let attached = table::suffix(word, 2).filter(|value| !value.is_empty());
        self.option(found, option, attached, words)
    }

    /// Takes one option: what its spelling means, the attached value, or the next word.
    fn option(
        &mut self,
        found: Found,
        spelled: &'a [u8],
        attached: Option<&'a CStr>,
        words: &mut impl Iterator<Item = (usize, &'a CStr)>,
    ) -> Result<(), Usage<'a>> {
        let value = match (found.means, attached) {
            (Some(_), Some(value)) => {
                let subject = Subject::Word(spelled);
                return Err(self.settings.usage(subject, Some(value.to_bytes()), Fault::Unwanted));
            }
            (Some(value), None) | (None, Some(value)) => value,
            (None, None) => {
                let (subject, fault) = (Subject::Option(found.row.name), Fault::Missing(found.row.allowed));
                words.next().map(|(_, word)| word).ok_or_else(|| self.settings.usage(subject, None, fault))?
            }
        };
        self.take(found.index, found.row, Given { value, by_twin: false })
    }

    /// Takes from the environment what the command line leaves open. Of two entries of one name the first counts.
    fn twins(&mut self, env: impl Iterator<Item = &'a CStr>) -> Result<(), Usage<'a>> {
        for (found, value) in env.filter_map(table::twin) {
            if !value.is_empty() && self.given.get(found.index).is_some_and(Option::is_none) {
                self.take(found.index, found.row, Given { value, by_twin: true })?;
            }
        }
        Ok(())
    }

    /// Takes one value.
    fn take(&mut self, index: usize, row: &'static Row, given: Given<'a>) -> Result<(), Usage<'a>> {
        let taken = (row.set)(&mut self.settings, given.value.to_bytes(), given.value);
        taken.ok_or_else(|| self.wrong(row, given, Fault::Wrong(row.allowed)))?;
        if let Some(place) = self.given.get_mut(index) {
            *place = Some(given);
        }
        if given.by_twin {
            self.settings.from_twin |= bit(index);
        }
        Ok(())
    }

    /// Gives what `--init` leaves open its other defaults; without it, drops what only it has.
    fn init(&mut self) {
        if self.given("init").is_none_or(|given| given.value != c"1") {
            self.settings.options.init = None;
            return;
        }
        for (row, given) in TABLE.iter().zip(self.given) {
            if let (Some(value), None) = (row.under_init, given) {
                (row.set)(&mut self.settings, value.to_bytes(), value);
            }
        }
        let drain_given = self.given("drain").is_some();
        if let Some(init) = self.settings.options.init.as_mut().filter(|_| !drain_given) {
            init.drain = self.settings.options.policy.stop_timeout;
        }
    }

    /// Refuses combinations that make no sense.
    fn clashes(&self) -> Result<(), Usage<'a>> {
        for (row, given) in TABLE.iter().zip(self.given) {
            let Some(given) = given else { continue };
            if row.init_only && self.settings.options.init.is_none() {
                return Err(self.wrong(row, given, Fault::Rule("only with --init")));
            }
            if let Some(clash) = row.clash.filter(|clash| (clash.when)(&self.settings)) {
                return Err(self.wrong(row, given, Fault::Rule(clash.rule)));
            }
        }
        Ok(())
    }

    /// Finds what was given for an option.
    fn given(&self, name: &str) -> Option<Given<'a>> {
        TABLE.iter().zip(self.given).find(|(row, _)| row.name == name).and_then(|(_, given)| given)
    }

    /// Says what is wrong with a value. A switch on the command line has none that the user wrote.
    fn wrong(&self, row: &Row, given: Given<'a>, fault: Fault) -> Usage<'a> {
        let subject = if given.by_twin { Subject::Twin(row.name) } else { Subject::Option(row.name) };
        let value = (given.by_twin || !row.is_switch).then_some(given.value.to_bytes());
        self.settings.usage(subject, value, fault)
    }

    const fn unknown(&self, option: &'a [u8]) -> Usage<'a> {
        self.settings.usage(Subject::Word(option), None, Fault::Unknown)
    }

    const fn no_command(&self) -> Usage<'a> {
        self.settings.usage(Subject::Word(b"COMMAND"), None, Fault::Rule("missing; see --help"))
    }
}

/// Names an option as the user gave it: by its environment twin, if that gave the value.
#[must_use]
pub fn subject(settings: &Settings<'_>, option: &'static str) -> Subject<'static> {
    let row = TABLE.iter().position(|row| row.name == option);
    let by_twin = row.is_some_and(|index| settings.from_twin & bit(index) != 0);
    if by_twin { Subject::Twin(option) } else { Subject::Option(option) }
}

/// The bit of a row.
fn bit(index: usize) -> u64 {
    u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(0)
}
