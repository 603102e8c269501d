//! A closure pool: four processes that share one listening socket and answer each connection with their name.
//!
//! Run it, and ask it: `cargo run --example closures`, `nc 127.0.0.1 4000`. End it with ^C.

use std::io::Write;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

use cantella::{Context, Level, Log, Manager, Options, Policy, Spawn, Storage};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:4000")?;
    // Two workers may wake for one connection; whoever is late must not wait for the next.
    listener.set_nonblocking(true)?;
    let handed = [listener.as_raw_fd()];
    let answer = |context: &mut Context| {
        while !context.stopping() {
            if context.wait_readable(listener.as_raw_fd(), None)
                && let Ok((mut stream, peer)) = listener.accept()
            {
                println!("answering {peer}");
                let text = format!("worker {}, generation {}\n", context.slot(), context.generation());
                if let Err(error) = stream.write_all(text.as_bytes()) {
                    eprintln!("{peer}: {error}");
                }
            }
        }
        0
    };

    let options = Options { policy: Policy { workers: 4, ..Policy::DEFAULT }, ..Options::DEFAULT };
    let mut storage = Storage::<4>::new();
    let log = Log::new(|level: Level, text: &str| eprintln!("{} {text}", level.name()));
    let program = Spawn::new(answer).handing_over(&handed);
    let outcome = Manager::new(&options, storage.lend(), program, log)?.run();
    eprintln!("{outcome:?}");
    Ok(())
}
