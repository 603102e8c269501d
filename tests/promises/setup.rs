//! What a worker starts with: session, descriptors, signals, credentials, limits, environment.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::signals::{CHLD, HUP, INT, KILL, PIPE, TERM, USR1, send};
use crate::common::{Launch, Manager, PATIENCE, Pid, eventually, proc, within};

const SLEEP: [&str; 3] = ["--", "sleep", "1000"];

/// Starts one worker that sleeps and waits until it is its own program.
fn sleeper(launch: Launch) -> (Manager, Pid) {
    let manager = launch.with(&SLEEP).start();
    let worker = manager.workers_running(1, Path::new("/usr/bin/sleep"))[0];
    (manager, worker)
}

fn with(options: &[&str]) -> (Manager, Pid) {
    sleeper(Launch::new(&[&["-w1"], options].concat()))
}

/// Waits until a process has exactly these descriptors; its own start opens others for a moment.
#[track_caller]
fn wait_for_descriptors(pid: Pid, wanted: &[i32]) {
    let numbers = || proc::descriptors(pid).iter().map(|(number, _)| *number).collect::<Vec<_>>();
    let found = within(PATIENCE, || (numbers() == wanted).then_some(()));
    assert!(found.is_some(), "{:?} instead of {wanted:?}", proc::descriptors(pid));
}

/// F20: the original documents the first and never does it, and does the reverse of the second.
#[test]
fn detaching_and_process_groups_do_what_they_say() {
    let (manager, worker) = with(&[]);
    let stat = proc::stat(worker).unwrap();
    assert_eq!((stat.session, stat.group), (worker, worker), "a session of its own");
    let own = proc::stat(manager.pid).unwrap();
    let (_manager, worker) = with(&["--no-detach"]);
    let stat = proc::stat(worker).unwrap();
    assert_eq!((stat.session, stat.group), (own.session, worker), "a group of its own in the manager's session");
    let (manager, worker) = with(&["--no-detach", "--no-process-group", "--kill-mode", "worker"]);
    let own = proc::stat(manager.pid).unwrap();
    let stat = proc::stat(worker).unwrap();
    assert_eq!((stat.session, stat.group), (own.session, own.group), "neither");
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// F3.
#[test]
fn a_worker_has_its_three_descriptors_and_no_others() {
    let close = "for fd in /proc/self/fd/*; do fd=${fd##*/}; [ $fd -lt 3 ] || eval \"exec $fd>&-\"; done";
    let open_seven = ["bash", "-c", &format!("{close}; exec 7</dev/zero; exec \"$@\""), "bash"];
    let (_manager, worker) = sleeper(Launch::new(&["-w1"]).through(&open_seven));
    wait_for_descriptors(worker, &[0, 1, 2]);
    let (_manager, worker) = sleeper(Launch::new(&["-w1", "--keep-fds"]).through(&open_seven));
    wait_for_descriptors(worker, &[0, 1, 2, 7]);
}

#[test]
fn descriptors_are_closed_without_close_range_too() {
    let options = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=close_range:error=ENOSYS"];
    let open_many = ["sh", "-c", "exec 7</dev/zero 9</dev/zero; exec \"$@\"", "sh"];
    let launch = Launch::new(&["-w1"]).through(&open_many).below(&options);
    let (manager, worker) = sleeper(launch);
    wait_for_descriptors(worker, &[0, 1, 2]);
    assert_eq!(manager.end_by(TERM).code(), 0);
}

/// F18.
#[test]
fn closing_descriptors_does_not_cost_their_limit_in_system_calls() {
    let launch = Launch::new(&["-w1"]).through(&["prlimit", "--nofile=10000"]);
    let trace = launch.file("trace");
    let options = ["strace", "-f", "-qq", "-e", "trace=close,close_range,fcntl", "-o", trace.to_str().unwrap()];
    let (manager, _) = sleeper(launch.below(&options));
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0);
    let calls = fs::read_to_string(trace).unwrap().lines().count();
    assert!((1..1000).contains(&calls), "{calls} calls");
}

/// A pipe end that a sibling holds hides the other end's death.
#[test]
fn workers_share_no_pipe_with_their_siblings() {
    let manager = Manager::start(&["-w4", "--stdin", "null", "--", "sleep", "1000"]);
    let mut seen: Vec<PathBuf> = Vec::new();
    for pid in manager.workers_running(4, Path::new("/usr/bin/sleep")) {
        let pipes = proc::descriptors(pid).into_iter().map(|(_, path)| path);
        let pipes: Vec<PathBuf> = pipes.filter(|path| path.to_string_lossy().starts_with("pipe:")).collect();
        assert_eq!(pipes.len(), 2, "out and err are told apart: {pipes:?}");
        assert!(pipes.iter().all(|pipe| !seen.contains(pipe)), "shared: {pipes:?}");
        seen.extend(pipes);
    }
}

#[test]
fn standard_input_is_what_was_asked_for() {
    let (_manager, worker) = with(&[]);
    assert_eq!(proc::descriptors(worker)[0].1, Path::new("/dev/null"));
    let launch = Launch::new(&["-w1", "--stdin", "inherit"]).stdin(fs::File::open("/dev/zero").unwrap());
    let (_manager, worker) = sleeper(launch);
    assert_eq!(proc::descriptors(worker)[0].1, Path::new("/dev/zero"));
}

#[test]
fn the_lifeline_ends_when_the_manager_is_gone_and_not_before() {
    let options = ["-w3", "--stdin", "lifeline", "--death-signal", "none", "--", "cat"];
    let manager = Manager::start(&options);
    let workers = manager.workers_running(3, Path::new("/usr/bin/cat"));
    manager.signal(KILL);
    eventually("workers that saw the end", || workers.iter().all(|&pid| !proc::is_alive(pid)).then_some(()));
}

#[test]
fn a_closed_standard_descriptor_is_no_obstacle() {
    for close in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let closing = format!("exec {close}; exec \"$@\"");
        let launch = Launch::new(&["-w1"]).through(&["sh", "-c", &closing, "sh"]);
        let (manager, worker) = sleeper(launch);
        wait_for_descriptors(worker, &[0, 1, 2]);
        send(worker, KILL);
        eventually("its end", || (!proc::is_alive(worker)).then_some(()));
        manager.workers_running(1, Path::new("/usr/bin/sleep"));
        assert_eq!(manager.end_by(TERM).code(), 0, "{close}");
    }
}

#[test]
fn a_worker_starts_with_the_mask_and_the_ignored_signals_of_its_manager() {
    // Two signals are glibc's own; its posix_spawn(3), which starts the manager here, ignores them.
    let ignored = |pid: Pid| proc::signal_set(pid, "SigIgn") & !(0b11 << 31);
    let (_manager, worker) = with(&[]);
    assert_eq!((proc::signal_set(worker, "SigBlk"), ignored(worker)), (0, 0));
    let through = ["env", "--block-signal=USR1,HUP,TERM", "--ignore-signal=INT,PIPE,CHLD"];
    let (manager, worker) =
        sleeper(Launch::new(&["-w1", "--min-uptime", "0", "--stop-timeout", "1s"]).through(&through));
    let set = |signals: &[i32]| signals.iter().fold(0_u64, |set, signal| set | 1 << (signal - 1));
    assert_eq!(proc::signal_set(worker, "SigBlk"), set(&[USR1, HUP, TERM]));
    assert_eq!(ignored(worker), set(&[INT, PIPE]), "CHLD is at its default");
    assert!(!proc::has(proc::signal_set(worker, "SigCgt"), CHLD));
    // It reaps although its CHLD was ignored, and stops although its TERM was blocked.
    send(worker, KILL);
    manager.record("generation 2", |record| record.tells("started") && record.number("generation") == 2);
    assert_eq!(manager.end_by(TERM).code(), 124, "a worker that blocks TERM has to be killed");
}

#[test]
fn a_worker_that_is_started_under_nohup_survives_hup() {
    let (_manager, worker) = sleeper(Launch::new(&["-w1"]).through(&["nohup"]));
    assert!(proc::has(proc::signal_set(worker, "SigIgn"), HUP));
}

#[test]
fn the_priority_is_a_delta() {
    let own = proc::stat(std::process::id().cast_signed()).unwrap().nice;
    let (_manager, worker) = with(&["--priority", "5"]);
    assert_eq!(proc::stat(worker).unwrap().nice, (own + 5).min(19));
}

/// F21: the original ignores it silently.
#[test]
fn what_is_not_permitted_is_an_error_at_start() {
    let unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
    for option in
        [["--priority", "-5"], ["--oom-score-adj", "-900"], ["--rlimit", "core=0:unlimited"], ["--user", "0:0"]]
    {
        let launch = Launch::bare(&["-w1"]).with(&option).with(&SLEEP);
        let launch = launch.through(&unprivileged).through(&["prlimit", "--core=0:0"]);
        let ended = launch.run();
        assert_eq!(ended.code(), 125, "{option:?}: {}", ended.err());
        assert_eq!(ended.err().lines().count(), 1, "{option:?}: {}", ended.err());
        assert!(ended.err().contains(option[0]), "{}", ended.err());
    }
}

#[test]
fn the_user_is_dropped_for_good() {
    for (user, uid, gid) in [("nobody", 65534, 65534), ("4242:4343", 4242, 4343), ("nobody:daemon", 65534, 1)] {
        let (_manager, worker) = with(&["--user", user]);
        let status = proc::status(worker);
        assert_eq!(status["Uid"], [uid; 4].map(|id| id.to_string()).join("\t"), "{user}");
        assert_eq!(status["Gid"], [gid; 4].map(|id| id.to_string()).join("\t"), "{user}");
        assert!(status["Groups"].split_whitespace().all(|id| id == gid.to_string()), "{user}: {}", status["Groups"]);
        for capabilities in ["CapPrm", "CapEff"] {
            assert_eq!(u64::from_str_radix(&status[capabilities], 16), Ok(0), "{user}");
        }
    }
}

#[test]
fn a_user_brings_the_groups_of_the_group_file() {
    let launch = Launch::new(&["-w1", "--user", "nobody"]);
    let groups = launch.file("group");
    fs::write(&groups, "root:x:0:\nnogroup:x:65534:\none:x:7001:nobody\ntwo:x:7002:a,nobody,b\nno:x:7003:nobodyelse\n")
        .unwrap();
    let bind = ["unshare", "-m", "sh", "-c", "mount --bind \"$0\" /etc/group && exec \"$@\"", groups.to_str().unwrap()];
    let (_manager, worker) = sleeper(launch.through(&bind));
    let status = proc::status(worker);
    let mut found: Vec<&str> = status["Groups"].split_whitespace().collect();
    found.sort_unstable();
    assert_eq!(found, ["65534", "7001", "7002"]);
}

#[test]
fn a_user_keeps_the_death_signal() {
    let (manager, worker) = with(&["--user", "nobody"]);
    manager.signal(KILL);
    eventually("the worker's end", || (!proc::is_alive(worker)).then_some(()));
}

#[test]
fn limits_and_umask_and_directory_and_scores_are_set() {
    let options = [
        "--rlimit",
        "nofile=100:200",
        "--rlimit",
        "core=0",
        "--rlimit",
        "fsize=1M:unlimited",
        "--umask",
        "027",
        "--chdir",
        "/usr",
        "--oom-score-adj",
        "500",
        "--no-new-privs",
    ];
    let (_manager, worker) = with(&options);
    let limits = fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[26..].split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(limit("Max open files"), ["100", "200"]);
    assert_eq!(limit("Max core file size"), ["0", "0"]);
    assert_eq!(limit("Max file size"), ["1048576", "unlimited"]);
    let status = proc::status(worker);
    assert_eq!((status["Umask"].as_str(), status["NoNewPrivs"].as_str()), ("0027", "1"));
    assert_eq!(fs::read_link(format!("/proc/{worker}/cwd")).unwrap(), Path::new("/usr"));
    assert_eq!(fs::read_to_string(format!("/proc/{worker}/oom_score_adj")).unwrap().trim(), "500");
}

#[test]
fn the_command_is_found_before_the_directory_changes() {
    let launch = Launch::new(&["-w1", "--chdir", "/", "--", "./program", "1000"]);
    let program = launch.file("program");
    fs::copy("/usr/bin/sleep", &program).unwrap();
    let directory = program.parent().unwrap().to_str().unwrap().to_owned();
    let manager = launch.through(&["env", "-C", &directory]).start();
    let worker = manager.workers_running(1, &program)[0];
    assert_eq!(fs::read_link(format!("/proc/{worker}/cwd")).unwrap(), Path::new("/"));
}

#[test]
fn workers_get_the_descriptor_limit_the_manager_was_started_with() {
    let launch = Launch::new(&["-w", "100"]).through(&["prlimit", "--nofile=64:4096"]);
    let manager = launch.with(&SLEEP).start();
    for worker in manager.workers_running(100, Path::new("/usr/bin/sleep")) {
        let limits = fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        assert_eq!(line[26..].split_whitespace().next(), Some("64"));
    }
    assert_eq!(manager.end_by(TERM).code(), 0);
}

#[test]
fn a_descriptor_limit_that_is_too_low_is_told_at_start() {
    let launch = Launch::bare(&["-w", "100"]).through(&["prlimit", "--nofile=64:64"]);
    let ended = launch.with(&SLEEP).run();
    assert_eq!(ended.code(), 125, "{}", ended.err());
    assert_eq!(ended.err().lines().count(), 1, "{}", ended.err());
    assert!(ended.err().contains("64"), "needed and allowed: {}", ended.err());
}

#[test]
fn the_environment_says_who_a_worker_is_and_hides_the_managers_options() {
    let launch = Launch::new(&["--env", "A=1", "--env", "B=two words"]).env("CANTELLA_WORKERS", "2");
    let launch = launch.env("CANTELLA_POOL", "web").env("LISTEN_FDS", "1").env("NOTIFY_SOCKET", "/x").env("C", "3");
    // Nobody may take a worker for another.
    let launch = launch.with(&["--env", "CANTELLA_WORKER_SLOT=77", "--env", "CANTELLA_MANAGER_PID=1"]);
    let manager = launch.with(&SLEEP).start();
    let mut slots = Vec::new();
    for worker in manager.workers_running(2, Path::new("/usr/bin/sleep")) {
        let environment = proc::environment(worker);
        let value = |name: &str| {
            let found: Vec<&str> = environment.iter().filter_map(|row| row.strip_prefix(&format!("{name}="))).collect();
            assert!(found.len() < 2, "{name} twice: {environment:?}");
            found.first().map(|value| (*value).to_owned())
        };
        slots.extend(value("CANTELLA_WORKER_SLOT"));
        assert_eq!(value("CANTELLA_WORKER_GENERATION").as_deref(), Some("1"));
        assert_eq!(value("CANTELLA_WORKER_POOL").as_deref(), Some("web"));
        assert_eq!(value("CANTELLA_MANAGER_PID"), Some(manager.pid.to_string()));
        let given = ["A", "B", "C"].map(|name| value(name).unwrap());
        assert_eq!(given, ["1", "two words", "3"]);
        let hidden = ["CANTELLA_WORKERS", "CANTELLA_POOL", "LISTEN_FDS", "NOTIFY_SOCKET"];
        assert!(hidden.iter().all(|name| value(name).is_none()), "{environment:?}");
    }
    slots.sort();
    assert_eq!(slots, ["0", "1"]);
}

#[test]
fn a_cleared_environment_holds_what_was_asked_for_alone() {
    let (_manager, worker) = with(&["--clear-env", "--env", "A=1"]);
    let environment = proc::environment(worker);
    let foreign = environment.iter().filter(|row| !row.starts_with("CANTELLA_"));
    assert_eq!(foreign.collect::<Vec<_>>(), ["A=1"]);
    send(worker, KILL);
}

#[test]
fn a_name_shows_on_manager_and_workers() {
    let launch = Launch::new(&["-w1", "--name", "a-very-long-program-name"]);
    let (manager, worker) = sleeper(launch);
    assert_eq!(proc::arguments(worker)[0], "a-very-long-program-name");
    assert_eq!(proc::name(manager.pid), "a-very-long--pm");
    assert_eq!(proc::arguments(manager.pid)[0], "a-very-long-program-name-pm");
    let (manager, worker) = with(&[]);
    assert_eq!(proc::arguments(worker)[0], "sleep");
    assert_eq!(proc::name(manager.pid), "cantella");
}

#[test]
fn a_failing_step_of_the_setup_is_named_and_the_command_never_runs() {
    let launch = Launch::new(&["-w1", "--backoff", "50ms..50ms", "--chdir"]);
    let (place, proof) = (launch.file("place"), launch.file("proof"));
    fs::create_dir(&place).unwrap();
    let script = "touch \"$0\"; exec sleep 1000";
    let arguments = [place.to_str().unwrap(), "--", "sh", "-c", script, proof.to_str().unwrap()];
    let manager = launch.with(&arguments).start();
    eventually("a first worker", || proof.exists().then_some(()));
    let worker = manager.workers(1)[0];
    fs::remove_dir(&place).unwrap();
    fs::remove_file(&proof).unwrap();
    send(worker, KILL);
    let told = manager.record("the failed step", |record| record.tells("exec"));
    assert!(told.text("msg").contains("directory"), "{told:?}");
    manager.record("the wait", |record| record.tells("backoff"));
    assert!(!proof.exists());
}
