//! The built binary as a test holds it: started, watched, signalled, and never left behind.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::log::{self, Record};
use super::proc::{self, Pid};
use super::signals::{self, KILL, send};
use super::wait::{PATIENCE, eventually, within};

/// How long the kernel may take to end what was killed.
const DYING: Duration = Duration::from_millis(500);

/// The program under test: the one named in `CANTELLA_BIN`, else the one that cargo built.
pub fn binary() -> PathBuf {
    std::env::var_os("CANTELLA_BIN").map_or_else(|| env!("CARGO_BIN_EXE_cantella").into(), PathBuf::from)
}

/// A directory of a test's own, removed with everything in it.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("cantella-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A start of the program that is being put together.
#[derive(Debug)]
pub struct Launch {
    directory: Directory,
    program: PathBuf,
    prefix: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    stdin: Option<Stdio>,
    stderr: Option<Stdio>,
    is_child: bool,
}

impl Launch {
    /// With these arguments and nothing else.
    pub fn bare(arguments: &[&str]) -> Self {
        Self {
            directory: Directory::new(),
            program: binary(),
            prefix: Vec::new(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: Vec::new(),
            stdin: None,
            stderr: None,
            is_child: false,
        }
    }

    /// With these arguments, and its log in the form that tests read.
    pub fn new(arguments: &[&str]) -> Self {
        Self::bare(&[&["--log-format=logfmt"], arguments].concat())
    }

    /// Another program, or the one under test by another name.
    pub fn called(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    /// Started by another program that ends in an exec of it, as env(1) and nohup(1) do.
    pub fn through(mut self, prefix: &[&str]) -> Self {
        self.prefix.splice(0..0, prefix.iter().map(|&word| word.to_owned()));
        self
    }

    /// Started by another program that stays its parent, as strace(1) does.
    pub fn below(mut self, prefix: &[&str]) -> Self {
        self.is_child = true;
        self.through(prefix)
    }

    /// As PID 1 of a PID namespace with a /proc of its own; everything in it ends with it.
    pub fn within_pid_namespace(self) -> Self {
        self.below(&["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
    }

    /// With one more variable in its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// A path in the test's own directory, which lives as long as the manager's handle.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.file(name)
    }

    /// Adds arguments; for those that need [`Launch::file`].
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    pub fn start(self) -> Manager {
        let program = self.is_child.then(|| self.program.canonicalize().expect("the program under test"));
        let mut manager = self.spawn();
        if let Some(program) = program {
            let below =
                || proc::children(manager.pid).into_iter().find(|&pid| proc::program(pid).as_ref() == Some(&program));
            manager.pid = eventually("the manager below its parent", below);
        }
        manager
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> Ended {
        self.spawn().end()
    }

    fn spawn(self) -> Manager {
        let tag = format!("PROMISE={}", self.directory.path().display());
        let words: Vec<String> =
            [self.prefix, vec![self.program.display().to_string()], self.arguments].into_iter().flatten().collect();
        let sink = |name: &str| File::create(self.directory.file(name)).expect("a new file");
        let child = Command::new(&words[0])
            .args(&words[1..])
            .envs(self.environment)
            .env("PROMISE", self.directory.path())
            .stdin(self.stdin.unwrap_or_else(Stdio::null))
            .stdout(sink("stdout"))
            .stderr(self.stderr.unwrap_or_else(|| sink("stderr").into()))
            // A group of its own keeps it out of the harness's job, and never orphaned: its parent is in another.
            .process_group(0)
            .spawn()
            .expect("the program starts");
        Manager { pid: child.id().cast_signed(), child, tag, directory: self.directory }
    }
}

/// A started manager. Dropping it kills whatever it left, in whichever session that is.
#[derive(Debug)]
pub struct Manager {
    pub pid: Pid,
    child: Child,
    tag: String,
    directory: Directory,
}

impl Manager {
    /// Starts it with its log in the form that tests read.
    pub fn start(arguments: &[&str]) -> Self {
        Launch::new(arguments).start()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) -> &Self {
        send(self.pid, signal);
        self
    }

    /// Waits until so many workers run, no more and no less, and gives them.
    #[track_caller]
    pub fn workers(&self, count: usize) -> Vec<Pid> {
        self.workers_that(count, "run", |_| true)
    }

    /// Waits until so many workers catch the signal, which they do only once they are their own program.
    #[track_caller]
    pub fn workers_that_catch(&self, count: usize, signal: i32) -> Vec<Pid> {
        // Before its exec a child has the handlers of the manager.
        self.workers_that(count, "catch the signal", |pid| {
            proc::program(pid) != proc::program(self.pid) && proc::catches(pid, signal)
        })
    }

    /// Waits until so many workers run this program.
    #[track_caller]
    pub fn workers_running(&self, count: usize, program: &Path) -> Vec<Pid> {
        self.workers_that(count, "run the program", |pid| proc::program(pid).as_deref() == Some(program))
    }

    #[track_caller]
    fn workers_that(&self, count: usize, what: &str, wanted: impl Fn(Pid) -> bool) -> Vec<Pid> {
        let found = within(PATIENCE, || {
            let mut found = proc::live_children(self.pid);
            found.retain(|&pid| wanted(pid));
            (found.len() == count).then_some(found)
        });
        found.unwrap_or_else(|| panic!("{count} workers never {what}:\n{}", self.log()))
    }

    /// What has been written to stderr so far, where it is the usual file.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log_bytes()).into_owned()
    }

    pub fn log_bytes(&self) -> Vec<u8> {
        fs::read(self.log_file()).unwrap_or_default()
    }

    /// Where stderr goes, unless it was given another place.
    pub fn log_file(&self) -> PathBuf {
        self.directory.file("stderr")
    }

    /// What has been written to stdout so far.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.file("stdout")).unwrap_or_default()).into_owned()
    }

    /// Waits for a line on stdout.
    #[track_caller]
    pub fn says(&self, line: &str) {
        within(PATIENCE, || self.out().lines().any(|said| said == line).then_some(()))
            .unwrap_or_else(|| panic!("{line:?} was never said:\n{}{}", self.out(), self.log()));
    }

    /// The whole records that have been written so far.
    pub fn records(&self) -> Vec<Record> {
        records(&self.log_bytes())
    }

    /// Waits for a record.
    #[track_caller]
    pub fn record(&self, what: &str, wanted: impl Fn(&Record) -> bool) -> Record {
        within(PATIENCE, || self.records().into_iter().find(|record| wanted(record)))
            .unwrap_or_else(|| panic!("no record of {what} in:\n{}", self.log()))
    }

    /// Waits for a number of records and gives those there are then.
    #[track_caller]
    pub fn count_of(&self, what: &str, count: usize, wanted: impl Fn(&Record) -> bool) -> Vec<Record> {
        let found = || self.records().into_iter().filter(|record| wanted(record)).collect::<Vec<_>>();
        within(PATIENCE, || Some(found()).filter(|found| found.len() >= count))
            .unwrap_or_else(|| panic!("fewer than {count} records of {what} in:\n{}", self.log()))
    }

    /// Waits for the end that is under way.
    #[track_caller]
    pub fn end(self) -> Ended {
        self.end_within(PATIENCE)
    }

    /// Asks for the end with a signal and waits for it.
    #[track_caller]
    pub fn end_by(self, signal: i32) -> Ended {
        self.signal(signal);
        self.end()
    }

    #[track_caller]
    pub fn end_within(mut self, limit: Duration) -> Ended {
        let begun = Instant::now();
        let status = within(limit, || self.child.try_wait().expect("our own child"))
            .unwrap_or_else(|| panic!("still running after {limit:?}:\n{}", self.log()));
        let took = begun.elapsed();
        // What was killed is not gone at once.
        within(DYING, || self.descendants().is_empty().then_some(()));
        let read = |name: &str| fs::read(self.directory.file(name)).unwrap_or_default();
        let out = String::from_utf8_lossy(&read("stdout")).into_owned();
        Ended { status, took, out, err_bytes: read("stderr"), left: self.descendants(), _manager: self }
    }

    /// What still runs of all that was started here, in whichever session or under whichever parent.
    pub fn descendants(&self) -> Vec<Pid> {
        let mut found = proc::with_environment(&self.tag);
        found.retain(|&pid| pid != self.pid);
        found
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in proc::with_environment(&self.tag) {
            signals::try_send(pid, KILL);
        }
    }
}

/// How a manager ended, and what it left.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub took: Duration,
    pub out: String,
    pub err_bytes: Vec<u8>,
    /// The processes that outlived it.
    pub left: Vec<Pid>,
    /// Keeps the test's own directory, and ends what is left.
    _manager: Manager,
}

impl Ended {
    /// The exit code, or 128 + n as a shell counts a signal.
    pub fn code(&self) -> i32 {
        self.status.code().or_else(|| Some(128 + self.status.signal()?)).expect("an end")
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.err_bytes).into_owned()
    }

    pub fn records(&self) -> Vec<Record> {
        records(&self.err_bytes)
    }

    /// The records that tell one event.
    pub fn events(&self, event: &str) -> Vec<Record> {
        let mut found = self.records();
        found.retain(|record| record.tells(event));
        found
    }
}

/// The whole lines of a log, read as logfmt.
fn records(log: &[u8]) -> Vec<Record> {
    log::whole(log).split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(log::logfmt).collect()
}
