#!/usr/bin/env bash
# Runs each fuzz target for a number of seconds from its committed corpus: tests/fuzz.sh SECONDS [TARGET]...
# What cargo-fuzz does with a nightly toolchain is done here with the stable options that stand behind it.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=$1
shift
[ $# -gt 0 ] || set -- $(cd fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')

host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
coverage+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
export RUSTFLAGS="$coverage --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1"

for target; do
    mkdir -p "target/found/$target"
    cargo run --release --locked --target "$host" --bin "$target" -- \
        "target/found/$target" "corpus/$target" -max_total_time="$seconds" -artifact_prefix=target/found/
done
