//! An interactive shell on a pseudo-terminal, and somebody who types and looks.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::common::signals::{KILL, try_send};
use crate::common::wait::PATIENCE;
use crate::common::{Pid, fd, proc, within};

pub const CONTROL_C: &str = "\x03";
pub const CONTROL_D: &str = "\x04";
pub const CONTROL_Z: &str = "\x1a";

/// A terminal with bash on it. What is typed is not echoed, and `$INIT` is the program under test.
pub struct Screen {
    shell: Child,
    keyboard: File,
    seen: Arc<Mutex<String>>,
    /// How much of it was looked at already.
    read: usize,
    tag: String,
}

impl Screen {
    pub fn new() -> Self {
        let (viewer, terminal) = fd::terminal();
        let tag = format!("SCREEN={}-{}", std::process::id(), viewer.as_raw_fd());
        let end = || terminal.try_clone().expect("one more descriptor");
        let shell = Command::new("setsid")
            .args(["--ctty", "--wait", "bash", "--norc", "--noprofile", "--noediting", "-i"])
            .env("SCREEN", tag.trim_start_matches("SCREEN="))
            .env("PS1", "<$?> ")
            .env("INIT", crate::common::binary())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("a shell");
        let seen = Arc::new(Mutex::new(String::new()));
        let (mut eye, memory) = (viewer.try_clone().expect("one more descriptor"), Arc::clone(&seen));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails once the last program has left the terminal.
            while let Ok(count @ 1..) = eye.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).replace('\r', "");
                memory.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        let mut screen = Self { shell, keyboard: viewer, seen, read: 0, tag };
        screen.see("<0> ");
        screen.enter("stty -echo");
        screen.see("<0> ");
        screen
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Types a line.
    pub fn enter(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }

    /// Waits until the words appear, behind those that were waited for last, and gives what stands before them.
    #[track_caller]
    pub fn see(&mut self, words: &str) -> String {
        let found = within(PATIENCE, || {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen[self.read..].find(words).map(|at| (seen[self.read..self.read + at].to_owned(), at))
        });
        let Some((before, at)) = found else { panic!("{words:?} never appeared:\n{}", self.all()) };
        self.read += at + words.len();
        before
    }

    /// Everything that was ever shown.
    pub fn all(&self) -> String {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What runs on it, or came from there.
    pub fn processes(&self) -> Vec<Pid> {
        proc::with_environment(&self.tag)
    }

    /// Resizes the terminal.
    pub fn resize(&self, rows: u16, columns: u16) {
        fd::resize(&self.keyboard, rows, columns);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        for pid in self.processes() {
            try_send(pid, KILL);
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
