//! What the library promises to the program around it, held by programs that are this test itself, started anew.
//!
//! A manager forks, and so it must not live in the threads of the usual harness: each promise has a scenario, which runs in
//! a process of its own, and a test, which starts that process and looks at what it says and leaves behind.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::large_stack_frames,
    clippy::redundant_pub_crate,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test fails loudly; rustc asks for the visibility that clippy finds redundant"
)]

#[cfg(feature = "beanstalk")]
mod beanstalk;
#[expect(unreachable_pub, reason = "it is the dice of the faults too, which are all public")]
#[path = "../faults/dice.rs"]
mod dice;
mod guests;
mod kit;
mod originals;
mod requests;
mod storm;
mod workers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

fn promises() -> impl Iterator<Item = kit::Promise> {
    let all = [
        #[cfg(feature = "beanstalk")]
        beanstalk::PROMISES,
        guests::PROMISES,
        originals::PROMISES,
        requests::PROMISES,
        storm::PROMISES,
        workers::PROMISES,
    ];
    all.into_iter().flatten().copied()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, ..] = &arguments[..]
        && flag == kit::SCENARIO
    {
        let (_, scenario, _) = promises().find(|(known, ..)| known == name).expect("a known scenario");
        scenario();
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));
    let chosen: Vec<_> = promises().filter(|(name, ..)| is_wanted(name)).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, ..) in chosen {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let kept = AtomicUsize::new(0);
    // The scope waits for all of them.
    thread::scope(|scope| {
        for &(name, _, test) in &chosen {
            let kept = &kept;
            scope.spawn(move || kept.fetch_add(usize::from(run(name, test)), Ordering::Relaxed));
        }
    });
    let kept = kept.into_inner();
    println!("\ntest result: {kept} of {} promises kept", chosen.len());
    if kept == chosen.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(name: &str, test: fn(&str)) -> bool {
    let kept = catch_unwind(AssertUnwindSafe(|| test(name))).is_ok();
    println!("test {name} ... {}", if kept { "ok" } else { "FAILED" });
    kept
}
