//! SPEAK: the command. From argv to a manager, and from its outcome to an exit code.
#![no_std]
#![no_main]
#![expect(unreachable_pub, reason = "the modules of a program have no reader but the program")]

mod args;
mod environment;
mod help;
mod launch;
mod memory;
mod personality;
mod settings;
mod table;
mod users;
mod values;
mod words;

use core::ffi::c_int;

use cantella::signals::SignalSet;
use cantella::sys::start::Strings;
use cantella::sys::{alone, fd, process, signal};
use cantella::text::Text;

use settings::Settings;

/// The entry symbol that libc's start-up calls.
#[expect(unsafe_code, reason = "the linker finds the entry by its name")]
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, arguments: Strings, environment: Strings) -> c_int {
    // Before anything else: a blocked signal is never lost, not even on the way to a handler that is yet to come.
    let mask = signal::set_mask(SignalSet::ALL);
    alone::vouch();
    // Without the root directory nothing could be executed either; what is closed stays closed then.
    let _ = fd::hold_standard();
    let mut settings = Settings::defaults();
    let code = match args::parse(&mut settings, &mut arguments.iter(), &mut environment.iter()) {
        Ok(Some(print)) => say(if print.to_stderr { 2 } else { 1 }, print.text.as_bytes(), mask),
        Ok(None) => {
            launch::launch(&mut settings, arguments, environment, mask).unwrap_or_else(|usage| complain(&usage, mask))
        }
        Err(usage) => complain(&usage, mask),
    };
    c_int::from(code)
}

/// Says what is wrong in one line and gives the exit code.
fn complain(usage: &settings::Usage<'_>, mask: SignalSet) -> u8 {
    let mut room = [0; settings::Usage::BYTES];
    let mut text = Text::new(&mut room);
    usage.write(&mut text);
    say(2, text.as_bytes(), mask);
    usage.code
}

/// Writes a text to standard output or error, and gives 0. Nothing else is left to do: whoever is tired of waiting for
/// it to be read ends the program by any signal.
fn say(number: c_int, text: &[u8], mask: SignalSet) -> u8 {
    signal::set_mask(mask);
    let mut rest = text;
    while let Ok(written @ 1..) = fd::write(fd::standard(number), rest) {
        rest = rest.get(written..).unwrap_or_default();
    }
    0
}

/// Called by code that cannot go on, of which there is none that can be reached.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    process::abort()
}

/// Named by the unoptimized libcore; with `panic = "abort"` nothing unwinds, and nothing calls it.
#[expect(unsafe_code, reason = "the linker looks for this name")]
#[cfg(debug_assertions)]
#[unsafe(no_mangle)]
const extern "C" fn rust_eh_personality() {}
