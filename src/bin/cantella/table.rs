//! Every option in one table: how it is written, what it may be, what it sets.

use core::ffi::CStr;

use cantella::options::{KillMode, Output, Stdin};
use cantella::pool::Restart;
use cantella::relay::Format;
use cantella::signals;

use super::settings::{Id, Log, Settings, TWIN_PREFIX, UserSpec, twin_byte};
use super::values;

/// The most workers; the size of the shipped binary's table.
pub const MAX_WORKERS: u16 = 1024;

/// Takes a value, as bytes and as the word they end, into the settings; `None` if it is wrong.
type Set = for<'a> fn(&mut Settings<'a>, &'a [u8], &'a CStr) -> Option<()>;

/// A combination that makes no sense, looked for when the option was given.
#[derive(Clone, Copy, Debug)]
pub struct Clash {
    /// Whether the settings are such.
    pub when: fn(&Settings<'_>) -> bool,
    /// What the user is told.
    pub rule: &'static str,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its long name, without dashes.
    pub name: &'static str,
    /// Whether it is on or off and takes no value.
    pub is_switch: bool,
    /// What a value must be.
    pub allowed: &'static str,
    /// Whether only `--init` has a use for it.
    pub init_only: bool,
    /// What it does not go with.
    pub clash: Option<&'static Clash>,
    /// Takes a value into the settings.
    pub set: Set,
}

impl Row {
    /// An option that takes a value.
    const fn value(name: &'static str, allowed: &'static str, set: Set) -> Self {
        Self { name, is_switch: false, allowed, init_only: false, clash: None, set }
    }

    /// An option that is on or off.
    const fn switch(name: &'static str, set: Set) -> Self {
        Self { is_switch: true, ..Self::value(name, "1 or 0", set) }
    }

    /// Names a combination that makes no sense.
    const fn clash(self, clash: &'static Clash) -> Self {
        Self { clash: Some(clash), ..self }
    }

    /// An option that only `--init` has a use for.
    const fn init_only(self) -> Self {
        Self { init_only: true, ..self }
    }

    /// An option that only relayed output has a use for.
    const fn relay_only(self) -> Self {
        self.clash(&Clash {
            when: |s| matches!(s.log, Log::Inherit | Log::None),
            rule: "not with --log inherit or --log none",
        })
    }
}

/// Another way to write an option.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    /// As it is written, without dashes: one character behind one dash, more behind two.
    pub spelling: &'static str,
    /// The long name of the option.
    option: &'static str,
    /// The value that it stands for; `None`: it takes one.
    means: Option<&'static CStr>,
}

/// What options are under `--init` when they are not given.
pub static UNDER_INIT: [(&str, &CStr); 7] = [
    ("workers", c"1"),
    ("restart", c"never"),
    ("stop-timeout", c"8s"),
    ("detach", c"0"),
    ("stdin", c"inherit"),
    ("log", c"inherit"),
    ("subreaper", c"1"),
];

/// What else options are written as.
pub static ALIASES: [Alias; 5] = [
    Alias { spelling: "w", option: "workers", means: None },
    Alias { spelling: "g", option: "forward-to", means: Some(c"group") },
    Alias { spelling: "no-detach", option: "detach", means: Some(c"0") },
    Alias { spelling: "no-process-group", option: "process-group", means: Some(c"0") },
    Alias { spelling: "keep-fds", option: "close-fds", means: Some(c"0") },
];

/// What signals are written as.
const SIGNAL: &str = "a signal such as TERM, SIGTERM or 15 (1 to 64 but 32 and 33)";

/// What signals are written as where there may be none.
const SIGNAL_OR_NONE: &str = "a signal such as TERM, SIGTERM or 15 (1 to 64 but 32 and 33), or none";

/// What names are made of.
const NAME: &str = "1 to 32 of A-Z a-z 0-9 . _ -";

/// The levels.
const LEVEL: &str = "debug, info, notice, warning, error, critical, alert or emergency";

/// How limits are written.
const RLIMIT: &str = "NAME=SOFT[:HARD] with NAME one of nofile, nproc, core, as, cpu, fsize, memlock, stack, data and \
                      SOFT (not above HARD) a number such as 1024, 64K, 512M or 2G, or unlimited";

static RESTARTS: [(&[u8], Restart); 3] =
    [(b"always", Restart::Always), (b"on-failure", Restart::OnFailure), (b"never", Restart::Never)];

static KILL_MODES: [(&[u8], KillMode); 3] =
    [(b"worker", KillMode::Worker), (b"mixed", KillMode::Mixed), (b"group", KillMode::Group)];

static STDINS: [(&[u8], Stdin); 3] =
    [(b"null", Stdin::Null), (b"inherit", Stdin::Inherit), (b"lifeline", Stdin::Lifeline)];

static FORMATS: [(&[u8], Format); 3] =
    [(b"plain", Format::Plain), (b"logfmt", Format::Logfmt), (b"json", Format::Json)];

static REACHES: [(&[u8], bool); 2] = [(b"child", false), (b"group", true)];

/// Every option but `--help` and `--version`, in the order of the help text.
pub static TABLE: [Row; 39] = [
    Row::value("workers", "a number from 1 to 1024", |s, v, _| put(&mut s.options.policy.workers, workers(v))).clash(
        &Clash { when: |s| s.options.init.is_some() && s.options.policy.workers > 1, rule: "must be 1 with --init" },
    ),
    Row::value("restart", "always, on-failure or never", |s, v, _| {
        put(&mut s.options.policy.restart, values::choice(v, &RESTARTS))
    }),
    Row::value("min-uptime", "a duration such as 1s, 250ms or 0", |s, v, _| {
        put(&mut s.options.policy.min_uptime, values::duration(v))
    }),
    Row::value("backoff", "two durations MIN..MAX such as 100ms..30s, or 0", |s, v, _| {
        let policy = &mut s.options.policy;
        (policy.backoff_min, policy.backoff_max) = values::backoff(v)?;
        Some(())
    }),
    Row::value("give-up", "N/DUR with N from 0 to 1024 and DUR above 0, such as 5/1m, or none", |s, v, _| {
        put_or_none(&mut s.options.policy.give_up, v, values::give_up)
    }),
    Row::value("max-age", "a duration above 0 such as 90s or 1h30m, or none", |s, v, _| {
        put_or_none(&mut s.options.policy.max_age, v, values::positive)
    }),
    Row::value("max-age-jitter", "a number from 0 to 100", |s, v, _| {
        put(&mut s.options.policy.max_age_jitter, values::code(v).filter(|percent| *percent <= 100))
    }),
    Row::value("stop-signal", SIGNAL, |s, v, _| put(&mut s.options.stop_signal, signals::parse(v))),
    Row::value("stop-timeout", "a duration such as 10s, or none", |s, v, _| {
        put_or_none(&mut s.options.policy.stop_timeout, v, values::duration)
    }),
    Row::value("kill-mode", "worker, mixed or group", |s, v, _| {
        put(&mut s.options.kill_mode, values::choice(v, &KILL_MODES))
    })
    .clash(&Clash { when: groupless_kill, rule: "needs --detach or --process-group" }),
    Row::value("pause-signal", SIGNAL_OR_NONE, |s, v, _| put_or_none(&mut s.options.pause_signal, v, signals::parse)),
    Row::value("resume-signal", SIGNAL_OR_NONE, |s, v, _| put_or_none(&mut s.options.resume_signal, v, signals::parse)),
    Row::value("name", NAME, |s, v, _| put(&mut s.options.name, values::name(v).map(Some))),
    Row::value("pool", NAME, |s, v, _| put(&mut s.options.pool, values::name(v))),
    Row::switch("detach", |s, v, _| put(&mut s.options.setup.detach, values::switch(v)))
        .clash(&Clash { when: |s| s.options.init.is_some() && s.options.setup.detach, rule: "not with --init" }),
    Row::switch("process-group", |s, v, _| put(&mut s.options.setup.process_group, values::switch(v))),
    Row::value("priority", "a number such as 5 or -5", |s, v, _| {
        put(&mut s.options.setup.priority, values::signed(v).and_then(|delta| i32::try_from(delta).ok()))
    }),
    Row::switch("close-fds", |s, v, _| put(&mut s.options.setup.close_fds, values::switch(v))),
    Row::value("death-signal", SIGNAL_OR_NONE, |s, v, _| {
        put_or_none(&mut s.options.setup.death_signal, v, signals::parse)
    }),
    Row::value("stdin", "null, inherit or lifeline", |s, v, _| {
        put(&mut s.options.setup.stdin, values::choice(v, &STDINS))
    })
    .clash(&Clash {
        when: |s| s.options.init.is_some() && s.options.setup.stdin == Stdin::Lifeline,
        rule: "must be null or inherit with --init",
    }),
    Row::value("chdir", "a directory", |s, v, word| {
        put(&mut s.options.setup.directory, (!v.is_empty()).then_some(Some(word)))
    }),
    Row::value("umask", "an octal number from 0 to 777", |s, v, _| {
        put(&mut s.options.setup.umask, values::umask(v).map(Some))
    }),
    Row::value("env", "NAME=VALUE, with at most 64 names in all", |s, _, word| s.env.set(word)),
    Row::switch("clear-env", |s, v, _| put(&mut s.env.clear, values::switch(v))),
    Row::value("user", "USER or USER:GROUP, by name or number", |s, v, word| put(&mut s.user, user(v, word).map(Some))),
    Row::switch("no-new-privs", |s, v, _| put(&mut s.options.setup.no_new_privs, values::switch(v))),
    Row::value("rlimit", RLIMIT, |s, v, _| s.limit(values::limit(v)?)),
    Row::value("oom-score-adj", "a number from -1000 to 1000", |s, v, _| {
        put(&mut s.options.setup.oom_score_adj, oom_score(v).map(Some))
    }),
    Row::value("log", "stderr, file:PATH, inherit or none", |s, v, word| {
        s.log = log(v, word)?;
        s.options.setup.output = if s.log == Log::Inherit { Output::Inherit } else { Output::Relay };
        Some(())
    }),
    Row::value("log-format", "plain, logfmt or json", |s, v, _| put(&mut s.format, values::choice(v, &FORMATS)))
        .relay_only(),
    Row::value("log-level", LEVEL, |s, v, _| put(&mut s.log_level, values::level(v).map(Some))),
    Row::value("stdout-level", LEVEL, |s, v, _| put(&mut s.options.stdout_level, values::level(v))).relay_only(),
    Row::value("stderr-level", LEVEL, |s, v, _| put(&mut s.options.stderr_level, values::level(v))).relay_only(),
    Row::switch("init", |_, v, _| values::switch(v).map(drop)),
    Row::switch("subreaper", |s, v, _| put(&mut s.options.subreaper, values::switch(v))),
    Row::value("forward-to", "child or group", |s, v, _| {
        put(&mut s.options.init.as_mut()?.forward_to_group, values::choice(v, &REACHES))
    })
    .init_only()
    .clash(&Clash { when: groupless_forward, rule: "group needs --process-group" }),
    Row::value("map", "SIG=SIG2, or SIG=0 to drop SIG, which is none of KILL, STOP and CHLD", |s, v, _| {
        let (signal, forward) = values::forward(v)?;
        s.map(signal, forward)
    })
    .init_only(),
    Row::value("map-exit", "CODE=CODE2, both from 0 to 255", |s, v, _| {
        let (from, to) = values::codes(v)?;
        s.map_exit(from, to)
    })
    .init_only(),
    Row::value("drain", "a duration such as 5s or 0", |s, v, _| {
        put(&mut s.options.init.as_mut()?.drain, values::duration(v).map(Some))
    })
    .init_only(),
];

/// Stores a value, if there is one.
fn put<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

/// Stores a value that may also be `none`.
fn put_or_none<T>(place: &mut Option<T>, text: &[u8], read: impl FnOnce(&[u8]) -> Option<T>) -> Option<()> {
    *place = if text == b"none" { None } else { Some(read(text)?) };
    Some(())
}

/// Reads a number of workers.
fn workers(text: &[u8]) -> Option<u16> {
    let number = values::number(text).and_then(|number| u16::try_from(number).ok())?;
    (1..=MAX_WORKERS).contains(&number).then_some(number)
}

/// Reads an adjustment of the kernel's choice of victims.
fn oom_score(text: &[u8]) -> Option<i16> {
    let score = values::signed(text).and_then(|score| i16::try_from(score).ok())?;
    (-1000..=1000).contains(&score).then_some(score)
}

/// Reads a log target; `word` ends in `text`.
fn log<'a>(text: &'a [u8], word: &'a CStr) -> Option<Log<'a>> {
    match text {
        b"stderr" => Some(Log::Stderr),
        b"inherit" => Some(Log::Inherit),
        b"none" => Some(Log::None),
        [b'f', b'i', b'l', b'e', b':', _, ..] => suffix(word, 5).map(Log::File),
        _ => None,
    }
}

/// Reads `USER[:GROUP]`.
fn user<'a>(text: &'a [u8], word: &'a CStr) -> Option<UserSpec<'a>> {
    let (user, group) = values::split(text, b':').map_or((text, None), |(user, group)| (user, Some(group)));
    let group = match group {
        Some(group) => Some(id(group)?),
        None => None,
    };
    Some(UserSpec { text: word, user: id(user)?, group })
}

/// Reads the name or the number of a user or a group.
fn id(text: &[u8]) -> Option<Id<'_>> {
    if text.iter().all(u8::is_ascii_digit) {
        return values::id(text).map(Id::Number);
    }
    (!text.contains(&b':')).then_some(Id::Name(text))
}

/// Tells whether groups are to be killed that no worker leads.
fn groupless_kill(settings: &Settings<'_>) -> bool {
    settings.options.kill_mode == KillMode::Group && groupless(settings)
}

/// Tells whether signals are forwarded to a group that the child does not lead.
fn groupless_forward(settings: &Settings<'_>) -> bool {
    settings.options.init.is_some_and(|init| init.forward_to_group) && groupless(settings)
}

/// Tells whether workers stay in the manager's process group.
const fn groupless(settings: &Settings<'_>) -> bool {
    !settings.options.setup.detach && !settings.options.setup.process_group
}

/// Gives the word without its first `skipped` bytes.
#[must_use]
pub fn suffix(word: &CStr, skipped: usize) -> Option<&CStr> {
    CStr::from_bytes_until_nul(word.to_bytes_with_nul().get(skipped..)?).ok()
}

/// An option as the user wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its index in the table.
    pub index: usize,
    /// Its row.
    pub row: &'static Row,
    /// The value that the spelling stands for; `None`: one must follow.
    pub means: Option<&'static CStr>,
}

/// Looks an option up as it is written, without dashes.
#[must_use]
pub fn spelled(spelling: &[u8]) -> Option<Found> {
    if let Some(alias) = ALIASES.iter().find(|alias| alias.spelling.as_bytes() == spelling) {
        return find(|name| name == alias.option).map(|found| Found { means: alias.means, ..found });
    }
    find(|name| name.as_bytes() == spelling)
}

/// Looks up the option whose environment twin this entry is; gives its value too.
#[must_use]
pub fn twin(entry: &CStr) -> Option<(Found, &CStr)> {
    let name = entry.to_bytes().strip_prefix(TWIN_PREFIX.as_bytes())?;
    let (name, _) = values::split(name, b'=')?;
    let found = find(|option| option.bytes().map(twin_byte).eq(name.iter().copied()))?;
    Some((found, suffix(entry, TWIN_PREFIX.len().saturating_add(name.len()).saturating_add(1))?))
}

/// Tells whether an environment entry is some option's twin, which workers do not get to see.
#[must_use]
pub fn is_twin(entry: &CStr) -> bool {
    twin(entry).is_some()
}

/// Finds the row of an option by its long name.
fn find(is_it: impl Fn(&str) -> bool) -> Option<Found> {
    let (index, row) = TABLE.iter().enumerate().find(|(_, row)| is_it(row.name))?;
    Some(Found { index, row, means: row.is_switch.then_some(c"1") })
}
