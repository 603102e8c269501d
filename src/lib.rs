//! Keeps N processes alive in a small place.
//!
//! A [`Manager`] forks workers and keeps their number: it replaces the dead (with a back-off where they die at birth),
//! retires the old one at a time, relays what they print as whole lines, pauses, resumes and stops them. It is the engine of
//! the command `cantella`, for programs that bring their own workers: Rust values that run in forked children.
//!
//! The crate has no `std` and no `alloc`. Everything a manager works on is lent to it, so that it allocates nothing from
//! start to end; it works in programs with and without `std` alike.
//!
//! ```
//! use cantella::{Context, Exit, Level, Log, Manager, Options, Outcome, Policy, Restart, Spawn, Storage};
//!
//! let policy = Policy { workers: 2, restart: Restart::Never, ..Policy::DEFAULT };
//! let options = Options { policy, ..Options::DEFAULT };
//! let mut storage = Storage::<2>::new();
//! let work = |context: &mut Context| {
//!     println!("I am worker {}", context.slot());
//!     0
//! };
//! let log = Log::new(|level: Level, text: &str| eprintln!("{} {text}", level.name()));
//! let mut manager = Manager::new(&options, storage.lend(), Spawn::new(work), log)?;
//! assert_eq!(manager.run(), Outcome::Completed { exit: Exit::Code(0) });
//! # Ok::<(), cantella::Error>(())
//! ```
//!
//! # The parts
//!
//! ```text
//!            the host program                                     a forked child
//!  ┌──────────────────────────────────────┐          ┌─────────────────────────────────────┐
//!  │ Options ──┐            ┌── Observer  │  fork    │ Program: Spawn (a closure), Role    │
//!  │ Storage ──┴─▶ Manager ─┴─▶ or Log    │ ───────▶ │   (a Worker: get_work, work), or    │
//!  │        run() or turn()               │ signals, │   another program (Command)         │
//!  └───────────┬──────────────────────────┘ lifeline │ Context: stopping, paused, sleep    │
//!              │ News, Action                        └──────────────────┬──────────────────┘
//!      ┌───────▼────────┐        ┌────────────────┐                     │ stdout, stderr
//!      │ pool: decides, │        │ relay: lines   │ ◀───────────────────┘
//!      │ without a call │        │ out of bytes   │
//!      └────────────────┘        └────────────────┘
//! ```
//!
//! - [`Options`] say what is wanted: the [`Policy`] of the pool, and how a child is set up. They are data.
//! - [`Storage`] is the memory, for as many workers as its parameter says. It is lent, not owned, so that a manager is small
//!   and its code is there once, whatever the number.
//! - A [`Program`](program::Program) is what runs in the child: [`Spawn`], a closure that gets a [`Context`] and gives an exit
//!   code; or [`Role`], which makes a [`Worker`] there that fetches jobs and does them.
//! - An [`Observer`] hears of everything as typed [`Event`]s, and may [`wish`](Observer::wish) for something in return. A closure
//!   is one, [`Log`] is one that puts events in words for a [`Logger`], and `()` is one that does not listen.
//! - [`Manager::run`] supervises until the pool is over and answers the signals that a supervisor answers.
//!   [`Manager::turn`] does one round, for a program with a loop of its own; see [`Manager::expect`]. Between two turns the
//!   host asks for what it likes: [`set_workers`](Manager::set_workers), [`pause`](Manager::pause),
//!   [`shutdown`](Manager::shutdown) and so on.
//! - [`pool`] is the core that decides: news and a clock in, actions out, no system call. It can be used alone.
//! - With the feature `beanstalk`, `worker::beanstalk` has workers that do the jobs of beanstalkd servers.
//!
//! # A manager is a guest
//!
//! - It is made in a process of one thread, because fork(2) keeps only one, and what the others have locked stays locked in
//!   the child: [`Error::Threads`]. **Whoever starts a thread while there is a manager has to see to that itself.**
//! - There is one at a time in a process, [`Error::Occupied`], and it stays with its thread: it is neither `Send` nor `Sync`.
//! - Handlers, mask and limits that it changes are put back when it is dropped. A handler of SIGCHLD that the host has goes on
//!   being called. With `turn`, TERM, INT, HUP and QUIT are the host's, unless [`Options::handled`](options::Options::handled)
//!   has them.
//! - Children that the host has started itself are left to it, unless [`Options::reap_all`](options::Options::reap_all) says
//!   otherwise. A host must not wait for *any* child (waitpid of -1): it would take the ends of workers away.
//! - A manager that is dropped before its pool is over kills the workers.
//!
//! # A worker is on its own
//!
//! - Signals are blocked from before the fork until the worker's handlers stand, so that none is lost and none kills it.
//! - Its standard input is the lifeline, whose end means that the manager is gone; it then stops as if it had been told to.
//!   Standard output and error go to the manager, line by line. All other descriptors are closed but those that are
//!   [handed over](Spawn::handing_over).
//! - It never returns into the host's code, and nothing of the host's is dropped in it. A panic ends it with code 101.
//!
//! `examples/` has a program for each way to use it.
#![cfg_attr(not(test), no_std)]

pub mod digits;
pub mod errno;
pub mod error;
pub mod log;
pub mod manager;
pub mod observe;
pub mod options;
pub mod pool;
pub mod program;
pub mod relay;
pub mod report;
pub mod signals;
pub mod sys;
pub mod table;
pub mod text;
pub mod worker;

pub use error::Error;
pub use log::{Log, Logger};
pub use manager::Manager;
pub use observe::{Event, Level, Observer};
pub use options::Options;
pub use pool::{Exit, Outcome, Policy, Restart, Signal};
pub use sys::storage::Lent;
pub use table::Storage;
pub use worker::{Context, Role, Spawn, Worker};
