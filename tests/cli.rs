//! The command line of the built program: codes, streams, and that nothing is started when it is wrong.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program: the one that `CANTELLA_BIN` names, else cargo's.
fn program() -> PathBuf {
    let named = std::env::var_os("CANTELLA_BIN").filter(|path| !path.is_empty());
    named.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_cantella")), PathBuf::from)
}

/// Runs a program with nothing in its environment but PATH and `env`.
fn run(program: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Output {
    let path = ("PATH", "/usr/local/bin:/usr/bin:/bin");
    let variables = env.iter().copied().chain([path]);
    Command::new(program).args(arguments).env_clear().envs(variables).output().unwrap()
}

fn cantella(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    run(&program(), arguments, env)
}

fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap()
}

/// A new directory for one test.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// The words that are wrong, the environment, and what the line must begin with.
type Wrong = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);

static WRONG: &[Wrong] = &[
    (&["--workers", "0"], &[], "cantella: --workers: \"0\": must be "),
    (&["--workers=1025"], &[], "cantella: --workers: \"1025\": must be "),
    (&["--max-age", "0"], &[], "cantella: --max-age: \"0\": must be "),
    (&["--backoff=2s..1s"], &[], "cantella: --backoff: \"2s..1s\": must be "),
    (&["--stop-signal=33"], &[], "cantella: --stop-signal: \"33\": must be "),
    (&["--rlimit=nofile=2:1"], &[], "cantella: --rlimit: \"nofile=2:1\": must be "),
    (&["--log-level=loud"], &[], "cantella: --log-level: \"loud\": must be "),
    (&["--pool=a\nb"], &[], "cantella: --pool: \"a\\x0ab\": must be "),
    (&["--nothing"], &[], "cantella: --nothing: no such option"),
    (&["--init", "--detach"], &[], "cantella: --detach: not with --init"),
    (&["--drain=1s"], &[], "cantella: --drain: \"1s\": only with --init"),
    (&[], &[("CANTELLA_WORKERS", "none")], "cantella: CANTELLA_WORKERS: \"none\": must be "),
    (&[], &[("CANTELLA_DETACH", "yes")], "cantella: CANTELLA_DETACH: \"yes\": must be 1 or 0"),
    (&["--chdir=/nowhere"], &[], "cantella: --chdir: "),
    (&[], &[("CANTELLA_CHDIR", "/nowhere")], "cantella: CANTELLA_CHDIR: "),
    (&["--user=nobody-at-all"], &[], "cantella: --user: \"nobody-at-all\": no such user"),
    (&["--user=3999999999"], &[], "cantella: --user: \"3999999999\": a number without an entry"),
    (&["--user=0:nobody-at-all"], &[], "cantella: --user: \"0:nobody-at-all\": no such group"),
    (&["--log=file:/nowhere/x"], &[], "cantella: --log: \"/nowhere/x\": "),
];

#[test]
fn wrong_usage_gives_one_line_and_125_and_starts_nothing() {
    let mark = directory("nothing").join("mark");
    for (options, env, expected) in WRONG {
        let arguments = [*options, &["--", "touch", mark.to_str().unwrap()]].concat();
        let output = cantella(&arguments, env);
        let said = text(&output.stderr);
        assert!(said.starts_with(expected) && said.ends_with('\n'), "{options:?} {env:?}: {said:?}");
        assert_eq!((said.lines().count(), output.status.code()), (1, Some(125)), "{options:?} {env:?}: {said:?}");
        assert_eq!(text(&output.stdout), "", "{options:?} {env:?}");
        assert!(!mark.exists(), "{options:?} {env:?} started something");
    }
}

#[test]
fn without_a_command_the_code_is_125() {
    for arguments in [&[][..], &["--"], &["-w2"], &["--init"]] {
        let output = cantella(arguments, &[]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(125), ""), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("cantella: COMMAND: missing"), "{arguments:?}");
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (arguments, begin) in [
        (&["--help"][..], "Usage: cantella "),
        (&["-h"], "Usage: cantella "),
        (&["-w3", "--help", "x"], "Usage: cantella "),
        (&["--version"], concat!("cantella ", env!("CARGO_PKG_VERSION"), "\n")),
        (&["-V"], "cantella "),
    ] {
        let output = cantella(arguments, &[]);
        assert!(text(&output.stdout).starts_with(begin), "{arguments:?}");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_command_that_cannot_run_has_a_code_of_its_own() {
    let directory = directory("commands");
    let plain = directory.join("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();
    let (plain, directory) = (plain.to_str().unwrap(), directory.to_str().unwrap());
    for (command, code) in [
        ("nothing-of-that-name", 127),
        ("/nowhere/x", 127),
        ("./nothing", 127),
        ("", 127),
        (plain, 126),
        (directory, 126),
    ] {
        for options in [&["--"][..], &["--init", "--"]] {
            let output = cantella(&[options, &[command]].concat(), &[]);
            let said = text(&output.stderr);
            assert_eq!((output.status.code(), said.lines().count()), (Some(code), 1), "{command:?}: {said:?}");
        }
    }
}

#[test]
fn workers_find_their_own_variables_and_no_twins() {
    let twins = [("CANTELLA_WORKERS", "1"), ("CANTELLA_RESTART", "never"), ("CANTELLA_LOG", "inherit")];
    let options = ["--pool=mail", "--env", "A=1", "--env=B=2", "--env=A=3", "env"];
    let output = cantella(&options, &[&twins[..], &[("B", "0"), ("CANTELLA_OTHER", "x"), ("C", "")]].concat());
    let mut found: Vec<&str> =
        text(&output.stdout).lines().filter(|line| !line.starts_with("CANTELLA_MANAGER_PID=")).collect();
    found.sort_unstable();
    let expected = [
        "A=3",
        "B=2",
        "C=",
        "CANTELLA_OTHER=x",
        "CANTELLA_WORKER_GENERATION=1",
        "CANTELLA_WORKER_POOL=mail",
        "CANTELLA_WORKER_SLOT=0",
        "PATH=/usr/local/bin:/usr/bin:/bin",
    ];
    assert_eq!(found, expected, "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_cleared_environment_holds_what_is_set_and_what_names_the_worker() {
    let options = ["--clear-env", "--env=A=1", "--restart=never", "-w1", "--log=inherit", "env"];
    let output = cantella(&options, &[("B", "2")]);
    let others: Vec<&str> = text(&output.stdout).lines().filter(|line| !line.starts_with("CANTELLA_")).collect();
    assert_eq!(others, ["A=1"], "{}", text(&output.stderr));
}

/// Calls the program by another program's name.
fn called(name: &str, arguments: &[&str]) -> Output {
    let directory = directory(&format!("called-{name}"));
    let link = directory.join(name);
    symlink(program(), &link).unwrap();
    run(&link, arguments, &[])
}

#[test]
fn other_inits_texts_and_codes_are_kept() {
    for (name, arguments, code, speaks) in [
        ("tini", &["-h"][..], 0, "stdout"),
        ("tini", &["--version"], 0, "stdout"),
        ("tini", &["-l"], 0, "stdout"),
        ("tini", &[], 1, "stderr"),
        ("tini", &["-Z", "true"], 1, "stderr"),
        ("tini", &["-e", "256", "true"], 1, "stderr"),
        ("tini-static", &["-p", "TERM", "true"], 1, "stderr"),
        ("docker-init", &["--version"], 0, "stdout"),
        ("tini", &["-s", "nothing-of-that-name"], 127, "stderr"),
        ("tini", &["-s", "/etc"], 126, "stderr"),
        ("dumb-init", &["-h"], 0, "stderr"),
        ("dumb-init", &["-V"], 0, "stderr"),
        ("dumb-init", &[], 1, "stderr"),
        ("dumb-init", &["-r", "99:1", "true"], 1, "stderr"),
        ("dumb-init", &["nothing-of-that-name"], 2, "stderr"),
        ("dumb-init", &["/etc"], 2, "stderr"),
        ("catatonit", &["-h"], 0, "stderr"),
        ("catatonit", &["-V"], 0, "stdout"),
        ("catatonit", &["-L"], 0, "stdout"),
        ("catatonit", &[], 1, "stderr"),
        ("catatonit", &["nothing-of-that-name"], 1, "stderr"),
        ("catatonit", &["/etc"], 1, "stderr"),
    ] {
        let output = called(name, arguments);
        let streams = [("stdout", &output.stdout), ("stderr", &output.stderr)];
        let spoken: Vec<&str> = streams.iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(name, _)| *name).collect();
        assert_eq!((output.status.code(), spoken), (Some(code), vec![speaks]), "{name} {arguments:?}");
    }
}
