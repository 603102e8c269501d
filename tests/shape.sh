#!/usr/bin/env bash
# Checks what the static binary is made of: one small file that needs nothing, allocates nothing and never panics.
# Usage: tests/shape.sh "$(tests/static.sh | tail -n 1)"
set -euo pipefail
binary=$1
symbols=$1.symbols
limit=$((96 * 1024))
failures=0

fail() {
    echo "shape: $1" >&2
    failures=$((failures + 1))
}

size=$(stat -c %s "$binary")
[ "$size" -le "$limit" ] || fail "$size bytes, at most $limit are allowed"

headers=$(readelf -lW "$binary")
grep -q ' LOAD ' <<<"$headers" || fail "no ELF program headers in $binary"
grep -q ' RWE ' <<<"$headers" && fail "code that can be written to"
grep -q INTERP <<<"$headers" && fail "it asks for a program interpreter"
dynamic=$(readelf -dW "$binary")
grep -q NEEDED <<<"$dynamic" && fail "it needs a shared library"
relocations=$(readelf -rW "$binary")
grep -q IRELATIV <<<"$relocations" && fail "it has relocations that run code at start"

# A static program that links and still crashes at start has been seen: so it is run, with nothing around it.
version=$(env -i "$binary" --version) || fail "--version does not run"
grep -q '^cantella [0-9]' <<<"$version" || fail "--version says: $version"

# What defines these symbols is an allocator; musl's start-up alone has none.
allocator=$(nm "$symbols" | grep -E ' (malloc|calloc|realloc|free|aligned_alloc|posix_memalign|brk|sbrk)$' || true)
[ -z "$allocator" ] || fail "an allocator is linked: $allocator"

# A panic can start wherever one is called: nowhere, be it in another crate or in a function of libcore.
calls=$(objdump -d --no-show-raw-insn "$symbols" |
    awk '/(call|jmp) .*4core.*(panic|fail)/ { sub(":", "", $1); print "0x" $1 }')
[ -z "$calls" ] || fail "panics can start at:"$'\n'"$(addr2line -Cfipe "$symbols" $calls)"

[ "$failures" -eq 0 ] || exit 1
echo "shape: $size bytes of $limit, static, no allocator, no panic"
