#!/usr/bin/env bash
# Builds the static program for aarch64 with Debian's rustc-web, its arm64 core library, musl's arm64 files and lld, and
# runs under qemu-aarch64-static the tests of the init and of stopping that an emulator of programs can carry.
# `tests/aarch64.sh build` only builds. Prints the path of the program.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
directory=${CARGO_TARGET_DIR:-target}/aarch64
musl=/usr/lib/aarch64-linux-musl
linker=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld

# The target is glibc's, whose static libraries nobody needs here: they are empty, and musl's takes the place of libc.
mkdir -p "$directory/stand-in"
for library in gcc gcc_eh; do
    ar rcs "$directory/stand-in/lib$library.a"
done
flags="-C linker=$linker -C linker-flavor=ld.lld -C target-feature=+crt-static,-outline-atomics"
flags+=" -C relocation-model=static -C link-arg=-L$musl -C link-arg=-L$directory/stand-in"
for object in crt1 crti crtn; do
    flags+=" -C link-arg=$musl/$object.o"
done
env -u CARGO_ENCODED_RUSTFLAGS RUSTC=/usr/bin/rustc RUSTFLAGS="$flags" \
    cargo build --quiet --release --bin cantella --target "$target" --target-dir "$directory" 2>&1 |
    grep -v -e outline-atomics -e 'not stably supported' -e 'generated 1 warning' -e '^ *|$' -e '^$' >&2 || true
program=$(realpath "$directory/$target/release/cantella")
readelf -h "$program" | grep -q AArch64
readelf -lW "$program" | grep -q INTERP && { echo "aarch64: it asks for a program interpreter" >&2; exit 1; }
if [ "${1-}" = build ]; then
    echo "$program"
    exit
fi

# The tests start a program by its path, so qemu and the program are one for them.
carried=$directory/carried/cantella
mkdir -p "$directory/carried"
printf '#!/bin/sh\nexec %s %s "$@"\n' "$(command -v qemu-aarch64-static)" "$program" >"$carried"
chmod +x "$carried"

# What an emulator of programs cannot carry is left out, by parts of the tests' names:
left_out=(
    # argv[0] and the file that a process runs are qemu's, so neither other names nor a program below another is found
    personalities a_key_and_a_resize as_dumb_init namespace pid_1 what_ the_drain_shares descendants_that_move
    # qemu 7.2 knows no PR_SET_CHILD_SUBREAPER
    a_drain_without_end a_subreaper_drains who_asks_to_stop who_was_there
    # it keeps signals for itself: some faults, some real-time ones
    the_code_is_the_childs the_mask_and the_signals_that_libc signals_that_come_in_a_burst signals_are_rewritten
    # strace and what is injected by it would meet qemu
    before_the_group between_fork_and_exec the_first_system_call no_signal_goes_to only_to_children a_fork_that_fails hangs_before_its_exec
    # it looks itself up in the environment
    an_empty_environment
)
CANTELLA_BIN=$(realpath "$carried") cargo test --locked --all-features --test promises init:: -- \
    --test-threads 8 "${left_out[@]/#/--skip=}"
CANTELLA_BIN=$(realpath "$carried") cargo test --locked --all-features --test promises stop:: -- \
    --test-threads 8 "${left_out[@]/#/--skip=}"
