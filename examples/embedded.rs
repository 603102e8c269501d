//! A manager in a program with a poll(2) loop of its own: commands come on standard input while the pool lives.
//!
//! `cargo run --example embedded`, then type `+`, `-`, `p` (pause), `r` (resume), `l` (list) or `q`.

use core::time::Duration;
use std::io::Read;

use cantella::observe::Observer;
use cantella::program::Program;
use cantella::sys::fd;
use cantella::{Context, Level, Log, Manager, Options, Policy, Spawn, Storage};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let options = Options { policy: Policy { workers: 2, ..Policy::DEFAULT }, ..Options::DEFAULT };
    let mut storage = Storage::<4>::new();
    let log = Log::new(|level: Level, text: &str| println!("{} {text}", level.name()));
    let program = Spawn::new(|context: &mut Context| {
        while !context.stopping() {
            context.sleep(Duration::from_mins(1));
        }
        0
    });
    let mut manager = Manager::new(&options, storage.lend(), program, log)?;

    let mut wanted = 2;
    loop {
        // What the manager waits for, and what this program waits for, in one poll.
        let (rows, time) = manager.expect();
        let mut rows: Vec<fd::PollRow> = rows.iter().copied().chain([fd::readable(0)]).collect();
        fd::poll(&mut rows, time).map_err(|errno| std::io::Error::from_raw_os_error(errno.raw_os_error()))?;

        if rows.last().is_some_and(|own| own.revents != 0) {
            let mut command = [b'q'];
            // The end of the input ends the pool, too.
            let _ = std::io::stdin().read(&mut command)?;
            obey(&mut manager, command, &mut wanted);
        }
        if let Some(outcome) = manager.turn(Some(Duration::ZERO)) {
            println!("{outcome:?}");
            return Ok(());
        }
    }
}

fn obey<P: Program, O: Observer>(manager: &mut Manager<'_, P, O>, [command]: [u8; 1], wanted: &mut u16) {
    match command {
        b'+' | b'-' => {
            let next = if command == b'+' { wanted.saturating_add(1) } else { wanted.saturating_sub(1) };
            if manager.set_workers(next).is_ok() {
                *wanted = next;
            }
        }
        b'p' => manager.pause(None),
        b'r' => manager.resume(None),
        b'l' => {
            for live in manager.workers() {
                println!("worker {}: {:?}, {:?} old", live.worker.slot.index, live.state, live.age);
            }
        }
        b'q' => manager.shutdown(),
        _ => {}
    }
}
