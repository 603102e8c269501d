//! What a fresh child tells its manager when its set-up or its exec fails: 12 bytes, over a pipe that exec closes.

use crate::pool::SlotId;

/// A step of a child's set-up, in the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// setsid(2).
    Session,
    /// setpgid(2).
    Group,
    /// tcsetpgrp(3).
    Foreground,
    /// setpriority(2).
    Priority,
    /// setrlimit(2).
    Limit,
    /// Writing `/proc/self/oom_score_adj`.
    OomScore,
    /// chdir(2).
    Directory,
    /// setgroups(2), setresgid(2), setresuid(2), and the check that there is no way back.
    User,
    /// prctl(2) with `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs,
    /// prctl(2) with `PR_SET_PDEATHSIG`, and the check that the manager still lives.
    DeathSignal,
    /// dup2(2) to 0, 1 and 2.
    Descriptors,
    /// sigaction(2) for a worker's own handlers.
    Handlers,
    /// execve(2).
    Exec,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 13] = [
        Self::Session,
        Self::Group,
        Self::Foreground,
        Self::Priority,
        Self::Limit,
        Self::OomScore,
        Self::Directory,
        Self::User,
        Self::NoNewPrivs,
        Self::DeathSignal,
        Self::Descriptors,
        Self::Handlers,
        Self::Exec,
    ];

    /// Gives the step as a verb phrase.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "make a session",
            Self::Group => "make a process group",
            Self::Foreground => "take the terminal's foreground",
            Self::Priority => "set the priority",
            Self::Limit => "set a resource limit",
            Self::OomScore => "set the OOM score",
            Self::Directory => "change the directory",
            Self::User => "change the user",
            Self::NoNewPrivs => "give up new privileges",
            Self::DeathSignal => "set the death signal",
            Self::Descriptors => "set up the standard descriptors",
            Self::Handlers => "install signal handlers",
            Self::Exec => "execute",
        }
    }

    fn number(self) -> u8 {
        // The position in ALL, which a test holds equal to the declaration's order.
        Self::ALL.iter().zip(0..u8::MAX).find_map(|(step, number)| (*step == self).then_some(number)).unwrap_or(0)
    }
}

/// A step that failed, and the kernel's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What was tried.
    pub step: Step,
    /// The kernel's error number.
    pub errno: i32,
}

/// One report: which worker failed, and at what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The worker.
    pub slot: SlotId,
    /// Its failure.
    pub failed: Failed,
}

impl Report {
    /// The length of a report in bytes; far below `PIPE_BUF`, so that reports never mix.
    pub const LEN: usize = 12;

    /// Writes the report as bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [i0, i1] = self.slot.index.to_le_bytes();
        let [g0, g1, g2, g3] = self.slot.generation.to_le_bytes();
        let [e0, e1, e2, e3] = self.failed.errno.to_le_bytes();
        [i0, i1, self.failed.step.number(), 0, g0, g1, g2, g3, e0, e1, e2, e3]
    }

    /// Reads a report back; `None` when the bytes are none.
    #[must_use]
    pub fn decode(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let [i0, i1, step, 0, g0, g1, g2, g3, e0, e1, e2, e3] = *bytes else { return None };
        Some(Self {
            slot: SlotId { index: u16::from_le_bytes([i0, i1]), generation: u32::from_le_bytes([g0, g1, g2, g3]) },
            failed: Failed { step: *Step::ALL.get(usize::from(step))?, errno: i32::from_le_bytes([e0, e1, e2, e3]) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_as_it_went() {
        for step in Step::ALL {
            let report =
                Report { slot: SlotId { index: 1023, generation: 0xdead_beef }, failed: Failed { step, errno: 13 } };
            assert_eq!(Report::decode(&report.encode()), Some(report), "{step:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_report_are_refused() {
        let good = Report { slot: SlotId { index: 0, generation: 1 }, failed: Failed { step: Step::Exec, errno: 2 } };
        for (at, value) in [(2, 13), (2, 255), (3, 1)] {
            let mut bytes = good.encode();
            bytes[at] = value;
            assert_eq!(Report::decode(&bytes), None, "byte {at} = {value}");
        }
    }
}
