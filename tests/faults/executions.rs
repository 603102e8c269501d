//! Programs that cannot be executed any more: gone, forbidden, replaced by something else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::common::log::Record;
use crate::common::signals::{KILL, send_all};
use crate::common::{Directory, Ended, Launch, Manager};
use crate::kit::{NOISE, busy, end_well};

/// Puts a copy of sleep there that may be executed.
fn install(program: &Path) {
    fs::copy("/usr/bin/sleep", program).expect("a copy");
}

fn start(program: &Path, options: &[&str]) -> Manager {
    install(program);
    let program = program.display().to_string();
    Manager::start(&[&["-w2", "--min-uptime", "0"], options, &["--", &program, "1000"]].concat())
}

/// Kills both workers and waits for three failed starts of each.
fn fail(manager: &Manager) {
    send_all(&manager.workers(2), KILL);
    for slot in 0..2 {
        manager.count_of("a failed start", 3, |record| record.tells("exec") && record.number("worker") == slot);
    }
}

/// Checks that each failed start was told with this reason, at once, and was followed by a longer wait.
#[track_caller]
fn assert_told(ended: &Ended, reason: &str) {
    let failures = ended.events("exec");
    let told = |record: &Record| record.text("msg").contains(reason);
    assert!(failures.iter().all(told), "{reason}: {}", ended.err());
    let mut delays = Vec::new();
    for slot in 0..2 {
        let millis = |event| -> Vec<i64> {
            let events = ended.events(event).into_iter().filter(|record| record.number("worker") == slot);
            events.map(|record| record.millis()).collect()
        };
        let (starts, reports) = (millis("started"), millis("exec"));
        // The first start of each was a good one.
        delays.extend(starts[1..].iter().zip(reports).map(|(start, report)| report - start));
        assert!(starts[2] - starts[1] >= 90 && starts[3] - starts[2] >= 180, "{reason}: {starts:?}");
    }
    delays.sort_unstable();
    let usual = delays[delays.len() / 2];
    assert!(usual <= i64::from(10 * NOISE), "{reason}: told after {usual} ms\n{}", ended.err());
}

/// What is done to a program.
type Harm<'a> = &'a dyn Fn(&Path);

/// T26: what the kernel said is told at once, and the back-off keeps an error that stays from being tried at full speed.
#[test]
fn a_program_that_cannot_be_executed_is_told_by_its_error() {
    let _busy = busy();
    let replace = |program: &Path, content: &[u8]| {
        fs::remove_file(program).expect("its removal");
        fs::write(program, content).expect("another file");
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("its mode");
    };
    let faults: [(Harm<'_>, &str); 5] = [
        (
            &|program| fs::remove_file(program).expect("its removal"),
            "cannot execute: No such file or directory (errno 2)",
        ),
        (
            &|program| fs::set_permissions(program, fs::Permissions::from_mode(0o644)).expect("its mode"),
            "cannot execute: Permission denied (errno 13)",
        ),
        (&|program| replace(program, b"no program"), "cannot execute: Exec format error (errno 8)"),
        (&|program| replace(program, b"#!/nowhere/sh\n"), "cannot execute: No such file or directory (errno 2)"),
        (
            &|program| replace(program, b"\x7fELF\x02\x01\x01 but only so far"),
            "cannot execute: Exec format error (errno 8)",
        ),
    ];
    for (spoil, reason) in faults {
        let directory = Directory::new();
        let program = directory.file("program");
        let manager = start(&program, &[]);
        manager.workers_running(2, &program);
        spoil(&program);
        fail(&manager);
        assert_told(&end_well(manager), reason);
    }
}

/// T26: somebody still writes the program; when that is over, the pool is whole again by itself.
#[test]
fn a_program_that_is_being_written_is_executed_once_that_is_over() {
    let _busy = busy();
    let directory = Directory::new();
    let program = directory.file("program");
    let manager = start(&program, &[]);
    manager.workers_running(2, &program);
    // A new file: the running workers keep the old one from being written.
    fs::remove_file(&program).unwrap();
    install(&program);
    let writer = fs::OpenOptions::new().append(true).open(&program).unwrap();
    fail(&manager);
    drop(writer);
    manager.workers_running(2, &program);
    assert_told(&end_well(manager), "cannot execute: Text file busy (errno 26)");
}

/// T26: arguments that are too long for a worker's limit are told, and give up as asked.
#[test]
fn arguments_that_are_too_long_are_told() {
    let long = "x".repeat(100_000);
    let options = ["-w1", "--rlimit=stack=512K", "--give-up=2/1h", "--backoff=0..0", "--", "true", &long, &long, &long];
    let ended = Launch::new(&options).run();
    assert_eq!(ended.code(), 1, "{}", ended.err());
    let told = |record: &Record| record.text("msg").ends_with("Argument list too long (errno 7)");
    assert_eq!(ended.events("exec").iter().filter(|record| told(record)).count(), 3, "{}", ended.err());
}

/// T26, T27: a directory that goes away is a step that fails; the worker never runs elsewhere.
#[test]
fn a_directory_that_goes_away_is_told_as_what_it_is() {
    let _busy = busy();
    let directory = Directory::new();
    let (program, place) = (directory.file("program"), directory.file("place"));
    fs::create_dir(&place).unwrap();
    let manager = start(&program, &["--chdir", &place.display().to_string()]);
    manager.workers_running(2, &program);
    fs::remove_dir(&place).unwrap();
    fail(&manager);
    fs::create_dir(&place).unwrap();
    manager.workers_running(2, &program);
    assert_told(&end_well(manager), "cannot change the directory: No such file or directory (errno 2)");
}

/// Beyond the table: the file of the program is replaced, and the next workers run the new one.
#[test]
fn a_replaced_program_is_what_the_next_workers_run() {
    let directory = Directory::new();
    let program = directory.file("program");
    let manager = start(&program, &[]);
    let old = manager.workers_running(2, &program);
    let next = directory.file("next");
    fs::write(&next, "#!/bin/sh\nexec sleep 2000\n").unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&next, &program).unwrap();
    send_all(&old, KILL);
    manager.workers_running(2, Path::new("/usr/bin/sleep"));
    let ended = end_well(manager);
    assert!(ended.events("exec").is_empty(), "{}", ended.err());
}
