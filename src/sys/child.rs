//! What a fresh child does between fork and its program, in this order:
//!
//! a descriptor table of its own, session, process group, terminal, priority, limits, OOM score, umask, directory, user, `no_new_privs`, death signal,
//! descriptors. Everything that needs the privileges of the manager comes before the user; the death signal comes after,
//! because a change of credentials clears it. Every signal stays blocked until the program lets them in.
//!
//! # References
//! setsid(2), setpgid(2), setpriority(2), setrlimit(2), proc(5), umask(2), chdir(2), credentials(7), prctl(2), dup2(2).

use core::ffi::CStr;

use rustix::process::Rlimit;

use super::alone::Alone;
use super::fd::{self, AsFd, AsRawFd, BorrowedFd};
use super::process::{self, Shared};
use super::{Errno, Result, answered, terminal};
use crate::options::{Limit, Resource, Setup, User};
use crate::pool::{Pid, SlotId};
use crate::report::{Failed, Report, Step};
use crate::text::Text;

/// The descriptors a child is handed, and what it must put back of its manager's.
#[derive(Clone, Copy, Debug)]
pub struct Hands<'a> {
    /// Standard input, output, error; `None`: the manager's own.
    pub standard: [Option<BorrowedFd<'a>>; 3],
    /// The limit of open files that the manager was started with, if it has raised its own.
    pub open_files: Option<Rlimit>,
    /// The terminal that the child takes: its foreground, or as its session's own where it is detached.
    pub terminal: Option<BorrowedFd<'a>>,
    /// Where it says what failed.
    pub reports: BorrowedFd<'a>,
    /// What of its manager's it uses so far.
    pub shared: Shared,
}

/// Does the whole set-up; the first step that fails ends it.
///
/// # Errors
/// The step and the kernel's word.
pub fn prepare(setup: &Setup<'_>, hands: &Hands<'_>, manager: Pid) -> core::result::Result<(), Failed> {
    for (step, act) in &STEPS {
        act(setup, hands, manager).map_err(|errno| Failed { step: *step, errno: errno.raw_os_error() })?;
    }
    Ok(())
}

/// One step of the set-up.
type Act = fn(&Setup<'_>, &Hands<'_>, Pid) -> Result<()>;

/// Every step, in order.
static STEPS: [(Step, Act); 12] = [
    (Step::Descriptors, |_, hands, _| own_table(hands)),
    (Step::Session, |setup, _, _| session(setup.detach)),
    (Step::Group, |setup, _, _| group(!setup.detach && setup.process_group)),
    (Step::Foreground, |setup, hands, _| foreground(hands.terminal, setup.detach)),
    (Step::Priority, |setup, _, _| priority(setup.priority)),
    (Step::Limit, |setup, hands, _| limits(&setup.limits, hands.open_files)),
    (Step::OomScore, |setup, _, _| oom_score(setup.oom_score_adj)),
    (Step::Directory, |setup, _, _| place(setup.umask, setup.directory)),
    (Step::User, |setup, _, _| setup.user.as_ref().map_or(Ok(()), user)),
    (Step::NoNewPrivs, |setup, _, _| no_new_privs(setup.no_new_privs)),
    (Step::DeathSignal, |setup, _, manager| death_signal(setup, manager)),
    (Step::Descriptors, |_, hands, _| descriptors(hands)),
];

/// Takes over those of the manager's descriptors that the child still needs.
fn own_table(hands: &Hands<'_>) -> Result<()> {
    if !hands.shared.files {
        return Ok(());
    }
    let mut last = hands.reports.as_raw_fd();
    for needed in hands.standard.iter().flatten() {
        last = last.max(needed.as_raw_fd());
    }
    fd::unshare_below(last.saturating_add(1))
}

fn session(wanted: bool) -> Result<()> {
    if wanted { rustix::process::setsid().map(|_| ()) } else { Ok(()) }
}

fn group(wanted: bool) -> Result<()> {
    if wanted { rustix::process::setpgid(None, None) } else { Ok(()) }
}

/// Gives the terminal to the child's own process group, or to its new session, which has none yet.
///
/// SIGTTOU is blocked here, so that it does not stop the child.
fn foreground(terminal: Option<BorrowedFd<'_>>, detached: bool) -> Result<()> {
    match terminal {
        None => Ok(()),
        Some(terminal) if detached => terminal::adopt(terminal),
        Some(terminal) => terminal::take(terminal),
    }
}

fn priority(delta: i32) -> Result<()> {
    if delta == 0 {
        return Ok(());
    }
    // SAFETY: getpriority takes no pointer. It is the raw call, whose answer is 20 less the niceness and never negative.
    let rest = answered(unsafe { libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, 0) })?;
    let own = 20_i32.saturating_sub(i32::try_from(rest).unwrap_or(20));
    rustix::process::setpriority_process(None, own.saturating_add(delta))
}

fn limits(limits: &[Option<Limit>; Resource::COUNT], open_files: Option<Rlimit>) -> Result<()> {
    // First what the manager changed for itself, so that a limit asked for has the last word.
    if let Some(limit) = open_files {
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)?;
    }
    limits.iter().flatten().try_for_each(|limit| {
        rustix::process::setrlimit(kernel_name(limit.resource), Rlimit { current: limit.soft, maximum: limit.hard })
    })
}

const fn kernel_name(resource: Resource) -> rustix::process::Resource {
    use rustix::process::Resource as Kernel;
    match resource {
        Resource::Nofile => Kernel::Nofile,
        Resource::Nproc => Kernel::Nproc,
        Resource::Core => Kernel::Core,
        Resource::As => Kernel::As,
        Resource::Cpu => Kernel::Cpu,
        Resource::Fsize => Kernel::Fsize,
        Resource::Memlock => Kernel::Memlock,
        Resource::Stack => Kernel::Stack,
        Resource::Data => Kernel::Data,
    }
}

fn oom_score(score: Option<i16>) -> Result<()> {
    let Some(score) = score else { return Ok(()) };
    let file = fd::open_write(c"/proc/self/oom_score_adj")?;
    let mut room = [0; 8];
    let mut text = Text::new(&mut room);
    if score < 0 {
        text.say("-");
    }
    text.number(u64::from(score.unsigned_abs()));
    fd::write(file.as_fd(), text.as_bytes()).map(|_| ())
}

fn place(umask: Option<u32>, directory: Option<&CStr>) -> Result<()> {
    if let Some(mask) = umask {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
    }
    directory.map_or(Ok(()), rustix::process::chdir)
}

/// Drops to a user for good: groups first, while there still is the right to, then the ids, then the proof.
fn user(user: &User) -> Result<()> {
    let groups = user.groups.get(..user.group_count).unwrap_or(&user.groups);
    // The raw calls: libc's first stop every other thread, and a fresh child has none.
    // SAFETY: the pointer and the count are those of one slice.
    answered(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })?;
    // SAFETY: setresgid takes no pointer.
    answered(unsafe { libc::syscall(libc::SYS_setresgid, user.gid, user.gid, user.gid) })?;
    // SAFETY: setresuid takes no pointer.
    answered(unsafe { libc::syscall(libc::SYS_setresuid, user.uid, user.uid, user.uid) })?;
    // SAFETY: setresuid takes no pointer.
    let back = unsafe { libc::syscall(libc::SYS_setresuid, UNCHANGED, 0, UNCHANGED) };
    let way_back = user.uid != 0 && answered(back).is_ok();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if way_back || uid != user.uid || gid != user.gid { Err(Errno::PERM) } else { Ok(()) }
}

/// The id that tells setresuid(2) to leave one alone.
const UNCHANGED: libc::uid_t = libc::uid_t::MAX;

fn no_new_privs(wanted: bool) -> Result<()> {
    if wanted { process::renounce_privileges() } else { Ok(()) }
}

fn death_signal(setup: &Setup<'_>, manager: Pid) -> Result<()> {
    let Some(signal) = setup.death_signal else { return Ok(()) };
    process::die_with_parent(signal)?;
    // The manager may have died between fork and prctl; then no signal ever comes.
    let parent = rustix::process::getppid().map_or(0, rustix::process::Pid::as_raw_pid);
    if parent == manager.get() { Ok(()) } else { Err(Errno::SRCH) }
}

fn descriptors(hands: &Hands<'_>) -> Result<()> {
    for (number, from) in (0..=2).zip(hands.standard) {
        if let Some(from) = from {
            fd::replace_standard(from, number)?;
            fd::reset_flags(fd::standard(number))?;
        }
    }
    Ok(())
}

/// Finds out whether a set-up is permitted: a trial child does it and ends; nothing is executed.
///
/// # Errors
/// What failed, in the child or on the way to it.
pub fn rehearse(
    setup: &Setup<'_>,
    hands: &Hands<'_>,
    alone: &Alone,
    report: &fd::Pipe,
) -> core::result::Result<(), Failed> {
    let manager = process::own_pid();
    let failed = |errno: Errno| Failed { step: Step::Exec, errno: errno.raw_os_error() };
    let mut act = |_| {
        let result = prepare(setup, hands, manager);
        if let Err(failed) = result {
            let slot = SlotId { index: 0, generation: 0 };
            let report_bytes = Report { slot, failed }.encode();
            // A report that cannot be written leaves the exit code, which says the same without the reason.
            let _ = fd::write(report.write.as_fd(), &report_bytes);
        }
        u8::from(result.is_err())
    };
    let pid = process::spawn(alone, Shared::NOTHING, &mut act).map_err(failed)?;
    // The trial does nothing that blocks, and nothing else runs yet, so it is simply waited for.
    process::wait_for(pid);
    let mut bytes = [0; Report::LEN];
    match fd::read(report.read.as_fd(), &mut bytes) {
        Ok(Report::LEN) => Report::decode(&bytes).map_or(Ok(()), |report| Err(report.failed)),
        Ok(_) | Err(_) => Ok(()),
    }
}
