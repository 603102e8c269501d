#!/usr/bin/env bash
# Runs the static binary as the init of real containers: an image FROM scratch that holds nothing else but a worker,
# built by buildah, unpacked by umoci and run by runc, without a Docker engine.
# Usage: tests/container.sh "$(tests/static.sh | tail -n 1)"
set -euo pipefail
cd "$(dirname "$0")/.."
# Mounts are made and left in a name space of their own.
[ "${CONTAINER_APART-}" ] || exec env CONTAINER_APART=1 unshare --mount --propagation private "$0" "$@"

work=$(mktemp -d)
running=()
clean() {
    for name in "${running[@]}"; do
        runc --root "$work/runc" delete --force "$name" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean EXIT
passed=0

fail() {
    echo "container: $1" >&2
    cat "$work"/*/out "$work"/*/err >&2 2>/dev/null || true
    exit 1
}

# is WHAT FOUND EXPECTED
is() {
    [ "$2" = "$3" ] || fail "$1: $2, expected $3"
    passed=$((passed + 1))
}

# eventually WHAT COMMAND...: repeats it for 10 seconds until it succeeds.
eventually() {
    local what=$1
    shift
    for _ in $(seq 500); do
        if "$@"; then
            passed=$((passed + 1))
            return
        fi
        sleep 0.02
    done
    fail "waited in vain: $what"
}

build() {
    mkdir "$work/context"
    cp "$1" "$work/context/cantella"
    musl-gcc -static -O1 -o "$work/context/worker" tests/promises/worker.c
    printf '%s\n' 'FROM scratch' 'COPY cantella worker /' 'ENTRYPOINT ["/cantella", "--init"]' \
        'CMD ["/worker", "catch", "10", "15"]' >"$work/context/Dockerfile"
    local store=(--root "$work/store" --runroot "$work/run" --storage-driver vfs)
    buildah "${store[@]}" bud --quiet --isolation chroot --tag init "$work/context" >/dev/null
    buildah "${store[@]}" push --quiet init "oci:$work/image:latest"
}

# bundle NAME [WORD...]: unpacks the image, with a root that cannot be written, and these words for its CMD.
bundle() {
    local name=$1 words=()
    shift
    for word; do words+=(--config.cmd "$word"); done
    [ $# = 0 ] || umoci config --image "$work/image:latest" --tag "$name" "${words[@]}"
    [ $# != 0 ] || umoci tag --image "$work/image:latest" "$name"
    umoci unpack --image "$work/image:$name" "$work/$name" >/dev/null 2>&1
    sed -i -e 's/"terminal": true/"terminal": false/' -e 's/"path": "rootfs"/&, "readonly": true/' \
        "$work/$name/config.json"
}

container() {
    runc --root "$work/runc" "$@"
}

# start NAME: runs the bundle of that name; its output goes to NAME/out and NAME/err, its code to NAME/code.
start() {
    local name=$1
    running+=("$name")
    {
        code=0
        container run --bundle "$work/$name" --pid-file "$work/$name/pid" "$name" \
            >"$work/$name/out" 2>"$work/$name/err" </dev/null || code=$?
        echo "$code" >"$work/$name/code"
    } &
    eventually "the pid of $name" test -s "$work/$name/pid"
}

says() {
    eventually "$1 says $2" grep -sqx "$2" "$work/$1/out"
}

# ends NAME CODE [WORDS]: with this code, and no words but these on standard error.
ends() {
    eventually "the end of $1" test -s "$work/$1/code"
    is "the code of $1" "$(cat "$work/$1/code")" "$2"
    is "what $1 says on standard error" "$(sed 's/^.*: //; s/pid [0-9]*/pid N/' "$work/$1/err")" "${3-}"
}

children_of() {
    grep -lE "^PPid:[[:space:]]$1\$" /proc/[0-9]*/status 2>/dev/null | wc -l
}

has_children() {
    [ "$(children_of "$1")" = "$2" ]
}

build "$1"

# The program as it is used: PID 1, signals, a probe, a stop.
bundle plain
is "the image" "$(cd "$work/plain/rootfs" && echo *)" "cantella worker"
start plain
says plain ready
pid=$(cat "$work/plain/pid")
is "the pid inside" "$(awk '/^NSpid:/ { print $NF }' "/proc/$pid/status")" 1
is "its name" "$(cat "/proc/$pid/comm")" cantella
container kill plain USR1
says plain "got 10"
is "a probe" "$(container exec plain /cantella --version | cut -d' ' -f1)" cantella
probe=0
container exec plain /worker nothing || probe=$?
is "a probe that fails" "$probe" 9
container kill plain TERM
says plain "got 15"
ends plain 0

# Exit codes are the child's own.
bundle code /worker nothing
start code
ends code 9

# A child that does not end is killed in time, by name of the signal that did it.
bundle stubborn --stop-timeout=500ms /worker ignore 15
start stubborn
says stubborn ready
container kill stubborn TERM
ends stubborn 137 "worker 0 killed, pid N, generation 1"

# Orphans are reaped while the child runs.
bundle orphans /worker orphans 200
start orphans
says orphans made
eventually "no zombie" has_children "$(cat "$work/orphans/pid")" 1
container kill orphans TERM
ends orphans 143

# What a child leaves behind is drained.
bundle leaving --drain=300ms /worker forsaken
start leaving
ends leaving 0

# No /proc, no environment, no descriptors, in a directory that holds nothing else.
code=0
env -i "$(command -v chroot)" "$work/plain/rootfs" /cantella --init /worker nothing <&- >&- 2>&- || code=$?
is "the code in an empty root" "$code" 9

echo "container: $passed checks passed"
