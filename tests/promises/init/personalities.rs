//! The parts of tini, dumb-init and catatonit, each call made twice: to Debian's program and to this one by its name.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use super::child;
use crate::common::signals::{HUP, INT, KILL, QUIT, TERM, TSTP, USR1, try_send};
use crate::common::{Directory, Ended, Launch, Manager, eventually, proc, within, worker};

/// Debian's program, and this one by the same name in a directory that must live on.
fn both(name: &str) -> [(&'static str, PathBuf, Directory); 2] {
    let directory = Directory::new();
    let link = directory.file(name);
    symlink(crate::common::binary(), &link).unwrap();
    [("Debian's", PathBuf::from("/usr/bin").join(name), Directory::new()), ("ours", link, directory)]
}

/// A call of one of them, its name first, behind `NAME=value` for the environment.
fn call(words: &[&str], program: PathBuf) -> Launch {
    let (environment, words): (Vec<&str>, Vec<&str>) = words
        .iter()
        .partition(|word| word.starts_with("TINI_") || word.starts_with("DUMB_") || word.starts_with("CATA"));
    let launch = Launch::bare(&words[1..]).called(program);
    environment
        .into_iter()
        .filter_map(|entry| entry.split_once('='))
        .fold(launch, |launch, (name, value)| launch.env(name, value))
}

fn name<'a>(words: &[&'a str]) -> &'a str {
    words.iter().find(|word| !word.contains('=')).expect("a program")
}

/// Makes a call to both and gives what `look` sees; the words of diagnostics differ, so they are not looked at.
fn same<T: PartialEq + core::fmt::Debug>(words: &[&str], look: impl Fn(Launch) -> T) -> T {
    let [theirs, ours] = both(name(words)).map(|(whose, program, _directory)| (whose, look(call(words, program))));
    assert_eq!(ours.1, theirs.1, "{words:?}: {} and {}", ours.0, theirs.0);
    ours.1
}

const ENDS: &str = "exit 7";
const KILLED: &str = "kill -TERM $$";

static CALLS: &[&[&str]] = &[
    &["tini", "-s", "true"],
    &["tini", "-s", "false"],
    &["tini", "true"],
    &["TINI_SUBREAPER=", "tini", "true"],
    &["TINI_VERBOSITY=0", "tini", "true"],
    &["tini", "-s", "--", "sh", "-c", ENDS],
    &["tini", "-s", "--", "sh", "-c", KILLED],
    &["tini", "-s", "-e", "7", "--", "sh", "-c", ENDS],
    &["tini", "-s", "-e143", "-e", "7", "--", "sh", "-c", KILLED],
    &["tini", "-s", "-e", "8", "--", "sh", "-c", ENDS],
    &["tini", "-sg", "-p", "SIGKILL", "--", "echo", "-n", "word"],
    &["tini", "-s", "echo", "--", "word"],
    &["tini", "-s", "ls", "--", "-d", "/"],
    &["tini", "-s", "--", "echo", "--", "word"],
    &["tini", "-s", "--", "cat"],
    &["tini"],
    &["tini", "-s"],
    &["tini", "-Z", "true"],
    &["tini", "-e", "300", "true"],
    &["tini", "-e", "1x", "true"],
    &["tini", "-p", "TERM", "true"],
    &["tini", "-p", "SIGNONE", "true"],
    &["tini", "-s", "nothing-of-that-name"],
    &["tini", "-s", "/nowhere/x"],
    &["tini", "-s", "/etc"],
    &["tini", "-s", "/etc/passwd"],
    &["dumb-init", "true"],
    &["dumb-init", "false"],
    &["dumb-init", "--", "sh", "-c", ENDS],
    &["dumb-init", "sh", "-c", KILLED],
    &["dumb-init", "-c", "sh", "-c", KILLED],
    &["dumb-init", "--single-child", "echo", "word"],
    &["DUMB_INIT_SETSID=0", "dumb-init", "echo", "word"],
    &["DUMB_INIT_SETSID=1", "dumb-init", "echo", "word"],
    &["dumb-init", "-v", "echo", "word"],
    &["DUMB_INIT_DEBUG=1", "dumb-init", "echo", "word"],
    &["dumb-init", "-r", "15:2", "true"],
    &["dumb-init", "-r15:0", "--rewrite", "2:15", "--rewrite=1:0", "true"],
    &["dumb-init", "-r", "99:1", "true"],
    &["dumb-init", "-r", "15", "true"],
    &["dumb-init", "-r", "x:2", "true"],
    &["dumb-init", "-r", "15:x", "true"],
    &["dumb-init", "-r", "15:32", "true"],
    &["dumb-init", "-h"],
    &["dumb-init", "--help"],
    &["dumb-init"],
    &["dumb-init", "-Z", "true"],
    &["dumb-init", "--none", "true"],
    &["dumb-init", "nothing-of-that-name"],
    &["dumb-init", "/etc"],
    &["dumb-init", "/etc/passwd"],
    &["catatonit", "true"],
    &["catatonit", "--", "sh", "-c", ENDS],
    &["catatonit", "-g", "--", "sh", "-c", KILLED],
    &["catatonit", "--", "echo", "-g", "word"],
    &["CATATONIT_DEBUG=1", "catatonit", "echo", "word"],
    &["catatonit", "-h"],
    &["catatonit"],
    &["catatonit", "-Z"],
    &["catatonit", "--help"],
    &["catatonit", "nothing-of-that-name"],
    &["catatonit", "/etc"],
];

#[test]
fn codes_and_streams_are_the_same() {
    for words in CALLS {
        same(words, |launch| {
            let ended = launch.run();
            (ended.code(), ended.out.clone(), ended.err_bytes.is_empty())
        });
    }
}

/// Found, permitted, and refused by the kernel.
#[test]
fn codes_of_a_failed_exec_are_the_same() {
    let directory = Directory::new();
    for text in ["#!/nowhere/sh\n", "#!/etc/passwd\n", "exit 9\n"] {
        let file = directory.file("command");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for name in ["tini", "dumb-init", "catatonit"] {
            same(&[name, file.to_str().unwrap()], |launch| launch.run().code());
        }
    }
}

/// tini and catatonit take the `-l` for their own and print their licence or their usage.
#[test]
fn options_of_the_command_need_no_separator() {
    for name in ["tini", "dumb-init", "catatonit"] {
        let [_, (_, program, _directory)] = both(name);
        let ended = call(&[name, "ls", "-l", "/etc/passwd"], program).run();
        assert!(ended.code() == 0 && ended.out.starts_with("-rw"), "{name}: {}", ended.out);
    }
}

/// What they print on request is each one's own, but begins alike and goes the same way.
#[test]
fn versions_begin_alike() {
    for words in [&["tini", "--version"][..], &["dumb-init", "-V"], &["dumb-init", "--version"], &["catatonit", "-V"]] {
        let first =
            |ended: &Ended| format!("{}{}", ended.out, ended.err()).split([' ', '\n']).take(3).collect::<String>();
        same(words, |launch| {
            let ended = launch.run();
            (ended.code(), ended.out.is_empty(), first(&ended).replace("(cantella", ""))
        });
    }
}

/// Debug words go to stderr here, never to stdout as tini's do.
#[test]
fn a_talking_tini_talks_on_standard_error() {
    for words in [&["tini", "-s", "-vvv", "echo", "word"][..], &["TINI_VERBOSITY=3", "tini", "-s", "echo", "word"]] {
        let [_, (_, program, _directory)] = both("tini");
        let ended = call(words, program).run();
        assert_eq!((ended.code(), ended.out.as_str()), (0, "word\n"));
        assert!(!ended.err().is_empty());
    }
}

/// How a child stands to its init.
#[derive(Debug, PartialEq)]
struct Place {
    leads_group: bool,
    leads_session: bool,
    keeps_directory: bool,
    inits_directory: PathBuf,
}

fn place(launch: Launch) -> Place {
    let manager = launch.start();
    let child = child(&manager);
    eventually("sleep", || (proc::name(child) == "sleep").then_some(()));
    let directory = |pid| std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    let here = std::env::current_dir().unwrap();
    // The init may be a moment behind its child.
    within(Duration::from_millis(200), || (directory(manager.pid) != here).then_some(()));
    let stat = proc::stat(child).unwrap();
    Place {
        leads_group: stat.group == child,
        leads_session: stat.session == child,
        keeps_directory: directory(child) == here,
        inits_directory: directory(manager.pid),
    }
}

#[test]
fn group_session_and_directory_are_the_same() {
    for words in [
        &["tini", "-s", "sleep", "1000"][..],
        &["tini", "-sg", "sleep", "1000"],
        &["dumb-init", "sleep", "1000"],
        &["dumb-init", "-c", "sleep", "1000"],
        &["DUMB_INIT_SETSID=0", "dumb-init", "sleep", "1000"],
    ] {
        assert!(same(words, place).keeps_directory, "{words:?}");
    }
    // The contract sends the init to `/` here too; Debian's stays where it is.
    let [theirs, ours] =
        both("catatonit").map(|(_, program, _directory)| place(call(&["catatonit", "sleep", "1000"], program)));
    assert_eq!(ours, Place { inits_directory: PathBuf::from("/"), ..theirs });
}

/// A child with a second process in its group; both say what they get.
fn family() -> String {
    let traps = "trap 'echo child 1' HUP; trap 'echo child 2' INT; trap 'echo child 3' QUIT; trap 'echo child 10' USR1; \
                 trap 'echo child 15; exit 3' TERM";
    format!("{traps}; {} catch 1 2 3 10 & while :; do wait; done", worker())
}

/// What both said within a moment after the signals.
fn said(launch: Launch, signals: &[i32]) -> (Vec<String>, i32) {
    let manager = launch.start();
    manager.says("ready");
    for &signal in signals {
        manager.signal(signal);
        std::thread::sleep(Duration::from_millis(150));
    }
    let ended = manager.end_by(TERM);
    let mut lines: Vec<String> = ended.out.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    (lines, ended.code())
}

#[test]
fn signals_reach_the_same_processes() {
    let family = family();
    for options in [
        &["tini", "-s"][..],
        &["tini", "-sg"],
        &["TINI_KILL_PROCESS_GROUP=", "tini", "-s"],
        &["dumb-init"],
        &["dumb-init", "-c"],
        &["dumb-init", "-r", "10:1", "-r", "2:0"],
        &["catatonit"],
        &["catatonit", "-g"],
    ] {
        let words = [options, &["--", "sh", "-c", &family]].concat();
        let (lines, code) = same(&words, |launch| said(launch, &[HUP, INT, QUIT, USR1]));
        assert!(code == 3 && lines.contains(&"child 15".to_owned()), "{words:?}: {code} {lines:?}");
    }
}

/// At the child's end tini and catatonit leave at once; dumb-init says farewell to the group of its child.
#[test]
fn at_the_childs_end_the_rest_is_treated_the_same() {
    let leaving = format!("{} catch 15 & sleep 0.3; exit 7", worker());
    for options in [&["tini", "-s"][..], &["dumb-init"], &["dumb-init", "-c"], &["catatonit"]] {
        let words = [options, &["--", "sh", "-c", &leaving]].concat();
        same(&words, |launch| {
            let ended = launch.run();
            let left =
                within(Duration::from_millis(300), || ended.left.iter().all(|&pid| !proc::is_alive(pid)).then_some(()));
            for &pid in &ended.left {
                try_send(pid, KILL);
            }
            (ended.code(), left.is_some())
        });
    }
}

/// Stopped by the terminal's signal, dumb-init stops its child for good and itself.
#[test]
fn a_stop_is_the_same() {
    for words in [&["dumb-init", "sleep", "1000"][..], &["dumb-init", "-c", "sleep", "1000"]] {
        let states = |launch: Launch| {
            let manager = launch.start();
            let child = child(&manager);
            eventually("sleep", || (proc::name(child) == "sleep").then_some(()));
            manager.signal(TSTP);
            let state = |pid| proc::stat(pid).map_or('-', |stat| stat.state);
            within(Duration::from_secs(2), || (state(child) == 'T' && state(manager.pid) == 'T').then_some(()))
                .is_some()
        };
        assert!(same(words, states), "{words:?}");
    }
}

/// Starts the pause and ends it.
fn pause(launch: Launch, signal: i32) -> i32 {
    let manager = launch.start();
    eventually("a handler", || (proc::stat(manager.pid)?.state == 'S').then_some(()));
    std::thread::sleep(Duration::from_millis(100));
    manager.end_by(signal).code()
}

#[test]
fn catatonits_pause_ends_by_term_and_int() {
    for signal in [TERM, INT] {
        assert_eq!(same(&["catatonit", "-P"], |launch| pause(launch.within_pid_namespace(), signal)), 0);
    }
}

#[test]
fn catatonits_pause_reaps() {
    let [_, (_, program, _directory)] = both("catatonit");
    let manager = call(&["catatonit", "-P"], program).within_pid_namespace().start();
    let enter = format!("nsenter -t {} -p -m sh -c '(setsid sh -c \"sleep 0.1\" &) ; exit'", manager.pid);
    assert!(std::process::Command::new("sh").args(["-c", &enter]).status().unwrap().success());
    eventually("no zombies", || {
        std::thread::sleep(Duration::from_millis(200));
        proc::children(manager.pid).is_empty().then_some(())
    });
}

/// As PID 1 they all do what they are for.
#[test]
fn as_pid_1_codes_are_the_same() {
    for options in [&["tini"][..], &["dumb-init"], &["dumb-init", "-c"], &["catatonit"]] {
        for end in [ENDS, KILLED, "(setsid sleep 1000 &); exit 7"] {
            let words = [options, &["--", "sh", "-c", end]].concat();
            same(&words, |launch| {
                let ended = launch.within_pid_namespace().run();
                (ended.code(), ended.out.clone(), ended.err_bytes.is_empty())
            });
        }
    }
}

/// tini -w, dumb-init -v and catatonit's debug mode name what they reap.
#[test]
fn reaped_zombies_are_named_where_that_is_asked_for() {
    for words in [&["tini", "-w"][..], &["dumb-init", "-v"], &["CATATONIT_DEBUG=1", "catatonit"]] {
        let [_, (_, program, _directory)] = both(name(words));
        let words = [words, &["--", "sh", "-c", "(true &); sleep 0.3"]].concat();
        let ended = call(&words, program).within_pid_namespace().run();
        assert!(ended.err().contains("Reaped zombie process with pid="), "{words:?}: {}", ended.err());
    }
}

/// Each one's defects are not kept: what was lost, hung or left behind there.
#[test]
fn the_defects_of_the_others_are_not_kept() {
    for words in [
        &["tini", "-s"][..],
        &["tini", "-sg"],
        &["dumb-init"],
        &["dumb-init", "-c"],
        &["catatonit"],
        &["catatonit", "-g"],
    ] {
        let start = |arguments: &[&str], prefix: &[&str]| -> (Manager, Directory) {
            let [_, (_, program, directory)] = both(name(words));
            (call(&[words, arguments].concat(), program).through(prefix).start(), directory)
        };
        let (manager, _directory) = start(&["sh", "-c", ENDS], &["env", "--ignore-signal=CHLD"]);
        assert_eq!(manager.end().code(), 7, "{words:?} with SIGCHLD ignored");
        let (manager, _directory) = start(&["sh", "-c", ENDS], &["sh", "-c", "exec \"$@\" <&- 2>&-", "sh"]);
        assert_eq!(manager.end().code(), 7, "{words:?} with stdin and stderr closed");
        let (manager, _directory) = start(&["sleep", "1000"], &["nohup"]);
        let own = child(&manager);
        eventually("sleep", || (proc::name(own) == "sleep").then_some(()));
        assert!(!proc::catches(own, HUP) && proc::has(proc::signal_set(own, "SigIgn"), HUP), "{words:?} by nohup");
        assert_eq!(proc::signal_set(own, "SigBlk"), 0, "{words:?}: the mask");
        manager.signal(KILL);
        eventually("the child's end", || (!proc::is_alive(own)).then_some(()));
        for round in 0..super::rounds(10, 500) {
            let (manager, _directory) = start(&["sleep", "1000"], &[]);
            std::thread::sleep(Duration::from_micros(u64::from(round * 7919 % 2000)));
            assert_eq!(manager.end_by(TERM).code(), 143, "{words:?}");
        }
    }
}
