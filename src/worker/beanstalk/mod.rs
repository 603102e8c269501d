//! Workers that do the jobs of beanstalkd servers (feature `beanstalk`).
//!
//! A [`Beanstalk`] is a [`Worker`] that reserves jobs from one or more servers and hands each to a function,
//! whose [`Verdict`] says what becomes of the job. Every job is done at least once: one whose worker dies, or whose
//! connection breaks, is given to another by the server.
//!
//! ```no_run
//! use cantella::worker::beanstalk::{Beanstalk, Job, Lease, Server, Settings, Verdict};
//! use cantella::worker::{Context, Role};
//!
//! let servers = [Server::parse("127.0.0.1:11300").expect("an address")];
//! let settings = Settings { servers: &servers, tubes: &["mail"], max_tries: Some(4), ..Settings::DEFAULT };
//! let program = Role::new(|_: &mut Context| {
//!     Beanstalk::<_>::new(settings, |job: &Job<'_>, lease: &mut Lease<'_>| {
//!         println!("job {}: {} bytes", job.id, job.body.len());
//!         lease.touch();
//!         Verdict::Delete
//!     })
//! });
//! # let _ = program;
//! ```
//!
//! # References
//! beanstalkd's `doc/protocol.txt`, version 1.12.

mod link;
mod order;
mod protocol;
mod server;

pub use server::Server;

use core::ops::{Deref, DerefMut};
use core::time::Duration;

use super::{Context, Worker};
use crate::pool::Instant;
use crate::sys::{clock, process};
use link::{Link, Result};
use order::Order;
use protocol::Command;

/// The most servers that one worker asks; those beyond are left alone.
pub const MAX_SERVERS: usize = 16;

/// The longest body by default, which is also what beanstalkd takes by default.
pub const BODY: usize = 65_535;

/// The priority that jobs have where nobody says otherwise.
pub const PRIORITY: u32 = 1 << 10;

/// How a worker uses its servers.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The servers, 1 to [`MAX_SERVERS`]. They are asked in an order that is drawn anew each time.
    pub servers: &'a [Server<'a>],
    /// The tubes to take jobs from; none: `default`. What can be no name of a tube is left out.
    pub tubes: &'a [&'a str],
    /// How long a server may wait for a job, in whole seconds. A stop or a pause ends the wait at once.
    pub reserve_timeout: Duration,
    /// A job that was reserved more often than this is not tried again; `None`: it is tried for ever.
    pub max_tries: Option<u64>,
    /// Such a job is deleted, not buried.
    pub delete_on_max_tries: bool,
}

impl Settings<'_> {
    /// No server yet, the tube `default`, a second for a reserve, no limit of tries.
    pub const DEFAULT: Self = Self {
        servers: &[],
        tubes: &[],
        reserve_timeout: Duration::from_secs(1),
        max_tries: None,
        delete_on_max_tries: false,
    };
}

/// A job in hand.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Its number at its server.
    pub id: u64,
    /// What is to be done.
    pub body: &'a [u8],
    /// How often it was reserved, this time included; known where there is a limit of tries.
    pub tries: Option<u64>,
}

/// What becomes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Delete,
    /// It is to be done again.
    Release {
        /// Not before this time has passed, in whole seconds.
        delay: Duration,
        /// Its priority from now on; 0 is the most urgent.
        priority: u32,
    },
    /// It is put aside until somebody kicks it.
    Bury {
        /// Its priority from now on.
        priority: u32,
    },
}

impl Verdict {
    const fn command(self, id: u64) -> Command<'static> {
        match self {
            Self::Delete => Command::Delete(id),
            Self::Release { delay, priority } => Command::Release { id, priority, delay: delay.as_secs() },
            Self::Bury { priority } => Command::Bury { id, priority },
        }
    }
}

/// The time for which a job is this worker's, and the worker's [`Context`].
#[derive(Debug)]
pub struct Lease<'a> {
    context: &'a mut Context,
    link: &'a mut Link,
    id: u64,
    lost: bool,
}

impl Lease<'_> {
    /// Lets the job's time to run begin anew; false when the job is not this worker's any more, and what it does for it may
    /// be done by another, too.
    ///
    /// A job that takes long calls this more often than its time to run says. Before the job is begun it is done for it.
    pub fn touch(&mut self) -> bool {
        self.lost = self.lost || !matches!(self.link.tell(Command::Touch(self.id), self.context), Ok(true));
        !self.lost
    }
}

impl Deref for Lease<'_> {
    type Target = Context;

    fn deref(&self) -> &Context {
        self.context
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Context {
        self.context
    }
}

/// A worker that does the jobs of beanstalkd servers with a function. `BYTES` is the longest body; a longer job is buried.
#[derive(Debug)]
pub struct Beanstalk<'a, F, const BYTES: usize = BODY> {
    settings: Settings<'a>,
    work: F,
    clients: [Client; MAX_SERVERS],
    body: [u8; BYTES],
    order: Order,
    /// How long to wait before the next round: no time, unless no server can be reached.
    nap: Duration,
}

/// A server as this worker knows it.
#[derive(Debug)]
struct Client {
    link: Option<Link>,
    /// How often in a row it could not be reached, and when it is tried again.
    failures: u32,
    retry_at: Instant,
}

impl Client {
    const NEW: Self = Self { link: None, failures: 0, retry_at: Instant::ZERO };

    /// Drops the connection and waits before the next, the longer the more failed: 100 ms, doubled up to 5 s.
    fn part(&mut self) {
        self.link = None;
        let delay = Duration::from_millis(100_u64.checked_shl(self.failures).unwrap_or(u64::MAX));
        self.failures = self.failures.saturating_add(1).min(16);
        self.retry_at = clock::monotonic().after(delay.min(Duration::from_secs(5)));
    }
}

/// A job that was reserved: its server, and what is known of it. Its body lies in the worker.
#[derive(Clone, Copy, Debug)]
pub struct Reserved {
    server: usize,
    id: u64,
    bytes: usize,
    tries: Option<u64>,
}

impl<'a, F, const BYTES: usize> Beanstalk<'a, F, BYTES>
where
    F: FnMut(&Job<'_>, &mut Lease<'_>) -> Verdict,
{
    /// Makes the worker. No connection is made before the first job is asked for.
    pub fn new(settings: Settings<'a>, work: F) -> Self {
        let seed = clock::monotonic().as_nanos() ^ u64::from(process::own_pid().get().unsigned_abs()).rotate_left(32);
        Self {
            settings,
            work,
            clients: [const { Client::NEW }; MAX_SERVERS],
            body: [0; BYTES],
            order: Order::new(seed),
            nap: Duration::ZERO,
        }
    }

    /// Takes a job from one server, if it has one that may be tried.
    fn fetch(&mut self, server: usize, context: &mut Context) -> Result<Option<Reserved>> {
        let (Some(address), Some(client)) = (self.settings.servers.get(server), self.clients.get_mut(server)) else {
            return Ok(None);
        };
        if client.link.is_none() {
            client.link = Some(introduce(Link::open(address, context)?, self.settings.tubes, context)?);
            client.failures = 0;
        }
        let Some(link) = &mut client.link else { return Ok(None) };
        let Some((id, bytes)) = link.reserve(self.settings.reserve_timeout, context)? else { return Ok(None) };
        link.data(bytes, &mut self.body, context)?;
        if bytes > BYTES {
            link.tell(Command::Bury { id, priority: PRIORITY }, context)?;
            return Ok(None);
        }
        let tries = if self.settings.max_tries.is_some() { tries(link, id, context)? } else { None };
        if tries > self.settings.max_tries {
            let bury = Command::Bury { id, priority: PRIORITY };
            link.tell(if self.settings.delete_on_max_tries { Command::Delete(id) } else { bury }, context)?;
            return Ok(None);
        }
        Ok(Some(Reserved { server, id, bytes, tries }))
    }
}

/// Tells a server which tubes this worker is for.
fn introduce(mut link: Link, tubes: &[&str], context: &mut Context) -> Result<Link> {
    let mut tubes = tubes.iter().filter(|tube| protocol::is_tube(tube)).peekable();
    let named = tubes.peek().is_some();
    let mut default = false;
    for tube in tubes {
        default |= *tube == "default";
        link.tell(Command::Watch(tube), context)?;
    }
    if named && !default {
        link.tell(Command::Ignore("default"), context)?;
    }
    Ok(link)
}

/// Asks how often a job was reserved.
fn tries(link: &mut Link, id: u64, context: &mut Context) -> Result<Option<u64>> {
    let protocol::Reply::Data { bytes } = link.ask(Command::Statistics(id), context)? else { return Ok(None) };
    let mut room = [0; 1024];
    link.data(bytes, &mut room, context)?;
    Ok(protocol::reserves(room.get(..bytes).unwrap_or_default()))
}

impl<F, const BYTES: usize> Worker for Beanstalk<'_, F, BYTES>
where
    F: FnMut(&Job<'_>, &mut Lease<'_>) -> Verdict,
{
    type Job = Reserved;

    fn get_work(&mut self, context: &mut Context) -> Option<Reserved> {
        let mut answered = false;
        for server in self.order.draw(self.settings.servers.len()) {
            let now = clock::monotonic();
            if context.stopping() || context.paused() {
                return None;
            }
            if self.clients.get(server).is_none_or(|client| client.retry_at > now) {
                continue;
            }
            match self.fetch(server, context) {
                Ok(None) => answered = true,
                Ok(reserved) => return reserved,
                Err(link::Broken) => {
                    if let Some(client) = self.clients.get_mut(server) {
                        client.part();
                    }
                }
            }
        }
        let known = self.clients.iter().take(self.settings.servers.len());
        let retry = known.map(|client| client.retry_at.since(clock::monotonic())).min();
        self.nap = if answered { Duration::ZERO } else { retry.unwrap_or(Duration::from_secs(2)) };
        None
    }

    fn work(&mut self, job: Reserved, context: &mut Context) {
        let Some(client) = self.clients.get_mut(job.server) else { return };
        let Some(link) = &mut client.link else { return };
        let mut lease = Lease { context, link, id: job.id, lost: false };
        // Its time may have run out since it was reserved; then it is another's.
        if !lease.touch() {
            return client.part();
        }
        let body = self.body.get(..job.bytes).unwrap_or_default();
        let verdict = (self.work)(&Job { id: job.id, body, tries: job.tries }, &mut lease);
        if lease.link.tell(verdict.command(job.id), lease.context).is_err() {
            client.part();
        }
    }

    fn interval(&self) -> Duration {
        self.nap
    }
}
