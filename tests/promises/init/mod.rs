//! What the program promises as the init of a container, line by line.

mod drain;
mod exit;
mod forward;
mod inherit;
mod jobs;
mod namespace;
mod personalities;
mod restart;
mod screen;
mod start;
mod terminal;

use crate::common::{Launch, Manager, Pid, eventually, proc};

/// As an init, with these options and COMMAND.
fn init(arguments: &[&str]) -> Launch {
    Launch::bare(&[&["--init"], arguments].concat())
}

/// As an init that runs a shell script.
fn script(options: &[&str], script: &str) -> Launch {
    init(&[options, &["--", "sh", "-c", script]].concat())
}

/// The child of an init, forked but perhaps not yet its own program.
fn child(manager: &Manager) -> Pid {
    eventually("the child", || proc::live_children(manager.pid).first().copied())
}

/// How often a test of chances is repeated: `CANTELLA_TEST_FULL=1` asks for the full form.
fn rounds(short: u32, full: u32) -> u32 {
    if std::env::var_os("CANTELLA_TEST_FULL").is_some() { full } else { short }
}
