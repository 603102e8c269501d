//! The argument parser, compiled from the program's own files, and ways to call it with plain words.
#![expect(
    clippy::expect_used,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a test fails loudly"
)]

#[path = "../../src/bin/cantella/args.rs"]
pub mod args;
#[path = "../../src/bin/cantella/help.rs"]
pub mod help;
#[path = "../../src/bin/cantella/personality.rs"]
pub mod personality;
#[path = "../../src/bin/cantella/settings.rs"]
pub mod settings;
#[path = "../../src/bin/cantella/table.rs"]
pub mod table;
#[path = "../../src/bin/cantella/users.rs"]
pub mod users;
#[path = "../../src/bin/cantella/values.rs"]
pub mod values;
#[path = "../../src/bin/cantella/words.rs"]
pub mod words;

use core::ffi::CStr;
use std::ffi::CString;

use cantella::text::Text;
use settings::{Print, Settings, Usage};

/// What is to be done.
#[derive(Debug)]
pub enum Parsed {
    /// To supervise.
    Run(Box<Settings<'static>>),
    /// To print a text.
    Print(Print),
}

/// Words as main(3) gets them. They are never freed: a test ends soon.
fn words(list: &[&str]) -> Vec<&'static CStr> {
    let word = |text: &&str| Box::leak(CString::new(*text).expect("a word without NUL").into_boxed_c_str());
    list.iter().map(|text| &*word(text)).collect()
}

/// Reads arguments, argv\[0\] first, and environment entries.
pub fn parse(argv: &[&str], env: &[&str]) -> Result<Parsed, Usage<'static>> {
    let mut settings = Box::new(Settings::defaults());
    let print = args::parse(&mut settings, &mut words(argv).into_iter(), &mut words(env).into_iter())?;
    Ok(print.map_or(Parsed::Run(settings), Parsed::Print))
}

/// Reads what must be understood.
#[must_use]
pub fn understood(argv: &[&str], env: &[&str]) -> Settings<'static> {
    match parse(argv, env) {
        Ok(Parsed::Run(settings)) => *settings,
        other => panic!("{argv:?} with {env:?} gave {other:?}"),
    }
}

/// Reads what must ask for a text.
#[must_use]
pub fn printed(argv: &[&str], env: &[&str]) -> Print {
    match parse(argv, env) {
        Ok(Parsed::Print(print)) => print,
        other => panic!("{argv:?} with {env:?} gave {other:?}"),
    }
}

/// Reads what must be refused; gives the line that says why, without its newline, and the exit code.
#[must_use]
pub fn refused(argv: &[&str], env: &[&str]) -> (String, u8) {
    match parse(argv, env) {
        Err(usage) => (line(&usage), usage.code),
        other => panic!("{argv:?} with {env:?} gave {other:?}"),
    }
}

/// The line of a usage error; that it is one, and whole, is checked here.
#[must_use]
pub fn line(usage: &Usage<'_>) -> String {
    let mut bytes = [0; Usage::BYTES];
    let mut text = Text::new(&mut bytes);
    usage.write(&mut text);
    assert!(text.is_whole(), "{usage:?}");
    let line = String::from_utf8(text.as_bytes().to_vec()).expect("escaped text");
    let line = line.strip_suffix('\n').expect("a whole line");
    assert!(!line.chars().any(char::is_control), "{line:?}");
    line.to_owned()
}
