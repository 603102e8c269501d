//! Without what is usually there: /proc, /dev, /tmp, a root that can be written, anything but the program itself.

use std::fs;
use std::path::PathBuf;

use crate::common::signals::{KILL, TERM, USR1, USR2, send};
use crate::common::{Directory, Launch, binary, eventually, proc, worker};
use crate::kit::{Herd, end_well, is_dynamic};

/// Without /proc the pool runs; only what needs it is left out.
#[test]
fn a_pool_runs_without_proc() {
    let hide = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"];
    let options = ["-w2", "--min-uptime", "0", "--", worker(), "catch", "10", "15"];
    let manager = Launch::new(&options).through(&hide).start();
    let workers = manager.workers_that_catch(2, TERM);
    manager.signal(USR1).record("the pause", |record| record.tells("paused"));
    manager.signal(USR2).record("the end of the pause", |record| record.tells("resumed"));
    send(workers[0], KILL);
    manager.record("generation 2", |record| record.tells("started") && record.number("generation") == 2);
    let ended = end_well(manager);
    assert!(!ended.err().contains("got 10"), "the signal may kill one that does not catch it: {}", ended.err());
    assert_eq!(ended.records().iter().filter(|record| record.text("msg").contains("/proc")).count(), 1);
}

/// A root in which there is the program under test and nothing else, by two names: as itself, and as catatonit, which
/// waits when it is told to pause. It cannot be written.
struct Root(Directory);

impl Root {
    fn new() -> Self {
        let directory = Directory::new();
        for name in ["cantella", "catatonit"] {
            fs::copy(binary(), directory.file(name)).expect("a copy");
        }
        Self(directory)
    }

    /// A start of the program in the root.
    fn launch(&self, options: &[&str]) -> Launch {
        let enter = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && exec chroot \"$0\" \"$@\"";
        let root = self.0.path().display().to_string();
        Launch::new(options).called(PathBuf::from("/cantella")).through(&["unshare", "-m", "sh", "-c", enter, &root])
    }
}

/// T29: nothing but the program, read-only, is all that a pool needs; with or without a closed standard descriptor.
#[test]
fn an_empty_read_only_root_is_enough() {
    if is_dynamic() {
        return;
    }
    let root = Root::new();
    for closed in ["<&-", ">&-", "<&- >&-"] {
        let close = format!("exec {closed} \"$@\"");
        let options = ["-w3", "--min-uptime", "0", "--", "/catatonit", "-P"];
        let manager = root.launch(&options).through(&["sh", "-c", &close, "sh"]).start();
        let mut herd = Herd::of(&manager);
        for _ in 0..3 {
            herd.settle(3);
            herd.whole().iter().for_each(|&pid| assert!(herd.hit(pid, KILL)));
        }
        herd.settle(3);
        let ready = |pid: &i32| proc::catches(*pid, TERM);
        eventually("all ready", || herd.whole().iter().all(ready).then_some(()));
        let ended = end_well(manager);
        assert_eq!(ended.events("started").len(), 12, "{closed}: {}", ended.err());
        assert!(ended.events("trouble").is_empty(), "{closed}: {}", ended.err());
    }
}

/// T29: what cannot be had there is told in one line, by the option that asks for it, with the documented code.
#[test]
fn what_is_missing_is_told_in_one_line() {
    if is_dynamic() {
        return;
    }
    let root = Root::new();
    let rows: [(&[&str], i32, &str); 6] = [
        (&["--user=nobody"], 125, "--user"),
        (&["--oom-score-adj=1"], 125, "--oom-score-adj"),
        (&["--log=file:/log"], 125, "--log"),
        (&["--chdir=/nowhere"], 125, "--chdir"),
        (&["--", "/nowhere"], 127, "/nowhere"),
        (&["--", "nowhere"], 127, "nowhere"),
    ];
    for (options, code, named) in rows {
        let ended = root.launch(&[options, &["--", "/catatonit", "-P"]].concat()).run();
        assert_eq!(ended.code(), code, "{options:?}: {}", ended.err());
        assert!(ended.err().contains(named), "{options:?}: {}", ended.err());
        assert_eq!(ended.err().lines().count(), 1, "{options:?}: {}", ended.err());
    }
}
