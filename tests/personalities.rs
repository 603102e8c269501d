//! Called as tini, dumb-init or catatonit: their options, variables, codes and streams.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

pub mod arguments;

use core::time::Duration;

use arguments::settings::{Codes, Log, Settings};
use arguments::{parse, printed, refused, understood};
use cantella::observe::Level;
use cantella::options::{Forward, Init, Output, Stdin};
use cantella::pool::{Restart, Signal};

/// Words from argv\[0\] to COMMAND, environment, and what must hold then.
type Understood = (&'static [&'static str], &'static [&'static str], fn(&Settings<'_>) -> bool);

static UNDERSTOOD: &[Understood] = &[
    (&["tini"], &[], |s| !s.options.subreaper && !init(s).forward_to_group && s.log_level == Some(Level::Warning)),
    (&["tini"], &[], |s| s.habits.warn_without_orphans && !init(s).warn_on_reap && !init(s).leave_directory),
    (&["tini", "--"], &[], |s| s.command == 2),
    (&["/sbin/tini", "-s"], &[], |s| s.options.subreaper && !s.habits.warn_without_orphans),
    (&["tini-static", "-g"], &[], |s| init(s).forward_to_group),
    (&["./docker-init", "-g", "--"], &[], |s| init(s).forward_to_group && s.command == 3),
    (&["tini", "-gws", "--"], &[], |s| init(s).forward_to_group && init(s).warn_on_reap && s.options.subreaper),
    (&["tini", "-v"], &[], |s| s.log_level == Some(Level::Info)),
    (&["tini", "-vv"], &[], |s| s.log_level == Some(Level::Debug)),
    (&["tini", "-vvv", "-v"], &[], |s| s.log_level == Some(Level::Debug)),
    (&["tini"], &["TINI_VERBOSITY=0"], |s| s.log_level == Some(Level::Error)),
    (&["tini", "-vv"], &["TINI_VERBOSITY=1"], |s| s.log_level == Some(Level::Warning)),
    (&["tini"], &["TINI_VERBOSITY=3"], |s| s.log_level == Some(Level::Debug)),
    (&["tini"], &["TINI_VERBOSITY="], |s| s.log_level == Some(Level::Error)),
    (&["tini"], &["TINI_SUBREAPER=", "TINI_KILL_PROCESS_GROUP="], |s| s.options.subreaper && init(s).forward_to_group),
    (&["tini"], &["DUMB_INIT_DEBUG=1", "CATATONIT_DEBUG=1", "CANTELLA_SUBREAPER=1", "TINI_"], |s| {
        !s.options.subreaper && s.log_level == Some(Level::Warning)
    }),
    (&["tini", "-e", "143", "-e7"], &[], |s| (init(s).map_exit[143], init(s).map_exit[7]) == (0, 0)),
    (&["tini", "-ge255"], &[], |s| init(s).forward_to_group && init(s).map_exit[255] == 0),
    (&["tini", "-p", "SIGKILL"], &[], |s| s.habits.parent_death_signal == Some(Signal::KILL)),
    (&["tini", "-pSIGTERM"], &[], |s| s.habits.parent_death_signal == Some(Signal::TERM)),
    (&["tini", "-sp", "SIGHUP"], &[], |s| s.habits.parent_death_signal == Some(Signal::HUP)),
    (&["dumb-init"], &[], |s| s.options.setup.detach && init(s).forward_to_group && init(s).farewell),
    (&["dumb-init"], &[], |s| init(s).suspend && init(s).leave_directory && !s.options.subreaper),
    (&["dumb-init"], &[], |s| s.log_level == Some(Level::Error) && !s.habits.warn_without_orphans),
    (&["dumb-init"], &[], |s| [20, 21, 22].iter().all(|signal| map(s, *signal) == Forward::As(Signal::STOP))),
    (&["dumb-init", "-r", "20:20", "-r21:0"], &[], |s| {
        (map(s, 20), map(s, 21)) == (Forward::As(Signal::TSTP), Forward::Drop)
    }),
    (&["dumb-init", "--rewrite=15:3", "--rewrite", "2:0"], &[], |s| {
        (map(s, 15), map(s, 2)) == (Forward::As(Signal::QUIT), Forward::Drop)
    }),
    (&["dumb-init", "-c"], &[], single_child),
    (&["dumb-init", "--single-child"], &[], single_child),
    (&["dumb-init"], &["DUMB_INIT_SETSID=0"], single_child),
    (&["dumb-init"], &["DUMB_INIT_SETSID=1"], |s| s.options.setup.detach),
    (&["dumb-init", "-cv"], &[], |s| single_child(s) && s.log_level == Some(Level::Debug) && init(s).warn_on_reap),
    (&["dumb-init", "--verbose"], &[], |s| s.log_level == Some(Level::Debug)),
    (&["dumb-init"], &["DUMB_INIT_DEBUG=1"], |s| s.log_level == Some(Level::Debug)),
    (&["dumb-init"], &["DUMB_INIT_DEBUG=0"], |s| s.log_level == Some(Level::Error)),
    (&["catatonit"], &[], |s| s.options.subreaper && init(s).leave_directory && !init(s).forward_to_group),
    (&["catatonit", "-g", "--"], &[], |s| init(s).forward_to_group && s.log_level == Some(Level::Error)),
    (&["catatonit"], &["CATATONIT_DEBUG="], |s| s.log_level == Some(Level::Debug) && init(s).warn_on_reap),
];

const fn init<'a>(settings: &'a Settings<'_>) -> &'a Init {
    settings.options.init.as_ref().unwrap()
}

const fn map(settings: &Settings<'_>, signal: usize) -> Forward {
    init(settings).map[signal - 1]
}

fn single_child(settings: &Settings<'_>) -> bool {
    let setup = &settings.options.setup;
    let alone = !setup.detach && !setup.process_group && !init(settings).forward_to_group && !init(settings).farewell;
    alone && map(settings, 20) == Forward::Same && init(settings).suspend
}

#[test]
fn their_options_and_variables_set_what_they_say() {
    for (called, env, holds) in UNDERSTOOD {
        let settings = understood(&[*called, &["ls", "-l", "--version"]].concat(), env);
        assert!(holds(&settings), "{called:?} {env:?} gave {settings:?}");
        assert_eq!(settings.command, called.len(), "{called:?}");
    }
}

#[test]
fn they_pass_everything_on_and_leave_with_their_child() {
    for name in ["tini", "dumb-init", "catatonit"] {
        let settings = understood(&[name, "true"], &[]);
        let (policy, setup) = (settings.options.policy, settings.options.setup);
        assert_eq!((policy.workers, policy.restart, policy.stop_timeout), (1, Restart::Never, None), "{name}");
        assert_eq!((setup.stdin, setup.output, setup.close_fds), (Stdin::Inherit, Output::Inherit, false), "{name}");
        assert_eq!((settings.log, init(&settings).drain), (Log::Inherit, Some(Duration::ZERO)), "{name}");
        assert!(setup.process_group, "{name}");
        assert!(settings.habits.plain_environment && settings.habits.shell_scripts && !settings.habits.pause, "{name}");
    }
}

#[test]
fn their_exit_codes_are_kept() {
    for (name, usage, not_found, not_executable) in [
        ("cantella", 125, 127, 126),
        ("tini", 1, 127, 126),
        ("tini-static", 1, 127, 126),
        ("docker-init", 1, 127, 126),
        ("dumb-init", 1, 2, 2),
        ("catatonit", 1, 1, 1),
    ] {
        assert_eq!(understood(&[name, "true"], &[]).codes, Codes { usage, not_found, not_executable }, "{name}");
    }
}

#[test]
fn their_wrong_usage_is_refused_with_their_code() {
    let code = "must be an exit code from 0 to 255";
    let pair = "must be SIGNUM:SIGNUM, both from 1 to 31, the second also 0";
    let unknown = "no such option; see -h";
    for (argv, expected) in [
        (&["tini"][..], "tini: COMMAND: missing; see -h"),
        (&["tini", "-s", "--"], "tini: COMMAND: missing; see -h"),
        (&["tini", "-Z", "x"], &format!("tini: -Z: {unknown}")),
        (&["tini", "-gZ", "x"], &format!("tini: -gZ: {unknown}")),
        (&["tini", "--help", "x"], &format!("tini: --help: {unknown}")),
        (&["tini", "-e", "256", "x"], &format!("tini: -e: \"256\": {code}")),
        (&["tini", "-e-1", "x"], &format!("tini: -e-1: \"-1\": {code}")),
        (&["tini", "-e", "", "x"], &format!("tini: -e: \"\": {code}")),
        (&["tini", "-e"], "tini: -e: a value is missing; must be an exit code from 0 to 255"),
        (&["tini", "-p", "TERM", "x"], "tini: -p: \"TERM\": must be a signal's name such as SIGKILL"),
        (&["tini", "-p", "9", "x"], "tini: -p: \"9\": must be a signal's name such as SIGKILL"),
        (&["tini", "-p", "SIGFOO", "x"], "tini: -p: \"SIGFOO\": must be a signal's name such as SIGKILL"),
        (&["dumb-init"], "dumb-init: COMMAND: missing; see -h"),
        (&["dumb-init", "-c", "-v"], "dumb-init: COMMAND: missing; see -h"),
        (&["dumb-init", "-g", "x"], &format!("dumb-init: -g: {unknown}")),
        (&["dumb-init", "--help=x", "x"], "dumb-init: --help: \"x\": takes no value"),
        (&["dumb-init", "-r", "32:1", "x"], &format!("dumb-init: -r: \"32:1\": {pair}")),
        (&["dumb-init", "-r", "15:64", "x"], &format!("dumb-init: -r: \"15:64\": {pair}")),
        (&["dumb-init", "-r", "0:1", "x"], &format!("dumb-init: -r: \"0:1\": {pair}")),
        (&["dumb-init", "-r", "15:2x", "x"], &format!("dumb-init: -r: \"15:2x\": {pair}")),
        (&["dumb-init", "--rewrite=15", "x"], &format!("dumb-init: --rewrite: \"15\": {pair}")),
        (&["dumb-init", "--rewrite"], &format!("dumb-init: --rewrite: a value is missing; {pair}")),
        (&["catatonit"], "catatonit: COMMAND: missing; see -h"),
        (&["catatonit", "-v", "x"], &format!("catatonit: -v: {unknown}")),
        (&["catatonit", "--pause", "x"], &format!("catatonit: --pause: {unknown}")),
    ] {
        assert_eq!(refused(argv, &[]), (expected.to_owned(), 1), "{argv:?}");
    }
}

#[test]
fn their_texts_go_where_theirs_go() {
    for (argv, begin, to_stderr) in [
        (&["tini", "-h"][..], "Usage: tini ", false),
        (&["tini", "-gh", "x"], "Usage: tini ", false),
        (&["tini", "-l"], "cantella 0.1.0\nLicensed", false),
        (&["tini", "--version"], "tini version 0.19.0 (cantella 0.1.0)\n", false),
        (&["dumb-init", "-h"], "Usage: dumb-init ", true),
        (&["dumb-init", "--help"], "Usage: dumb-init ", true),
        (&["dumb-init", "-V"], "dumb-init v1.2.5 (cantella 0.1.0)\n", true),
        (&["dumb-init", "--version"], "dumb-init v1.2.5 ", true),
        (&["catatonit", "-h"], "Usage: catatonit ", true),
        (&["catatonit", "-L"], "cantella 0.1.0\nLicensed", false),
        (&["catatonit", "-V"], "tini version 0.1.7_catatonit ", false),
        (&["catatonit", "--version"], "tini version ", false),
    ] {
        let print = printed(argv, &[]);
        assert!(print.text.starts_with(begin) && print.text.ends_with('\n'), "{argv:?}: {}", print.text);
        assert!(print.text.lines().all(|line| line.len() <= 80), "{argv:?}");
        assert_eq!(print.to_stderr, to_stderr, "{argv:?}");
    }
}

#[test]
fn only_catatonit_pauses_and_then_needs_no_command() {
    assert!(understood(&["catatonit", "-P"], &[]).habits.pause);
    assert!(understood(&["catatonit", "-gP", "--"], &[]).habits.pause);
    assert!(parse(&["tini", "-P", "x"], &[]).is_err() && parse(&["dumb-init", "-P", "x"], &[]).is_err());
}

#[test]
fn other_names_are_our_own() {
    for name in ["cantella", "tini2", "mytini", "tini/", "/opt/tini/cantella", "init", ""] {
        assert_eq!(understood(&[name, "-w3", "true"], &[]).program, "cantella", "{name}");
    }
}
