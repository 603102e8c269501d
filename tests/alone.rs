//! Compiles what decides, what formats and what reads the command line alone: plain rustc, no crate but `core`.
#![expect(clippy::expect_used, reason = "a test fails loudly")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What touches the kernel or builds on it, and so is left out.
const IMPURE: [&str; 4] = ["manager", "sink", "sys", "worker"];

#[test]
fn the_pure_files_need_nothing_but_core() {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alone");
    let _ = fs::remove_dir_all(&build);
    copy_pure(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &build);

    let library = build.join("libcantella.rmeta");
    compile(&build.join("lib.rs"), "cantella", &["-o".as_ref(), library.as_ref()]);

    let arguments = build.join("bin/cantella");
    let root = arguments.join("alone.rs");
    let modules = files(&arguments).into_iter().map(|file| {
        let name = file.file_stem().expect("a file name").to_string_lossy().into_owned();
        format!("pub mod {name};\n")
    });
    fs::write(&root, format!("#![no_std]\n{}", modules.collect::<String>())).expect("a new file");
    let mut external = OsStr::new("cantella=").to_owned();
    external.push(&library);
    compile(
        &root,
        "arguments",
        &["--extern".as_ref(), &external, "-o".as_ref(), arguments.join("alone.rmeta").as_ref()],
    );
}

fn compile(root: &Path, name: &str, options: &[&OsStr]) {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--cap-lints=allow", "--crate-name", name])
        .args(options)
        .arg(root)
        .output()
        .expect("rustc is installed");
    assert!(output.status.success(), "{name} does not stand alone:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Copies a directory without the impure files, and without the declarations that would lead to them.
fn copy_pure(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new directory");
    for path in files(from) {
        let name = path.file_name().expect("a file name");
        let stem = path.file_stem().expect("a file name").to_string_lossy();
        if path.is_dir() && !IMPURE.contains(&&*stem) {
            copy_pure(&path, &to.join(name));
        } else if path.is_file() && stem != "main" && !IMPURE.contains(&&*stem) {
            let text = fs::read_to_string(&path).expect("a readable source");
            fs::write(to.join(name), without_doors(&text)).expect("a copy");
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a readable directory");
    entries.map(|entry| entry.expect("a readable entry").path()).collect()
}

/// Drops `mod sink;` and `pub use sink::Sink;` and their like: they stand at the beginning of a line.
fn without_doors(text: &str) -> String {
    let leads_out = |statement: &str| {
        let line = statement.trim_start_matches("pub ");
        IMPURE
            .iter()
            .any(|name| line.starts_with(&format!("mod {name};")) || line.starts_with(&format!("use {name}::")))
    };
    text.split_inclusive('\n').filter(|line| !leads_out(line)).collect()
}
