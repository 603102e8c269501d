//! The rooms of the house: which file stands in which, and what each may name.

use std::path::Path;

/// A part of the house: its files, the rooms it may name, and the crates it may use beside `core`.
pub struct Room {
    pub name: &'static str,
    files: &'static [&'static str],
    pub rooms: &'static [&'static str],
    pub crates: &'static [&'static str],
}

impl Room {
    /// Whether the room's files need nothing but `core` and what needs nothing but `core` itself.
    pub fn is_pure(&self) -> bool {
        PURE.contains(&self.name)
    }
}

/// The rooms that are compiled alone.
const PURE: [&str; 4] = ["decide", "words", "carry", "arguments"];

/// From the bottom up. A file belongs to the first room that lists it or a directory above it.
const ROOMS: &[Room] = &[
    Room { name: "decide", files: &["src/pool/"], rooms: &["decide"], crates: &[] },
    Room {
        name: "words",
        files: &[
            "src/digits.rs",
            "src/errno.rs",
            "src/error.rs",
            "src/observe.rs",
            "src/options.rs",
            "src/report.rs",
            "src/signals.rs",
            "src/text.rs",
        ],
        rooms: &["decide", "words"],
        crates: &[],
    },
    Room { name: "touch", files: &["src/sys/"], rooms: &["decide", "words", "touch"], crates: &["libc", "rustix"] },
    Room {
        name: "run",
        files: &["src/program.rs", "src/relay/channel.rs", "src/relay/sink.rs", "src/worker/"],
        rooms: &["decide", "words", "touch", "carry", "run"],
        crates: &[],
    },
    Room { name: "carry", files: &["src/log.rs", "src/relay/"], rooms: &["decide", "words", "carry"], crates: &[] },
    Room {
        name: "turn",
        files: &["src/manager.rs", "src/manager/", "src/table.rs"],
        rooms: &["decide", "words", "touch", "carry", "run", "turn"],
        crates: &[],
    },
    Room { name: "face", files: &["src/lib.rs"], rooms: &[], crates: &[] },
    Room {
        name: "speak",
        files: &[
            "src/bin/cantella/environment.rs",
            "src/bin/cantella/launch.rs",
            "src/bin/cantella/memory.rs",
            "src/bin/cantella/main.rs",
        ],
        rooms: &["speak", "arguments"],
        crates: &["cantella"],
    },
    Room { name: "arguments", files: &["src/bin/cantella/"], rooms: &["arguments"], crates: &["cantella"] },
];

/// The room a file stands in.
pub fn room_of(path: &str) -> Option<&'static Room> {
    let holds = |file: &str| path == file || (file.ends_with('/') && path.starts_with(file));
    ROOMS.iter().find(|room| room.files.iter().any(|file| holds(file)))
}

/// The file that a path of this crate leads to: the deepest module of its names, or the crate's root.
pub fn file_of(path: &str) -> String {
    let root = if path.starts_with("bin::") { "src/bin/cantella" } else { "src" };
    let mut names: Vec<&str> = path.split("::").skip(1).collect();
    while !names.is_empty() {
        let base = format!("{root}/{}", names.join("/"));
        for file in [format!("{base}.rs"), format!("{base}/mod.rs")] {
            if Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).exists() {
                return file;
            }
        }
        names.pop();
    }
    format!("{root}/{}", if root == "src" { "lib.rs" } else { "main.rs" })
}

/// The paths through `crate` and `super` in a file, written out from the crate's root.
pub fn inner_paths(file: &str, code: &str) -> Vec<String> {
    let inside = file.strip_prefix("src/bin/cantella/");
    let root = if inside.is_some() { "bin" } else { "lib" };
    let module = inside.or_else(|| file.strip_prefix("src/")).expect("a file of the crate");
    let module = module.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
    let parent = module.rsplit_once("::").map_or_else(|| root.to_owned(), |(parent, _)| format!("{root}::{parent}"));
    let mut found = Vec::new();
    for (start, base) in [("crate::", root), ("super::", parent.as_str())] {
        for (at, _) in code.match_indices(start) {
            // A `super::super::` counts from the first of the two; from a unit of one level it leads to the root.
            if code[..at].ends_with("super::") || code[..at].ends_with('$') {
                continue;
            }
            let rest = code[at + start.len()..].trim_start_matches("super::");
            let base = if code[at + start.len()..].starts_with("super::") { root } else { base };
            found.extend(paths(rest).into_iter().map(|path| format!("{base}::{path}")));
        }
    }
    found
}

/// The paths that follow: one, or one for each name of a braced list.
fn paths(rest: &str) -> Vec<String> {
    let is_path = |character: char| character.is_alphanumeric() || "_:".contains(character);
    let (start, rest) = rest.split_at(rest.find(|character| !is_path(character)).unwrap_or(rest.len()));
    let Some(list) = rest.strip_prefix('{') else { return vec![start.to_owned()] };
    let list = list.split("};").next().unwrap_or(list).split(',').map(str::trim);
    list.filter(|name| !name.is_empty()).map(|name| format!("{start}{name}")).collect()
}
