//! Signals: the one handler, the self-pipe that it wakes the loop with, and the mask.
//!
//! The handler counts each delivery and writes one byte. The counts are the truth and the byte only a wake-up, so a full
//! pipe loses nothing and a storm costs one write(2) a turn.
//!
//! # References
//! signal-safety(7), sigaction(2), sigprocmask(2).

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::process::own_pid;
use super::{Errno, Result, answered, checked, errno_place};
use crate::pool::{Pid, Signal};
use crate::signals::SignalSet;

/// Slots for signal numbers 0 to 64; row 0 is unused.
const ROWS: usize = 65;

/// Write end of the self-pipe; -1 until there is one.
static WAKE: AtomicI32 = AtomicI32::new(-1);
/// Whether a wake-up is already on its way.
static AWAKE: AtomicBool = AtomicBool::new(false);
/// The process that the handler works for; it must not speak for it in a fresh child.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// Orders deliveries of different signals; the first is 1.
static CLOCK: AtomicU64 = AtomicU64::new(1);
/// The handler of SIGCHLD that the host had, which goes on being called; 0: none.
static HOST: AtomicUsize = AtomicUsize::new(0);
/// Whether that handler takes three arguments.
static HOST_INFO: AtomicBool = AtomicBool::new(false);
static ARRIVALS: [Arrival; ROWS] = [const { Arrival::none() }; ROWS];

/// What the handler noted of one signal.
#[derive(Debug)]
struct Arrival {
    /// Deliveries since the last drain.
    count: AtomicU32,
    /// How many of them the kernel itself sent: a key typed at the terminal, a resize, a hangup.
    from_kernel: AtomicU32,
    /// When the last one came, by `CLOCK`; 0: never.
    last: AtomicU64,
}

impl Arrival {
    const fn none() -> Self {
        Self { count: AtomicU32::new(0), from_kernel: AtomicU32::new(0), last: AtomicU64::new(0) }
    }
}

/// A signal that came, once or more often, since the last drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub signal: Signal,
    /// How often.
    pub count: u32,
    /// How many of those the kernel itself sent.
    pub from_kernel: u32,
}

/// Replaces the mask of the calling thread and gives the old one.
///
/// This is the raw call: libc's hides signals that it keeps for itself, and a worker is owed the mask its manager had.
#[expect(clippy::must_use_candidate, reason = "the old mask matters only to who changes it back")]
pub fn set_mask(mask: SignalSet) -> SignalSet {
    let (new, mut old) = (mask.bits(), 0_u64);
    // SAFETY: both pointers are to 8-byte sets of ours, which is the size told; the call keeps neither.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const new, &raw mut old, size_of::<u64>());
    }
    SignalSet::from_bits(old)
}

/// Blocks one signal more and gives the mask that was.
#[must_use]
pub fn block(signal: Signal) -> SignalSet {
    let (new, mut old) = (SignalSet::EMPTY.with(signal).bits(), 0_u64);
    // SAFETY: both pointers are to 8-byte sets of ours, which is the size told; the call keeps neither.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, &raw const new, &raw mut old, size_of::<u64>());
    }
    SignalSet::from_bits(old)
}

/// What the kernel keeps of a signal: the handler or a word for none, flags, and what else is the machine's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
struct Record([u64; 4]);

impl Record {
    /// The record of a signal that nobody has ever changed.
    const NONE: Self = Self([0; 4]);

    /// The record of a signal that has no handler.
    fn without_handler(ignored: bool) -> Self {
        let action = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
        Self([wide(action), 0, 0, 0])
    }

    /// The record of our handler, which every signal is blocked in.
    fn with_handler() -> Self {
        let function: Handler = note;
        // A function pointer has no other way to become the integer that sigaction wants.
        #[expect(clippy::as_conversions, clippy::fn_to_numeric_cast_any, reason = "sigaction takes an integer")]
        let handler = function as usize;
        let flags = bits(libc::SA_SIGINFO | libc::SA_RESTART);
        let (restorer, way_back) = way_back();
        Self([wide(handler), flags | restorer, way_back, SignalSet::ALL.bits()])
    }

    /// Makes system calls fail that the signal interrupts.
    const fn without_restart(self) -> Self {
        let Self([handler, flags, way_back, mask]) = self;
        Self([handler, flags & !bits(libc::SA_RESTART), way_back, mask])
    }

    /// The address of the handler, if there is one.
    fn handler(&self) -> Option<usize> {
        let Self([handler, ..]) = self;
        usize::try_from(*handler).ok().filter(|handler| *handler != libc::SIG_IGN && *handler != libc::SIG_DFL)
    }

    /// Tells whether the handler takes three arguments.
    const fn has_info(&self) -> bool {
        let Self([_, flags, ..]) = self;
        *flags & bits(libc::SA_SIGINFO) != 0
    }

    fn is_ignored(&self) -> bool {
        let Self([handler, ..]) = self;
        *handler == wide(libc::SIG_IGN)
    }
}

/// The way back from a handler to the kernel, and the flag that says that there is one: here the program brings it along.
#[cfg(target_arch = "x86_64")]
fn way_back() -> (u64, u64) {
    /// `rt_sigreturn(2)`, with the stack as the kernel left it for the handler.
    #[unsafe(naked)]
    extern "C" fn return_from_signal() {
        core::arch::naked_asm!("mov rax, 15", "syscall")
    }
    const SA_RESTORER: u64 = 0x0400_0000;
    let function: extern "C" fn() = return_from_signal;
    #[expect(clippy::as_conversions, clippy::fn_to_numeric_cast_any, reason = "sigaction takes an integer")]
    let address = function as usize;
    (SA_RESTORER, wide(address))
}

/// The way back from a handler to the kernel: elsewhere the kernel's own page has one.
#[cfg(not(target_arch = "x86_64"))]
const fn way_back() -> (u64, u64) {
    (0, 0)
}

/// A word as the kernel's records have it.
fn wide(word: usize) -> u64 {
    u64::try_from(word).unwrap_or(u64::MAX)
}

/// Flags as the kernel's records have them.
const fn bits(flags: c_int) -> u64 {
    let [b0, b1, b2, b3] = flags.to_le_bytes();
    u64::from_le_bytes([b0, b1, b2, b3, 0, 0, 0, 0])
}

/// Reads the record of a signal, and replaces it by another. The raw call reaches the signals that libc keeps for itself.
///
/// # Errors
/// `INVAL` for KILL and STOP.
fn exchange(signal: Signal, new: Option<&Record>) -> Result<Record> {
    let mut old = Record([0; 4]);
    let (number, size) = (c_int::from(signal.get()), size_of::<u64>());
    let new = new.map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: both are null or records of ours, as long as the kernel's own for a set of `size` bytes; the handler, where
    // there is one, touches only atomics and errno, which it restores.
    answered(unsafe { libc::syscall(libc::SYS_rt_sigaction, number, new, &raw mut old, size) })?;
    Ok(old)
}

/// What was there before the handlers of [`Handlers`], which is nothing almost always: a page that is never touched.
static PREVIOUS: [[AtomicU64; 4]; ROWS] = [const { [const { AtomicU64::new(0) }; 4] }; ROWS];

/// The handlers that the one manager of this process installed.
#[derive(Debug)]
pub struct Handlers {
    installed: SignalSet,
    /// Those of them that were ignored before.
    ignored: SignalSet,
}

impl Handlers {
    /// No handler yet.
    pub const NONE: Self = Self { installed: SignalSet::EMPTY, ignored: SignalSet::EMPTY };

    /// Lets the handler note each of `signals` from now on; KILL and STOP, which no handler can have, are left out.
    ///
    /// Only while every signal is blocked.
    pub fn install(&mut self, signals: SignalSet) {
        let record = Record::with_handler();
        for signal in signals.without(self.installed).iter() {
            let Ok(found) = exchange(signal, Some(&tailored(record, signal))) else { continue };
            self.installed = self.installed.with(signal);
            if found.is_ignored() {
                self.ignored = self.ignored.with(signal);
            }
            if found != previous(signal) {
                keep(signal, found);
            }
            if let Some(handler) = found.handler().filter(|_| signal == Signal::CHLD) {
                HOST_INFO.store(found.has_info(), Ordering::Relaxed);
                HOST.store(handler, Ordering::Release);
            }
        }
    }

    /// Gives the signals that were ignored before.
    #[must_use]
    pub const fn ignored(&self) -> SignalSet {
        self.ignored
    }

    /// Puts back what was there before.
    pub fn restore(&mut self) {
        HOST.store(0, Ordering::Relaxed);
        for signal in self.installed.iter() {
            // What was there once can be there again.
            let _ = exchange(signal, Some(&previous(signal)));
        }
        *self = Self::NONE;
    }
}

#[inline(never)]
fn keep(signal: Signal, record: Record) {
    let Some(row) = PREVIOUS.get(usize::from(signal.get())) else { return };
    for (word, was) in row.iter().zip(record.0) {
        word.store(was, Ordering::Relaxed);
    }
}

/// What was there before the handler of `signal`.
#[inline(never)]
fn previous(signal: Signal) -> Record {
    let row = PREVIOUS.get(usize::from(signal.get()));
    row.map_or(Record::NONE, |row| Record(row.each_ref().map(|word| word.load(Ordering::Relaxed))))
}

/// A stopped terminal write that is started again would be stopped again, for ever.
fn tailored(record: Record, signal: Signal) -> Record {
    if signal == Signal::TTOU { record.without_restart() } else { record }
}

/// Lets the handler note `signal` for the rest of this process's life.
///
/// # Errors
/// `INVAL` for KILL and STOP.
pub fn handle(signal: Signal) -> Result<()> {
    let mask = set_mask(SignalSet::ALL);
    let answer = exchange(signal, Some(&tailored(Record::with_handler(), signal)));
    set_mask(mask);
    answer.map(|_| ())
}

/// Gives `signal` its default action, or ignores it.
///
/// # Errors
/// As [`handle`].
pub fn set_ignored(signal: Signal, ignored: bool) -> Result<()> {
    exchange(signal, Some(&Record::without_handler(ignored))).map(|_| ())
}

/// Tells the handler which pipe wakes the loop and which process it works for; in another it acts as if there were none.
pub fn wake_through(write_end: c_int, owner: Pid) {
    OWNER.store(owner.get(), Ordering::Relaxed);
    WAKE.store(write_end, Ordering::Relaxed);
}

/// Begins anew in a child: nothing has arrived, every handler is gone, what was ignored stays ignored but CHLD.
///
/// Only while every signal is blocked.
pub fn begin_anew() {
    HOST.store(0, Ordering::Relaxed);
    rearm();
    for signal in SignalSet::ALL.iter() {
        let _ = take(signal, u32::MAX);
        let previous = exchange(signal, Some(&Record::without_handler(false)));
        if previous.is_ok_and(|previous| previous.is_ignored()) && signal != Signal::CHLD {
            let _ = set_ignored(signal, true);
        }
    }
}

/// Allows the next signal to write a wake-up again. Empty the self-pipe before, look at the arrivals after.
pub fn rearm() {
    AWAKE.store(false, Ordering::SeqCst);
}

/// Takes what arrived of `signal` since the last time, but no more than `limit`; `None`: nothing.
pub fn take(signal: Signal, limit: u32) -> Option<Received> {
    let row = ARRIVALS.get(usize::from(signal.get()))?;
    // Only the handler adds to it meanwhile, so that it cannot fall below what was read.
    let count = row.count.load(Ordering::SeqCst).min(limit);
    row.count.fetch_sub(count, Ordering::SeqCst);
    (count > 0).then(|| Received { signal, count, from_kernel: row.from_kernel.swap(0, Ordering::SeqCst) })
}

/// Tells when a signal came last, taken or not, in the order of all deliveries; 0: never.
///
/// What is taken together says nothing of the order: either signal may come again between two calls of [`take`].
#[must_use]
pub fn last(signal: Signal) -> u64 {
    ARRIVALS.get(usize::from(signal.get())).map_or(0, |row| row.last.load(Ordering::SeqCst))
}

type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The signal handler: the only code that runs in signal context.
extern "C" fn note(number: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let owner = OWNER.load(Ordering::Relaxed);
    if own_pid().get() != owner {
        return act_in_fresh_child(number, owner);
    }
    if number == libc::SIGCHLD {
        call_host(number, info, context);
    }
    // SAFETY: the kernel gives a handler that was installed with SA_SIGINFO a valid siginfo.
    let info = unsafe { &*info };
    let code = info.si_code;
    if is_fault(number, code) {
        return act_by_default(number);
    }
    // SAFETY: as above; for every signal that kill(2) or the kernel sent, the sender's pid is filled in or zero.
    let sender = unsafe { info.si_pid() };
    if is_own_doing(number, sender) {
        return;
    }
    let Some(row) = usize::try_from(number).ok().and_then(|number| ARRIVALS.get(number)) else { return };
    row.last.store(CLOCK.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
    if code == SI_KERNEL {
        row.from_kernel.fetch_add(1, Ordering::SeqCst);
    }
    row.count.fetch_add(1, Ordering::SeqCst);
    if !AWAKE.swap(true, Ordering::SeqCst) {
        wake();
    }
}

/// Calls the handler that the host had.
fn call_host(number: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let address = HOST.load(Ordering::Acquire);
    if address == 0 {
        return;
    }
    if HOST_INFO.load(Ordering::Relaxed) {
        // SAFETY: sigaction gave the address as that of a handler with three arguments.
        let handler = unsafe { core::mem::transmute::<usize, Handler>(address) };
        handler(number, info, context);
    } else {
        // SAFETY: sigaction gave the address as that of a handler with one argument.
        let handler = unsafe { core::mem::transmute::<usize, extern "C" fn(c_int)>(address) };
        handler(number);
    }
}

/// `si_code` of what the kernel sends on its own account, a key typed at a terminal for instance.
const SI_KERNEL: c_int = 0x80;

/// Tells a fault of this program (`si_code` above zero) from the same signal sent by kill(2).
const fn is_fault(number: c_int, code: c_int) -> bool {
    matches!(number, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP | libc::SIGSYS)
        && code > 0
}

/// Tells what this process brought upon itself, by a write to a broken pipe or beyond a limit, or by leaving its
/// terminal, from what somebody sent.
fn is_own_doing(number: c_int, sender: c_int) -> bool {
    matches!(number, libc::SIGPIPE | libc::SIGXFSZ | libc::SIGHUP | libc::SIGCONT)
        && sender == OWNER.load(Ordering::Relaxed)
}

/// Writes the wake-up byte and leaves errno as it was.
fn wake() {
    let place = errno_place();
    // SAFETY: the place is valid as long as this thread runs.
    let errno = unsafe { *place };
    let written = (0..TRIES).any(|_| {
        // SAFETY: the byte is a static; a descriptor that is not open is an error, not a fault.
        unsafe { libc::write(WAKE.load(Ordering::Relaxed), [1_u8].as_ptr().cast(), 1) == 1 }
    });
    // The count is there, but no later signal would write a byte while one seems to be under way.
    AWAKE.store(written, Ordering::SeqCst);
    // SAFETY: as above.
    unsafe { *place = errno };
}

/// How often the wake-up is tried: a pipe that holds one byte at most refuses another for no reason that stays.
const TRIES: usize = 8;

/// What a signal does between fork and exec: what it would do without a handler. But a child that is stopped there would
/// hold up a parent that waits for its exec, so that one is told instead, and passes the stop on.
fn act_in_fresh_child(number: c_int, owner: c_int) {
    if matches!(number, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
        && let (Some(signal), Some(owner)) = (from_raw(number), Pid::new(owner))
        && kill(owner.get(), signal).is_ok()
    {
        return;
    }
    act_by_default(number);
}

/// Puts the default action back and raises the signal again; it is delivered when the handler returns.
fn act_by_default(number: c_int) {
    let Some(signal) = from_raw(number) else { return };
    if set_ignored(signal, false).is_ok() {
        raise(signal);
    }
}

/// Reads a number that the kernel gave.
pub(super) fn from_raw(number: c_int) -> Option<Signal> {
    u8::try_from(number).ok().and_then(Signal::new)
}

/// Sends `signal` to the calling process. Unless it is blocked, it has had its effect on return.
pub fn raise(signal: Signal) {
    // Not libc's raise: it may remember the thread of another process, the parent of a child that was cloned past it.
    let _ = send(own_pid(), signal);
}

/// Sends `signal` to one process. A process that is gone is no error.
///
/// # Errors
/// `PERM` where the kernel forbids it.
pub fn send(pid: Pid, signal: Signal) -> Result<()> {
    unless_gone(kill(pid.get(), signal))
}

/// Sends `signal` to the process group that `leader` leads or led; to the process alone while it has not made its group.
///
/// # Errors
/// `PERM` where the kernel forbids it for every member.
pub fn send_group(leader: Pid, signal: Signal) -> Result<()> {
    match kill(leader.get().wrapping_neg(), signal) {
        Err(Errno::SRCH) => send(leader, signal),
        answer => answer,
    }
}

/// Kills one process, and with `group` whoever is in the group that it leads or led: it may have moved to another itself.
///
/// # Errors
/// As [`send`], of the process.
pub fn destroy(pid: Pid, group: bool) -> Result<()> {
    if group {
        // What becomes of the group shows in nothing but that it is gone.
        let _ = kill(pid.get().wrapping_neg(), Signal::KILL);
    }
    send(pid, Signal::KILL)
}

/// Sends `signal` to every process that this one may signal, but itself and PID 1. Only a PID 1 may wish that.
///
/// # Errors
/// `PERM` where the kernel forbids it for every process.
pub fn send_everybody(signal: Signal) -> Result<()> {
    unless_gone(kill(-1, signal))
}

/// Tells whether there is a process that [`send_everybody`] would reach.
#[must_use]
pub fn reaches_anybody() -> bool {
    // SAFETY: kill takes no pointer.
    checked(unsafe { libc::kill(-1, 0) }).is_ok()
}

fn kill(target: c_int, signal: Signal) -> Result<()> {
    rustix::io::retry_on_intr(|| {
        // SAFETY: kill takes no pointer.
        checked(unsafe { libc::kill(target, c_int::from(signal.get())) }).map(|_| ())
    })
}

/// Takes a target that is gone for one that was reached.
fn unless_gone(answer: Result<()>) -> Result<()> {
    if answer == Err(Errno::SRCH) { Ok(()) } else { answer }
}
