//! The worker of `worker.c`, compiled once a test run.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

/// Where the compiled worker stands.
pub fn worker() -> &'static str {
    static BUILT: LazyLock<String> = LazyLock::new(|| compile("worker", "tests/promises/worker.c"));
    &BUILT
}

/// Compiles a C program of the crate into a file that the whole test run shares.
pub fn compile(name: &str, source: &str) -> String {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // A rename makes the finished file appear at once, whoever else compiles it.
    let own = shared.with_extension(std::process::id().to_string());
    let status = Command::new("gcc")
        .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&own)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(source))
        .status()
        .expect("gcc is installed");
    assert!(status.success(), "{source} does not compile");
    std::fs::rename(&own, &shared).expect("a rename in the build directory");
    shared.display().to_string()
}
