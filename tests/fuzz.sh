#!/usr/bin/env bash
# Lets libFuzzer look for bytes that break a promise, each target for some seconds: tests/fuzz.sh SECONDS [TARGET]...
#
# What cargo-fuzz asks a nightly compiler for is asked of the stable one by the options that stand behind it. There is
# no sanitizer: what is fuzzed has no unsafe code, and runs with checks for overflow and debug assertions.
# What breaks one is left in fuzz/target/found: beside those in fuzz/corpus it becomes a test (`cargo test --test corpus`).
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=$1
shift
[ $# -gt 0 ] || set -- $(cd fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')

host=$(rustc -vV | sed -n 's/^host: //p')
coverage=(-Cpasses=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=("-Cllvm-args=-sanitizer-coverage-$option")
done
# Given with --target, they leave alone what runs while building.
export RUSTFLAGS="${coverage[*]}"

for target; do
    found=target/found/$target
    mkdir -p "$found"
    if ! cargo run --quiet --release --locked --target-dir target --target "$host" --bin "$target" -- \
        "$found" "corpus/$target" -max_total_time="$seconds" -max_len=1024 -timeout=10 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix="$found-" >"$found.log" 2>&1; then
        cat "$found.log"
        exit 1
    fi
    printf '%-10s %s runs\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$found.log")"
done
