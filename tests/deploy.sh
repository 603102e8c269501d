#!/usr/bin/env bash
# Validates the examples of deployment: the Dockerfile is built, the Deployment checked against Kubernetes' schema, the
# unit by systemd. Whatever a tool says is a failure.
# Usage: tests/deploy.sh "$(tests/static.sh | tail -n 1)"
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# quiet WHAT COMMAND...
quiet() {
    local what=$1 said
    shift
    said=$("$@" 2>&1) || { echo "deploy: $what: failed: $said" >&2; exit 1; }
    [ -z "$said" ] || { echo "deploy: $what: $said" >&2; exit 1; }
}

cp "$1" "$work/cantella"
cp "$1" "$work/server"
quiet "the Dockerfile" env STORAGE_DRIVER=vfs buildah --root "$work/store" --runroot "$work/run" bud --quiet \
    --isolation chroot --iidfile "$work/id" --file examples/deploy/Dockerfile --logfile "$work/log" "$work"
quiet "the unit" systemd-analyze verify examples/deploy/workers.service
quiet "the Deployment" kubernetes-validate --strict --quiet examples/deploy/deployment.yaml

grace=$(sed -n 's/^ *terminationGracePeriodSeconds: //p' examples/deploy/deployment.yaml)
timeout=$(sed -n 's/.*--stop-timeout=\([0-9]*\)s.*/\1/p' examples/deploy/deployment.yaml)
[ "$grace" -gt "$timeout" ] || { echo "deploy: the grace period $grace is not above the stop timeout $timeout" >&2; exit 1; }
echo "deploy: the Dockerfile, the Deployment and the unit are valid"
