//! A role worker: processes that take the files of a directory, one after the other, and count their words.
//!
//! `cargo run --example role -- DIRECTORY`. Each worker renames a file before it works on it, so that no two have the same.
//! ^C lets the files in hand be finished; USR1 pauses, USR2 resumes.

use core::time::Duration;
use std::fs;
use std::path::PathBuf;

use cantella::{Context, Level, Log, Manager, Options, Policy, Role, Storage, Worker};

struct Counter {
    directory: PathBuf,
}

impl Worker for Counter {
    type Job = PathBuf;

    fn get_work(&mut self, _context: &mut Context) -> Option<PathBuf> {
        let entries = fs::read_dir(&self.directory).ok()?;
        let texts = entries.flatten().map(|entry| entry.path());
        let mut texts = texts.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
        texts.find_map(|path| {
            let taken = path.with_extension(format!("taken-{}", std::process::id()));
            fs::rename(path, &taken).is_ok().then_some(taken)
        })
    }

    fn work(&mut self, path: PathBuf, _context: &mut Context) {
        match fs::read_to_string(&path) {
            Ok(text) => println!("{}: {} words", path.display(), text.split_whitespace().count()),
            Err(error) => eprintln!("{}: {error}", path.display()),
        }
        if let Err(error) = fs::rename(&path, path.with_extension("done")) {
            eprintln!("{}: {error}", path.display());
        }
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(500)
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let directory = PathBuf::from(std::env::args().nth(1).ok_or("usage: role DIRECTORY")?);
    let hour = Duration::from_hours(1);
    let options = Options { policy: Policy { workers: 3, max_age: Some(hour), ..Policy::DEFAULT }, ..Options::DEFAULT };
    let mut storage = Storage::<3>::new();
    let log = Log::new(|level: Level, text: &str| eprintln!("{} {text}", level.name()));
    let program = Role::new(|_: &mut Context| Counter { directory: directory.clone() });
    Manager::new(&options, storage.lend(), program, log)?.run();
    Ok(())
}
