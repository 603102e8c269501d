//! The log target: one bounded buffer of whole records, written without ever blocking the loop.

use core::ffi::CStr;
use core::time::Duration;

use super::format::{Formatter, MAX_RECORD};
use super::stamp::Stamp;
use crate::observe::{Event, Failure, Level, Observer, Want};
use crate::pool::Instant;
use crate::sys::fd::{self, AsFd, AsRawFd, BorrowedFd, OwnedFd, PIPE_BUF};
use crate::sys::{Errno, Result, clock};
use crate::text::Text;

/// Room that only the manager's own records may use, so that a burst of lines does not cost one of them.
const RESERVE: usize = 8 * 1024;

/// The room that must be free before a worker's line is taken.
const HEADROOM: usize = MAX_RECORD + RESERVE;

/// How much is gathered before it is written.
const BATCH: usize = 54 * 1024;

/// The size of a sink's buffer. Its last part is touched only by lines that grow in a format.
pub const BUFFER: usize = BATCH + HEADROOM;

/// How long a target that has no room (a full disk) is left alone before the next try.
const RETRY: Duration = Duration::from_secs(1);

/// How long a target is left alone that took nothing although poll(2) called it writable.
const LIE: Duration = Duration::from_millis(100);

/// Where records go, in pieces that a pipe takes whole: others may write there, too.
#[derive(Debug)]
pub enum Target {
    /// A file that this process opened.
    Own {
        /// The open file; not blocking.
        file: OwnedFd,
        /// Its path, to open it anew; `None`: it stays.
        path: Option<&'static CStr>,
    },
    /// A descriptor that other processes share; its flags are left alone.
    Shared(BorrowedFd<'static>),
    /// A file on a disk that other processes share; it takes what it is given, or says why not.
    SharedFile(BorrowedFd<'static>),
    /// Nowhere.
    None,
}

impl Target {
    /// Opens a log file.
    ///
    /// # Errors
    /// As open(2).
    pub fn file(path: &'static CStr) -> Result<Self> {
        Ok(Self::Own { file: fd::open_append(path)?, path: Some(path) })
    }

    /// Takes standard error. A terminal is opened anew, because a write through the shared open file could block.
    #[must_use]
    pub fn standard_error() -> Self {
        let shared = fd::standard(2);
        if fd::is_on_disk(shared) {
            return Self::SharedFile(shared);
        }
        fd::reopen_terminal(shared).map_or(Self::Shared(shared), |file| Self::Own { file, path: None })
    }

    fn write(&self, bytes: &[u8]) -> Result<usize> {
        let bytes = piece(bytes);
        match self {
            Self::Own { file, .. } => fd::write(file.as_fd(), bytes),
            Self::Shared(fd) => fd::write_shared(*fd, bytes),
            Self::SharedFile(fd) => fd::write(*fd, bytes),
            Self::None => Ok(bytes.len()),
        }
    }
}

/// Gives what one write carries: whole lines up to `PIPE_BUF`, or one line that is longer.
fn piece(bytes: &[u8]) -> &[u8] {
    let ends_line = |byte: &u8| *byte == b'\n';
    let short = bytes.get(..PIPE_BUF).unwrap_or(bytes);
    let end = short.iter().rposition(ends_line).or_else(|| bytes.iter().position(ends_line));
    end.and_then(|end| bytes.get(..=end)).unwrap_or(bytes)
}

/// An error of the target, as an event.
const fn trouble(step: &'static str, errno: Errno) -> Event<'static> {
    Event::Trouble { failure: Failure { step, errno: errno.raw_os_error() } }
}

/// Tells whether a target that gave this error may have room again one day; till then everything is kept.
const fn is_full(errno: Errno) -> bool {
    matches!(errno, Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::IO)
}

/// Formats events and writes them to a target.
#[derive(Debug)]
pub struct Sink<'a> {
    target: Target,
    formatter: Formatter<'a>,
    level: Level,
    buffer: &'a mut [u8],
    /// What waits to be written lies from here ...
    start: usize,
    /// ... to here.
    end: usize,
    stamp: Stamp,
    /// Whether the stamp is this turn's.
    stamped: bool,
    /// Records that are lost and not reported yet.
    dropped: u64,
    /// What the target's last refusal was, if the last write was refused.
    refusal: Option<Errno>,
    /// Whether the target said since that it has room.
    invited: bool,
    retry_at: Option<Instant>,
    /// What befell the target and could not be told elsewhere, until it takes records again.
    untold: Option<Errno>,
}

impl<'a> Sink<'a> {
    /// Writes records from `level` up to `target`, through a buffer of [`BUFFER`] bytes.
    pub const fn new(target: Target, formatter: Formatter<'a>, level: Level, buffer: &'a mut [u8]) -> Self {
        Self {
            target,
            formatter,
            level,
            buffer,
            start: 0,
            end: 0,
            stamp: Stamp::ORIGIN,
            stamped: false,
            dropped: 0,
            refusal: None,
            invited: false,
            retry_at: None,
            untold: None,
        }
    }

    /// Appends a record if there is room; tells whether there was.
    fn append(&mut self, level: Level, event: &Event<'_>) -> bool {
        if !core::mem::replace(&mut self.stamped, true) {
            self.stamp.set(Duration::from_millis(clock::wall_millis()));
        }
        let mut text = Text::new(self.buffer.get_mut(self.end..).unwrap_or_default());
        let fits = self.formatter.record(&mut text, &self.stamp, level, event);
        self.end = self.end.saturating_add(text.len());
        fits
    }

    /// How many bytes are free behind what waits.
    const fn room(&self) -> usize {
        self.buffer.len().saturating_sub(self.end)
    }

    /// Where the record begins of which a write has taken a part; `start`, if it took whole records alone.
    fn record_start(&self) -> usize {
        let written = self.buffer.get(..self.start).unwrap_or_default();
        written.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end.saturating_add(1))
    }

    /// Moves what waits to the front of the buffer, and with it the beginning of a record that was torn.
    fn compact(&mut self) {
        let from = self.record_start();
        if let Some(used) = self.buffer.get_mut(..self.end).filter(|_| from > 0) {
            used.copy_within(from.min(used.len()).., 0);
            (self.start, self.end) = (self.start.saturating_sub(from), self.end.saturating_sub(from));
        }
    }

    /// Writes until nothing waits or the target refuses.
    fn write_out(&mut self) {
        if self.retry_at.is_some() || (self.is_stuck() && !self.invited) {
            return;
        }
        // Each turn of this loop writes something or ends it.
        while self.start < self.end {
            match self.target.write(self.buffer.get(self.start..self.end).unwrap_or_default()) {
                Ok(0) | Err(Errno::AGAIN | Errno::INTR) => return self.refuse(Errno::AGAIN),
                Ok(written) => {
                    self.start = self.start.saturating_add(written).min(self.end);
                    (self.invited, self.refusal) = (false, None);
                }
                Err(errno) => return self.refuse(errno),
            }
        }
        (self.start, self.end) = (0, 0);
        self.report();
    }

    /// Tells whether the target was full when it was last written to.
    fn is_stuck(&self) -> bool {
        self.refusal == Some(Errno::AGAIN)
    }

    /// Deals with a target that did not take what it was given.
    fn refuse(&mut self, errno: Errno) {
        let known = self.refusal.replace(errno) == Some(errno);
        if errno != Errno::AGAIN && !is_full(errno) {
            // Nobody will ever read this.
            self.discard();
        }
        if errno == Errno::AGAIN || known {
            return;
        }
        if matches!(self.target, Target::Own { path: Some(_), .. }) {
            self.complain(&trouble("write the log", errno));
        } else {
            self.untold = Some(errno);
        }
    }

    /// How long to wait before the next try, where poll(2) cannot tell when to make it.
    const fn patience(&self) -> Option<Duration> {
        match self.refusal {
            Some(errno) if is_full(errno) => Some(RETRY),
            // A terminal that nobody reads is called writable all the time.
            Some(Errno::AGAIN) if self.invited => Some(LIE),
            Some(_) | None => None,
        }
    }

    /// Gives up what waits, counted in records.
    fn discard(&mut self) {
        let waiting = self.buffer.get(self.start..self.end).unwrap_or_default();
        let ends = waiting.iter().filter(|byte| **byte == b'\n');
        self.dropped = ends.fold(self.dropped, |dropped, _| dropped.saturating_add(1));
        (self.start, self.end) = (0, 0);
    }

    /// Says once, where there is room for it again, what befell the target and how many records were lost.
    fn report(&mut self) {
        if let Some(errno) = self.untold.take() {
            self.event(Level::Error, &trouble("write the log", errno));
        }
        let records = core::mem::take(&mut self.dropped);
        if records > 0 {
            self.event(Level::Warning, &Event::Dropped { records });
        }
    }

    /// Says on standard error what the log itself cannot say.
    fn complain(&mut self, event: &Event<'_>) {
        let mut room = [0; 512];
        let mut text = Text::new(&mut room);
        if self.formatter.record(&mut text, &self.stamp, Level::Error, event) {
            // There is no third place to say that this failed.
            let _ = Target::standard_error().write(text.as_bytes());
        }
    }
}

impl Observer for Sink<'_> {
    fn event(&mut self, level: Level, event: &Event<'_>) {
        if level < self.level {
            return;
        }
        if self.room() < MAX_RECORD {
            self.compact();
        }
        if !self.append(level, event) {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn ready(&mut self) -> bool {
        if self.room() >= HEADROOM {
            return true;
        }
        if self.refusal.is_none() {
            self.write_out();
        }
        self.compact();
        self.room() >= HEADROOM
    }

    fn flush(&mut self, now: Instant) {
        self.stamped = false;
        if self.retry_at.is_some_and(|at| at <= now) {
            (self.retry_at, self.invited) = (None, true);
        }
        self.write_out();
        if self.retry_at.is_none() {
            self.retry_at = self.patience().map(|patience| now.after(patience));
            self.invited = false;
        }
    }

    fn writable(&mut self) {
        self.invited = true;
    }

    fn want(&self) -> Want {
        match (self.start < self.end, self.retry_at, &self.target) {
            (false, _, _) | (true, None, Target::None) => Want::Nothing,
            (true, Some(at), _) => Want::Time(at),
            (true, None, Target::Own { file, .. }) => Want::Writable(file.as_raw_fd()),
            (true, None, Target::Shared(fd) | Target::SharedFile(fd)) => Want::Writable(fd.as_raw_fd()),
        }
    }

    fn close(&mut self) {
        self.discard();
        let records = core::mem::take(&mut self.dropped);
        if records > 0 && matches!(self.target, Target::Own { path: Some(_), .. }) {
            self.complain(&Event::Dropped { records });
        }
    }

    /// Opens the file under its path; the old one stays if that fails. A record that was torn is written again, whole.
    fn reopen(&mut self) {
        let Target::Own { path: Some(path), .. } = self.target else { return };
        match Target::file(path) {
            Ok(target) => {
                self.start = self.record_start();
                (self.target, self.refusal, self.retry_at) = (target, None, None);
                self.write_out();
            }
            Err(errno) => self.event(Level::Error, &trouble("reopen the log", errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PIPE_BUF, piece};

    #[test]
    fn a_write_is_as_many_whole_lines_as_a_pipe_takes_at_once_or_a_longer_one() {
        let line = |len: usize| [vec![b'x'; len - 1], vec![b'\n']].concat();
        for (lines, len) in [
            (vec![3, 4, 5], 12),
            (vec![PIPE_BUF], PIPE_BUF),
            (vec![PIPE_BUF - 3, 3, 1], PIPE_BUF),
            (vec![PIPE_BUF - 3, 4, 1], PIPE_BUF - 3),
            (vec![PIPE_BUF + 1, 1], PIPE_BUF + 1),
            (vec![1, PIPE_BUF + 1], 1),
        ] {
            let bytes = lines.iter().flat_map(|len| line(*len)).collect::<Vec<_>>();
            assert_eq!(piece(&bytes).len(), len, "{lines:?}");
        }
        assert_eq!(piece(b"no end").len(), 6);
    }
}
