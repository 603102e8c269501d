//! A million restarts: what is flat at the first ten thousand is flat at the last.

use std::io::{BufRead as _, BufReader, pipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::signals::{TERM, USR1, USR2, send};
use crate::common::{eventually, proc, within};
use crate::kit::{Belongings, World, figure, quiet};

/// So many restarts, in ten parts, each weighed while the pool is paused and no child shares the manager's memory.
///
/// `CANTELLA_TEST_SOAK` says how many; 1,000,000 else.
#[test]
#[ignore = "it takes minutes at least; tests/full.sh has it"]
fn a_million_restarts_leave_no_trace() {
    let _quiet = quiet();
    let restarts: u64 = std::env::var("CANTELLA_TEST_SOAK").map_or(1_000_000, |count| count.parse().unwrap());
    let (log, writer) = pipe().unwrap();
    let records = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&records);
    let counting = thread::spawn(move || {
        BufReader::new(log).split(b'\n').for_each(|_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
    });
    let options = ["--min-uptime", "0", "--backoff", "0..0", "--kill-mode", "worker", "--", "/bin/true"];
    let manager = World { workers: 8, is_pid_1: false }.launch(&options).stderr(writer).start();
    let begun = Instant::now();
    let mut first = None;
    for part in 0..=10 {
        let part_begun = Instant::now();
        // Each start has two records, and what comes before the first weighing fills what is filled for the first time.
        let wanted = 2 * (restarts * part / 10).max(10_000);
        let limit = Duration::from_hours(24);
        within(limit, || (records.load(Ordering::Relaxed) >= wanted).then_some(())).expect("restarts");
        let took = part_begun.elapsed();
        send(manager.pid, USR1);
        eventually("a pause without workers", || proc::children(manager.pid).is_empty().then_some(()));
        let belongings = Belongings::now(&manager);
        let weight = format!("{} resident, {belongings}", proc::status(manager.pid)["VmRSS"]);
        let what = format!("{part} tenths of {restarts} restarts after {:?}, this one in {took:?}", begun.elapsed());
        figure("soak", &what, weight);
        first.get_or_insert_with(|| Belongings::now(&manager)).assert_kept_by(&belongings, 0);
        send(manager.pid, USR2);
    }
    assert_eq!(manager.end_by(TERM).code(), 0);
    counting.join().unwrap();
}
