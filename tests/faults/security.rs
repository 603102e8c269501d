//! Hostile workers, hostile environments, and a drop of privileges that holds.

use std::path::Path;

use crate::common::signals::{INT, KILL, TERM, send};
use crate::common::{Launch, Manager, eventually, proc};
use crate::kit::{Herd, SLEEP, SLEEPERS, WORLDS, World, busy, end_well, imp, is_dynamic};

const NOBODY: &str = "65534";

/// Checks from outside that a worker is nobody, in all four senses of each id, with nothing that leads back.
#[track_caller]
fn assert_nobody(pid: i32, how: &[&str]) {
    let status = proc::status(pid);
    for ids in ["Uid", "Gid"] {
        assert_eq!(status[ids], [NOBODY; 4].join("\t"), "{how:?}: {ids}");
    }
    assert_eq!(status["Groups"], NOBODY, "{how:?}");
    for capabilities in ["CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(u64::from_str_radix(&status[capabilities], 16), Ok(0), "{how:?}: {capabilities}");
    }
}

/// Whatever the manager was given, a dropped worker has none of it; nor have its successors.
#[test]
fn a_dropped_user_keeps_nothing_of_the_managers() {
    let hows: [&[&str]; 4] = [
        &["setpriv"],
        &["setpriv", "--groups", "0,4,7"],
        &["setpriv", "--inh-caps=+net_raw,+setuid", "--ambient-caps=+net_raw,+setuid"],
        &["setpriv", "--no-new-privs"],
    ];
    for how in hows {
        let options = [&["-w2", "--user", "nobody"], &SLEEPERS[..]].concat();
        let manager = Launch::new(&options).through(how).start();
        let first = manager.workers_running(2, Path::new(SLEEP));
        for &pid in &first {
            assert_nobody(pid, how);
        }
        send(first[0], KILL);
        eventually("its end", || (!proc::is_alive(first[0])).then_some(()));
        for pid in manager.workers_running(2, Path::new(SLEEP)) {
            assert_nobody(pid, how);
        }
        end_well(manager);
    }
}

/// Where the way back would stay open, or there is no right to go, nothing is started.
#[test]
fn a_drop_that_would_not_hold_is_refused() {
    let hows: [&[&str]; 3] = [
        &["setpriv", "--securebits=+no_setuid_fixup"],
        &["setpriv", "--bounding-set=-setuid"],
        &["setpriv", "--reuid=1", "--regid=1", "--clear-groups"],
    ];
    for how in hows {
        let ended = Launch::new(&["-w1", "--user", "nobody", "--", "sh", "-c", "echo ran"]).through(how).run();
        assert_eq!(ended.code(), 125, "{how:?}: {}", ended.err());
        assert!(ended.err().contains("--user") && !ended.err().contains("ran"), "{how:?}: {}", ended.err());
    }
}

/// What a worker of another user may try on its manager and on its own descriptors: none of it works.
#[test]
fn a_dropped_worker_reaches_neither_its_manager_nor_the_ends_that_are_not_its_own() {
    let attempts = [
        "kill -TERM $CANTELLA_MANAGER_PID",
        "kill -KILL $CANTELLA_MANAGER_PID",
        "kill -STOP $CANTELLA_MANAGER_PID",
        "kill -KILL -$CANTELLA_MANAGER_PID",
        "cat /proc/$CANTELLA_MANAGER_PID/environ",
        "ls /proc/$CANTELLA_MANAGER_PID/fd/",
        "exec 3<>/proc/$CANTELLA_MANAGER_PID/fd/3",
        "echo 1000 >/proc/$CANTELLA_MANAGER_PID/oom_score_adj",
        "renice -n 19 -p $CANTELLA_MANAGER_PID",
        "prlimit --pid $CANTELLA_MANAGER_PID --nofile=3:3",
        // Its own output, to read what a sibling of the next generation writes; the lifeline, to hold it up.
        "exec 3</proc/$$/fd/1",
        "exec 3</proc/$$/fd/2",
        "exec 3>/proc/$$/fd/0",
        // What a descriptor that leaked would be.
        "exec 4>&3",
    ];
    let tries = attempts.map(|attempt| format!("if ({attempt}) >/dev/null 2>&1; then echo 'open: {attempt}'; fi\n"));
    let script = format!("{}echo tried; exec sleep 1000", tries.concat());
    let options = ["-w2", "--user=nobody", "--stdin=lifeline", "--", "sh", "-c", &script];
    let manager = Manager::start(&options);
    manager.count_of("the attempts", 2, |record| record.text("msg") == "tried");
    let ended = end_well(manager);
    let open: Vec<String> = ended.records().iter().map(|record| record.text("msg")).collect();
    assert!(!open.iter().any(|text| text.starts_with("open")), "{open:#?}");
    assert!(ended.events("signal").is_empty(), "{open:#?}");
}

/// A worker may make its output non-blocking, tiny, or a source of signals: its own lines come all the same, its
/// siblings' too, and its successor has pipes as new.
#[test]
fn what_a_worker_does_to_its_output_is_over_with_it() {
    for trick in ["nonblock", "packets", "tiny", "owned"] {
        let script = format!(
            "if [ $CANTELLA_WORKER_GENERATION$CANTELLA_WORKER_SLOT = 10 ]; then exec \"$0\" flags {trick}; fi; \
             exec \"$0\" flags plain"
        );
        let manager = Manager::start(&["-w2", "--min-uptime", "0", "--", "sh", "-c", &script, imp()]);
        manager.count_of("its lines", 200, |record| record.text("msg").starts_with(trick));
        manager.count_of("its sibling's lines", 200, |record| record.text("msg").starts_with("plain"));
        let first = manager.record("its start", |record| record.tells("started") && record.number("worker") == 0);
        send(i32::try_from(first.number("pid")).unwrap(), KILL);
        manager.count_of("its successor's lines", 400, |record| record.text("msg").starts_with("plain"));
        for pid in manager.workers(2) {
            for descriptor in [1, 2] {
                assert_eq!(proc::descriptor_flags(pid, descriptor), libc::O_WRONLY, "{trick}");
            }
        }
        end_well(manager);
    }
}

/// Whatever a manager inherits, its pool starts, restarts and stops as ever.
#[test]
fn a_hostile_start_changes_nothing() {
    let _busy = busy();
    let blocked: &[&str] = &["env", "--block-signal", "--ignore-signal"];
    let hows: [&[&str]; 9] = [
        blocked,
        &["env", "LD_PRELOAD=/nowhere.so", "LD_LIBRARY_PATH=/nowhere", "LD_AUDIT=/nowhere.so", "LD_BIND_NOW=1"],
        &["env", "CANTELLA_UNKNOWN=1", "CANTELLA_WORKER_SLOT=7", "CANTELLA_MANAGER_PID=1", "CANTELLA_="],
        &["env", "-i"],
        &["sh", "-c", "umask 0777; exec \"$@\"", "sh"],
        &["sh", "-c", "exec <&- >&- \"$@\"", "sh"],
        &["sh", "-c", "mkdir /tmp/gone$$; cd /tmp/gone$$; rmdir /tmp/gone$$; exec \"$@\"", "sh"],
        &["prlimit", "--core=0", "--stack=262144", "--memlock=0", "--sigpending=0", "--msgqueue=0", "--nice=0"],
        &["nice", "-n", "19"],
    ];
    // What a loader makes of its variables is not the program's doing.
    let hows = hows.into_iter().filter(|how| !(how.len() > 2 && how[1].starts_with("LD_") && is_dynamic()));
    for how in hows {
        let world = World { workers: 3, ..WORLDS[0] };
        let manager = world.launch(&SLEEPERS).through(how).start();
        let mut herd = Herd::of(&manager);
        for _ in 0..3 {
            herd.settle(world.workers);
            // Where everything is blocked and ignored in the workers, this is what still ends them.
            for pid in herd.whole() {
                assert!(herd.hit(pid, KILL), "{how:?}");
            }
        }
        herd.settle(world.workers);
        if how == blocked {
            // They were given what the manager was: TERM is nothing to them, so the second one kills.
            manager.signal(TERM);
            assert_eq!(manager.end_by(INT).code(), 124, "{how:?}");
        } else {
            assert_eq!(end_well(manager).events("started").len(), 4 * world.workers, "{how:?}");
        }
    }
}
