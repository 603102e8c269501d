//! Compiles the pure rooms alone: plain rustc, no crate but `core`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rooms::{Room, room_of};

#[test]
fn the_pure_files_need_nothing_but_core() {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alone");
    let _ = fs::remove_dir_all(&build);
    copy_pure("src", &build);

    let library = build.join("libcantella.rmeta");
    compile(&build.join("lib.rs"), "cantella", &["-o".as_ref(), library.as_ref()]);

    let arguments = build.join("bin/cantella");
    let root = arguments.join("alone.rs");
    let modules = files(&arguments).into_iter().map(|file| format!("pub mod {};\n", stem(&file)));
    fs::write(&root, format!("#![no_std]\n{}", modules.collect::<String>())).expect("a new file");
    let mut external = OsStr::new("cantella=").to_owned();
    external.push(&library);
    let output = arguments.join("alone.rmeta");
    compile(&root, "arguments", &["--extern".as_ref(), &external, "-o".as_ref(), output.as_ref()]);
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

/// Copies the pure files of a directory, and of those that only list modules what does not lead out.
fn copy_pure(from: &str, to: &Path) {
    fs::create_dir_all(to).expect("a new directory");
    let (pure, impure): (Vec<_>, Vec<_>) = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(from))
        .into_iter()
        .map(|path| (stem(&path), path))
        .partition(|(name, path)| is_pure(&format!("{from}/{name}{}", if path.is_dir() { "/" } else { ".rs" })));
    for (name, path) in pure {
        if path.is_dir() {
            copy_pure(&format!("{from}/{name}"), &to.join(name));
        } else {
            let text = fs::read_to_string(&path).expect("a readable source");
            let doors: Vec<&str> = impure.iter().map(|(name, _)| name.as_str()).collect();
            fs::write(to.join(name).with_extension("rs"), without(&doors, &text)).expect("a copy");
        }
    }
}

/// The crate's root and the way to the command line hold modules of both kinds.
fn is_pure(path: &str) -> bool {
    ["src/lib.rs", "src/bin/"].contains(&path) || room_of(path).is_some_and(Room::is_pure)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a readable directory");
    entries.map(|entry| entry.expect("a readable entry").path()).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a file name").to_string_lossy().into_owned()
}

/// Drops `mod sink;` and `pub use sink::Sink;` and their like: they stand at the beginning of a line.
fn without(doors: &[&str], text: &str) -> String {
    let leads_out = |statement: &str| {
        let line = statement.trim_start_matches("pub ");
        doors.iter().any(|name| line.starts_with(&format!("mod {name};")) || line.starts_with(&format!("use {name}::")))
    };
    text.split_inclusive('\n').filter(|line| !leads_out(line)).collect()
}
