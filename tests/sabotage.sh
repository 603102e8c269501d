#!/usr/bin/env bash
# Shows that the tests can fail: each patch in tests/sabotage breaks a copy of the program, and the test that it names
# must notice.
#
#     tests/sabotage.sh             all of them, half a minute each
#     tests/sabotage.sh F25 F9      those whose names begin so
#     tests/sabotage.sh --apply     only whether the patches still fit the sources
#
# Three of the contract's rows have none. F12: the manager holds the pipes' write ends itself and cannot see that a worker
# has closed its output. F16 and F19 are promises of the library.
set -euo pipefail
cd "$(dirname "$0")/.."

apply_only=false
fine=noticed
if [ "${1:-}" = --apply ]; then
    apply_only=true
    fine=fits
    shift
fi
[ $# -gt 0 ] || set -- ""

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/sabotage
failures=0

fresh_copy() {
    rm -rf "${copy:?}"/*
    git ls-files -z | xargs -0 cp --parents -t "$copy"
}

# Gives the reason for which a sabotage shows nothing, if there is one.
show() {
    local patch=$1 test output
    test=$(sed -n 's/^Test: //p' "$patch")
    fresh_copy
    patch --directory="$copy" --strip=1 --silent --forward <"$patch" || { echo "does not fit the sources"; return; }
    ! $apply_only || return 0
    (cd "$copy" && cargo test --quiet --test promises --no-run) >"$copy/log" 2>&1 || { echo "does not build"; return; }
    if output=$(cd "$copy" && cargo test --quiet --test promises -- --exact "$test" 2>&1); then
        echo "goes unnoticed by $test"
    elif ! grep -q '1 failed' <<<"$output"; then
        echo "is not what $test failed of"
    fi
}

for prefix; do
    for patch in tests/sabotage/"$prefix"*.patch; do
        trouble=$(show "$patch")
        echo "$(basename "$patch" .patch): ${trouble:-$fine}"
        [ -z "$trouble" ] || failures=$((failures + 1))
    done
done
echo "sabotage: $failures of the patches are of no use"
[ "$failures" -eq 0 ]
