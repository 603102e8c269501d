//! What the benches of the built program share: the program, C programs beside it, and a middle of many numbers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

/// The program that is measured: the one named in `CANTELLA_BIN`, else the static one, which is built first.
pub fn binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> =
        LazyLock::new(|| std::env::var_os("CANTELLA_BIN").map_or_else(build, PathBuf::from));
    &BINARY
}

fn build() -> PathBuf {
    let built = Command::new("tests/static.sh").output().expect("bash");
    let said = String::from_utf8(built.stdout).expect("a path");
    said.lines().last().expect("the path of the static program").into()
}

/// Compiles one of the C programs of this directory, statically, so that its start costs as little as can be.
pub fn compile(name: &str) -> PathBuf {
    compile_file(&format!("benches/{name}.c"))
}

/// Compiles a C program of the crate statically.
pub fn compile_file(source: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let name = source.file_stem().unwrap_or_default();
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut compiler = Command::new("musl-gcc");
    let status = compiler.args(["-O2", "-static", "-Wall", "-Werror", "-o"]).arg(&built).arg(&source).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{} is not compiled; musl-gcc is in musl-tools",
        source.display()
    );
    built
}

/// The middle one of many times.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
