//! One connection to a beanstalkd server: lines and bodies over a socket that never waits, with a deadline for all.

use core::time::Duration;

use super::protocol::{Command, LINE, Reply, parse};
use super::server::Server;
use crate::pool::Instant;
use crate::sys::fd::{self, AsFd, AsRawFd};
use crate::sys::{Errno, clock, net};
use crate::text::Text;
use crate::worker::Context;

/// How long a connection may take to be made, and an answer to come (beyond the time that a reserve is to wait).
const PATIENCE: Duration = Duration::from_secs(3);

/// How much is received at once.
const ROOM: usize = 2 * LINE;

/// The connection is of no use any more: it broke, it was too slow, or the server spoke nonsense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

pub(super) type Result<T> = core::result::Result<T, Broken>;

/// A connection. Once a method has found it broken it is to be dropped; the server puts back what it held.
#[derive(Debug)]
pub(super) struct Link {
    socket: net::Socket,
    /// Received, but not looked at yet: the bytes from `start` to `end`.
    room: [u8; ROOM],
    start: usize,
    end: usize,
}

impl Link {
    /// Connects. Told to stop, it gives up at once.
    pub(super) fn open(server: &Server<'_>, context: &mut Context) -> Result<Self> {
        let socket = match *server {
            Server::Network(address) => net::connect(address),
            Server::Unix(path) => net::connect_unix(path),
        };
        let socket = socket.map_err(|_| Broken)?;
        let until = clock::monotonic().after(PATIENCE);
        while !context.wait_row(fd::writable(socket.as_raw_fd()), left(until)) {
            if context.stopping() || left(until).is_zero() {
                return Err(Broken);
            }
        }
        net::connected(socket.as_fd()).map_err(|_| Broken)?;
        Ok(Self { socket, room: [0; ROOM], start: 0, end: 0 })
    }

    /// Sends a command and waits for its answer.
    pub(super) fn ask(&mut self, command: Command<'_>, context: &mut Context) -> Result<Reply> {
        let until = clock::monotonic().after(PATIENCE);
        self.send(command, until, context)?;
        self.reply(until, context)
    }

    /// Sends a command that is answered by no more than that it was done; tells whether it was.
    pub(super) fn tell(&mut self, command: Command<'_>, context: &mut Context) -> Result<bool> {
        match self.ask(command, context)? {
            Reply::Done => Ok(true),
            Reply::NotFound => Ok(false),
            Reply::Reserved { .. } | Reply::TimedOut | Reply::DeadlineSoon | Reply::Data { .. } | Reply::Refused => {
                Err(Broken)
            }
        }
    }

    /// Takes a job, which the server may wait `time` for; gives its id and its length.
    ///
    /// Told to stop or to pause meanwhile, it stops sending for good: the server then answers at once, and a job that came in
    /// this very moment goes back to it when the link is dropped.
    pub(super) fn reserve(&mut self, time: Duration, context: &mut Context) -> Result<Option<(u64, usize)>> {
        let until = clock::monotonic().after(time.saturating_add(PATIENCE));
        self.send(Command::Reserve(time.as_secs()), until, context)?;
        while self.line().is_none() {
            if context.stopping() || context.paused() {
                net::finish_sending(self.socket.as_fd());
                self.reply(clock::monotonic().after(PATIENCE), context)?;
                return Err(Broken);
            }
            self.receive(until, context)?;
        }
        match self.reply(until, context)? {
            Reply::Reserved { id, bytes } => Ok(Some((id, bytes))),
            Reply::TimedOut | Reply::DeadlineSoon => Ok(None),
            Reply::Done | Reply::NotFound | Reply::Data { .. } | Reply::Refused => Err(Broken),
        }
    }

    /// Receives `bytes` of data and their line end, of which as much is kept as `place` holds.
    pub(super) fn data(&mut self, bytes: usize, place: &mut [u8], context: &mut Context) -> Result<()> {
        let until = clock::monotonic().after(PATIENCE);
        let mut place = place;
        let mut missing = bytes;
        while missing > 0 {
            if self.start == self.end {
                self.wait_and_fill(until, context)?;
            }
            let taken = self.received().len().min(missing);
            let kept = taken.min(place.len());
            let (now, later) = core::mem::take(&mut place).split_at_mut_checked(kept).ok_or(Broken)?;
            now.copy_from_slice(self.received().get(..kept).ok_or(Broken)?);
            place = later;
            self.start = self.start.saturating_add(taken);
            missing = missing.saturating_sub(taken);
        }
        while self.line().is_none() {
            self.wait_and_fill(until, context)?;
        }
        if self.take_line().is_some_and(<[u8]>::is_empty) { Ok(()) } else { Err(Broken) }
    }

    fn send(&self, command: Command<'_>, until: Instant, context: &mut Context) -> Result<()> {
        let mut room = [0; LINE];
        let mut text = Text::new(&mut room);
        command.write(&mut text);
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match net::send(self.socket.as_fd(), rest) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(Errno::AGAIN) if !left(until).is_zero() => {
                    context.wait_row(fd::writable(self.socket.as_raw_fd()), left(until));
                }
                Err(_) => return Err(Broken),
            }
        }
        Ok(())
    }

    /// Waits for a line and reads it.
    fn reply(&mut self, until: Instant, context: &mut Context) -> Result<Reply> {
        while self.line().is_none() {
            self.wait_and_fill(until, context)?;
        }
        self.take_line().and_then(parse).ok_or(Broken)
    }

    /// Waits until something was received, whatever else there is to hear.
    fn wait_and_fill(&mut self, until: Instant, context: &mut Context) -> Result<()> {
        while !self.receive(until, context)? {}
        Ok(())
    }

    /// Waits for something to receive; false when there was something else to hear first.
    fn receive(&mut self, until: Instant, context: &mut Context) -> Result<bool> {
        if !context.wait_row(fd::readable(self.socket.as_raw_fd()), left(until)) {
            return if left(until).is_zero() { Err(Broken) } else { Ok(false) };
        }
        self.room.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
        // A line that fills all there is has no end.
        let free = self.room.get_mut(self.end..).filter(|free| !free.is_empty()).ok_or(Broken)?;
        match fd::read(self.socket.as_fd(), free) {
            Ok(0) => Err(Broken),
            Ok(count) => {
                self.end = self.end.saturating_add(count);
                Ok(true)
            }
            Err(Errno::AGAIN) => Ok(false),
            Err(_) => Err(Broken),
        }
    }

    fn received(&self) -> &[u8] {
        self.room.get(self.start..self.end).unwrap_or_default()
    }

    /// Finds the length of the line at the front, if it is there to its end.
    fn line(&self) -> Option<usize> {
        self.received().windows(2).position(|pair| pair == b"\r\n")
    }

    fn take_line(&mut self) -> Option<&[u8]> {
        let length = self.line()?;
        let start = self.start;
        self.start = start.saturating_add(length).saturating_add(2);
        self.room.get(start..start.saturating_add(length))
    }
}

/// The time from now until then.
fn left(until: Instant) -> Duration {
    until.since(clock::monotonic())
}
