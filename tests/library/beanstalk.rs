//! Workers over beanstalkd, held against the real daemon, and against servers that speak nonsense.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use cantella::manager::Manager;
use cantella::options::Options;
use cantella::pool::{Outcome, Policy, Signal};
use cantella::sys::{process, signal};
use cantella::table::Storage;
use cantella::worker::beanstalk::{Beanstalk, Job, Lease, PRIORITY, Server, Settings, Verdict};
use cantella::worker::{Context, Role};

use crate::kit::{self, Program, count, kill, millis, number_after, printer, say, until};

pub(crate) const PROMISES: &[kit::Promise] = &[
    ("role_beanstalk_t_a_failing_job_is_buried_after_its_last_try", failing, buried_test),
    ("role_beanstalk_t_a_failing_job_is_deleted_where_that_is_asked", failing_deleted, deleted_test),
    ("a_job_whose_worker_is_killed_runs_again", suicidal, suicidal_test),
    ("a_restart_of_beanstalkd_loses_no_job_and_no_worker", recorder, restart_test),
    ("twenty_thousand_jobs_survive_random_kills", recorder, kills_test),
    ("a_waiting_reserve_ends_when_the_worker_is_told_to_stop", patient, patient_test),
    ("a_waiting_reserve_ends_when_the_worker_is_told_to_pause", patient, pausing_test),
    ("a_job_that_is_touched_is_not_taken_away", slow, slow_test),
    ("a_job_too_long_for_its_worker_is_buried", short, short_test),
    ("jobs_come_over_unix_sockets_and_ipv6_too", recorder, families_test),
    ("nonsense_from_a_server_ends_no_worker", recorder, nonsense_test),
];

/// Runs a pool over the server that the command line names.
fn work(workers: u16, settings: Settings<'_>, handler: fn(&Job<'_>, &mut Lease<'_>) -> Verdict) {
    work_short::<65_535>(workers, settings, handler);
}

fn work_short<const BYTES: usize>(
    workers: u16,
    settings: Settings<'_>,
    handler: fn(&Job<'_>, &mut Lease<'_>) -> Verdict,
) {
    let address = kit::argument(0);
    let servers = [Server::parse(&address).expect("an address")];
    let settings = Settings { servers: &servers, ..settings };
    let policy = Policy { backoff_min: Duration::ZERO, ..kit::quick(workers).policy };
    let options = Options { policy, ..kit::QUICK };
    let mut storage = Storage::<8>::new();
    let program = Role::new(|_: &mut Context| Beanstalk::<_, BYTES>::new(settings, handler));
    let mut manager = Manager::new(&options, storage.lend(), program, printer()).unwrap();
    assert_eq!(manager.run(), Outcome::Drained);
}

fn fail(job: &Job<'_>, _lease: &mut Lease<'_>) -> Verdict {
    say(&format!("try {} of job {}", job.tries.unwrap(), job.id));
    Verdict::Release { delay: Duration::ZERO, priority: PRIORITY }
}

fn failing() {
    work(1, Settings { max_tries: Some(4), ..Settings::DEFAULT }, fail);
}

fn failing_deleted() {
    work(1, Settings { max_tries: Some(4), delete_on_max_tries: true, ..Settings::DEFAULT }, fail);
}

fn buried_test(name: &str) {
    let daemon = Daemon::start();
    let mut stalk = daemon.connect();
    let id = stalk.put("x", 60);
    let program = Program::start_with(name, &[&daemon.address]);
    until("the job is buried", || stalk.statistics(id).contains("state: buried"));
    assert!(stalk.statistics(id).contains("reserves: 5"));
    program.signal(Signal::TERM);
    let (lines, status) = program.finish();
    assert!(status.success());
    assert_eq!(count(&lines, "try"), 4);
}

fn deleted_test(name: &str) {
    let daemon = Daemon::start();
    let mut stalk = daemon.connect();
    let id = stalk.put("x", 60);
    let program = Program::start_with(name, &[&daemon.address]);
    until("the job is deleted", || stalk.statistics(id).is_empty());
    program.signal(Signal::TERM);
    let (lines, _) = program.finish();
    assert_eq!(count(&lines, "try"), 4);
}

fn suicidal() {
    work(1, Settings::DEFAULT, |job, lease| {
        say(&format!("job {} generation {}", job.id, lease.generation()));
        if lease.generation() == 1 {
            signal::send(process::own_pid(), Signal::KILL).unwrap();
        }
        Verdict::Delete
    });
}

fn suicidal_test(name: &str) {
    let daemon = Daemon::start();
    let mut stalk = daemon.connect();
    let id = stalk.put("x", 60);
    let mut program = Program::start_with(name, &[&daemon.address]);
    program.wait_for(&format!("job {id} generation 1"));
    program.wait_for(&format!("job {id} generation 2"));
    until("the job is done", || stalk.statistics(id).is_empty());
    program.signal(Signal::TERM);
    assert!(program.finish().1.success());
}

/// Writes the body of each job to a file, before the job is deleted.
fn recorder() {
    let workers = kit::argument(2).parse().unwrap();
    work(workers, Settings { tubes: &["numbers"], ..Settings::DEFAULT }, |job, _lease| {
        let mut file = OpenOptions::new().append(true).create(true).open(kit::argument(1)).unwrap();
        file.write_all(&[job.body, b"\n"].concat()).unwrap();
        Verdict::Delete
    });
}

fn restart_test(name: &str) {
    let mut daemon = Daemon::start();
    let record = daemon.path("record");
    daemon.connect().put_numbers(3_000);
    let program = Program::start_with(name, &[&daemon.address, &record, "4"]);
    for _ in 0..2 {
        std::thread::sleep(millis(150));
        daemon.restart();
    }
    wait_for_all(&record, 3_000, |_| ());
    program.signal(Signal::TERM);
    let (lines, status) = program.finish();
    assert!(status.success());
    assert_eq!(count(&lines, "exited"), 4, "no worker ended before it was told to");
}

fn kills_test(name: &str) {
    let daemon = Daemon::start();
    let record = daemon.path("record");
    daemon.connect().put_numbers(20_000);
    let program = Program::start_with(name, &[&daemon.address, &record, "8"]);
    let mut kills = 0;
    wait_for_all(&record, 20_000, |round| {
        let workers = children_of(program.pid());
        if let Some(pid) = workers.get(round * 7 % workers.len().max(1)) {
            kill(*pid, Signal::KILL);
            kills += 1;
        }
    });
    assert!(kills > 20, "{kills} kills");
    until("nothing is left", || daemon.is_drained());
    program.signal(Signal::TERM);
    assert!(program.finish().1.success());
}

fn children_of(pid: i32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Waits until every number below `count` was recorded, at least once.
fn wait_for_all(record: &str, count: usize, mut meanwhile: impl FnMut(usize)) {
    let start = Instant::now();
    for round in 0.. {
        let text = fs::read_to_string(record).unwrap_or_default();
        let done: HashSet<&str> = text.lines().collect();
        if (0..count).all(|number| done.contains(number.to_string().as_str())) {
            return;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "{} of {count} jobs were done", done.len());
        meanwhile(round);
        std::thread::sleep(millis(15));
    }
}

fn patient() {
    work(1, Settings { reserve_timeout: Duration::from_mins(1), ..Settings::DEFAULT }, |job, _lease| {
        say(&format!("job {}", job.id));
        Verdict::Delete
    });
}

fn patient_test(name: &str) {
    let daemon = Daemon::start();
    let program = Program::start_with(name, &[&daemon.address]);
    until("the worker waits", || daemon.connect().ask_data("stats").contains("current-waiting: 1"));
    let start = Instant::now();
    program.signal(Signal::TERM);
    assert!(program.finish().1.success());
    assert!(start.elapsed() < millis(500), "{:?}", start.elapsed());
}

fn pausing_test(name: &str) {
    let daemon = Daemon::start();
    let mut program = Program::start_with(name, &[&daemon.address]);
    let waiting = |count: u32| daemon.connect().ask_data("stats").contains(&format!("current-waiting: {count}\n"));
    until("the worker waits", || waiting(1));
    program.signal(Signal::USR1);
    until("the worker does not wait", || waiting(0));
    let id = daemon.connect().put("x", 60);
    std::thread::sleep(millis(100));
    assert!(daemon.connect().statistics(id).contains("state: ready"));
    program.signal(Signal::USR2);
    program.wait_for(&format!("job {id}"));
    program.signal(Signal::TERM);
    assert!(program.finish().1.success());
}

fn slow() {
    work(1, Settings::DEFAULT, |job, lease| {
        for _ in 0..6 {
            lease.sleep(millis(400));
            assert!(lease.touch());
        }
        say(&format!("job {}", job.id));
        Verdict::Bury { priority: 7 }
    });
}

fn slow_test(name: &str) {
    let daemon = Daemon::start();
    let mut stalk = daemon.connect();
    let id = stalk.put("x", 1);
    let program = Program::start_with(name, &[&daemon.address]);
    until("the job is buried", || stalk.statistics(id).contains("state: buried"));
    let statistics = stalk.statistics(id);
    for line in ["reserves: 1", "timeouts: 0", "pri: 7"] {
        assert!(statistics.contains(line), "{line} in {statistics}");
    }
    program.signal(Signal::TERM);
    assert!(program.finish().1.success());
}

fn short() {
    work_short::<8>(1, Settings::DEFAULT, |job, _lease| {
        say(&format!("job {}", String::from_utf8_lossy(job.body)));
        Verdict::Delete
    });
}

fn short_test(name: &str) {
    let daemon = Daemon::start();
    let mut stalk = daemon.connect();
    let long = stalk.put(&"x".repeat(5_000), 60);
    stalk.put("12345678", 60);
    let mut program = Program::start_with(name, &[&daemon.address]);
    program.wait_for("job 12345678");
    assert!(stalk.statistics(long).contains("state: buried"));
    program.signal(Signal::TERM);
    assert!(program.finish().1.success());
}

fn families_test(name: &str) {
    let socket = std::env::temp_dir().join(format!("cantella-{}.sock", std::process::id()));
    let socket = socket.display().to_string();
    let port = free_port();
    for (listen, port, address) in
        [(format!("unix:{socket}"), 0, socket), ("::1".to_owned(), port, format!("[::1]:{port}"))]
    {
        let daemon = Daemon::listen(&listen, port, &address);
        let record = daemon.path("record");
        if address.starts_with('/') {
            Stalk::over(std::os::unix::net::UnixStream::connect(&address).unwrap()).put_numbers(10);
        } else {
            daemon.connect().put_numbers(10);
        }
        let program = Program::start_with(name, &[&address, &record, "2"]);
        wait_for_all(&record, 10, |_| ());
        program.signal(Signal::TERM);
        assert!(program.finish().1.success());
    }
}

/// What servers might answer that they should not; a good one follows in the end.
fn nonsense_test(name: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let directory = Daemon::directory();
    let record = directory.join("record").display().to_string();
    let program = Program::start_with(name, &[&address, &record, "1"]);
    let good = b"WATCHING 2\r\nWATCHING 1\r\n";
    let answers: [&[u8]; 9] = [
        b"",
        b"\r\n",
        b"HELLO\r\n",
        &[b'x'; 5_000],
        b"WATCHING 2\r\nWATCHING 1\r\nRESERVED 1\r\n",
        b"WATCHING 2\r\nWATCHING 1\r\nRESERVED 1 99999999999999999999\r\n",
        b"WATCHING 2\r\nWATCHING 1\r\nRESERVED 1 3\r\n1234\r\n",
        b"WATCHING 2\r\nWATCHING 1\r\nRESERVED 1 3\r\n12",
        b"OUT_OF_MEMORY\r\n",
    ];
    for answer in answers {
        let (mut stream, _) = listener.accept().unwrap();
        // The worker may hang up before it was told everything.
        let _ = stream.write_all(answer);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(good).unwrap();
    stream.write_all(b"RESERVED 1 1\r\n0\r\nTOUCHED\r\nDELETED\r\nTIMED_OUT\r\n").unwrap();
    wait_for_all(&record, 1, |_| ());
    program.signal(Signal::TERM);
    drop(stream);
    let (lines, status) = program.finish();
    assert!(status.success());
    assert_eq!(count(&lines, "exited"), 1, "the worker was to live through all of it");
}

/// A beanstalkd of the test's own, which remembers its jobs.
struct Daemon {
    child: Child,
    directory: std::path::PathBuf,
    listen: String,
    port: u16,
    address: String,
}

impl Daemon {
    fn start() -> Self {
        let port = free_port();
        Self::listen("127.0.0.1", port, &format!("127.0.0.1:{port}"))
    }

    fn listen(listen: &str, port: u16, address: &str) -> Self {
        let directory = Self::directory();
        let child = Self::spawn(&directory, listen, port);
        let daemon = Self { child, directory, listen: listen.to_owned(), port, address: address.to_owned() };
        daemon.wait();
        daemon
    }

    fn directory() -> std::path::PathBuf {
        let directory = std::env::temp_dir().join(format!("cantella-{}-{}", std::process::id(), free_port()));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    fn spawn(directory: &std::path::Path, listen: &str, port: u16) -> Child {
        let mut command = Command::new("beanstalkd");
        command.args(["-l", listen, "-p", &port.to_string(), "-F", "-b"]).arg(directory).stderr(Stdio::null());
        command.spawn().expect("beanstalkd is installed")
    }

    fn wait(&self) {
        let is_there = || match Server::parse(&self.address) {
            Some(Server::Network(address)) => TcpStream::connect(address).is_ok(),
            _ => std::os::unix::net::UnixStream::connect(&self.address).is_ok(),
        };
        until("beanstalkd listens", is_there);
    }

    fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::thread::sleep(millis(200));
        self.child = Self::spawn(&self.directory, &self.listen, self.port);
        self.wait();
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    fn connect(&self) -> Stalk<TcpStream> {
        Stalk::over(TcpStream::connect(&self.address).unwrap())
    }

    fn is_drained(&self) -> bool {
        let statistics = self.connect().ask_data("stats");
        ["ready", "reserved", "delayed", "buried"]
            .iter()
            .all(|state| statistics.contains(&format!("current-jobs-{state}: 0\n")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Gives a port that nobody listens on, once: below those that the kernel gives to whoever connects.
fn free_port() -> u16 {
    let base = u16::try_from(std::process::id() % 200).unwrap() * 100;
    let mut ports = std::iter::repeat_with(|| 12_000 + base + NEXT_PORT.fetch_add(1, Ordering::Relaxed) % 100);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// A plain client for the test's own side.
struct Stalk<S: Read> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Stalk<S> {
    fn over(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    fn ask(&mut self, command: &str) -> String {
        self.stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line
    }

    /// Asks for something that comes as data; nothing where there is none.
    fn ask_data(&mut self, command: &str) -> String {
        let line = self.ask(command);
        let Some(bytes) = line.strip_prefix("OK ") else { return String::new() };
        let mut data = vec![0; bytes.trim().parse::<usize>().unwrap() + 2];
        self.stream.read_exact(&mut data).unwrap();
        String::from_utf8(data).unwrap()
    }

    fn put(&mut self, body: &str, seconds: u32) -> i32 {
        let line = self.ask(&format!("put 100 0 {seconds} {}\r\n{body}", body.len()));
        number_after(&line, "INSERTED ")
    }

    fn put_numbers(&mut self, count: usize) {
        self.ask("use numbers");
        for number in 0..count {
            self.put(&number.to_string(), 60);
        }
    }

    fn statistics(&mut self, id: i32) -> String {
        self.ask_data(&format!("stats-job {id}"))
    }
}
