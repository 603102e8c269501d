#!/usr/bin/env bash
# Runs every check of the project, from the format of the sources to the fuzz targets. A missing tool is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    printf '\n== %s\n' "$*"
    # Tests look at what a worker inherits: nohup(1), for one, would have it ignore HUP.
    env --default-signal "$@"
}

for tool in cargo gcc g++ musl-gcc readelf objdump addr2line patch strace unshare setpriv prlimit nsenter \
    beanstalkd tini dumb-init catatonit buildah umoci runc systemd-analyze kubernetes-validate qemu-aarch64-static; do
    command -v "$tool" >/dev/null || { echo "$0: $tool is missing, .ci/run installs it" >&2; exit 1; }
done

step cargo fmt --check
step cargo clippy --locked --all-targets --all-features -- -D warnings
# It is none of all targets, because it is not run with them.
step cargo clippy --locked --test faults -- -D warnings
step env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features
step cargo build --locked --no-default-features
# Elsewhere, or cargo would take what it built from the package for built from here.
step cargo package --locked --offline --allow-dirty --target-dir "${CARGO_TARGET_DIR:-target}/packaged"
step tests/vendor.sh

step tests/sabotage.sh --apply
step cargo test --locked --all-features
step tests/static.sh
static=$(tests/static.sh 2>/dev/null | tail -n 1)
step tests/shape.sh "$static"
step env CANTELLA_BIN="$static" cargo test --locked --all-features --tests
step env CANTELLA_BIN="$static" cargo test --locked --test faults
step tests/container.sh "$static"
step tests/deploy.sh "$static"
step tests/aarch64.sh

step tests/fuzz.sh 10
