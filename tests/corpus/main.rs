//! What must hold whatever the bytes are: the bodies of the fuzz targets, and the test that tries their corpus.
//!
//! The workspace in `fuzz/` builds this same file as its library, so that each body has two drivers.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]
#![expect(unreachable_pub, reason = "the modules of a test have no reader but the test")]

// The protocol of beanstalkd looks for it here.
use cantella::text;

mod arguments;
mod beanstalk;
mod pairs;
#[path = "../arguments/mod.rs"]
pub mod parser;
mod pipes;
mod pool;
#[path = "../relay/properties.rs"]
mod properties;
#[path = "../relay/read_back.rs"]
mod read_back;
mod records;
mod report;
mod script;
mod values;
mod worlds;

pub use arguments::check as arguments;
pub use beanstalk::check as beanstalk;
pub use pipes::check as pipes;
pub use pool::check as pool;
pub use properties::{formatting as format, splitting as lines};
pub use records::check as records;
pub use report::check as report;
pub use values::check as values;
pub use worlds::check as worlds;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    type Body = fn(&[u8]);

    const TARGETS: [(&str, Body); 10] = [
        ("arguments", super::arguments),
        ("beanstalk", super::beanstalk),
        ("format", super::format),
        ("lines", super::lines),
        ("pipes", super::pipes),
        ("pool", super::pool),
        ("records", super::records),
        ("report", super::report),
        ("values", super::values),
        ("worlds", super::worlds),
    ];

    #[test]
    fn what_a_fuzzer_found_worth_keeping_holds() {
        for (target, body) in TARGETS {
            let files = files(&format!("fuzz/corpus/{target}"));
            assert!(!files.is_empty(), "nothing for {target}");
            for file in files {
                let bytes = fs::read(&file).expect("a readable file");
                let _name = OnPanic(file);
                body(&bytes);
            }
        }
    }

    #[test]
    fn every_target_is_tried() {
        let stems = files("fuzz/fuzz_targets").into_iter().map(|path| path.with_extension(""));
        let mut names: Vec<_> = stems.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
        names.sort();
        assert_eq!(names, TARGETS.map(|(target, _)| target));
    }

    fn files(directory: &str) -> Vec<PathBuf> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let entries = fs::read_dir(directory).expect("a readable directory");
        entries.map(|entry| entry.expect("a readable entry").path()).collect()
    }

    /// Names the file whose bytes are being tried, if they bring a body to fail.
    struct OnPanic(PathBuf);

    impl Drop for OnPanic {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("with {}", self.0.display());
            }
        }
    }
}
