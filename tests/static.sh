#!/usr/bin/env bash
# Builds the release binary as one static file and prints its path as the last line.
# Beside it stands cantella.symbols, the same program before stripping, for those who check what was linked and from where.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
directory=${CARGO_TARGET_DIR:-target}/static
built=$directory/$host/release/cantella

# With an explicit target the flags reach the program alone, never a build script. The linker is named among
# the flags because cargo's own setting would reach build scripts too. musl-gcc starts a position-independent
# program through its dynamic loader, which a container need not have; so the position is fixed.
flags="-C linker=musl-gcc -C jump-tables=no -C target-feature=+crt-static -C relocation-model=static"
# Nothing is loaded behind it that could be protected after start, so relro and a segment of its own for each kind of
# section would only round the file up to pages, and the manager's memory too.
flags="$flags -C link-arg=-Wl,-T,tests/static.ld,--no-eh-frame-hdr,-z,noseparate-code,-z,norelro,-z,common-page-size=64,--sort-section=alignment"
# Measured: the compiler's own threshold for the smallest code lets calls stand that are longer than what they call.
flags="$flags -C llvm-args=-inline-threshold=15"
env -u CARGO_ENCODED_RUSTFLAGS RUSTFLAGS="$flags" cargo build --release --bin cantella \
    --target "$host" --target-dir "$directory" \
    --config profile.release.strip=false --config profile.release.debug=1

cp "$built" "$directory/cantella.symbols"
strip -s -o "$directory/cantella" "$directory/cantella.symbols"
realpath "$directory/cantella"
