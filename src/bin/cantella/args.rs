//! From arguments and environment to settings: pure, and without a heap.

use core::ffi::CStr;

use super::help;
use super::personality;
use super::settings::{Fault, Print, Settings, Subject, Usage};
use super::table::{self, Found, Row, TABLE, UNDER_INIT};
use super::values;
use super::words::{Strings, Words};

/// Reads the arguments, argv\[0\] first, and the environment, into the default settings. Gives the text that is asked
/// for instead, if one is.
///
/// # Errors
/// [`Usage`] says which option, value or combination is wrong. Nothing has been started then.
pub fn parse<'a>(
    settings: &mut Settings<'a>,
    argv: &mut dyn Strings<'a>,
    env: &mut dyn Strings<'a>,
) -> Result<Option<Print>, Usage<'a>> {
    let (called, words) = Words::new(argv);
    match personality::called(called.to_bytes()) {
        Some(program) => personality::parse(program, settings, words, env),
        None => Parser { settings, words, given: [None; TABLE.len()] }.parse(env),
    }
}

/// Settings in the making.
struct Parser<'p, 's, 'a> {
    settings: &'p mut Settings<'a>,
    words: Words<'s, 'a>,
    /// The values that were given, in the order of the table.
    given: [Option<&'a CStr>; TABLE.len()],
}

impl<'a> Parser<'_, '_, 'a> {
    fn parse(&mut self, env: &mut dyn Strings<'a>) -> Result<Option<Print>, Usage<'a>> {
        if let Some(print) = self.options()? {
            return Ok(Some(print));
        }
        self.settings.command = self.words.index();
        if self.settings.command == 0 {
            return Err(self.settings.usage(Subject::Word(b"COMMAND"), None, Fault::Rule("missing; see --help")));
        }
        self.twins(env)?;
        self.init();
        self.clashes()?;
        Ok(None)
    }

    /// Takes the options up to COMMAND, or to one that prints.
    fn options(&mut self) -> Result<Option<Print>, Usage<'a>> {
        while let Some(word) = self.words.take() {
            match word.to_bytes() {
                b"-h" | b"--help" => return Ok(Some(Print::out(help::HELP))),
                b"-V" | b"--version" => return Ok(Some(Print::out(help::VERSION))),
                b"--" => {
                    // COMMAND, if there is one.
                    self.words.take();
                    break;
                }
                [b'-', b'-', ..] => self.long(word)?,
                [b'-', _, ..] => self.short(word)?,
                _ => break,
            }
        }
        Ok(None)
    }

    /// Takes `--opt`, `--opt VALUE` or `--opt=VALUE`.
    fn long(&mut self, word: &'a CStr) -> Result<(), Usage<'a>> {
        let text = word.to_bytes();
        let (option, attached) = match values::split(text, b'=') {
            Some((option, _)) => (option, table::suffix(word, option.len().saturating_add(1))),
            None => (text, None),
        };
        let name = option.strip_prefix(b"--").filter(|name| name.len() > 1);
        match name.and_then(table::spelled) {
            Some(found) => self.option(&found, option, attached),
            None => self.refuse(option, None, Fault::Unknown),
        }
    }

    /// Takes `-g`, `-w5` or `-w 5`.
    fn short(&mut self, word: &'a CStr) -> Result<(), Usage<'a>> {
        let option = word.to_bytes().get(..2).unwrap_or_default();
        let attached = table::suffix(word, 2).filter(|value| !value.is_empty());
        match option.get(1..).and_then(table::spelled) {
            Some(found) => self.option(&found, option, attached),
            None => self.refuse(word.to_bytes(), None, Fault::Unknown),
        }
    }

    /// Takes one option: what its spelling means, the attached value, or the next word.
    fn option(&mut self, found: &Found, spelled: &'a [u8], attached: Option<&'a CStr>) -> Result<(), Usage<'a>> {
        if let (Some(_), Some(value)) = (found.means, attached) {
            return self.refuse(spelled, Some(value), Fault::Unwanted);
        }
        let Some(value) = found.means.or(attached).or_else(|| self.words.take()) else {
            let (subject, fault) = (Subject::Option(found.row.name), Fault::Missing(found.row.allowed));
            return Err(self.settings.usage(subject, None, fault));
        };
        self.take(found, value)
    }

    /// Takes from the environment what the command line leaves open. Of two entries of one name the first counts.
    fn twins(&mut self, env: &mut dyn Strings<'a>) -> Result<(), Usage<'a>> {
        while let Some(entry) = env.next() {
            let Some((found, value)) = table::twin(entry) else { continue };
            if !value.is_empty() && self.given.get(found.index).is_some_and(Option::is_none) {
                self.settings.from_twin |= bit(found.index);
                self.take(&found, value)?;
            }
        }
        Ok(())
    }

    /// Takes one value.
    fn take(&mut self, found: &Found, value: &'a CStr) -> Result<(), Usage<'a>> {
        if (found.row.set)(self.settings, value.to_bytes(), value).is_none() {
            return self.wrong(found.row, value, Fault::Wrong(found.row.allowed));
        }
        if let Some(place) = self.given.get_mut(found.index) {
            *place = Some(value);
        }
        Ok(())
    }

    /// Gives what `--init` leaves open its other defaults; without it, drops what only it has.
    fn init(&mut self) {
        if self.given("init") != Some(c"1") {
            self.settings.options.init = None;
            return;
        }
        for (row, _) in TABLE.iter().zip(&self.given).filter(|(_, given)| given.is_none()) {
            if let Some((_, value)) = UNDER_INIT.iter().find(|(name, _)| *name == row.name) {
                (row.set)(self.settings, value.to_bytes(), value);
            }
        }
        let drain_given = self.given("drain").is_some();
        if let Some(init) = self.settings.options.init.as_mut().filter(|_| !drain_given) {
            init.drain = self.settings.options.policy.stop_timeout;
        }
    }

    /// Refuses combinations that make no sense.
    fn clashes(&self) -> Result<(), Usage<'a>> {
        for (row, given) in TABLE.iter().zip(&self.given) {
            let Some(value) = given else { continue };
            if row.init_only && self.settings.options.init.is_none() {
                return self.wrong(row, value, Fault::Rule("only with --init"));
            }
            if let Some(clash) = row.clash.filter(|clash| (clash.when)(self.settings)) {
                return self.wrong(row, value, Fault::Rule(clash.rule));
            }
        }
        Ok(())
    }

    /// Finds what was given for an option.
    fn given(&self, name: &str) -> Option<&'a CStr> {
        TABLE.iter().zip(&self.given).find(|(row, _)| row.name == name).and_then(|(_, given)| *given)
    }

    /// Says what is wrong with a value. A switch on the command line has none that the user wrote.
    fn wrong(&self, row: &Row, value: &'a CStr, fault: Fault) -> Result<(), Usage<'a>> {
        let subject = subject(self.settings, row.name);
        let written = !row.is_switch || matches!(subject, Subject::Twin(_));
        Err(self.settings.usage(subject, written.then_some(value.to_bytes()), fault))
    }

    /// Says what is wrong with a word.
    fn refuse(&self, word: &'a [u8], value: Option<&'a CStr>, fault: Fault) -> Result<(), Usage<'a>> {
        Err(self.settings.usage(Subject::Word(word), value.map(CStr::to_bytes), fault))
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
