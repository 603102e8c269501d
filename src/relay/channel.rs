//! The pipes between workers and the manager: two a slot, made once, handed to every worker of the slot in turn.

use core::time::Duration;

use super::PART;
use super::lines::Lines;
use crate::observe::{Event, Level, Observer, Stream, Worker};
use crate::pool::{Instant, Pid, SlotId};
use crate::sys::Result;
use crate::sys::fd::{self, AsFd, AsRawFd, BorrowedFd, Pipe, PollRow};

/// How long a line may wait for its newline before its beginning is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whom bytes belong to.
#[derive(Clone, Copy, Debug)]
struct Owner {
    generation: u32,
    pid: Pid,
}

/// Bytes in a pipe that a dead worker left there.
#[derive(Clone, Copy, Debug)]
struct Legacy {
    owner: Owner,
    /// How many of the next bytes are its, at most what a pipe holds; at 0 its last line ends.
    bytes: u32,
}

/// One pipe and the line that is read from it.
#[derive(Debug)]
struct Flow {
    pipe: Option<Pipe>,
    lines: Lines,
    legacy: Option<Legacy>,
    /// When the line that is held back began to wait.
    waiting_since: Instant,
}

impl Flow {
    const CLOSED: Self = Self { pipe: None, lines: Lines::EMPTY, legacy: None, waiting_since: Instant::ZERO };

    fn owner(&self, current: Option<Owner>) -> Option<Owner> {
        self.legacy.map(|legacy| legacy.owner).or(current)
    }

    /// How much one read may take: not beyond what a dead worker left, so that a chunk has one owner.
    fn allowance(&self, room: usize) -> usize {
        self.legacy.map_or(room, |legacy| usize::try_from(legacy.bytes).map_or(room, |bytes| bytes.min(room)))
    }
}

/// The output of one slot.
#[derive(Debug)]
pub struct Channel {
    current: Option<Owner>,
    flows: [Flow; 2],
}

impl Channel {
    /// A slot without pipes.
    pub const CLOSED: Self = Self { current: None, flows: [Flow::CLOSED; 2] };
}

/// A chunk that was read and could not be passed on whole yet.
#[derive(Clone, Copy, Debug)]
struct Held {
    place: Place,
    start: usize,
    end: usize,
}

/// Which pipe of which slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    slot: usize,
    stream: Stream,
}

/// The line buffers of a slot, one a stream. A page of them costs nothing until a line has to wait there.
pub type Buffers = [[u8; PART]; 2];

/// Reads what workers write and passes it on as lines.
#[derive(Debug)]
pub struct Relay<'a> {
    channels: &'a mut [Channel],
    buffers: &'a mut [Buffers],
    input: &'a mut [u8],
    levels: [Level; 2],
    held: Option<Held>,
    /// No line is due to be shown before this; `None`: none waits.
    show_at: Option<Instant>,
    /// A dead worker's last line could not be passed on when it was due.
    unsettled: bool,
}

impl<'a> Relay<'a> {
    /// Relays through `channels`, with as many `buffers` and a read buffer that all share.
    pub const fn new(
        channels: &'a mut [Channel],
        buffers: &'a mut [Buffers],
        input: &'a mut [u8],
        levels: [Level; 2],
    ) -> Self {
        Self { channels, buffers, input, levels, held: None, show_at: None, unsettled: false }
    }

    /// Makes the pipes of every slot.
    ///
    /// The ends that workers write to get low numbers in the order of the slots, the others move out of the way: the
    /// table that a child takes over then needs to reach no further than its own two.
    ///
    /// # Errors
    /// `MFILE` and `NFILE` when descriptors have run out.
    pub fn open(&mut self) -> Result<()> {
        let flows = self.channels.iter_mut().flat_map(|channel| &mut channel.flows);
        let count = i32::try_from(flows.size_hint().1.unwrap_or(0)).unwrap_or(i32::MAX);
        let mut beyond = None;
        for flow in flows {
            let Pipe { read, write } = fd::pipe_to_read()?;
            let beyond = *beyond.get_or_insert_with(|| write.as_raw_fd().saturating_add(count));
            flow.pipe = Some(Pipe { read: fd::move_up(read, beyond)?, write });
        }
        Ok(())
    }

    /// Gives the ends that a worker of `slot` writes to: standard output and error.
    #[must_use]
    pub fn ends(&self, slot: u16) -> [Option<BorrowedFd<'_>>; 2] {
        let channel = self.channels.get(usize::from(slot));
        [0, 1].map(|at| Some(channel?.flows.get::<usize>(at)?.pipe.as_ref()?.write.as_fd()))
    }

    /// Notes that a worker was started: bytes are its from now on.
    pub fn began(&mut self, worker: Worker) {
        if let Some(channel) = self.channels.get_mut(usize::from(worker.slot.index)) {
            channel.current = Some(Owner { generation: worker.slot.generation, pid: worker.pid });
        }
    }

    /// Notes that the slot's worker was reaped, and passes on what it left, as far as the observer takes it.
    ///
    /// Bytes behind that belong to the successor, whoever wrote them.
    pub fn ended(&mut self, slot: u16, observer: &mut impl Observer, now: Instant) {
        let slot = usize::from(slot);
        for stream in [Stream::Out, Stream::Err] {
            let place = Place { slot, stream };
            let unread =
                self.held.filter(|held| held.place == place).map_or(0, |held| held.end.saturating_sub(held.start));
            let Some(channel) = self.channels.get_mut(slot) else { continue };
            let [out, err] = &mut channel.flows;
            let flow = if stream == Stream::Out { out } else { err };
            let (Some(pipe), Some(owner), None) = (&flow.pipe, channel.current, flow.legacy) else { continue };
            let bytes = fd::waiting(pipe.read.as_fd()).saturating_add(unread);
            flow.legacy = Some(Legacy { owner, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) });
            while self.has_legacy_bytes(place) && self.read(place, observer, now) {}
            self.settle(place, observer);
        }
    }

    fn has_legacy_bytes(&self, place: Place) -> bool {
        self.flow(place).and_then(|flow| flow.legacy).is_some_and(|legacy| legacy.bytes > 0)
    }

    /// Fills two rows a slot with the pipes to be read, or with nothing while the observer takes no lines.
    pub fn expect(&self, rows: &mut [PollRow], ready: bool) {
        let flows = self.channels.iter().flat_map(|channel| &channel.flows);
        for (row, flow) in rows.iter_mut().zip(flows) {
            let fd = flow.pipe.as_ref().filter(|_| ready).map_or(-1, |pipe| pipe.read.as_raw_fd());
            *row = fd::readable(fd);
        }
    }

    /// Reads each pipe that has something once, and shows the lines that waited too long.
    pub fn carry(&mut self, rows: &[PollRow], observer: &mut impl Observer, now: Instant) {
        if !self.pass_on(observer, now) {
            return;
        }
        if core::mem::take(&mut self.unsettled) {
            self.for_each_place(|relay, place| relay.settle(place, observer));
        }
        for (row, index) in rows.iter().zip(0_usize..) {
            let stream = if index & 1 == 0 { Stream::Out } else { Stream::Err };
            if row.revents != 0 {
                self.read(Place { slot: index >> 1, stream }, observer, now);
            }
            if self.held.is_some() {
                break;
            }
        }
        self.show_late(observer, now);
    }

    /// Tells when a line will have waited too long.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.show_at
    }

    /// Passes on what is left of every line, as if its writer had ended it.
    pub fn end_all(&mut self, observer: &mut impl Observer) {
        self.for_each_place(|relay, place| {
            if let Some(flow) = relay.flow_mut(place) {
                flow.legacy = None;
            }
            relay.emit(place, observer, Lines::end);
        });
    }

    /// Tells whether bytes of a dead worker were not passed on yet.
    #[must_use]
    pub fn is_owing(&self) -> bool {
        self.held.is_some() || self.channels.iter().flat_map(|channel| &channel.flows).any(|flow| flow.legacy.is_some())
    }

    /// Tells whether a chunk waits for the observer.
    #[must_use]
    pub const fn is_holding(&self) -> bool {
        self.held.is_some() || self.unsettled
    }

    /// Reads one chunk and passes it on. False when the observer took it only in part, or when nothing was there.
    fn read(&mut self, place: Place, observer: &mut impl Observer, now: Instant) -> bool {
        if self.held.is_some() && !self.pass_on(observer, now) {
            return false;
        }
        let room = self.input.len();
        let Some(flow) = self.channels.get(place.slot).map(|channel| channel.flow(place.stream)) else { return false };
        let Some(pipe) = &flow.pipe else { return false };
        let length = flow.allowance(room);
        let Some(input) = self.input.get_mut(..length) else { return false };
        // An error means that nothing is there now: a pipe of our own gives no other.
        let end = fd::read(pipe.read.as_fd(), input).unwrap_or(0);
        if end == 0 {
            return false;
        }
        self.held = Some(Held { place, start: 0, end });
        self.pass_on(observer, now)
    }

    /// Splits the held chunk into lines for the observer. False when the observer did not take all of it.
    fn pass_on(&mut self, observer: &mut impl Observer, now: Instant) -> bool {
        let Some(held) = self.held else { return true };
        let level = self.level(held.place.stream);
        let (Some(channel), Some(buffers)) =
            (self.channels.get_mut(held.place.slot), self.buffers.get_mut(held.place.slot))
        else {
            return true;
        };
        let current = channel.current;
        let flow = channel.flow_mut(held.place.stream);
        let [out, err] = buffers;
        let buffer = if held.place.stream == Stream::Out { out } else { err };
        let chunk = self.input.get(held.start..held.end).unwrap_or_default();
        let owner = flow.owner(current);
        let mut rest = chunk;
        let mut finished = false;
        let done = loop {
            if !observer.ready() {
                break false;
            }
            let Some(part) = flow.lines.next(buffer, &mut rest) else { break true };
            finished = true;
            if let Some(owner) = owner {
                let worker = held.place.worker(owner);
                let line = Event::Line { worker, stream: held.place.stream, bytes: part.bytes, partial: part.partial };
                observer.event(level, &line);
            }
        };
        let used = chunk.len().saturating_sub(rest.len());
        if let Some(legacy) = &mut flow.legacy {
            legacy.bytes = legacy.bytes.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
        }
        if flow.lines.is_pending() && (finished || flow.waiting_since == Instant::ZERO) {
            flow.waiting_since = now;
        } else if !flow.lines.is_pending() {
            flow.waiting_since = Instant::ZERO;
        }
        let pending = flow.lines.is_pending().then_some(flow.waiting_since);
        self.note_waiting(pending);
        self.held = (!done).then_some(Held { start: held.start.saturating_add(used), ..held });
        if done {
            self.settle(held.place, observer);
        }
        done
    }

    /// Ends the last line of a dead worker once its last byte was passed on.
    fn settle(&mut self, place: Place, observer: &mut impl Observer) {
        if self.flow(place).and_then(|flow| flow.legacy).is_none_or(|legacy| legacy.bytes > 0) {
            return;
        }
        if self.held.is_some_and(|held| held.place == place) || !observer.ready() {
            self.unsettled = true;
            return;
        }
        self.emit(place, observer, Lines::end);
        if let Some(flow) = self.flow_mut(place) {
            flow.legacy = None;
            flow.waiting_since = Instant::ZERO;
        }
    }

    /// Shows the beginnings of lines that have waited for their newline too long.
    fn show_late(&mut self, observer: &mut impl Observer, now: Instant) {
        if self.show_at.is_none_or(|at| at > now) || !observer.ready() {
            return;
        }
        self.show_at = None;
        self.for_each_place(|relay, place| {
            let Some(flow) = relay.flow(place) else { return };
            if !flow.lines.is_pending() {
                return;
            }
            let since = flow.waiting_since;
            if since.after(PATIENCE) > now || !observer.ready() {
                relay.note_waiting(Some(since));
            } else {
                relay.emit(place, observer, Lines::show);
                if let Some(flow) = relay.flow_mut(place) {
                    flow.waiting_since = Instant::ZERO;
                }
            }
        });
    }

    /// Moves the next showing forward, if this line is the first to have waited too long.
    fn note_waiting(&mut self, since: Option<Instant>) {
        let Some(at) = since.map(|since| since.after(PATIENCE)) else { return };
        self.show_at = Some(self.show_at.map_or(at, |other| other.min(at)));
    }

    /// Passes on the part that `take` gets out of what is held of one line.
    fn emit<'s>(
        &'s mut self,
        place: Place,
        observer: &mut impl Observer,
        take: impl FnOnce(&mut Lines, &'s [u8; PART]) -> Option<super::lines::Part<'s>>,
    ) {
        let level = self.level(place.stream);
        let (Some(channel), Some([out, err])) = (self.channels.get_mut(place.slot), self.buffers.get(place.slot))
        else {
            return;
        };
        let current = channel.current;
        let flow = channel.flow_mut(place.stream);
        let owner = flow.owner(current);
        let buffer = if place.stream == Stream::Out { out } else { err };
        if let (Some(part), Some(owner)) = (take(&mut flow.lines, buffer), owner) {
            let line = Event::Line {
                worker: place.worker(owner),
                stream: place.stream,
                bytes: part.bytes,
                partial: part.partial,
            };
            observer.event(level, &line);
        }
    }

    fn for_each_place(&mut self, mut act: impl FnMut(&mut Self, Place)) {
        for slot in 0..self.channels.len() {
            for stream in [Stream::Out, Stream::Err] {
                act(self, Place { slot, stream });
            }
        }
    }

    const fn level(&self, stream: Stream) -> Level {
        let [out, err] = self.levels;
        match stream {
            Stream::Out => out,
            Stream::Err => err,
        }
    }

    fn flow(&self, place: Place) -> Option<&Flow> {
        self.channels.get(place.slot).map(|channel| channel.flow(place.stream))
    }

    fn flow_mut(&mut self, place: Place) -> Option<&mut Flow> {
        self.channels.get_mut(place.slot).map(|channel| channel.flow_mut(place.stream))
    }
}

impl Channel {
    const fn flow(&self, stream: Stream) -> &Flow {
        let [out, err] = &self.flows;
        match stream {
            Stream::Out => out,
            Stream::Err => err,
        }
    }

    const fn flow_mut(&mut self, stream: Stream) -> &mut Flow {
        let [out, err] = &mut self.flows;
        match stream {
            Stream::Out => out,
            Stream::Err => err,
        }
    }
}

impl Place {
    fn worker(self, owner: Owner) -> Worker {
        let index = u16::try_from(self.slot).unwrap_or(u16::MAX);
        Worker { slot: SlotId { index, generation: owner.generation }, pid: owner.pid }
    }
}
