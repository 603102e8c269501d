//! What comes out of the pipes between workers and the manager: every line once, under the name of who wrote it.

use core::time::Duration;

use cantella::observe::{Event, Level, Observer, Stream, Worker};
use cantella::pool::{Instant, Pid, SlotId};
use cantella::relay::{Channel, PART, Relay};
use cantella::sys::fd::{self, AsRawFd};

/// Takes lines while there is room for them.
struct Taker {
    lines: Vec<String>,
    room: usize,
}

impl Observer for Taker {
    fn event(&mut self, level: Level, event: &Event<'_>) {
        let Event::Line { worker, stream, bytes, partial, .. } = *event else { panic!("{event:?}") };
        let Worker { slot: SlotId { index, generation }, pid } = worker;
        assert_eq!(pid, pid_of(index, generation));
        let text = String::from_utf8_lossy(bytes);
        let end = if partial { " \\" } else { "" };
        self.lines.push(format!("{} {index}.{generation} {}: {text}{end}", level.name(), stream.name()));
        assert!(self.room > 0, "nobody was ready for it");
        self.room -= 1;
    }

    fn ready(&mut self) -> bool {
        self.room > 0
    }
}

fn pid_of(index: u16, generation: u32) -> Pid {
    Pid::new(1_000 * i32::from(index) + i32::try_from(generation).unwrap()).unwrap()
}

/// A relay, and somebody who turns its wheel.
struct Rig {
    relay: Relay<'static>,
    taker: Taker,
    now: Instant,
}

impl Rig {
    /// Opens the pipes of so many slots; chunks have at most so many bytes.
    fn new(slots: u16, chunk: usize) -> Self {
        let channels: Vec<_> = (0..slots).map(|_| Channel::CLOSED).collect();
        let buffers = vec![[[0; PART]; 2]; channels.len()];
        let input = vec![0; chunk];
        let levels = [Level::Info, Level::Warning];
        let mut relay = Relay::new(channels.leak(), buffers.leak(), input.leak(), levels);
        relay.open().unwrap();
        Self { relay, taker: Taker { lines: Vec::new(), room: usize::MAX }, now: Instant::ZERO }
    }

    /// The first worker of each slot is there.
    fn started(slots: u16) -> Self {
        let mut rig = Self::new(slots, 1 << 16);
        (0..slots).for_each(|slot| rig.begin(slot, 1));
        rig
    }

    fn begin(&mut self, index: u16, generation: u32) {
        let slot = SlotId { index, generation };
        self.relay.began(Worker { slot, pid: pid_of(index, generation) });
    }

    fn end(&mut self, index: u16) {
        self.relay.ended(index, &mut self.taker, self.now);
    }

    fn write(&self, slot: u16, stream: Stream, text: &str) {
        let [out, err] = self.relay.ends(slot);
        let end = if stream == Stream::Out { out } else { err };
        assert_eq!(fd::write(end.unwrap(), text.as_bytes()), Ok(text.len()));
    }

    fn out(&self, slot: u16, text: &str) {
        self.write(slot, Stream::Out, text);
    }

    /// One turn of the loop; gives what it passed on.
    fn carry(&mut self) -> Vec<String> {
        let any = self.has_news();
        self.relay.carry(any, &mut self.taker, self.now);
        self.taken()
    }

    /// Whether some pipe is waited for and has something.
    fn has_news(&mut self) -> bool {
        let mut row = [self.relay.row(self.taker.ready())];
        fd::poll(&mut row, Some(Duration::ZERO)).unwrap();
        row[0].revents != 0
    }

    /// A turn at this time.
    fn carry_at(&mut self, millis: u64) -> Vec<String> {
        self.now = at(millis);
        self.carry()
    }

    fn taken(&mut self) -> Vec<String> {
        core::mem::take(&mut self.taker.lines)
    }

    /// Lets so many lines be taken from now on.
    const fn room(&mut self, room: usize) -> &mut Self {
        self.taker.room = room;
        self
    }
}

fn at(millis: u64) -> Instant {
    Instant::ZERO.after(Duration::from_millis(millis))
}

const NOTHING: [&str; 0] = [];

#[test]
fn lines_carry_the_slot_the_stream_and_its_level() {
    let mut rig = Rig::started(3);
    rig.write(0, Stream::Out, "one\n");
    rig.write(1, Stream::Out, "two\nthree\n");
    rig.write(2, Stream::Err, "four\n");
    let lines = ["info 0.1 out: one", "info 1.1 out: two", "info 1.1 out: three", "warning 2.1 err: four"];
    assert_eq!(rig.carry(), lines);
    assert_eq!(rig.carry(), NOTHING);
    assert_eq!(rig.relay.deadline(), None);
}

#[test]
fn a_line_comes_together_from_its_pieces() {
    let mut rig = Rig::new(1, 4);
    rig.begin(0, 1);
    rig.out(0, "one two\nthree\n");
    for lines in [&[][..], &["info 0.1 out: one two"], &[], &["info 0.1 out: three"], &[]] {
        assert_eq!(rig.carry(), lines);
    }
}

#[test]
fn what_a_worker_left_carries_its_name_and_ends_its_line() {
    let mut rig = Rig::started(1);
    rig.out(0, "last\nwords");
    rig.write(0, Stream::Err, "alas");
    rig.end(0);
    rig.begin(0, 2);
    assert_eq!(rig.taken(), ["info 0.1 out: last", "info 0.1 out: words", "warning 0.1 err: alas"]);
    assert!(!rig.relay.is_owing() && !rig.relay.is_holding());
    rig.out(0, "first\n");
    assert_eq!(rig.carry(), ["info 0.2 out: first"]);
}

#[test]
fn a_chunk_that_nobody_takes_is_kept_and_never_passed_over() {
    let mut rig = Rig::started(2);
    rig.out(0, "1\n2\n3\n");
    rig.out(1, "other\n");
    assert_eq!(rig.room(1).carry(), ["info 0.1 out: 1"]);
    assert!(rig.relay.is_holding() && rig.relay.is_owing());
    assert_eq!(rig.carry(), NOTHING);
    assert_eq!(rig.room(1).carry(), ["info 0.1 out: 2"]);
    assert_eq!(rig.room(9).carry(), ["info 0.1 out: 3", "info 1.1 out: other"]);
    assert!(!rig.relay.is_holding() && !rig.relay.is_owing());
}

#[test]
fn what_is_kept_of_the_dead_stays_theirs() {
    let mut rig = Rig::started(1);
    rig.out(0, "1\n2\n3\n");
    rig.room(1).carry();
    rig.out(0, "4\n5");
    rig.end(0);
    rig.begin(0, 2);
    rig.out(0, "6\n");
    let theirs = ["info 0.1 out: 2", "info 0.1 out: 3", "info 0.1 out: 4", "info 0.1 out: 5"];
    assert_eq!(rig.room(9).carry(), theirs);
    assert_eq!(rig.carry(), ["info 0.2 out: 6"]);
}

#[test]
fn what_is_still_in_the_pipe_of_the_dead_stays_theirs() {
    let mut rig = Rig::started(2);
    rig.out(1, "other\nline\n");
    rig.room(1).carry();
    rig.out(0, "old\n");
    rig.end(0);
    assert!(rig.relay.is_owing());
    rig.begin(0, 2);
    rig.out(0, "new\n");
    assert_eq!(rig.room(9).carry(), ["info 1.1 out: line", "info 0.1 out: old"]);
    assert!(!rig.relay.is_owing());
    assert_eq!(rig.carry(), ["info 0.2 out: new"]);
}

#[test]
fn last_words_come_out_at_once_where_somebody_takes_lines_again() {
    let mut rig = Rig::started(3);
    rig.out(2, "begun");
    assert_eq!(rig.carry(), NOTHING);
    rig.out(1, "other\nline\n");
    rig.room(1).carry();
    rig.out(0, "old\n");
    rig.room(9).end(2);
    assert_eq!(rig.taken(), ["info 2.1 out: begun"]);
    rig.end(0);
    assert_eq!(rig.taken(), ["info 1.1 out: line", "info 0.1 out: old"]);
}

#[test]
fn a_death_before_the_last_one_is_settled_leaves_its_boundary_alone() {
    let mut rig = Rig::started(1);
    rig.out(0, "one\n");
    rig.room(0).end(0);
    rig.begin(0, 2);
    rig.out(0, "two\n");
    rig.end(0);
    rig.begin(0, 3);
    assert_eq!(rig.room(9).carry(), ["info 0.1 out: one", "info 0.3 out: two"]);
}

#[test]
fn an_unfinished_line_of_the_dead_ends_as_soon_as_somebody_takes_it() {
    let mut rig = Rig::started(2);
    rig.out(0, "begun");
    rig.out(1, "begun");
    assert_eq!(rig.carry(), NOTHING);
    rig.room(0).end(0);
    rig.end(1);
    assert!(rig.relay.is_holding() && rig.relay.is_owing());
    rig.begin(0, 2);
    assert_eq!(rig.room(1).carry(), ["info 0.1 out: begun"]);
    assert!(rig.relay.is_holding() && rig.relay.is_owing());
    assert_eq!(rig.room(2).carry(), ["info 1.1 out: begun"]);
    assert!(!rig.relay.is_holding() && !rig.relay.is_owing());
}

#[test]
fn a_line_without_its_end_is_shown_after_a_second() {
    let mut rig = Rig::started(2);
    rig.out(0, "wa");
    assert_eq!(rig.carry_at(5_000), NOTHING);
    assert_eq!(rig.relay.deadline(), Some(at(6_000)));
    rig.out(0, "it");
    rig.out(1, "later");
    assert_eq!(rig.carry_at(5_400), NOTHING);
    assert_eq!(rig.relay.deadline(), Some(at(6_000)), "more bytes do not make it wait longer");
    assert_eq!(rig.carry_at(5_999), NOTHING);
    assert_eq!(rig.carry_at(6_000), ["info 0.1 out: wait \\"]);
    assert_eq!(rig.relay.deadline(), Some(at(6_400)));
    rig.out(0, "ed\n");
    assert_eq!(rig.carry_at(6_400), ["info 0.1 out: ed", "info 1.1 out: later \\"]);
    assert_eq!(rig.relay.deadline(), None);
}

#[test]
fn each_line_waits_its_own_second() {
    let mut rig = Rig::started(1);
    rig.out(0, "one");
    assert_eq!(rig.carry_at(0), NOTHING);
    rig.out(0, "\ntwo");
    assert_eq!(rig.carry_at(700), ["info 0.1 out: one"]);
    assert_eq!(rig.carry_at(1_000), NOTHING);
    assert_eq!(rig.carry_at(1_700), ["info 0.1 out: two \\"]);
}

#[test]
fn the_beginning_of_a_character_waits_a_second_longer() {
    let mut rig = Rig::started(1);
    let [out, _] = rig.relay.ends(0);
    assert_eq!(fd::write(out.unwrap(), b"a\xe2\x82"), Ok(3));
    assert_eq!(rig.carry_at(0), NOTHING);
    assert_eq!(rig.carry_at(1_000), ["info 0.1 out: a \\"]);
    assert_eq!(rig.carry_at(1_999), NOTHING);
    assert_eq!(rig.carry_at(2_000), ["info 0.1 out: \u{fffd} \\"]);
    assert_eq!(rig.relay.deadline(), None);
}

#[test]
fn a_late_line_is_shown_only_to_who_takes_it() {
    let mut rig = Rig::started(2);
    rig.out(0, "one");
    rig.out(1, "two");
    rig.carry_at(0);
    assert_eq!(rig.room(0).carry_at(2_000), NOTHING);
    assert_eq!(rig.relay.deadline(), Some(at(1_000)));
    assert_eq!(rig.room(1).carry(), ["info 0.1 out: one \\"]);
    assert_eq!(rig.relay.deadline(), Some(at(1_000)));
    assert_eq!(rig.room(1).carry(), ["info 1.1 out: two \\"]);
}

#[test]
fn at_the_end_every_line_ends() {
    let mut rig = Rig::started(2);
    rig.out(0, "shown");
    rig.carry_at(0);
    assert_eq!(rig.carry_at(1_000), ["info 0.1 out: shown \\"]);
    rig.write(1, Stream::Err, "not shown");
    rig.carry();
    rig.relay.end_all(&mut rig.taker);
    assert_eq!(rig.taken(), ["info 0.1 out: ", "warning 1.1 err: not shown"]);
    rig.relay.end_all(&mut rig.taker);
    assert_eq!(rig.taken(), NOTHING);
}

#[test]
fn nothing_is_read_for_nobody() {
    let mut rig = Rig::started(2);
    assert_eq!(rig.relay.workers(), 2);
    rig.write(0, Stream::Err, "text\n");
    rig.taker.room = 0;
    assert_eq!(rig.relay.row(false).fd, -1);
    assert!(!rig.has_news());
    rig.taker.room = usize::MAX;
    assert!(rig.has_news());
}

#[test]
fn low_numbers_go_from_slot_to_slot_and_the_lines_do_not() {
    const SLOTS: u16 = 40;
    let mut rig = Rig::started(SLOTS);
    let numbers = |rig: &Rig, slot| rig.relay.ends(slot).map(|end| end.unwrap().as_raw_fd());
    let all = |rig: &Rig| (0..SLOTS).map(|slot| numbers(rig, slot)).collect::<Vec<_>>();
    let first = all(&rig);
    rig.relay.bring_near(0, |other| panic!("it is near, but took the numbers of {other}"));
    rig.relay.bring_near(SLOTS - 1, |_| true);
    assert_eq!(all(&rig), first, "whose worker still looks there keeps its numbers");

    let mut givers = Vec::new();
    for slot in 20..SLOTS {
        let before = all(&rig);
        rig.relay.bring_near(slot, |other| {
            givers.push(other);
            false
        });
        let giver = givers[givers.len() - 1];
        assert_eq!(numbers(&rig, slot), before[usize::from(giver)]);
        assert_eq!(numbers(&rig, giver), before[usize::from(slot)]);
        let changed = all(&rig).iter().zip(&before).filter(|(now, before)| now != before).count();
        assert_eq!(changed, 2);
    }
    givers.sort_unstable();
    givers.dedup();
    assert_eq!(givers.len(), 20, "each gave its numbers once: {givers:?}");

    for slot in 0..SLOTS {
        rig.out(slot, &format!("{slot}\n"));
        rig.write(slot, Stream::Err, &format!("{slot}\n"));
    }
    let mut lines = rig.carry();
    lines.extend(rig.carry());
    let wanted =
        (0..SLOTS).flat_map(|slot| [format!("info {slot}.1 out: {slot}"), format!("warning {slot}.1 err: {slot}")]);
    let mut wanted: Vec<String> = wanted.collect();
    lines.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
    assert!(rig.relay.ends(SLOTS).iter().all(Option::is_none));
}

#[test]
fn closed_pipes_are_gone() {
    let mut rig = Rig::started(1);
    rig.out(0, "lost");
    rig.carry_at(0);
    rig.relay.close();
    assert!(rig.relay.ends(0).iter().all(Option::is_none));
    assert_eq!(rig.relay.row(true).fd, -1);
    rig.end(0);
    assert_eq!(rig.carry_at(9_000), NOTHING);
    assert!(!rig.relay.is_owing());
}

#[test]
fn bytes_before_the_first_worker_are_nobodys() {
    let mut rig = Rig::new(1, 64);
    rig.out(0, "who\n");
    rig.end(0);
    assert_eq!(rig.carry(), NOTHING);
    rig.begin(0, 1);
    rig.out(0, "me\n");
    assert_eq!(rig.carry(), ["info 0.1 out: me"]);
}
