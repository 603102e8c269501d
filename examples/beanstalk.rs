//! A beanstalk worker: eight processes that do the jobs of one or more beanstalkd servers.
//!
//! `cargo run --example beanstalk --features beanstalk -- 127.0.0.1:11300 [SERVER...]`

use core::time::Duration;

use cantella::worker::beanstalk::{Beanstalk, Job, Lease, PRIORITY, Server, Settings, Verdict};
use cantella::{Context, Lent, Level, Log, Manager, Options, Policy, Role, Storage};

/// A static, because it is too large for many a stack.
static STORAGE: Lent<Storage<8>> = Lent::new(Storage::new());

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let addresses: Vec<String> = std::env::args().skip(1).collect();
    let servers: Vec<Server<'_>> =
        addresses.iter().map(|address| Server::parse(address).ok_or("no address")).collect::<Result<_, _>>()?;
    let settings = Settings { servers: &servers, tubes: &["mail"], max_tries: Some(4), ..Settings::DEFAULT };
    let program = Role::new(|_: &mut Context| Beanstalk::<_>::new(settings, deliver));

    let options = Options { policy: Policy { workers: 8, ..Policy::DEFAULT }, ..Options::DEFAULT };
    let storage = STORAGE.take().ok_or("taken twice")?;
    let log = Log::new(|level: Level, text: &str| eprintln!("{} {text}", level.name()));
    Manager::new(&options, storage.lend(), program, log)?.run();
    Ok(())
}

/// Delivers one mail, in pieces between which the server is told that it takes longer.
fn deliver(job: &Job<'_>, lease: &mut Lease<'_>) -> Verdict {
    println!("job {}, try {:?}: {} bytes", job.id, job.tries, job.body.len());
    for _piece in job.body.chunks(1024) {
        lease.sleep(Duration::from_millis(100));
        if !lease.touch() {
            // It is another's by now, and whatever is said of it here is said too late.
            return Verdict::Release { delay: Duration::ZERO, priority: PRIORITY };
        }
    }
    Verdict::Delete
}
