//! Workers by role: jobs are fetched and done, one after the other.

use core::time::Duration;

use super::{Context, contain};
use crate::program::{Birth, Program};
use crate::report::Failed;

/// A worker that fetches jobs and does them.
///
/// While [`get_work`](Self::get_work) gives a job, the job is done and the next one asked for at once. When there is none
/// the worker sleeps for [`interval`](Self::interval), or until it is told something. In a pause nothing is fetched. When
/// the worker is told to stop, the job in hand is finished, and the process exits with 0.
pub trait Worker {
    /// What there is to do.
    type Job;

    /// Gives the next job; `None`: there is none now.
    fn get_work(&mut self, context: &mut Context) -> Option<Self::Job>;

    /// Does a job.
    fn work(&mut self, job: Self::Job, context: &mut Context);

    /// Tells how long to wait when there was no job.
    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }

    /// Hears that the worker pauses.
    fn pause(&mut self) {}

    /// Hears that the pause is over.
    fn resume(&mut self) {}

    /// Hears that the worker stops; nothing is fetched any more.
    fn shutdown(&mut self) {}
}

/// Workers that are made by a factory, in the child, and then fetch and do jobs.
#[derive(Clone, Copy, Debug)]
pub struct Role<'a, F> {
    make: F,
    handed: &'a [i32],
}

impl<'a, F, W> Role<'a, F>
where
    F: FnMut(&mut Context) -> W,
    W: Worker,
{
    /// Takes the factory. It is called once in each child, which is the place to open connections and files.
    pub const fn new(make: F) -> Self {
        Self { make, handed: &[] }
    }

    /// Hands descriptors over to the workers, as [`Spawn::handing_over`](super::Spawn::handing_over) does.
    #[must_use]
    pub fn handing_over(self, descriptors: &'a [i32]) -> Self {
        Self { handed: descriptors, ..self }
    }
}

impl<F, W> Program for Role<'_, F>
where
    F: FnMut(&mut Context) -> W,
    W: Worker,
{
    const LISTENS: bool = true;

    fn run(&mut self, birth: &Birth<'_>) -> Result<u8, Failed> {
        let mut context = Context::enter(birth, self.handed)?;
        Ok(contain(|| {
            let mut worker = (self.make)(&mut context);
            poll(&mut worker, &mut context);
            0
        }))
    }
}

/// Fetches and does jobs until the worker is to stop.
fn poll(worker: &mut impl Worker, context: &mut Context) {
    while !context.stopping() {
        if context.paused() {
            worker.pause();
            wait_out_pause(context);
            if !context.stopping() {
                worker.resume();
            }
        } else if let Some(job) = worker.get_work(context) {
            worker.work(job, context);
        } else {
            context.sleep(worker.interval());
        }
    }
    worker.shutdown();
}

fn wait_out_pause(context: &mut Context) {
    while context.paused() && !context.stopping() {
        context.wait_for_orders();
    }
}
