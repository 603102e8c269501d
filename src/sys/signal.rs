//! Signals: the one handler, the self-pipe that it wakes the loop with, and the mask.
//!
//! The handler counts each delivery and writes one byte. The counts are the truth and the byte only a wake-up, so a full
//! pipe loses nothing and a storm costs one write(2) a turn.
//!
//! # References
//! signal-safety(7), sigaction(2), sigprocmask(2).

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};

use super::{Errno, Result, answered, checked, errno_place, last_errno};
use crate::pool::{Pid, Signal};
use crate::signals::SignalSet;

/// Slots for signal numbers 0 to 64; row 0 is unused.
const ROWS: usize = 65;

/// Write end of the self-pipe; -1 until there is one.
static WAKE: AtomicI32 = AtomicI32::new(-1);
/// Whether a wake-up is already on its way.
static AWAKE: AtomicBool = AtomicBool::new(false);
/// Set in a fresh child, where this process's handler must not speak for its parent.
static FRESH_CHILD: AtomicBool = AtomicBool::new(false);
/// The process that the handler works for.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// Orders deliveries of different signals.
static CLOCK: AtomicU32 = AtomicU32::new(0);
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
    /// When the last one came, by `CLOCK`.
    last: AtomicU32,
}

impl Arrival {
    const fn none() -> Self {
        Self { count: AtomicU32::new(0), from_kernel: AtomicU32::new(0), last: AtomicU32::new(0) }
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
    /// Place in the order of last deliveries; wraps around.
    pub order: u32,
}

impl Received {
    /// Tells whether this came after `other`; the order wraps around, so it is compared by distance.
    #[must_use]
    pub const fn is_after(&self, other: &Self) -> bool {
        self.order.wrapping_sub(other.order) < u32::MAX / 2
    }
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

/// What a signal did before a handler of ours was installed.
#[derive(Clone, Copy, Debug)]
struct Previous {
    /// The address of a function, or one of the kernel's two words for none.
    action: libc::sighandler_t,
    flags: c_int,
    mask: SignalSet,
}

impl Previous {
    /// Reads what sigaction gave; of the mask, the part that the kernel knows.
    const fn of(old: &libc::sigaction) -> Self {
        // SAFETY: the set begins with the kernel's 64 bits, and is at least as long and as aligned as they are.
        let mask = unsafe { (&raw const old.sa_mask).cast::<u64>().read() };
        Self { action: old.sa_sigaction, flags: old.sa_flags, mask: SignalSet::from_bits(mask) }
    }

    const fn is_ignored(&self) -> bool {
        self.action == libc::SIG_IGN
    }

    const fn is_function(&self) -> bool {
        self.action != libc::SIG_IGN && self.action != libc::SIG_DFL
    }

    fn restore(&self, signal: Signal) {
        // What was there once can be there again.
        let _ = set_action(signal, self.action, self.flags, self.mask);
    }
}

/// The handlers that a manager installed, and what was there before them.
#[derive(Debug)]
pub struct Handlers {
    previous: [Option<Previous>; ROWS],
}

impl Handlers {
    /// No handler yet.
    pub const NONE: Self = Self { previous: [None; ROWS] };

    /// Lets the handler note each of `signals` from now on. KILL, STOP and what libc keeps for itself cannot be handled,
    /// and are left out.
    pub fn install(&mut self, signals: SignalSet) {
        for signal in signals.iter() {
            let row = self.previous.get_mut(usize::from(signal.get()));
            let Some(row) = row.filter(|row| row.is_none()) else { continue };
            *row = install(signal).ok();
            if let Some(previous) = row.filter(|previous| signal == Signal::CHLD && previous.is_function()) {
                HOST_INFO.store(previous.flags & libc::SA_SIGINFO != 0, Ordering::Relaxed);
                HOST.store(previous.action, Ordering::Release);
            }
        }
    }

    /// Gives the signals that were ignored before.
    #[must_use]
    pub fn ignored(&self) -> SignalSet {
        let ignored = |signal: &Signal| self.row(*signal).is_some_and(|previous| previous.is_ignored());
        SignalSet::ALL.iter().filter(ignored).fold(SignalSet::EMPTY, SignalSet::with)
    }

    /// Puts back what was there before.
    pub fn restore(&mut self) {
        HOST.store(0, Ordering::Relaxed);
        for signal in SignalSet::ALL.iter() {
            if let Some(previous) = self.row(signal) {
                previous.restore(signal);
            }
        }
        *self = Self::NONE;
    }

    fn row(&self, signal: Signal) -> Option<Previous> {
        self.previous.get(usize::from(signal.get())).copied().flatten()
    }
}

/// Lets the handler note `signal` from now on.
///
/// # Errors
/// `INVAL` for KILL, STOP and the signals that libc keeps for itself.
fn install(signal: Signal) -> Result<Previous> {
    let flags = libc::SA_SIGINFO | restarting(signal);
    let function: Handler = note;
    // A function pointer has no other way to become the integer that sigaction wants.
    #[expect(clippy::as_conversions, clippy::fn_to_numeric_cast_any, reason = "sigaction takes an integer")]
    let address = function as usize;
    set_action(signal, address, flags, SignalSet::ALL)
        .or_else(|errno| if signal.get() == LIBC_OWN { install_raw(signal) } else { Err(errno) })
}

/// Lets the handler note `signal` for the rest of this process's life.
///
/// # Errors
/// `INVAL` for KILL, STOP and the signals that libc keeps for itself.
pub fn handle(signal: Signal) -> Result<()> {
    install(signal).map(|_| ())
}

/// The first real-time signal: musl keeps it for itself and glibc does not.
const LIBC_OWN: u8 = 34;

/// Does for `signal` what was done for TERM, without libc: the kernel's record of the one becomes that of the other.
fn install_raw(signal: Signal) -> Result<Previous> {
    // Handler, flags, way back, mask: what is in it is the kernel's business.
    let mut record = [0_u64; 4];
    let (number, size) = (c_int::from(signal.get()), size_of::<u64>());
    let nothing = core::ptr::null_mut::<u64>();
    // SAFETY: the record is as long as the kernel's own, which is what it writes for a set of `size` bytes.
    answered(unsafe { libc::syscall(libc::SYS_rt_sigaction, libc::SIGTERM, nothing, record.as_mut_ptr(), size) })?;
    let mut old = [0_u64; 4];
    // SAFETY: the record is one that the kernel gave; the old one has room for another.
    answered(unsafe { libc::syscall(libc::SYS_rt_sigaction, number, record.as_ptr(), old.as_mut_ptr(), size) })?;
    let [handler, ..] = old;
    let ignored = usize::try_from(handler) == Ok(libc::SIG_IGN);
    let action = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    Ok(Previous { action, flags: 0, mask: SignalSet::EMPTY })
}

/// Gives `signal` its default action, or ignores it.
///
/// # Errors
/// As [`handle`].
pub fn set_ignored(signal: Signal, ignored: bool) -> Result<()> {
    let action = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    set_action(signal, action, 0, SignalSet::EMPTY).map(|_| ())
}

/// A stopped terminal write that is started again would be stopped again, for ever.
const fn restarting(signal: Signal) -> c_int {
    if signal.get() == Signal::TTOU.get() { 0 } else { libc::SA_RESTART }
}

/// sigaction(2), with `mask` blocked while the handler runs.
fn set_action(signal: Signal, action: libc::sighandler_t, flags: c_int, mask: SignalSet) -> Result<Previous> {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all-zero is a valid sigaction: no handler, an empty mask, no flags.
    let mut new = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    new.sa_sigaction = action;
    new.sa_flags = flags;
    // SAFETY: the set begins with the kernel's 64 bits, and is at least as long and as aligned as they are.
    unsafe { (&raw mut new.sa_mask).cast::<u64>().write(mask.bits()) };
    // SAFETY: both pointers are to sigactions of ours; the handler touches only atomics and errno, which it restores.
    checked(unsafe { libc::sigaction(c_int::from(signal.get()), &raw const new, old.as_mut_ptr()) })?;
    // SAFETY: it was zeroed, and the call has filled it.
    Ok(Previous::of(&unsafe { old.assume_init() }))
}

/// Tells the handler which pipe wakes the loop and which process it works for.
pub fn wake_through(write_end: c_int, owner: Pid) {
    FRESH_CHILD.store(false, Ordering::Relaxed);
    OWNER.store(owner.get(), Ordering::Relaxed);
    WAKE.store(write_end, Ordering::Relaxed);
}

/// Makes the handler, in a fresh child, act as if there were none.
pub fn disown() {
    FRESH_CHILD.store(true, Ordering::Relaxed);
}

/// Begins anew in a child: nothing has arrived, every handler is gone, what was ignored stays ignored but CHLD.
///
/// Only while every signal is blocked.
pub fn begin_anew() {
    HOST.store(0, Ordering::Relaxed);
    rearm();
    for signal in SignalSet::ALL.iter() {
        let _ = take(signal, u32::MAX);
        let previous = set_action(signal, libc::SIG_DFL, 0, SignalSet::EMPTY);
        if let Ok(previous) = previous
            && previous.is_ignored()
            && signal != Signal::CHLD
        {
            previous.restore(signal);
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
    (count > 0).then(|| Received {
        signal,
        count,
        from_kernel: row.from_kernel.swap(0, Ordering::SeqCst),
        order: row.last.load(Ordering::SeqCst),
    })
}

type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The signal handler: the only code that runs in signal context.
extern "C" fn note(number: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    if FRESH_CHILD.load(Ordering::Relaxed) {
        return act_by_default(number);
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
    loop {
        // A full pipe or none at all changes nothing: the count is already there, and a turn of the loop will find it.
        // SAFETY: the byte is a static; a descriptor that is not open is an error, not a fault.
        let answer = unsafe { libc::write(WAKE.load(Ordering::Relaxed), [1_u8].as_ptr().cast(), 1) };
        // Nobody else would write the byte: while one is under way, later signals count on it.
        if answer != -1 || last_errno() != Errno::INTR {
            break;
        }
    }
    // SAFETY: as above.
    unsafe { *place = errno };
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
    let _ = send(super::process::own_pid(), signal);
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
