//! The signals by the numbers that /proc and the workers use, and sending them.

use super::proc::Pid;

pub use libc::{
    SIGABRT as ABRT, SIGALRM as ALRM, SIGBUS as BUS, SIGCHLD as CHLD, SIGCONT as CONT, SIGFPE as FPE, SIGHUP as HUP,
    SIGILL as ILL, SIGINT as INT, SIGIO as IO, SIGKILL as KILL, SIGPIPE as PIPE, SIGPROF as PROF, SIGPWR as PWR,
    SIGQUIT as QUIT, SIGSEGV as SEGV, SIGSTKFLT as STKFLT, SIGSTOP as STOP, SIGSYS as SYS, SIGTERM as TERM,
    SIGTRAP as TRAP, SIGTSTP as TSTP, SIGTTIN as TTIN, SIGTTOU as TTOU, SIGURG as URG, SIGUSR1 as USR1,
    SIGUSR2 as USR2, SIGVTALRM as VTALRM, SIGWINCH as WINCH, SIGXCPU as XCPU, SIGXFSZ as XFSZ,
};

/// Sends a signal to a process that must be there.
#[track_caller]
pub fn send(pid: Pid, signal: i32) {
    assert!(try_send(pid, signal), "cannot send signal {signal} to {pid}");
}

/// Sends a signal to processes that must all be there.
#[track_caller]
pub fn send_all(pids: &[Pid], signal: i32) {
    for &pid in pids {
        send(pid, signal);
    }
}

/// Sends a signal and tells whether it went out.
pub fn try_send(pid: Pid, signal: i32) -> bool {
    assert!(pid > 0, "{pid} would name a group or everybody");
    #[expect(unsafe_code, reason = "no safe wrapper takes every number, real-time signals included")]
    // SAFETY: `kill` takes no pointer.
    let result = unsafe { libc::kill(pid, signal) };
    result == 0
}
