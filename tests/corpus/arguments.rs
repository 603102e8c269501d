//! The command line: whatever the words are, they are understood in one way or refused in one line.

use core::ffi::CStr;
use std::ffi::CString;

use cantella::options::{KillMode, Output, Stdin};

use super::parser::settings::{Log, Print, Settings, Usage};
use super::parser::table::{ALIASES, MAX_WORKERS, Row, spelled, twin};
use super::parser::{args, line, personality, values};

/// Takes each line as a word, argv\[0\] first; those behind a `$` as entries of the environment.
pub fn check(bytes: &[u8]) {
    let words = bytes.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == 0).next().unwrap_or_default());
    let (entries, words): (Vec<_>, Vec<_>) = words.partition(|word| word.starts_with(b"$"));
    let argv: Vec<CString> = words.into_iter().map(word).collect();
    let env: Vec<CString> = entries.into_iter().map(|entry| word(&entry[1..])).collect();
    let is_ours = argv.first().is_none_or(|called| personality::called(called.to_bytes()).is_none());
    let Reading { settings, answer } = read(&argv, &env);
    match answer {
        Ok(None) => {
            assert!(settings.command < argv.len());
            if is_ours {
                check_command(&argv, &env, settings.command);
                check_settings(&settings);
                let (options, left) = without_twins(&argv, &env);
                assert_eq!(summary(&options, &left), summary(&argv, &env));
            }
        }
        Ok(Some(print)) => assert!(print.text.ends_with('\n')),
        Err(usage) => {
            assert!(line(&usage).starts_with(&format!("{}: ", usage.program)));
            assert_eq!(usage.code, if is_ours { 125 } else { 1 });
        }
    }
    if is_ours {
        assert_eq!(summary(&joined(&argv), &env), summary(&argv, &env));
    }
}

fn word(bytes: &[u8]) -> CString {
    CString::new(bytes).expect("a word without NUL")
}

/// What words were taken for; with a text asked for or an error, the settings mean nothing.
struct Reading<'a> {
    settings: Settings<'a>,
    answer: Result<Option<Print>, Usage<'a>>,
}

fn read<'a>(argv: &'a [CString], env: &'a [CString]) -> Reading<'a> {
    let mut settings = Settings::defaults();
    let [mut argv, mut env] = [argv, env].map(|list| list.iter().map(CString::as_c_str));
    let answer = args::parse(&mut settings, &mut argv, &mut env);
    Reading { settings, answer }
}

/// All that words were taken for, but for the place where COMMAND stands and what the environment gave.
fn summary(argv: &[CString], env: &[CString]) -> String {
    let Reading { settings, answer } = read(argv, env);
    match answer {
        Ok(None) => format!("{:?}", Settings { command: 0, from_twin: 0, ..settings }),
        other => format!("{other:?}"),
    }
}

/// What follows COMMAND is its own.
fn check_command(argv: &[CString], env: &[CString], command: usize) {
    let mut alone = argv[..=command].to_vec();
    assert_eq!(summary(&alone, env), summary(argv, env));
    alone.push(word(b"--help"));
    assert_eq!(summary(&alone, env), summary(argv, env));
}

/// What the contract says of any settings.
fn check_settings(settings: &Settings<'_>) {
    let options = &settings.options;
    options.policy.check(MAX_WORKERS.into()).expect("a good policy");
    assert!(
        [Some(options.pool), options.name].into_iter().flatten().all(|name| values::name(name.as_bytes()).is_some())
    );
    let limits: Vec<_> = options.setup.limits.iter().flatten().collect();
    assert!(limits.iter().all(|limit| limits.iter().filter(|other| other.resource == limit.resource).count() == 1));
    let names: Vec<_> = settings.env.entries().iter().map(|entry| values::split(entry.to_bytes(), b'=')).collect();
    assert!(names.iter().all(|entry| entry.is_some_and(|(name, _)| !name.is_empty())));
    assert!(names.iter().flatten().all(|one| names.iter().flatten().filter(|other| one.0 == other.0).count() == 1));
    assert_eq!(settings.log == Log::Inherit, options.setup.output == Output::Inherit);
    assert!(options.setup.umask.is_none_or(|mask| mask <= 0o777));
    assert!(options.setup.oom_score_adj.is_none_or(|score| (-1000..=1000).contains(&score)));
    assert!(options.kill_mode != KillMode::Group || options.setup.detach || options.setup.process_group);
    if options.init.is_some() {
        assert!(options.policy.workers == 1 && !options.setup.detach && options.setup.stdin != Stdin::Lifeline);
    }
}

/// Writes each option and its value as one word: `--name=value`.
fn joined(argv: &[CString]) -> Vec<CString> {
    let mut words = argv.iter();
    let mut joined: Vec<CString> = words.next().cloned().into_iter().collect();
    while let Some(option) = words.next() {
        let bytes = option.to_bytes();
        if matches!(bytes, b"--" | b"-") || !bytes.starts_with(b"-") {
            joined.push(option.clone());
            joined.extend(words.cloned());
            return joined;
        }
        let (spelling, attached) = match bytes {
            [b'-', b'-', name @ ..] if name.len() > 1 => (name, None),
            [b'-', letter, value @ ..] if *letter != b'-' => (core::slice::from_ref(letter), Some(value)),
            _ => (&b""[..], None),
        };
        let found = spelled(spelling).filter(|found| found.means.is_none());
        let attached = attached.filter(|value| !value.is_empty());
        let value = match (&found, attached) {
            (Some(_), None) => words.next().map(|word| word.to_bytes()),
            (_, attached) => attached,
        };
        joined.push(match (found, value) {
            (Some(found), Some(value)) => option_word(found.row.name, value),
            _ => option.clone(),
        });
    }
    joined
}

fn option_word(name: &str, value: &[u8]) -> CString {
    word(&[b"--", name.as_bytes(), b"=", value].concat())
}

/// Takes what the environment gives out of there, and writes it as options.
fn without_twins(argv: &[CString], env: &[CString]) -> (Vec<CString>, Vec<CString>) {
    let joined = joined(argv);
    let mut given: Vec<&str> = joined.iter().skip(1).map_while(|word| row_of(word)).collect();
    let (mut options, mut left) = (Vec::new(), Vec::new());
    for entry in env {
        let Some((found, value)) = twin(entry).filter(|(_, value)| !value.is_empty()) else { continue };
        let row = found.row;
        if given.contains(&row.name) {
            continue;
        }
        given.push(row.name);
        let option = if row.is_switch { switch(row, value) } else { Some(option_word(row.name, value.to_bytes())) };
        match option {
            Some(option) => options.push(option),
            None => left.push(entry.clone()),
        }
    }
    let rest = joined.iter().skip(1).cloned();
    (joined.first().cloned().into_iter().chain(options).chain(rest).collect(), left)
}

/// The option that a joined word is, if it is one.
fn row_of(word: &CStr) -> Option<&'static str> {
    let bytes = word.to_bytes();
    let name = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-"))?;
    spelled(name.split(|byte| *byte == b'=').next()?).map(|found| found.row.name)
}

/// The option that sets a switch so, if there is one.
fn switch(row: &Row, value: &CStr) -> Option<CString> {
    let opposite = ALIASES.iter().map(|alias| alias.spelling).find(|alias| row_of(&word_of(alias)) == Some(row.name));
    Some(word_of(if value == c"1" { row.name } else { opposite? }))
}

fn word_of(option: &str) -> CString {
    word(&[b"--", option.as_bytes()].concat())
}
