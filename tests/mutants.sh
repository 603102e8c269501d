#!/usr/bin/env bash
# Breaks the decision core and the relay in every small way that cargo-mutants knows, one at a time, and asks the tests:
# tests/mutants.sh [OPTION OF CARGO-MUTANTS]...
set -euo pipefail
cd "$(dirname "$0")/.."

# A thousand worlds find what more would, and a little optimization makes up for the time that it takes.
export CANTELLA_SIM_WORLDS=1000 CARGO_PROFILE_TEST_OPT_LEVEL=1 CARGO_PROFILE_TEST_DEBUG=0

cargo mutants --version >/dev/null 2>&1 || cargo install --locked cargo-mutants
exec cargo mutants --config tests/mutants.toml --output target "$@"
