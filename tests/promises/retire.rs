//! Retiring: old workers make place, one at a time, and the pool never dips.

use crate::common::log::Record;
use crate::common::signals::TERM;
use crate::common::{Manager, worker};

/// The first of the original's own scenarios: three workers that retire once, and nothing else.
#[test]
fn the_first_three_retire_and_nothing_else_happens() {
    let options = ["-w3", "--max-age", "2s", "--max-age-jitter", "0", "--", worker(), "catch", "15"];
    let manager = Manager::start(&options);
    manager.workers_that_catch(3, TERM);
    manager.count_of("a start", 6, |record| record.tells("started"));
    manager.workers_that_catch(3, TERM);
    let ended = manager.end_by(TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    let retired: Vec<i64> = ended.events("retiring").iter().map(|record| record.number("generation")).collect();
    assert_eq!(retired, [1, 1, 1]);
    let exits = ended.events("exited");
    assert_eq!(exits.len(), 6);
    assert!(exits.iter().all(|record| record.number("code") == 0), "{}", ended.err());
    let worried = ["warning", "error", "critical", "alert", "emergency"];
    let alarms = ended.records().into_iter().filter(|record| worried.contains(&&*record.text("level")));
    assert_eq!(alarms.count(), 0, "{}", ended.err());
}

/// F10: the original's pool dropped to zero.
#[test]
fn one_retirement_is_in_flight_at_a_time() {
    let ages = ["--max-age", "1s", "--max-age-jitter", "0", "--min-uptime", "0"];
    let options = [&["-w4"], &ages[..], &["--", worker(), "slow", "200"]].concat();
    let manager = Manager::start(&options);
    manager.count_of("a retirement", 10, |record| record.tells("retiring"));
    let ended = manager.end_by(TERM);
    let mut in_flight = None;
    let mut live = 0_usize;
    let before_stop = |record: &&Record| !record.tells("draining");
    for record in ended.records().iter().take_while(before_stop).filter(|record| record.has("event")) {
        if record.tells("retiring") {
            assert_eq!(in_flight, None, "two at a time: {}", ended.err());
            assert_eq!(live, 4, "{}", ended.err());
            in_flight = Some(record.number("worker"));
        } else if record.tells("started") {
            live += 1;
            in_flight = in_flight.filter(|&slot| slot != record.number("worker"));
        } else if record.tells("exited") {
            live -= 1;
            assert!(live >= 3, "{}", ended.err());
        }
    }
}

#[test]
fn ages_are_spread_by_the_jitter() {
    let options = ["-w8", "--max-age", "2s", "--max-age-jitter", "50", "--", worker(), "catch", "15"];
    let manager = Manager::start(&options);
    manager.count_of("a retirement", 8, |record| record.tells("retiring"));
    let records = manager.end_by(TERM).records();
    let moment = |event: &str, slot: i64| {
        let wanted = |r: &&Record| r.tells(event) && r.number("generation") == 1 && r.number("worker") == slot;
        records.iter().find(wanted).map(Record::millis)
    };
    let ages: Vec<i64> = (0..8).filter_map(|slot| Some(moment("retiring", slot)? - moment("started", slot)?)).collect();
    assert!(ages.len() >= 6, "{ages:?}");
    let (least, most) = (ages.iter().min().unwrap(), ages.iter().max().unwrap());
    assert!(*least >= 990, "earlier than half the age: {ages:?}");
    assert!(most - least >= 50, "all at once: {ages:?}");
}
