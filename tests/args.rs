//! The command line, read from arguments and environment alone.

#[path = "../src/bin/cantella/args.rs"]
pub mod args;
#[path = "../src/bin/cantella/help.rs"]
pub mod help;
#[path = "../src/bin/cantella/personality.rs"]
pub mod personality;
#[path = "../src/bin/cantella/settings.rs"]
pub mod settings;
#[path = "../src/bin/cantella/table.rs"]
pub mod table;
#[path = "../src/bin/cantella/users.rs"]
pub mod users;
#[path = "../src/bin/cantella/values.rs"]
pub mod values;

#[test]
fn a_command_alone_is_supervised_with_the_defaults() {
    let parsed = args::parse([c"cantella", c"true"].into_iter(), [].into_iter());
    let Ok(settings::Parsed::Run(settings)) = parsed else { panic!("{parsed:?}") };
    assert_eq!((settings.command, settings.options.policy.workers), (1, 5));
}
