#!/usr/bin/env bash
# Does what a stranger does who takes the crate into a tool of their own: vendors it with all it needs, then builds and
# runs a pool against that, without a network and without this source tree.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build=${CARGO_TARGET_DIR:-target}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
cargo package --locked --allow-dirty --no-verify --quiet
cargo vendor --locked --quiet "$work/vendor" >/dev/null
tar -xzf "$build/package/cantella-$version.crate" -C "$work/vendor"
mv "$work/vendor/cantella-$version" "$work/vendor/cantella"
echo '{"files":{},"package":null}' >"$work/vendor/cantella/.cargo-checksum.json"

mkdir -p "$work/tool/src" "$work/tool/.cargo"
cat >"$work/tool/.cargo/config.toml" <<END
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "$work/vendor"
END
cat >"$work/tool/Cargo.toml" <<END
[package]
name = "tool"
edition = "2024"
[dependencies]
cantella = "$version"
END
cat >"$work/tool/src/main.rs" <<'END'
use cantella::{Context, Level, Log, Manager, Options, Policy, Restart, Spawn, Storage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy { workers: 3, restart: Restart::Never, ..Policy::DEFAULT };
    let options = Options { policy, ..Options::DEFAULT };
    let mut storage = Storage::<3>::new();
    let program = Spawn::new(|context: &mut Context| {
        println!("worker {} was here", context.slot());
        0
    });
    let log = Log::new(|_: Level, text: &str| println!("{text}"));
    let outcome = Manager::new(&options, storage.lend(), program, log)?.run();
    println!("{outcome:?}");
    Ok(())
}
END

said=$(cd "$work/tool" && CARGO_TARGET_DIR=$work/target cargo run --offline --quiet)
for slot in 0 1 2; do
    grep -q "out: worker $slot was here" <<<"$said" || { printf 'vendor: worker %s is missing in\n%s\n' "$slot" "$said" >&2; exit 1; }
done
grep -qx 'Completed { exit: Code(0) }' <<<"$said" || { printf 'vendor: no good end in\n%s\n' "$said" >&2; exit 1; }
echo "vendor: a pool of three ran from $(find "$work/vendor" -mindepth 1 -maxdepth 1 | wc -l) vendored crates"
