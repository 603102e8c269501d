//! The simulated worlds of `tests/sim`, with a script in the place of the seed.

#[path = "../sim/checks.rs"]
mod checks;
#[expect(dead_code, reason = "how much worlds cover is asked of many worlds only")]
#[path = "../sim/coverage.rs"]
mod coverage;
#[path = "../sim/dice.rs"]
mod dice;
#[path = "../sim/ledger.rs"]
mod ledger;
#[path = "../sim/process.rs"]
mod process;
#[path = "../sim/wish.rs"]
mod wish;
#[path = "../sim/world.rs"]
mod world;

use coverage::Coverage;
use dice::Dice;
use world::World;

use super::script::Script;

/// Lives through the world of a script. Most events take some bytes of it, so that it lasts for nearly all of them.
pub fn check(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut dice = Dice::new(move |end| script.below(end));
    let events = u32::try_from(bytes.len() / 4).expect("a short script");
    World::live(&mut dice, &mut Coverage::default(), events, false);
}
