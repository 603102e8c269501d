//! The command line: what is refused, and in which words; and the texts that help with it.

pub mod arguments;

use arguments::settings::{Fault, MAX_ENV, Settings, Subject};
use arguments::table::{self, ALIASES, Alias, MAX_WORKERS, TABLE};
use arguments::values::NAME_BYTES;
use arguments::{help, line, printed, refused};
use cantella::options::MAX_GROUPS;
use cantella::pool::GiveUp;
use cantella::sys::exec::MAX_VARIABLES;
use cantella::sys::title::MAX_BYTES;

/// Values that signals are not.
const NO_SIGNALS: &[&str] = &["term", "SIG", "0", "32", "33", "65", "-1", "RTMIN-1", "RTMAX+1", "TERM,INT", "NONE"];

/// Values that names are not.
const NO_NAMES: &[&str] = &["a b", "a/b", "a\u{e9}", "abcdefghijklmnopqrstuvwxyz-0123456", "a\n"];

/// Values that levels are not.
const NO_LEVELS: &[&str] = &["Info", "warn", "err", "7", "none", "debug "];

/// Values that durations are not.
const NO_DURATIONS: &[&str] = &[
    "x",
    "1x",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1.5s",
    ".5",
    "1s1s",
    "1s1m",
    "1m1h",
    "1h30",
    "1ms1s",
    "s",
    "1S",
    "1_0",
    "1e3",
    "1d1",
    "9223372037",
    "9223372036855ms",
    "106752d",
    "18446744073709551616",
    "99999999999999999999d",
    "1h 30m",
    "NONE",
];

/// Wrong values of each option that takes one.
static WRONG: &[(&str, &[&str])] = &[
    ("workers", &["0", "1025", "-1", "+1", "65537", "1.0", "auto", "0x1", "99999999999999999999", "=5"]),
    ("restart", &["Always", "on_failure", "no", "1"]),
    ("min-uptime", NO_DURATIONS),
    ("min-uptime", &["none"]),
    ("backoff", &["1s", "1s..", "..1s", "1s.2s", "1s...2s", "2s..1s", "1s..2s..3s", "1s-2s", "none", "1s..none", ".."]),
    ("give-up", &["5", "5/", "/1m", "1025/1m", "-1/1m", "5/0", "5/none", "5/1m/1", "5:1m", "65536/1s"]),
    ("max-age", NO_DURATIONS),
    ("max-age", &["0", "0s", "0ms", "0d0h"]),
    ("max-age-jitter", &["101", "-1", "10%", "256", "x"]),
    ("stop-signal", NO_SIGNALS),
    ("stop-signal", &["none"]),
    ("stop-timeout", NO_DURATIONS),
    ("kill-mode", &["process", "Group", "none"]),
    ("pause-signal", NO_SIGNALS),
    ("resume-signal", NO_SIGNALS),
    ("name", NO_NAMES),
    ("pool", NO_NAMES),
    ("priority", &["x", "1.5", "--5", "+5", "99999999999", "-", "9223372036854775808"]),
    ("death-signal", NO_SIGNALS),
    ("stdin", &["file", "/dev/null", "none"]),
    ("umask", &["8", "1000", "0o22", "-1", "u=rwx", "77777777777777777777777"]),
    ("env", &["A", "=1"]),
    ("user", &[":", "a:", ":b", "a:b:c", "4294967295", "0:4294967295", "4294967296"]),
    ("rlimit", &["nofile", "nofile=", "files=1", "=1", "nofile=2:1", "nofile=unlimited:1", "nofile=1:2:3", "NOFILE=1"]),
    (
        "rlimit",
        &["nofile=-1", "nofile=1k", "nofile=1T", "nofile=K", "nofile=1KB", "core=17179869184G", "nofile=1:", "cpu=1s"],
    ),
    ("oom-score-adj", &["1001", "-1001", "x", "+5"]),
    ("log", &["stdout", "file", "file:", "/var/log/x", "File:x", "syslog"]),
    ("log-format", &["text", "JSON"]),
    ("log-level", NO_LEVELS),
    ("stdout-level", NO_LEVELS),
    ("stderr-level", NO_LEVELS),
    ("forward-to", &["all", "Child", "none"]),
    (
        "map",
        &[
            "TERM",
            "TERM=",
            "=TERM",
            "0=TERM",
            "TERM=none",
            "TERM:INT",
            "KILL=TERM",
            "STOP=0",
            "CHLD=USR1",
            "TERM=INT=HUP",
        ],
    ),
    ("map-exit", &["1", "1=", "=1", "256=0", "0=256", "-1=0", "1:0", "1=2=3"]),
    ("drain", NO_DURATIONS),
    ("drain", &["none"]),
];

#[test]
fn a_wrong_value_is_refused_in_one_line_that_names_it() {
    for (name, value) in WRONG.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value))) {
        let row = TABLE.iter().find(|row| row.name == *name).unwrap();
        let (option, twin) = (format!("--{name}"), format!("CANTELLA_{}", name.to_uppercase().replace('-', "_")));
        let shown = value.replace('\n', "\\x0a");
        let expected = |subject: &str| (format!("cantella: {subject}: \"{shown}\": must be {}", row.allowed), 125);

        assert_eq!(refused(&["cantella", &option, value, "true"], &[]), expected(&option));
        assert_eq!(refused(&["cantella", &format!("{option}={value}"), "true"], &[]), expected(&option));
        assert_eq!(refused(&["cantella", "true"], &[&format!("{twin}={value}")]), expected(&twin));
    }
}

#[test]
fn a_missing_or_empty_value_is_refused() {
    for row in TABLE.iter().filter(|row| !row.is_switch) {
        let (name, allowed) = (row.name, row.allowed);
        let missing = format!("cantella: --{name}: a value is missing; must be {allowed}");
        assert_eq!(refused(&["cantella", &format!("--{name}")], &[]), (missing, 125));
        let empty = format!("cantella: --{name}: \"\": must be {allowed}");
        assert_eq!(refused(&["cantella", &format!("--{name}="), "true"], &[]), (empty, 125));
        assert!(WRONG.iter().any(|(tried, _)| tried == &name) || name == "chdir", "--{name} is not tried");
    }
}

#[test]
fn the_twin_of_a_flag_is_one_or_nought() {
    for row in TABLE.iter().filter(|row| row.is_switch) {
        let twin = format!("CANTELLA_{}", row.name.to_uppercase().replace('-', "_"));
        for value in ["yes", "true", "01", "2", "on", " "] {
            let expected = format!("cantella: {twin}: \"{value}\": must be 1 or 0");
            assert_eq!(refused(&["cantella", "true"], &[&format!("{twin}={value}")]), (expected, 125));
        }
    }
}

#[test]
fn what_takes_no_value_refuses_one() {
    let switches = TABLE.iter().filter(|row| row.is_switch).map(|row| format!("--{}", row.name));
    let negations = ["--no-detach", "--no-process-group", "--keep-fds"].map(str::to_owned);
    for option in switches.chain(negations) {
        let expected = format!("cantella: {option}: \"1\": takes no value");
        assert_eq!(refused(&["cantella", &format!("{option}=1"), "true"], &[]), (expected, 125));
    }
    assert_eq!(refused(&["cantella", "-gw", "true"], &[]), ("cantella: -g: \"w\": takes no value".to_owned(), 125));
}

#[test]
fn what_is_no_option_is_refused() {
    for (word, shown) in [
        ("--nothing", "--nothing"),
        ("--nothing=5", "--nothing"),
        ("--worker", "--worker"),
        ("--Workers", "--Workers"),
        ("--no-init", "--no-init"),
        ("--w=5", "--w"),
        ("--g", "--g"),
        ("--=5", "--"),
        ("--help=1", "--help"),
        ("-x", "-x"),
        ("-x5", "-x5"),
        ("-hV", "-hV"),
        ("--\u{1b}[2J", "--\\x1b[2J"),
    ] {
        let expected = format!("cantella: {shown}: no such option; see -h");
        assert_eq!(refused(&["cantella", word, "true"], &[]), (expected, 125));
    }
}

#[test]
fn a_command_is_required() {
    for argv in [&["cantella"][..], &["cantella", "--"], &["cantella", "-w5"], &["cantella", "--init"], &[]] {
        assert_eq!(refused(argv, &[]), ("cantella: COMMAND: missing; see --help".to_owned(), 125), "{argv:?}");
    }
}

#[test]
fn combinations_that_make_no_sense_are_refused() {
    let relay = "not with --log inherit or --log none";
    let rows: &[(&[&str], &str)] = &[
        (
            &["--kill-mode=group", "--no-detach", "--no-process-group"],
            "--kill-mode: \"group\": needs --detach or --process-group",
        ),
        (
            &["--init", "--kill-mode=group", "--no-process-group"],
            "--kill-mode: \"group\": needs --detach or --process-group",
        ),
        (&["--log=inherit", "--stdout-level=info"], &format!("--stdout-level: \"info\": {relay}")),
        (&["--log=none", "--stdout-level=info"], &format!("--stdout-level: \"info\": {relay}")),
        (&["--stderr-level=debug", "--log=inherit"], &format!("--stderr-level: \"debug\": {relay}")),
        (&["--stderr-level=debug", "--log=none"], &format!("--stderr-level: \"debug\": {relay}")),
        (&["--log=none", "--log-format=plain"], &format!("--log-format: \"plain\": {relay}")),
        (&["--log=inherit", "--log-format=json"], &format!("--log-format: \"json\": {relay}")),
        (&["--init", "--log-format=json"], &format!("--log-format: \"json\": {relay}")),
        (&["--init", "--detach"], "--detach: not with --init"),
        (&["--init", "-w2"], "--workers: \"2\": must be 1 with --init"),
        (&["--stdin=lifeline", "--init"], "--stdin: \"lifeline\": must be null or inherit with --init"),
        (&["--map=TERM=INT"], "--map: \"TERM=INT\": only with --init"),
        (&["--map-exit=1=0"], "--map-exit: \"1=0\": only with --init"),
        (&["--forward-to=child"], "--forward-to: \"child\": only with --init"),
        (&["-g"], "--forward-to: \"group\": only with --init"),
        (&["--drain=5s"], "--drain: \"5s\": only with --init"),
        (&["--init", "-g", "--no-process-group"], "--forward-to: \"group\": group needs --process-group"),
    ];
    for (options, expected) in rows {
        let argv = [&["cantella"], *options, &["true"]].concat();
        assert_eq!(refused(&argv, &[]), (format!("cantella: {expected}"), 125), "{options:?}");
    }
    for (env, expected) in [
        (&["CANTELLA_INIT=1", "CANTELLA_DETACH=1"][..], "CANTELLA_DETACH: \"1\": not with --init"),
        (&["CANTELLA_DRAIN=5s"], "CANTELLA_DRAIN: \"5s\": only with --init"),
    ] {
        assert_eq!(refused(&["cantella", "true"], env), (format!("cantella: {expected}"), 125));
    }
}

#[test]
fn more_variables_than_stated_are_refused() {
    let options: Vec<String> = (0..=MAX_ENV).map(|number| format!("--env=N{number}=x")).collect();
    let mut argv = vec!["cantella"];
    argv.extend(options.iter().map(String::as_str));
    argv.push("true");
    let (text, code) = refused(&argv, &[]);
    assert_eq!((&*text, code), ("cantella: --env: \"N64=x\": must be NAME=VALUE, with at most 64 names in all", 125));
}

#[test]
fn a_wrong_value_is_shown_escaped_and_cut_on_one_line() {
    let usage = |value: &[u8]| line(&Settings::defaults().usage(Subject::Option("pool"), Some(value), Fault::Unwanted));
    assert_eq!(usage(b"a\n\"b\"\\\x1b\xff"), r#"cantella: --pool: "a\x0a\"b\"\\\x1b\xff": takes no value"#);
    for (bytes, shown) in [(200, "x".repeat(200)), (201, "x".repeat(200) + "..."), (9000, "x".repeat(200) + "...")] {
        assert_eq!(usage(&b"x".repeat(bytes)), format!("cantella: --pool: \"{shown}\": takes no value"));
    }
    assert!(usage(&[0; 200]).contains(&"\\x00".repeat(200)), "the longest there is");
}

/// Words that calls are made of at random.
const SCRAPS: &[&str] = &[
    "-",
    "--",
    "=",
    "-w",
    "-g",
    "-h",
    "-V",
    "--init",
    "--log",
    "--env",
    "--map",
    "--drain",
    "--user",
    "none",
    "A=1",
    "TERM",
    "5",
    "0",
    "1h",
    "stderr",
    "file:x",
    "..",
    "/",
    ":",
    "cantella",
    "tini",
    "dumb-init",
    "catatonit",
    "-vvve",
    "-r",
    "15:2",
    "-p",
    "SIGKILL",
    "CANTELLA_",
    "WORKERS",
    "TINI_VERBOSITY=9",
    "\u{e9}",
    "\n",
    "\\",
    "true",
];

#[test]
fn any_words_are_understood_or_refused_in_one_line() {
    let mut chance: u64 = 1;
    let mut scrap = || {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let row = usize::try_from(chance >> 33).unwrap() % SCRAPS.len();
        SCRAPS[row].to_owned()
    };
    let (mut understood, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let argv = [scrap(), scrap() + &scrap(), scrap(), scrap(), scrap() + &scrap()];
        let env = [scrap() + &scrap() + "=" + &scrap()];
        match arguments::parse(&argv.each_ref().map(|word| &**word), &env.each_ref().map(|word| &**word)) {
            Ok(_) => understood += 1,
            Err(usage) => refused += usize::from(line(&usage).contains(": ")),
        }
    }
    assert!(understood > 1_000 && refused > 1_000 && understood + refused == 20_000, "{understood}, {refused}");
}

#[test]
fn help_and_version_are_printed_wherever_options_stand() {
    for word in ["-h", "--help"] {
        assert_eq!(printed(&["cantella", "-w3", word, "--nothing"], &[]).text, help::HELP);
        assert!(!printed(&["cantella", word], &["CANTELLA_WORKERS=wrong"]).to_stderr);
    }
    for word in ["-V", "--version"] {
        assert_eq!(printed(&["cantella", word], &[]).text, "cantella 0.1.0\n");
    }
}

#[test]
fn help_fits_a_screen_and_names_every_option() {
    assert!(help::HELP.ends_with('\n'));
    for line in help::HELP.lines() {
        assert!(line.chars().count() <= 80 && !line.ends_with(' '), "{line:?}");
    }
    let words: Vec<&str> = help::HELP.split(|c: char| c.is_whitespace() || ",;:()[]".contains(c)).collect();
    for row in &TABLE {
        assert!(words.contains(&&*format!("--{}", row.name)), "--{}", row.name);
    }
    for Alias { spelling, .. } in &ALIASES {
        let dashes = if spelling.len() == 1 { "-" } else { "--" };
        assert!(words.contains(&&*format!("{dashes}{spelling}")), "{spelling}");
    }
    for option in
        words.iter().filter_map(|word| word.trim_end_matches('.').strip_prefix("--")).filter(|name| !name.is_empty())
    {
        let own = ["help", "version", "queue"].contains(&option);
        assert!(own || table::spelled(option.as_bytes()).is_some(), "--{option}");
    }
    let parts = ["\nEnvironment:\n", "\nSignals:\n", "\nExit status:\n", "\nExamples:\n"];
    let parts = parts.map(|part| help::HELP.find(part).unwrap());
    assert!(parts.is_sorted());
}

#[test]
fn texts_tell_the_limits_that_hold() {
    let allowed = |name: &str| TABLE.iter().find(|row| row.name == name).unwrap().allowed;
    assert!(allowed("workers").ends_with(&format!("to {MAX_WORKERS}")));
    assert!(allowed("give-up").contains(&format!("from 0 to {}", GiveUp::MAX)));
    assert!(allowed("env").contains(&format!("at most {MAX_ENV} names")));
    assert!(allowed("pool").contains(&format!("1 to {NAME_BYTES}")));
    for said in [
        format!("1 to {MAX_WORKERS}"),
        format!(
            "Limits: {MAX_WORKERS} workers; {MAX_ENV} names for --env, {MAX_VARIABLES} variables in all; {MAX_GROUPS} groups"
        ),
        format!("{MAX_BYTES} bytes of arguments"),
        format!("(0 to {})", GiveUp::MAX),
        format!("at most {MAX_ENV} names"),
        format!("at most {MAX_GROUPS})"),
    ] {
        assert!(help::HELP.contains(&said), "{said}");
    }
}
