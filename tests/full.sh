#!/usr/bin/env bash
# Runs the full form of the tests of faults against the static binary, and of the library's storm: hours. Arguments choose
# tests of faults by a part of their name.
# The figures of the last run stand in the README; they are the lines that start with `figure:`.
set -euo pipefail
cd "$(dirname "$0")/.."

static=$(tests/static.sh 2>/dev/null | tail -n 1)
export CANTELLA_BIN=$static CANTELLA_TEST_FULL=1
printf 'commit %s\n' "$(git rev-parse --short HEAD)"
[ $# -gt 0 ] || cargo test --locked --test library a_storm_of_requests
# One after the other: what is measured has the machine to itself.
exec cargo test --locked --test faults -- --nocapture --include-ignored --test-threads=1 "$@"
