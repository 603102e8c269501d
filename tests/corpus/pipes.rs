//! The pipes of two slots, written to, died upon, read and left unread in any order: every byte comes out once.

use core::time::Duration;

use cantella::observe::{Event, Level, Observer, Stream, Worker};
use cantella::pool::{Instant, Pid, SlotId};
use cantella::relay::{Channel, PART, Relay};
use cantella::sys::fd;

use super::script::Script;

const SLOTS: usize = 2;

/// Carries out one operation after the other, then lets everything out.
pub fn check(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut channels = [const { Channel::CLOSED }; SLOTS];
    let mut buffers = vec![[[0; PART]; 2]; SLOTS];
    let mut input = vec![0; usize::from(script.byte()) + 1];
    let mut relay = Relay::new(&mut channels, &mut buffers, &mut input, [Level::Info; 2]);
    relay.open().expect("descriptors");
    let mut house = House { relay, account: Account::default(), now: Instant::ZERO };
    while !script.is_over() {
        let slot = usize::from(script.byte()) % SLOTS;
        match script.byte() % 8 {
            0..=2 => house.write(slot, script.pick(&[Stream::Out, Stream::Err]), &script.bytes()),
            3 => drop(house.carry()),
            4 => house.now = house.now.after(Duration::from_millis(u64::from(script.byte()) * 10)),
            5 => house.end(slot),
            6 => house.begin(slot),
            _ => house.account.room = script.byte().into(),
        }
    }
    house.empty();
}

/// A relay, and what it is expected to give.
struct House<'a> {
    relay: Relay<'a>,
    account: Account,
    now: Instant,
}

impl House<'_> {
    /// Writes to a pipe, once there was a worker who could.
    fn write(&mut self, slot: usize, stream: Stream, bytes: &[u8]) {
        let writer = self.account.generations[slot];
        if writer > 0 && !bytes.is_empty() {
            let [out, err] = self.relay.ends(index(slot));
            let end = if stream == Stream::Out { out } else { err };
            assert_eq!(fd::write(end.expect("an open pipe"), bytes), Ok(bytes.len()));
            self.account.flow(slot, stream).went_in.extend(bytes.iter().map(|byte| (*byte, writer)));
        }
    }

    /// The first worker of the slot is there, or another.
    fn begin(&mut self, slot: usize) {
        self.account.generations[slot] += 1;
        let id = SlotId { index: index(slot), generation: self.account.generations[slot] };
        self.relay.began(Worker { slot: id, pid: Pid::INIT });
    }

    /// The worker was reaped.
    fn end(&mut self, slot: usize) {
        for stream in [Stream::Out, Stream::Err] {
            let flow = self.account.flow(slot, stream);
            flow.deaths.push(flow.went_in.len());
        }
        self.relay.ended(index(slot), &mut self.account, self.now);
    }

    /// One turn of the loop; tells whether there may be more to do.
    fn carry(&mut self) -> bool {
        let mut row = [self.relay.row(self.account.room > 0)];
        fd::poll(&mut row, Some(Duration::ZERO)).expect("a row");
        let any = row[0].revents != 0;
        self.relay.carry(any, &mut self.account, self.now);
        any || self.relay.is_holding()
    }

    fn empty(&mut self) {
        self.account.room = usize::MAX;
        let turns = (0..10_000).take_while(|_| self.carry()).count();
        assert!(turns < 10_000, "a relay that never rests");
        assert!(!self.relay.is_owing());
        self.relay.end_all(&mut self.account);
        for flow in self.account.flows.iter().flatten() {
            flow.check();
        }
    }
}

fn index(slot: usize) -> u16 {
    slot.try_into().expect("a small number")
}

/// What went in, what came out, and how much more may.
#[derive(Default)]
struct Account {
    generations: [u32; SLOTS],
    flows: [[Flow; 2]; SLOTS],
    room: usize,
}

impl Account {
    const fn flow(&mut self, slot: usize, stream: Stream) -> &mut Flow {
        let [out, err] = &mut self.flows[slot];
        match stream {
            Stream::Out => out,
            Stream::Err => err,
        }
    }
}

impl Observer for Account {
    fn event(&mut self, _level: Level, event: &Event<'_>) {
        let Event::Line { worker, stream, bytes, partial, .. } = *event else { panic!("{event:?}") };
        assert!(self.room > 0, "nobody was ready for it");
        self.room -= 1;
        let slot = usize::from(worker.slot.index);
        let owner = worker.slot.generation;
        assert!((1..=self.generations[slot]).contains(&owner));
        let line_end = (!partial).then_some(&b'\n');
        self.flow(slot, stream).came_out.extend(bytes.iter().chain(line_end).map(|byte| (*byte, owner)));
    }

    fn ready(&mut self) -> bool {
        self.room > 0
    }
}

/// One pipe: bytes, each with the generation of who wrote it, or is said to have.
#[derive(Default)]
struct Flow {
    went_in: Vec<(u8, u32)>,
    came_out: Vec<(u8, u32)>,
    /// How much had gone in when a worker died: its line ended there, if the boundary was kept.
    deaths: Vec<usize>,
}

impl Flow {
    /// The same bytes came out as went in, but for ends of lines where a worker died.
    fn check(&self) {
        let (mut went_in, mut came_out) = (&self.went_in[..], &self.came_out[..]);
        loop {
            let at = self.went_in.len() - went_in.len();
            let [ends, told] = [&mut went_in, &mut came_out].map(skip_line_ends);
            let deaths = self.deaths.iter().filter(|death| (at..=at + ends).contains(death)).count();
            // The last line of all is ended too.
            let spare = deaths + usize::from(went_in.is_empty());
            assert!((ends..=ends + spare).contains(&told), "{ends} ends of lines became {told} at {at}");
            match (went_in.split_first(), came_out.split_first()) {
                (None, None) => return,
                (Some(((byte, writer), rest)), Some(((told, owner), rest_told))) => {
                    assert_eq!(byte, told, "at {at}");
                    assert!(writer <= owner, "a byte of {writer} is said to be of {owner}");
                    (went_in, came_out) = (rest, rest_told);
                }
                (left, told) => panic!("{left:?} became {told:?}"),
            }
        }
    }
}

/// Skips the ends of lines in front, and counts them.
fn skip_line_ends(bytes: &mut &[(u8, u32)]) -> usize {
    let count = bytes.iter().take_while(|(byte, _)| *byte == b'\n').count();
    *bytes = &bytes[count..];
    count
}
