//! Seeded worlds: pools of workers that die early, late or never, on a kernel that refuses forks and freezes.
//!
//! `CANTELLA_SIM_WORLDS` sets how many worlds are run, `CANTELLA_SIM_SEED` runs one of them again and
//! tells all that happens in it.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::redundant_pub_crate,
    reason = "a test fails loudly; rustc asks for the visibility that clippy finds redundant"
)]

mod checks;
mod coverage;
mod dice;
mod ledger;
mod process;
mod wish;
mod world;

use std::env;
use std::thread;

use coverage::Coverage;
use dice::Dice;
use world::World;

/// How many pieces of news and polls a world consists of.
const EVENTS: u32 = 1_000;

/// Fewer without the optimizer, where a world takes some twenty times as long.
const WORLDS: u64 = if cfg!(debug_assertions) { 2_000 } else { 50_000 };

#[test]
fn no_world_brings_a_pool_to_break_its_word() {
    let mut coverage = Coverage::default();
    if let Some(seed) = number("CANTELLA_SIM_SEED") {
        live(seed, &mut coverage, true);
        return;
    }
    for seed in 0..number("CANTELLA_SIM_WORLDS").unwrap_or(WORLDS) {
        live(seed, &mut coverage, false);
    }
    print!("{coverage}");
    coverage.assert_complete();
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

/// Lives through one world: one pool after the other, until the events are used up.
fn live(seed: u64, coverage: &mut Coverage, aloud: bool) {
    let _seed = Seed(seed);
    let mut dice = Dice::new(seeded(seed));
    let mut events = EVENTS;
    while events > 0 {
        events = World::live(&mut dice, coverage, events, aloud);
    }
}

/// Determines all by a seed: xorshift, which is another generator than the pool's.
fn seeded(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |end| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) % end
    }
}

/// Tells how to see it again, if a world goes wrong.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("to replay: CANTELLA_SIM_SEED={}", self.0);
        }
    }
}
