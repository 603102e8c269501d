//! The command line and its environment twins: how what is right is understood.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

pub mod arguments;

use std::ffi::CString;

use core::time::Duration;

use arguments::settings::{Id, Log, MAX_ENV, Settings, Subject};
use arguments::table::{self, Found, TABLE};
use arguments::{args, understood};
use cantella::observe::Level;
use cantella::options::{Forward, Init, KillMode, Limit, Output, Resource, Stdin};
use cantella::pool::{GiveUp, Restart, Signal};
use cantella::relay::Format;

/// Options in front of COMMAND, and what must hold then.
type Understood = (&'static [&'static str], fn(&Settings<'_>) -> bool);

/// Every option, at least once.
static UNDERSTOOD: &[Understood] = &[
    (&["--workers", "1"], |s| s.options.policy.workers == 1),
    (&["--workers=1024"], |s| s.options.policy.workers == 1024),
    (&["-w", "7"], |s| s.options.policy.workers == 7),
    (&["-w7"], |s| s.options.policy.workers == 7),
    (&["--restart=on-failure"], |s| s.options.policy.restart == Restart::OnFailure),
    (&["--restart=never"], |s| s.options.policy.restart == Restart::Never),
    (&["--min-uptime=0"], |s| s.options.policy.min_uptime == Duration::ZERO),
    (&["--backoff=1s..5m"], |s| s.options.policy.backoff_min == Duration::from_secs(1)),
    (&["--backoff=1s..5m"], |s| s.options.policy.backoff_max == Duration::from_mins(5)),
    (&["--backoff=0..0"], |s| s.options.policy.backoff_max == Duration::ZERO),
    (&["--backoff=0"], |s| s.options.policy.backoff_max == Duration::ZERO),
    (&["--give-up=0/1m"], |s| s.options.policy.give_up == Some(GiveUp { failures: 0, within: Duration::from_mins(1) })),
    (&["--give-up=1024/1s"], |s| s.options.policy.give_up.is_some_and(|limit| limit.failures == 1024)),
    (&["--give-up=1/1s", "--give-up=none"], |s| s.options.policy.give_up.is_none()),
    (&["--max-age=1h30m"], |s| s.options.policy.max_age == Some(Duration::from_mins(90))),
    (&["--max-age=1h", "--max-age=none"], |s| s.options.policy.max_age.is_none()),
    (&["--max-age-jitter=100"], |s| s.options.policy.max_age_jitter == 100),
    (&["--stop-signal=SIGQUIT"], |s| s.options.stop_signal == Signal::QUIT),
    (&["--stop-timeout=250ms"], |s| s.options.policy.stop_timeout == Some(Duration::from_millis(250))),
    (&["--stop-timeout=0"], |s| s.options.policy.stop_timeout == Some(Duration::ZERO)),
    (&["--stop-timeout=none"], |s| s.options.policy.stop_timeout.is_none()),
    (&["--kill-mode=group"], |s| s.options.kill_mode == KillMode::Group),
    (&["--kill-mode=group", "--no-detach"], |s| s.options.kill_mode == KillMode::Group),
    (&["--pause-signal=STOP"], |s| s.options.pause_signal == Some(Signal::STOP)),
    (&["--pause-signal=none"], |s| s.options.pause_signal.is_none()),
    (&["--resume-signal=18"], |s| s.options.resume_signal == Some(Signal::CONT)),
    (&["--resume-signal=none"], |s| s.options.resume_signal.is_none()),
    (&["--name=web.1_a-B"], |s| s.options.name == Some("web.1_a-B")),
    (&["--pool=mail"], |s| s.options.pool == "mail"),
    (&["--no-detach"], |s| !s.options.setup.detach),
    (&["--no-detach", "--detach"], |s| s.options.setup.detach),
    (&["--no-process-group"], |s| !s.options.setup.process_group),
    (&["--no-process-group", "--process-group"], |s| s.options.setup.process_group),
    (&["--priority=-5"], |s| s.options.setup.priority == -5),
    (&["--priority", "-20"], |s| s.options.setup.priority == -20),
    (&["--priority=19"], |s| s.options.setup.priority == 19),
    (&["--keep-fds"], |s| !s.options.setup.close_fds),
    (&["--keep-fds", "--close-fds"], |s| s.options.setup.close_fds),
    (&["--death-signal=KILL"], |s| s.options.setup.death_signal == Some(Signal::KILL)),
    (&["--death-signal=none"], |s| s.options.setup.death_signal.is_none()),
    (&["--stdin=inherit"], |s| s.options.setup.stdin == Stdin::Inherit),
    (&["--stdin=lifeline"], |s| s.options.setup.stdin == Stdin::Lifeline),
    (&["--chdir=/tmp"], |s| s.options.setup.directory == Some(c"/tmp")),
    (&["--umask=027"], |s| s.options.setup.umask == Some(0o27)),
    (&["--umask=0777"], |s| s.options.setup.umask == Some(0o777)),
    (&["--env=A=1", "--env", "B="], |s| s.env.entries() == [c"A=1", c"B="]),
    (&["--env=A=1", "--env=B=2", "--env=A=3=4"], |s| s.env.entries() == [c"A=3=4", c"B=2"]),
    (&["--clear-env"], |s| s.env.clear),
    (&["--user=www"], |s| s.user.is_some_and(|u| u.user == Id::Name(b"www") && u.group.is_none())),
    (&["--user=0:www"], |s| {
        s.user.is_some_and(|u| u.user == Id::Number(0) && u.group == Some(Id::Name(b"www")) && u.text == c"0:www")
    }),
    (&["--no-new-privs"], |s| s.options.setup.no_new_privs),
    (&["--rlimit=nofile=64K"], |s| {
        s.options.setup.limits[0] == Some(Limit { resource: Resource::Nofile, soft: Some(65536), hard: Some(65536) })
    }),
    (&["--rlimit=core=0:unlimited", "--rlimit=cpu=5", "--rlimit=core=1:2"], |s| {
        s.options.setup.limits[0] == Some(Limit { resource: Resource::Core, soft: Some(1), hard: Some(2) })
            && s.options.setup.limits[1].is_some_and(|limit| limit.resource == Resource::Cpu)
            && s.options.setup.limits[2].is_none()
    }),
    (&["--oom-score-adj=-1000"], |s| s.options.setup.oom_score_adj == Some(-1000)),
    (&["--oom-score-adj=1000"], |s| s.options.setup.oom_score_adj == Some(1000)),
    (&["--log=none"], |s| s.log == Log::None && s.options.setup.output == Output::Relay),
    (&["--log=inherit"], |s| s.log == Log::Inherit && s.options.setup.output == Output::Inherit),
    (&["--log=inherit", "--log=stderr"], |s| s.log == Log::Stderr && s.options.setup.output == Output::Relay),
    (&["--log=file:/x=y"], |s| s.log == Log::File(c"/x=y")),
    (&["--log-format=json"], |s| s.format == Format::Json),
    (&["--log-format=logfmt"], |s| s.format == Format::Logfmt),
    (&["--log-level=emergency"], |s| s.log_level == Some(Level::Emergency)),
    (&["--stdout-level=debug"], |s| s.options.stdout_level == Level::Debug),
    (&["--stderr-level=warning"], |s| s.options.stderr_level == Level::Warning),
    (&["--subreaper"], |s| s.options.subreaper),
    (&["--init"], |s| s.options.init.is_some()),
    (&["--init", "-g"], |s| init(s, |init| init.forward_to_group)),
    (&["--init", "-g", "--forward-to=child"], |s| init(s, |init| !init.forward_to_group)),
    (&["--map=TERM=QUIT", "--map=HUP=0", "--init"], |s| {
        init(s, |init| init.map[14] == Forward::As(Signal::QUIT) && init.map[0] == Forward::Drop)
    }),
    (&["--init", "--map=64=9"], |s| init(s, |init| init.map[63] == Forward::As(Signal::KILL))),
    (&["--init", "--map-exit=143=0", "--map-exit=0=7"], |s| {
        init(s, |init| (init.map_exit[143], init.map_exit[0], init.map_exit[1]) == (0, 7, 1))
    }),
    (&["--init", "--drain=0"], |s| init(s, |init| init.drain == Some(Duration::ZERO))),
];

/// What the init settings must be.
fn init(settings: &Settings<'_>, holds: fn(&Init) -> bool) -> bool {
    settings.options.init.as_ref().is_some_and(holds)
}

/// What a word with a long option spells.
fn found(word: &str) -> Found {
    let spelling = word.trim_start_matches('-').split('=').next().unwrap_or_default();
    table::spelled(spelling.as_bytes()).unwrap()
}

#[test]
fn every_option_sets_what_it_says() {
    for (options, holds) in UNDERSTOOD {
        let argv = [&["cantella"], *options, &["true", "-x"]].concat();
        let settings = understood(&argv, &[]);
        assert!(holds(&settings), "{options:?} gave {settings:?}");
        assert_eq!(settings.command, options.len() + 1, "{options:?}");
    }
    for row in &TABLE {
        let mut words = UNDERSTOOD.iter().flat_map(|(words, _)| *words).filter(|word| word.starts_with("--"));
        assert!(words.any(|word| found(word).row.name == row.name), "--{} is not tried", row.name);
    }
}

#[test]
fn without_options_the_documented_defaults_hold() {
    let settings = understood(&["cantella", "true"], &[]);
    let policy = settings.options.policy;
    assert_eq!(policy, cantella::pool::Policy::DEFAULT);
    assert_eq!((settings.log, settings.format, settings.level()), (Log::Stderr, Format::Plain, Level::Info));
    assert!(settings.options.init.is_none() && settings.user.is_none() && settings.env.entries().is_empty());
    assert_eq!((settings.codes.usage, settings.codes.not_found, settings.codes.not_executable), (125, 127, 126));
}

#[test]
fn options_end_at_the_first_operand_or_two_dashes() {
    for (argv, command) in [
        (&["cantella", "ls", "-w", "0"][..], 1),
        (&["cantella", "-w3", "ls", "--help"], 2),
        (&["cantella", "--", "ls"], 2),
        (&["cantella", "-w3", "--", "--help"], 3),
        (&["cantella", "--", "--"], 2),
        (&["cantella", "-"], 1),
        (&["cantella", ""], 1),
        (&["cantella", "--chdir", "--", "ls"], 3),
    ] {
        assert_eq!(understood(argv, &[]).command, command, "{argv:?}");
    }
}

#[test]
fn of_an_option_given_twice_the_last_counts() {
    let settings = understood(&["cantella", "-w3", "--workers=4", "-w", "5", "--detach", "--no-detach", "x"], &[]);
    assert_eq!((settings.options.policy.workers, settings.options.setup.detach), (5, false));
}

#[test]
fn a_twin_stands_for_its_option_and_the_command_line_wins() {
    for (options, env, workers) in [
        (&[][..], &["CANTELLA_WORKERS=3"][..], 3),
        (&["-w4"], &["CANTELLA_WORKERS=3"], 4),
        (&["-w4"], &["CANTELLA_WORKERS=wrong"], 4),
        (&[], &["CANTELLA_WORKERS="], 5),
        (&[], &["CANTELLA_WORKERS=", "CANTELLA_WORKERS=7"], 7),
        (&[], &["CANTELLA_WORKERS=3", "CANTELLA_WORKERS=7"], 3),
        (&[], &["CANTELLA_WORKERS", "WORKERS=3", "cantella_workers=3", "CANTELLA_WORKERSX=3", "CANTELLA_=3"], 5),
        (&[], &["CANTELLA_NOTHING=3", "CANTELLA_HELP=1", "CANTELLA_VERSION=1", "CANTELLA_NO_DETACH=1", ""], 5),
    ] {
        let settings = understood(&[&["cantella"], options, &["true"]].concat(), env);
        assert_eq!(settings.options.policy.workers, workers, "{options:?} {env:?}");
    }
}

#[test]
fn every_option_has_a_twin() {
    for (options, holds) in UNDERSTOOD.iter().filter(|(options, _)| options.len() == 1 && options[0].starts_with("--"))
    {
        let (name, means) = (found(options[0]).row.name, found(options[0]).means);
        let value = means.map_or_else(|| options[0].split_once('=').unwrap().1, |means| means.to_str().unwrap());
        let twin = format!("CANTELLA_{}={value}", name.to_uppercase().replace('-', "_"));
        let settings = understood(&["cantella", "true"], &[&twin]);
        assert!(holds(&settings), "{twin} gave {settings:?}");
        assert_eq!(args::subject(&settings, name), Subject::Twin(name), "{twin}");
        assert_eq!(args::subject(&settings, "workers") == Subject::Twin("workers"), name == "workers", "{twin}");
    }
}

#[test]
fn a_repeatable_option_is_one_value_in_the_environment() {
    let twins = ["CANTELLA_ENV=A=1", "CANTELLA_RLIMIT=cpu=1"];
    let settings = understood(&["cantella", "--rlimit=nofile=9", "true"], &twins);
    assert_eq!(settings.env.entries(), [c"A=1"]);
    let limits: Vec<_> = settings.options.setup.limits.iter().flatten().map(|limit| limit.resource).collect();
    assert_eq!(limits, [Resource::Nofile], "the command line wins as a whole");
}

#[test]
fn twins_are_told_from_what_workers_may_see() {
    for row in &TABLE {
        let twin = format!("CANTELLA_{}=", row.name.to_uppercase().replace('-', "_"));
        assert!(table::is_twin(&CString::new(twin).unwrap()), "{}", row.name);
    }
    for entry in [
        c"CANTELLA_WORKER_SLOT=0",
        c"CANTELLA_WORKER_GENERATION=1",
        c"CANTELLA_WORKER_POOL=x",
        c"CANTELLA_MANAGER_PID=2",
        c"CANTELLA_VERSION=1",
        c"CANTELLA_WORKERS",
        c"PATH=/bin",
        c"",
    ] {
        assert!(!table::is_twin(entry), "{entry:?}");
    }
}

#[test]
fn init_has_defaults_of_its_own() {
    let settings = understood(&["cantella", "--init", "true"], &[]);
    let (policy, setup) = (settings.options.policy, settings.options.setup);
    assert_eq!((policy.workers, policy.restart), (1, Restart::Never));
    assert_eq!(policy.stop_timeout, Some(Duration::from_secs(8)));
    assert_eq!((settings.log, settings.level()), (Log::Inherit, Level::Warning));
    assert_eq!((setup.stdin, setup.output), (Stdin::Inherit, Output::Inherit));
    assert_eq!((setup.detach, setup.process_group, settings.options.subreaper), (false, true, true));
    assert!(init(&settings, |init| init.drain == Some(Duration::from_secs(8)) && !init.forward_to_group));
    assert!(init(&settings, |init| init.map == [Forward::Same; 64] && init.map_exit == Init::new().map_exit));
    assert!(init(&settings, |init| !init.farewell && !init.suspend));
}

#[test]
fn what_is_given_stands_under_init_too() {
    let rows: &[Understood] = &[
        (&["--restart=always"], |s| s.options.policy.restart == Restart::Always),
        (&["--log=stderr", "--log-format=json"], |s| s.log == Log::Stderr && s.options.setup.output == Output::Relay),
        (&["--stdin=null"], |s| s.options.setup.stdin == Stdin::Null),
        (&["--workers=1", "--no-detach"], |s| s.options.policy.workers == 1),
        (&["--log-level=debug"], |s| s.level() == Level::Debug),
        (&["--stop-timeout=2s"], |s| init(s, |init| init.drain == Some(Duration::from_secs(2)))),
        (&["--stop-timeout=none"], |s| init(s, |init| init.drain.is_none())),
        (&["--stop-timeout=none", "--drain=3"], |s| init(s, |init| init.drain == Some(Duration::from_secs(3)))),
    ];
    for (options, holds) in rows {
        let settings = understood(&[&["cantella"], *options, &["--init", "true"]].concat(), &[]);
        assert!(holds(&settings), "{options:?} gave {settings:?}");
    }
    let settings = understood(&["cantella", "true"], &["CANTELLA_INIT=1", "CANTELLA_SUBREAPER=0"]);
    assert!(settings.options.init.is_some() && !settings.options.subreaper);
    assert!(understood(&["cantella", "true"], &["CANTELLA_INIT=0"]).options.init.is_none());
}

#[test]
fn workers_may_be_given_as_many_variables_as_is_stated() {
    let options: Vec<String> = (0..MAX_ENV).map(|number| format!("--env=N{number}=x")).collect();
    let mut argv = vec!["cantella"];
    argv.extend(options.iter().map(String::as_str));
    argv.extend(["--env=N0=again", "true"]);
    let settings = understood(&argv, &[]);
    assert_eq!((settings.env.entries().len(), settings.env.entries()[0]), (MAX_ENV, c"N0=again"));
}
