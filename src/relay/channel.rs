//! The pipes between workers and the manager: two a slot, made once, handed to every worker of the slot in turn.

use core::time::Duration;

use super::PART;
use super::lines::{Lines, Part};
use crate::observe::{Event, Level, Observer, Stream, Worker};
use crate::pool::{Instant, Pid, SlotId, sooner};
use crate::sys::Result;
use crate::sys::fd::{self, AsFd, AsRawFd, BorrowedFd, IDLE_ROW, OwnedFd, Pipe, PollRow};
use crate::sys::watch::Watch;

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
    /// When the line that waits for its newline began to; `None`: none waits.
    waiting_since: Option<Instant>,
}

impl Flow {
    const CLOSED: Self = Self { pipe: None, lines: Lines::EMPTY, legacy: None, waiting_since: None };

    /// Notes whether a line waits, and since when; `fresh`: if one does, it is another than before.
    fn note_waiting(&mut self, fresh: bool, now: Instant) {
        let since = if fresh { None } else { self.waiting_since };
        self.waiting_since = self.lines.is_pending().then_some(since.unwrap_or(now));
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

/// Slots whose pipes have low numbers: about as many as there are children at once between fork and a table of their own.
const NEAR: usize = 16;

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
    /// Every pipe's read end, under the number of its place.
    watch: Option<Watch>,
    /// The slots whose pipes have low numbers.
    near: [u16; NEAR],
    /// Counts on through these.
    turn: usize,
    /// Holds a pipe while two exchange their numbers.
    spare: Option<OwnedFd>,
}

impl<'a> Relay<'a> {
    /// Relays through `channels`, with as many `buffers` and a read buffer that all share.
    pub const fn new(
        channels: &'a mut [Channel],
        buffers: &'a mut [Buffers],
        input: &'a mut [u8],
        levels: [Level; 2],
    ) -> Self {
        Self {
            channels,
            buffers,
            input,
            levels,
            held: None,
            show_at: None,
            unsettled: false,
            watch: None,
            near: [0; NEAR],
            turn: 0,
            spare: None,
        }
    }

    /// Makes the pipes of every slot.
    ///
    /// # Errors
    /// `MFILE` and `NFILE` when descriptors have run out.
    pub fn open(&mut self) -> Result<()> {
        let flows = self.channels.iter_mut().flat_map(|channel| &mut channel.flows);
        let watch = Watch::new()?;
        for (flow, number) in flows.zip(0..u32::MAX) {
            let pipe = fd::pipe_to_read()?;
            watch.add(pipe.read.as_fd(), number)?;
            flow.pipe = Some(pipe);
        }
        for (slot, index) in self.near.iter_mut().zip(0..) {
            *slot = index;
        }
        self.spare = Some(fd::pipe()?.read);
        self.watch = Some(watch);
        Ok(())
    }

    /// Gives the ends that a worker of `slot` writes to low numbers: who shares the table of descriptors then needs to take
    /// over no more of it than up to there.
    ///
    /// Another slot has them after that the longest, and gives them up unless its worker `looks_there` still.
    pub fn bring_near(&mut self, slot: u16, looks_there: impl FnOnce(u16) -> bool) {
        if self.near.contains(&slot) {
            return;
        }
        self.turn = self.turn.wrapping_add(1);
        let Some(place) = self.turn.checked_rem(NEAR).and_then(|turn| self.near.get_mut(turn)) else { return };
        let other = usize::from(*place);
        if looks_there(*place) {
            return;
        }
        let Ok([one, other]) = self.channels.get_disjoint_mut([usize::from(slot), other]) else { return };
        let Some(spare) = &self.spare else { return };
        for (one, other) in one.flows.iter_mut().zip(&mut other.flows) {
            if let (Some(one), Some(other)) = (&mut one.pipe, &mut other.pipe) {
                fd::exchange(&mut one.write, &mut other.write, spare);
            }
        }
        *place = slot;
    }

    /// Counts the workers whose output can be relayed.
    #[must_use]
    pub const fn workers(&self) -> usize {
        self.channels.len()
    }

    /// Closes all pipes; what was not passed on is lost.
    pub fn close(&mut self) {
        for flow in self.channels.iter_mut().flat_map(|channel| &mut channel.flows) {
            *flow = Flow::CLOSED;
        }
        self.watch = None;
        self.spare = None;
    }

    /// Gives the ends that a worker of `slot` writes to: standard output and error.
    #[must_use]
    pub fn ends(&self, slot: u16) -> [Option<BorrowedFd<'_>>; 2] {
        let channel = self.channels.get(usize::from(slot));
        [Stream::Out, Stream::Err].map(|stream| Some(channel?.flow(stream).pipe.as_ref()?.write.as_fd()))
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
        for stream in [Stream::Out, Stream::Err] {
            let place = Place { slot: usize::from(slot), stream };
            self.note_legacy(place);
            while self.legacy(place).is_some_and(|legacy| legacy.bytes > 0) && self.read(place, observer, now) {}
            self.settle(place, observer);
        }
    }

    /// Notes how many bytes the dead worker left; not if some of an earlier one are still to come.
    fn note_legacy(&mut self, place: Place) {
        let chunk = self.held.filter(|held| held.place == place);
        let unread = chunk.map_or(0, |held| held.end.saturating_sub(held.start));
        let Some(channel) = self.channels.get_mut(place.slot) else { return };
        let current = channel.current;
        let flow = channel.flow_mut(place.stream);
        if let (Some(pipe), Some(owner), None) = (&flow.pipe, current, flow.legacy) {
            let bytes = fd::waiting(pipe.read.as_fd()).saturating_add(unread);
            flow.legacy = Some(Legacy { owner, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) });
        }
    }

    fn legacy(&self, place: Place) -> Option<Legacy> {
        self.channels.get(place.slot)?.flow(place.stream).legacy
    }

    /// Gives the row that waits for output; it waits for nothing while the observer takes no lines.
    #[must_use]
    pub fn row(&self, ready: bool) -> PollRow {
        self.watch.as_ref().filter(|_| ready).map_or(IDLE_ROW, |watch| fd::readable(watch.as_raw_fd()))
    }

    /// Reads each pipe that has something once, if any has, and shows the lines that waited too long.
    pub fn carry(&mut self, any: bool, observer: &mut impl Observer, now: Instant) {
        if !self.pass_on(observer, now) {
            return;
        }
        if core::mem::take(&mut self.unsettled) {
            self.for_each_place(|relay, place| relay.settle(place, observer));
        }
        for number in self.watch.as_ref().filter(|_| any).map(Watch::ready).into_iter().flatten() {
            self.read(Place::of(number), observer, now);
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
        self.for_each_place(|relay, place| relay.end(place, observer));
    }

    /// Tells whether bytes of a dead worker were not passed on yet.
    #[must_use]
    pub fn is_owing(&self) -> bool {
        self.held.is_some()
            || self.channels.iter().any(|channel| channel.flows.iter().any(|flow| flow.legacy.is_some()))
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
        let Some((flow, buffer, owner)) = look_up(self.channels, self.buffers, held.place) else { return true };
        let chunk = self.input.get(held.start..held.end).unwrap_or_default();
        let mut rest = chunk;
        let mut fresh = false;
        let done = loop {
            if !observer.ready() {
                break false;
            }
            let Some(part) = flow.lines.next(buffer, &mut rest) else { break true };
            fresh = true;
            tell(observer, level, held.place, owner, part);
        };
        let used = chunk.len().saturating_sub(rest.len());
        if let Some(legacy) = &mut flow.legacy {
            legacy.bytes = legacy.bytes.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
        }
        flow.note_waiting(fresh, now);
        let since = flow.waiting_since;
        self.show_later(since);
        self.held = (!done).then_some(Held { start: held.start.saturating_add(used), ..held });
        if done {
            self.settle(held.place, observer);
        }
        done
    }

    /// Ends the last line of a dead worker once its last byte was passed on.
    fn settle(&mut self, place: Place, observer: &mut impl Observer) {
        if self.legacy(place).is_none_or(|legacy| legacy.bytes > 0) {
            return;
        }
        if observer.ready() {
            self.end(place, observer);
        } else {
            self.unsettled = true;
        }
    }

    /// Ends the line that is being read, and with it what a dead worker left.
    fn end(&mut self, place: Place, observer: &mut impl Observer) {
        let level = self.level(place.stream);
        let Some((flow, buffer, owner)) = look_up(self.channels, self.buffers, place) else { return };
        if let Some(part) = flow.lines.end(buffer) {
            tell(observer, level, place, owner, part);
        }
        (flow.legacy, flow.waiting_since) = (None, None);
    }

    /// Shows the beginnings of lines that have waited for their newline too long.
    fn show_late(&mut self, observer: &mut impl Observer, now: Instant) {
        if self.show_at.is_none_or(|at| at > now) || !observer.ready() {
            return;
        }
        self.show_at = None;
        self.for_each_place(|relay, place| {
            let level = relay.level(place.stream);
            let Some((flow, buffer, owner)) = look_up(relay.channels, relay.buffers, place) else { return };
            let is_late = flow.waiting_since.is_some_and(|since| since.after(PATIENCE) <= now);
            if is_late && observer.ready() {
                if let Some(part) = flow.lines.show(buffer) {
                    tell(observer, level, place, owner, part);
                }
                // The beginning of a character may have stayed behind, and waits anew.
                flow.note_waiting(true, now);
            }
            let since = flow.waiting_since;
            relay.show_later(since);
        });
    }

    /// Moves the next showing forward, if this line is the first that will have waited too long.
    fn show_later(&mut self, since: Option<Instant>) {
        let at = since.map(|since| since.after(PATIENCE));
        self.show_at = sooner(self.show_at, at);
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
}

/// Finds what a place has: its flow, the buffer of its line, and whose bytes come next.
fn look_up<'t>(
    channels: &'t mut [Channel],
    buffers: &'t mut [Buffers],
    place: Place,
) -> Option<(&'t mut Flow, &'t mut [u8; PART], Option<Owner>)> {
    let channel = channels.get_mut(place.slot)?;
    let [out, err] = buffers.get_mut(place.slot)?;
    let current = channel.current;
    let flow = channel.flow_mut(place.stream);
    let owner = flow.legacy.map(|legacy| legacy.owner).or(current);
    Some((flow, if place.stream == Stream::Out { out } else { err }, owner))
}

/// Passes one part on; nobody writes before the first worker, so that it always has an owner.
fn tell(observer: &mut impl Observer, level: Level, place: Place, owner: Option<Owner>, part: Part<'_>) {
    if let Some(owner) = owner {
        let worker = place.worker(owner);
        let Part { bytes, partial, clean } = part;
        let line = Event::Line { worker, stream: place.stream, bytes, partial, clean };
        observer.event(level, &line);
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
    /// The place of a watched number: two a slot.
    fn of(number: u32) -> Self {
        let stream = if number & 1 == 0 { Stream::Out } else { Stream::Err };
        Self { slot: usize::try_from(number >> 1).unwrap_or(usize::MAX), stream }
    }

    fn worker(self, owner: Owner) -> Worker {
        let index = u16::try_from(self.slot).unwrap_or(u16::MAX);
        Worker { slot: SlotId { index, generation: owner.generation }, pid: owner.pid }
    }
}
