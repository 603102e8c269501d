//! A pool in a program without `std`, whose memory is all known when it is compiled.
//!
//! As one static file, which needs nothing where it runs:
//! `RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static -C linker=musl-gcc" cargo build --release \
//! --target x86_64-unknown-linux-gnu --example freestanding`
//!
//! `cargo test` builds every example too, and with panics that unwind, which no program can do without `std`.
#![cfg_attr(panic = "abort", no_std)]
#![no_main]

use core::ffi::{c_char, c_int};
use core::time::Duration;

use cantella::sys::fd;
use cantella::{Context, Lent, Manager, Options, Outcome, Policy, Spawn, Storage};

static STORAGE: Lent<Storage<4>> = Lent::new(Storage::new());

/// The entry that libc's start-up calls.
#[expect(unsafe_code, reason = "the linker finds the entry by its name")]
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    let Some(storage) = STORAGE.take() else { return 1 };
    let options = Options { policy: Policy { workers: 4, ..Policy::DEFAULT }, ..Options::DEFAULT };
    let Ok(mut manager) = Manager::new(&options, storage.lend(), Spawn::new(work), ()) else { return 1 };
    match manager.run() {
        Outcome::Drained | Outcome::Completed { .. } => 0,
        Outcome::Forced | Outcome::GaveUp => 1,
    }
}

fn work(context: &mut Context) -> u8 {
    while !context.stopping() {
        // Nobody listens to this manager, and so what is written goes nowhere.
        let _ = fd::write(fd::standard(1), b"alive\n");
        context.sleep(Duration::from_secs(10));
    }
    0
}

#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    cantella::sys::process::abort()
}

/// Named by the unoptimized libcore; with `panic = "abort"` nothing unwinds, and nothing calls it.
#[expect(unsafe_code, reason = "the linker looks for this name")]
#[cfg(all(panic = "abort", debug_assertions))]
#[unsafe(no_mangle)]
const extern "C" fn rust_eh_personality() {}
