//! The command line: what it takes, what it refuses and how it says so.

use std::fs;
use std::path::Path;

use crate::common::fd::full_pipe;
use crate::common::signals::TERM;
use crate::common::{Launch, eventually, proc};

/// Runs with arguments that must be refused: 125, one line that names what is wrong, and nothing started.
fn refuse(launch: Launch, named: &[&str]) {
    let what = format!("{launch:?}");
    let proof = launch.file("proof");
    let ended = launch.with(&["--", "touch", proof.to_str().unwrap()]).run();
    assert_eq!(ended.code(), 125, "{what}: {}", ended.err());
    assert_eq!(ended.err().lines().count(), 1, "{what}: {}", ended.err());
    assert!(ended.err().ends_with('\n') && ended.out.is_empty(), "{what}");
    for name in named {
        assert!(ended.err().contains(name), "{name} is not named: {}", ended.err());
    }
    assert!(!proof.exists(), "{what} started the command");
}

#[test]
fn wrong_values_are_refused_by_name() {
    let rows: [(&str, &[&str]); 24] = [
        ("--workers", &["0", "1025", "-1", "x", "", "1.5", "99999999999999999999"]),
        ("--max-age", &["0", "-1s", "1.5s", "1h1h", "1s1h", "10x", "300000d", "1h30"]),
        ("--max-age-jitter", &["101", "-1", "x"]),
        ("--restart", &["Always", "sometimes", ""]),
        ("--min-uptime", &["none", "soon"]),
        ("--backoff", &["5s..1s", "1s", "1s..", "..1s", "1s...2s"]),
        ("--give-up", &["3", "3/", "/3", "3/0", "x/1s"]),
        ("--stop-signal", &["0", "32", "33", "65", "term", "SIGFOO", "RTMAX+1"]),
        ("--stop-timeout", &["-1", "never"]),
        ("--kill-mode", &["all", "process"]),
        ("--pause-signal", &["usr1", "99"]),
        ("--name", &["", "a b", "a/b", "123456789012345678901234567890123"]),
        ("--pool", &["", "ä", "a=b"]),
        ("--priority", &["x", "1.5"]),
        ("--death-signal", &["nobody", "0"]),
        ("--stdin", &["zero", "/dev/zero"]),
        ("--chdir", &["/no/such/directory", "/etc/passwd"]),
        ("--umask", &["8", "1000", "-1", "rw"]),
        ("--env", &["NOEQUALS", "=x"]),
        ("--user", &["no-such-user", "4242", "nobody:no-such-group", ":1"]),
        ("--rlimit", &["nofile", "files=1", "nofile=2:1", "nofile=x"]),
        ("--oom-score-adj", &["1001", "-1001", "x"]),
        ("--log", &["syslog", "file:", "stdout"]),
        ("--log-format", &["xml", "JSON"]),
    ];
    for (option, values) in rows {
        refuse(Launch::bare(&[option, values[0]]), &[option, values[0]]);
        for value in values {
            refuse(Launch::bare(&[&format!("{option}={value}")]), &[option, value]);
        }
    }
    for option in ["--log-level", "--stdout-level", "--stderr-level"] {
        refuse(Launch::bare(&[option, "loud"]), &[option, "loud", "emergency"]);
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let rows: [(&[&str], &str); 16] = [
        (&["--kill-mode", "group", "--no-detach", "--no-process-group"], "--kill-mode"),
        (&["--log", "none", "--stdout-level", "info"], "--stdout-level"),
        (&["--log", "none", "--stderr-level", "info"], "--stderr-level"),
        (&["--log", "inherit", "--log-format", "json"], "--log-format"),
        (&["--log", "inherit", "--stdout-level", "info"], "--stdout-level"),
        (&["--init", "--detach"], "--detach"),
        (&["--init", "-w", "2"], "--workers"),
        (&["--init", "--stdin", "lifeline"], "--stdin"),
        (&["--map", "TERM=INT"], "--map"),
        (&["--map-exit", "1=0"], "--map-exit"),
        (&["--forward-to", "group"], "--forward-to"),
        (&["--drain", "1s"], "--drain"),
        (&["--no-such-option"], "--no-such-option"),
        (&["-x"], "-x"),
        (&["--worker", "3"], "--worker"),
        (&["--help=1"], "--help"),
    ];
    for (row, named) in rows {
        refuse(Launch::bare(row), &[named]);
    }
}

#[test]
fn a_refusal_that_nobody_reads_is_ended_by_any_signal() {
    for arguments in [&["--no-such"][..], &["--init", "--", "no-such-command"]] {
        let (_reader, full) = full_pipe();
        let manager = Launch::bare(arguments).stderr(full).start();
        eventually("a program that waits", || (proc::stat(manager.pid)?.state == 'S').then_some(()));
        assert_eq!(manager.end_by(TERM).code(), 143);
    }
}

#[test]
fn a_wrong_value_is_shown_escaped_and_cut() {
    let long = "x".repeat(5000);
    refuse(Launch::bare(&["--workers", &long]), &[&"x".repeat(150)]);
    let ended = Launch::bare(&["--workers", &long, "--", "true"]).run();
    assert!(ended.err().len() < 500, "{}", ended.err().len());
    refuse(Launch::bare(&["--workers", "a\nb\x1b[2J"]), &["\\x0a", "\\x1b"]);
}

#[test]
fn no_command_and_missing_values_are_refused() {
    for arguments in [&[][..], &["--workers"], &["--workers", "2"], &["-w"], &["--"]] {
        let ended = Launch::bare(arguments).run();
        assert_eq!(ended.code(), 125, "{arguments:?}: {}", ended.err());
        assert_eq!(ended.err().lines().count(), 1, "{arguments:?}: {}", ended.err());
    }
}

#[test]
fn help_and_version_are_short_and_on_stdout() {
    for option in ["--help", "-h"] {
        let ended = Launch::bare(&[option]).run();
        assert_eq!((ended.code(), ended.err().as_str()), (0, ""));
        assert!(ended.out.lines().all(|line| line.chars().count() <= 80), "{}", ended.out);
        let options = "--workers --max-age --max-age-jitter --restart --min-uptime --backoff --give-up --stop-signal \
            --stop-timeout --kill-mode --pause-signal --resume-signal --name --pool --detach --process-group --priority \
            --close-fds --death-signal --stdin --chdir --umask --env --clear-env --user --no-new-privs --rlimit \
            --oom-score-adj --log --log-format --log-level --stdout-level --stderr-level --init --subreaper --help \
            --version";
        for option in options.split_whitespace() {
            assert!(ended.out.contains(option), "{option} is missing:\n{}", ended.out);
        }
        for part in ["CANTELLA_", "125", "126", "127", "124", "USR1", "HUP"] {
            assert!(ended.out.contains(part), "{part} is missing:\n{}", ended.out);
        }
    }
    for option in ["--version", "-V"] {
        let ended = Launch::bare(&[option]).run();
        assert_eq!((ended.code(), ended.err().as_str()), (0, ""));
        assert_eq!(ended.out, format!("cantella {}\n", env!("CARGO_PKG_VERSION")));
    }
}

/// What a command prints when it is run once, its log left out.
fn output(launch: Launch, command: &[&str]) -> String {
    let launch = launch.with(&["--restart=never", "--log=inherit"]);
    let ended = launch.with(command).run();
    assert_eq!(ended.code(), 0, "{command:?}: {}", ended.err());
    ended.out
}

#[test]
fn options_end_at_the_first_operand_or_two_dashes() {
    let alone = || Launch::bare(&["-w1"]);
    assert_eq!(output(alone(), &["echo", "--workers", "3", "-h"]), "--workers 3 -h\n");
    assert_eq!(output(alone(), &["--", "echo", "--", "a"]), "-- a\n");
    assert_eq!(output(alone(), &["echo", "a", "", "b c"]), "a  b c\n");
}

#[test]
fn the_last_of_two_counts_and_short_forms_take_both_spellings() {
    for options in [&["-w5", "-w1"][..], &["-w", "1"], &["--workers=9", "--workers", "1"], &["-w9", "--workers=1"]] {
        assert_eq!(output(Launch::bare(options), &["echo", "once"]), "once\n", "{options:?}");
    }
}

#[test]
fn environment_twins_count_below_the_command_line() {
    let two = || Launch::bare(&[]).env("CANTELLA_WORKERS", "2");
    assert_eq!(output(two(), &["echo", "x"]), "x\nx\n");
    assert_eq!(output(two().with(&["-w1"]), &["echo", "x"]), "x\n");
    let empty = Launch::bare(&["-w1"]).env("CANTELLA_MAX_AGE", "").env("CANTELLA_NO_SUCH", "1");
    assert_eq!(output(empty, &["echo", "x"]), "x\n");
    refuse(Launch::bare(&[]).env("CANTELLA_MAX_AGE", "0"), &["0"]);
    refuse(Launch::bare(&[]).env("CANTELLA_WORKERS", "many"), &["many"]);
    let flag = Launch::bare(&["-w1", "--restart=never"]).env("CANTELLA_DETACH", "0").env("CANTELLA_CLEAR_ENV", "1");
    let text = output(flag.env("FOREIGN", "x"), &["--", "/usr/bin/env"]);
    assert!(!text.contains("FOREIGN") && text.contains("CANTELLA_WORKER_SLOT=0"), "{text}");
}

#[test]
fn the_defaults_are_as_documented() {
    let manager = Launch::new(&["--", "sleep", "1000"]).start();
    let workers = manager.workers_running(5, Path::new("/usr/bin/sleep"));
    assert!(workers.iter().all(|&pid| proc::stat(pid).unwrap().session == pid));
    let start = manager.record("a start", |record| record.tells("started"));
    assert_eq!(start.text("pool"), "workers");
    assert_eq!(manager.end_by(TERM).code(), 0);
}

#[test]
fn a_script_needs_its_interpreter_line_and_gets_its_arguments() {
    let launch = Launch::bare(&["-w1"]);
    let script = launch.file("script");
    fs::write(&script, "#!/bin/sh\necho \"$#:$1:$2\"\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, mode).unwrap();
    assert_eq!(output(launch, &["--", script.to_str().unwrap(), "a b", ""]), "2:a b:\n");
}
