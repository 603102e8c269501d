//! Exit codes and streams: the child's own, and not a word added.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{init, script};
use crate::common::signals::TERM;
use crate::common::worker;

#[test]
fn the_code_is_the_childs_or_128_and_the_signal_that_ended_it() {
    for (ending, code) in [
        ("exit 0", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("ulimit -c 0; kill -SEGV $$", 139),
        ("kill -64 $$", 192),
    ] {
        let ended = script(&[], ending).run();
        assert_eq!((ended.code(), ended.out.as_str(), ended.err().as_str()), (code, "", ""), "{ending}");
    }
}

#[test]
fn exit_codes_are_mapped() {
    let map = ["--map-exit", "143=0", "--map-exit=3=4"];
    for (ending, code) in [("exit 3", 4), ("exit 4", 4), ("exit 5", 5), ("kill -TERM $$", 0)] {
        assert_eq!(script(&map, ending).run().code(), code, "{ending}");
    }
}

#[test]
fn options_end_at_the_command() {
    let list = ["ls", "-l", "/etc/passwd"];
    let expected = std::process::Command::new(list[0]).args(&list[1..]).output().unwrap();
    for separator in [&[][..], &["--"]] {
        let ended = init(&[separator, &list].concat()).run();
        assert_eq!((ended.code(), ended.out.as_bytes()), (0, expected.stdout.as_slice()), "{separator:?}");
    }
}

#[test]
fn nothing_is_said_unless_something_is_wrong() {
    let ended = script(&["--drain=2s"], "sleep 1000 & exit 0").run();
    assert_eq!((ended.out.as_str(), ended.err().as_str()), ("", ""));
}

#[test]
fn debug_talk_goes_to_standard_error_and_never_to_standard_output() {
    let ended = script(&["--log-level=debug"], "exit 0").run();
    assert_eq!((ended.code(), ended.out.as_str()), (0, ""));
    assert!(ended.err().contains("started"), "{}", ended.err());
}

#[test]
fn the_childs_output_is_its_own() {
    let ended = script(&[], "echo out; echo err >&2; printf unfinished").run();
    assert_eq!((ended.out.as_str(), ended.err().as_str()), ("out\nunfinished", "err\n"));
}

/// Found on PATH and permitted, but the kernel refuses it.
#[test]
fn a_command_that_fails_at_exec_gives_127_for_what_is_missing_and_else_126() {
    for (text, code) in [("#!/nowhere/sh\n", 127), ("no program\n", 126)] {
        let launch = init(&["--"]);
        let file = launch.file("command");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let ended = launch.with(&[file.to_str().unwrap()]).run();
        assert_eq!((ended.code(), ended.out.as_str()), (code, ""), "{text:?}");
        assert_eq!(ended.err().lines().count(), 1, "{text:?}: {}", ended.err());
    }
}

#[test]
fn a_child_that_had_to_be_killed_gives_137() {
    let manager = init(&["--stop-timeout=300ms", worker(), "ignore", "15"]).start();
    manager.says("ready");
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 137);
    assert!(ended.took.as_millis() >= 290, "{:?}", ended.took);
}
