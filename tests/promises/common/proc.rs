//! What the kernel tells about processes: the /proc readers that the promises are checked with.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

/// A process id, as /proc names it.
pub type Pid = i32;

/// The fields of /proc/PID/stat that tests look at.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    pub state: char,
    pub parent: Pid,
    pub group: Pid,
    pub session: Pid,
    pub nice: i64,
}

/// Reads one process's row; `None` where it is gone.
pub fn stat(pid: Pid) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and parentheses; the last parenthesis ends it.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        state: fields[0].chars().next()?,
        parent: fields[1].parse().ok()?,
        group: fields[2].parse().ok()?,
        session: fields[3].parse().ok()?,
        nice: fields[16].parse().ok()?,
    })
}

/// Whether the process exists and still runs: a zombie does not.
pub fn is_alive(pid: Pid) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// All processes there are, zombies too.
pub fn processes() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The children of a process in every state, zombies too, in the order of their ids.
pub fn children(parent: Pid) -> Vec<Pid> {
    let mut found: Vec<Pid> =
        processes().into_iter().filter(|&pid| stat(pid).is_some_and(|stat| stat.parent == parent)).collect();
    found.sort_unstable();
    found
}

/// The children that run.
pub fn live_children(parent: Pid) -> Vec<Pid> {
    children(parent).into_iter().filter(|&pid| is_alive(pid)).collect()
}

/// The processes in whose starting environment `entry` stands, wherever they hang in the tree by now.
pub fn with_environment(entry: &str) -> Vec<Pid> {
    let holds = |pid: &Pid| environment(*pid).iter().any(|found| found == entry) && is_alive(*pid);
    processes().into_iter().filter(holds).collect()
}

/// The program a process runs.
pub fn program(pid: Pid) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// The environment a process was started with, as `NAME=value`.
pub fn environment(pid: Pid) -> Vec<String> {
    zero_separated(pid, "environ")
}

/// The arguments of a process as ps(1) shows them.
pub fn arguments(pid: Pid) -> Vec<String> {
    zero_separated(pid, "cmdline")
}

fn zero_separated(pid: Pid, file: &str) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// The short name of a process.
pub fn name(pid: Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// The rows of /proc/PID/status; empty where the process is gone.
pub fn status(pid: Pid) -> HashMap<String, String> {
    rows(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default())
}

/// Splits rows of `Name: value`.
pub fn rows(text: &str) -> HashMap<String, String> {
    let row = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    text.lines().filter_map(row).collect()
}

/// One of the signal sets of /proc/PID/status (`SigBlk`, `SigIgn`, `SigCgt`), bit n - 1 for signal n.
pub fn signal_set(pid: Pid, set: &str) -> u64 {
    status(pid).get(set).map_or(0, |hexadecimal| u64::from_str_radix(hexadecimal, 16).expect("a signal set"))
}

/// Whether a process has a handler for the signal.
pub fn catches(pid: Pid, signal: i32) -> bool {
    has(signal_set(pid, "SigCgt"), signal)
}

/// Whether a set of signals holds this one.
pub const fn has(set: u64, signal: i32) -> bool {
    set & (1 << (signal - 1)) != 0
}

/// The descriptors a process has open, and what they lead to, in the order of their numbers.
pub fn descriptors(pid: Pid) -> Vec<(i32, PathBuf)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let mut found: Vec<(i32, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, fs::read_link(entry.path()).ok()?))
        })
        .collect();
    found.sort();
    found
}

/// The flags a descriptor was opened with, as open(2) spells them.
pub fn descriptor_flags(pid: Pid, descriptor: i32) -> i32 {
    let text = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")).expect("an open descriptor");
    i32::from_str_radix(&rows(&text)["flags"], 8).expect("octal flags")
}

/// How often a process was put to sleep or off the processor.
pub fn context_switches(pid: Pid) -> u64 {
    let status = status(pid);
    ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"].iter().map(|row| number(&status[*row])).sum()
}

/// The memory that is a process's own, in KiB.
pub fn private_dirty(pid: Pid) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("a running process");
    number(&rows(&text)["Private_Dirty"])
}

/// The mappings of a process, a line each.
pub fn mappings(pid: Pid) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/maps")).expect("a running process");
    text.lines().map(str::to_owned).collect()
}

/// How many bytes a process has written, to whatever descriptor.
pub fn written(pid: Pid) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/io")).map_or(0, |text| number(&rows(&text)["wchar"]))
}

/// The processor time a process used, in clock ticks.
pub fn processor_ticks(pid: Pid) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    let fields: Vec<&str> = text.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    number(fields[11]) + number(fields[12])
}

/// The number a value starts with.
fn number(value: &str) -> u64 {
    value.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}
