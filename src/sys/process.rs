//! Processes: fork them, look for their ends, reap them.
//!
//! # References
//! fork(2), waitid(2), waitpid(2).

use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;

use super::alone::Alone;
use super::{Errno, Result, answered, checked, signal};
use crate::pool::{Exit, Pid, Signal};
use crate::signals::SignalSet;

/// Which of the two a fork has made of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The caller is the parent of this child.
    Parent(Pid),
    /// The caller is the child.
    Child,
}

/// A child that has ended or stopped, as waitid(2) shows it; it is not reaped yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It ended, and its pid is still its own.
    Ended(Pid, Exit),
    /// A signal stopped it.
    Stopped(Pid, Signal),
}

/// fork(2), for a process of one thread.
///
/// Threads that were started since `_alone` was claimed are lost in the child, and what they had locked stays locked there.
///
/// # Errors
/// `AGAIN` at a limit of processes, `NOMEM`.
pub fn fork(_alone: &Alone) -> Result<Forked> {
    // SAFETY: `fork` takes no pointer; `Alone` proves that no other thread holds a lock the child would wait for.
    let answer = checked(unsafe { libc::fork() })?;
    Ok(Pid::new(answer).map_or(Forked::Child, Forked::Parent))
}

/// Ends the calling process by SIGABRT.
pub fn abort() -> ! {
    // Should even this fail, the code is the one that a shell gives for it.
    let _ = signal::set_ignored(Signal::ABRT, false);
    signal::set_mask(SignalSet::EMPTY);
    signal::raise(Signal::ABRT);
    exit(134)
}

/// Gives the pid of the calling process.
#[must_use]
pub fn own_pid() -> Pid {
    // SAFETY: getpid takes no pointer.
    let raw = unsafe { libc::getpid() };
    Pid::new(raw).unwrap_or(Pid::INIT)
}

/// Moves to the root directory, so that this process keeps no other file system busy.
pub fn leave_directory() {
    // The root is always there.
    let _ = rustix::process::chdir(c"/");
}

/// Lets orphans among the descendants of this process become its children, as PID 1 does for all.
///
/// # Errors
/// `INVAL` before Linux 3.4.
pub fn adopt_orphans() -> Result<()> {
    control(libc::PR_SET_CHILD_SUBREAPER, 1)
}

/// Has the kernel send `signal` to this process when its parent dies.
///
/// # Errors
/// None for a signal that exists.
pub fn die_with_parent(signal: Signal) -> Result<()> {
    control(libc::PR_SET_PDEATHSIG, signal.get())
}

/// Keeps this process and its descendants from gaining privileges by an exec.
///
/// # Errors
/// `INVAL` before Linux 3.5.
pub fn renounce_privileges() -> Result<()> {
    control(libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// prctl(2) with an option that takes one number and no pointer.
fn control(option: c_int, argument: u8) -> Result<()> {
    // SAFETY: none of the options that are given here takes a pointer.
    answered(unsafe { libc::syscall(libc::SYS_prctl, option, c_int::from(argument), 0, 0, 0) }).map(|_| ())
}

/// Makes the child `pid` the leader of a process group of its own.
///
/// # Errors
/// `ACCESS` once it has executed its program.
pub fn lead_group(pid: Pid) -> Result<()> {
    // SAFETY: setpgid takes no pointer.
    checked(unsafe { libc::setpgid(pid.get(), pid.get()) }).map(|_| ())
}

/// What of its parent's a child of [`spawn`] uses until it executes its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The memory. The parent stands still that long, as in vfork(2), and copies nothing.
    ///
    /// Not for a child that gives up privileges: whoever may stop it then would stop the parent, too.
    pub memory: bool,
    /// The table of descriptors, until the child calls [`fd::unshare_below`](super::fd::unshare_below).
    ///
    /// To copy thousands of descriptors and close them at exec costs as much as the rest of a fork.
    pub files: bool,
}

impl Shared {
    /// All is copied, as by fork(2).
    pub const NOTHING: Self = Self { memory: false, files: false };
}

/// Runs `act` in a child; what it gives is the child's exit code, should it not become another program before.
///
/// It may be told of less than `shared`: an emulator or a sandbox knows only the plain way. While the memory is shared
/// the parent finds changed what `act` changes, and what it has dropped.
///
/// # Errors
/// `AGAIN` at a limit of processes, `NOMEM`.
pub fn spawn(_alone: &Alone, shared: Shared, act: &mut dyn FnMut(Shared) -> u8) -> Result<Pid> {
    match start(shared, act) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => start(Shared::NOTHING, act),
        answer => answer,
    }
}

/// clone(2), with the stack that is there unless the memory is shared: the pages that a child writes to are copied once,
/// for it or for its parent, and those of the stack are written by both anyway.
fn start(shared: Shared, act: &mut dyn FnMut(Shared) -> u8) -> Result<Pid> {
    let flags = libc::SIGCHLD | if shared.files { libc::CLONE_FILES } else { 0 };
    if shared.memory {
        return start_on_own_stack(flags, &mut Start { shared, act });
    }
    // The one machine where the stack comes first.
    let (first, second) = if cfg!(target_arch = "s390x") { (0, flags) } else { (flags, 0) };
    // SAFETY: without a stack and memory of both, this is fork(2), and `Alone` vouched for that.
    let answer = answered(unsafe { libc::syscall(libc::SYS_clone, first, second, 0, 0, 0) })?;
    match c_int::try_from(answer) {
        Ok(0) => exit(act(shared)),
        answer => answer.ok().and_then(Pid::new).ok_or(Errno::RANGE),
    }
}

/// What a child begins with that has no copy of its parent's stack.
struct Start<'a> {
    shared: Shared,
    act: &'a mut dyn FnMut(Shared) -> u8,
}

/// The stack of a child that shares its parent's memory, until it executes its program: 32 KiB. Deepest are a script's
/// arguments and a signal's frame.
///
/// A local one would be touched all over when it is made.
struct Stack(UnsafeCell<MaybeUninit<[u128; 2 << 10]>>);

// SAFETY: only a child uses it, while its parent's one thread stands still.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new(MaybeUninit::uninit()));

/// vfork(2), but for the stack.
fn start_on_own_stack(flags: c_int, begin: &mut Start<'_>) -> Result<Pid> {
    let flags = flags | libc::CLONE_VM | libc::CLONE_VFORK;
    // SAFETY: one past the end of the array, which is where a stack that grows downwards starts.
    let top = unsafe { STACK.0.get().add(1) };
    let argument = core::ptr::from_mut(begin);
    // SAFETY: the stack and `begin` are the child's alone until this thread, which is the only one, goes on.
    let answer = checked(unsafe { libc::clone(run, top.cast(), flags, argument.cast()) })?;
    Pid::new(answer).ok_or(Errno::RANGE)
}

/// The first function of such a child.
extern "C" fn run(argument: *mut c_void) -> c_int {
    // SAFETY: `start_on_own_stack` gave it a `Start`, and stands still meanwhile.
    let start = unsafe { &mut *argument.cast::<Start<'_>>() };
    exit((start.act)(start.shared))
}

/// Tells whether the child `pid` still uses this process's table of descriptors, or may: it is let run if it is ready to,
/// but not waited for.
///
/// # References
/// kcmp(2).
#[must_use]
pub fn shares_files(pid: Pid) -> bool {
    const KCMP_FILES: c_int = 2;
    for _ in 0..2 {
        // SAFETY: this comparison takes numbers and no pointer.
        let order = answered(unsafe { libc::syscall(libc::SYS_kcmp, own_pid().get(), pid.get(), KCMP_FILES, 0, 0) });
        // Where nobody may ask, it may.
        if order.is_ok_and(|order| order != 0) {
            return false;
        }
        rustix::thread::sched_yield();
    }
    true
}

/// Ends the calling process at once: no destructors, no exit handlers.
pub fn exit(code: u8) -> ! {
    // SAFETY: `_exit` takes no pointer and does not return.
    unsafe { libc::_exit(c_int::from(code)) }
}

/// Looks for any child that has ended, without reaping it, so that its pid and its group's id stay its own.
///
/// With `stops`, children that a signal has stopped are seen too, once each.
///
/// # Errors
/// `CHILD` when there are no children at all.
pub fn look(stops: bool) -> Result<Option<Seen>> {
    let kinds = if stops { libc::WEXITED | libc::WSTOPPED } else { libc::WEXITED };
    let seen = wait_id(libc::P_ALL, 0, kinds | libc::WNOWAIT)?;
    let Some(Seen::Stopped(pid, _)) = seen else { return Ok(seen) };
    // A stop is shown until somebody takes it.
    wait_id(libc::P_PID, libc::id_t::try_from(pid.get()).map_err(|_| Errno::CHILD)?, libc::WSTOPPED)
}

/// Looks whether the child `pid` has ended, without reaping it.
///
/// # Errors
/// `CHILD` when it is no child (any more).
pub fn look_at(pid: Pid) -> Result<Option<Seen>> {
    let id = libc::id_t::try_from(pid.get()).map_err(|_| Errno::CHILD)?;
    wait_id(libc::P_PID, id, libc::WEXITED | libc::WNOWAIT)
}

/// Reaps a child that [`look`] has shown as ended.
pub fn reap(pid: Pid) {
    let mut status = 0;
    // It cannot fail: the child is ended and ours. If a host has reaped it in between, that is as good.
    // SAFETY: `status` is an int of ours.
    unsafe { libc::waitpid(pid.get(), &raw mut status, libc::WNOHANG) };
}

/// Waits for a child that is sure to end soon, and reaps it.
pub fn wait_for(pid: Pid) {
    let raw = rustix::process::Pid::from_raw(pid.get());
    // If it is no child any more, a host has reaped it.
    let _ = rustix::io::retry_on_intr(|| rustix::process::waitpid(raw, rustix::process::WaitOptions::empty()));
}

/// waitid(2) without blocking.
fn wait_id(kind: libc::idtype_t, id: libc::id_t, flags: c_int) -> Result<Option<Seen>> {
    // The kernel leaves siginfo alone when there is nothing to see, so it must start as "no pid".
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    loop {
        // SAFETY: `info` is a siginfo of ours.
        match checked(unsafe { libc::waitid(kind, id, info.as_mut_ptr(), flags | libc::WNOHANG) }) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    // SAFETY: it was zeroed, which is a valid siginfo, and the call may have filled it.
    let info = unsafe { info.assume_init() };
    // SAFETY: after waitid these fields are filled in, or all zero.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    Ok(Pid::new(pid).and_then(|pid| seen(pid, info.si_code, status)))
}

/// Reads what waitid says of a child.
fn seen(pid: Pid, code: c_int, status: c_int) -> Option<Seen> {
    let killed = |core| {
        let signal = signal::from_raw(status).unwrap_or(Signal::KILL);
        Some(Seen::Ended(pid, Exit::Signal { signal, core }))
    };
    match code {
        libc::CLD_EXITED => {
            let [low, ..] = status.to_le_bytes();
            Some(Seen::Ended(pid, Exit::Code(low)))
        }
        libc::CLD_KILLED => killed(false),
        libc::CLD_DUMPED => killed(true),
        libc::CLD_STOPPED | libc::CLD_TRAPPED => signal::from_raw(status).map(|signal| Seen::Stopped(pid, signal)),
        _ => None,
    }
}
