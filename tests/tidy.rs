//! Reads the sources and holds them to the house: who may name whom, where `unsafe` stands, what a reader can hold.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    reason = "a test fails loudly and runs on a full std"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A part of the house: its files, the rooms it may name, and the crates it may use beside `core`.
struct Room {
    name: &'static str,
    files: &'static [&'static str],
    rooms: &'static [&'static str],
    crates: &'static [&'static str],
}

/// From the bottom up. A file belongs to the first room that lists it or a directory above it.
const ROOMS: &[Room] = &[
    Room { name: "decide", files: &["src/pool/"], rooms: &["decide"], crates: &[] },
    Room {
        name: "words",
        files: &["src/errno.rs", "src/observe.rs", "src/options.rs", "src/report.rs", "src/signals.rs", "src/text.rs"],
        rooms: &["decide", "words"],
        crates: &[],
    },
    Room { name: "touch", files: &["src/sys/"], rooms: &["decide", "words", "touch"], crates: &["libc", "rustix"] },
    Room {
        name: "run",
        files: &["src/relay/sink.rs", "src/worker/"],
        rooms: &["decide", "words", "touch", "carry", "run"],
        crates: &[],
    },
    Room { name: "carry", files: &["src/relay/"], rooms: &["decide", "words", "carry"], crates: &[] },
    Room {
        name: "turn",
        files: &["src/manager.rs", "src/manager/"],
        rooms: &["decide", "words", "touch", "carry", "run", "turn"],
        crates: &[],
    },
    Room { name: "face", files: &["src/lib.rs"], rooms: &[], crates: &[] },
    Room {
        name: "command line",
        files: &["src/bin/cantella/main.rs"],
        rooms: &["command line", "arguments"],
        crates: &["cantella"],
    },
    Room { name: "arguments", files: &["src/bin/cantella/"], rooms: &["arguments"], crates: &["cantella"] },
];

/// The crates that code here could name at all; `std` and `alloc` are in nobody's list.
const CRATES: [&str; 5] = ["alloc", "cantella", "libc", "rustix", "std"];

const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 70;

#[test]
fn arrows_point_down() {
    report(sources(&["src"]).iter().flat_map(|source| {
        let room = room_of(&source.path).unwrap_or_else(|| panic!("{} is in no room", source.path));
        let code = source.code();
        let crates = CRATES.iter().filter(|name| !room.crates.contains(name) && names(&code, name));
        let crates = crates.map(|name| format!("the crate {name}"));
        let upwards = inner_paths(&source.path, &code).into_iter().filter_map(|path| {
            let target = room_of(&file_of(&path))?;
            (!room.rooms.contains(&target.name)).then(|| format!("`{path}` of the room {}", target.name))
        });
        crates.chain(upwards).map(|what| format!("{} ({}) names {what}", source.path, room.name)).collect::<Vec<_>>()
    }));
}

#[test]
fn unsafe_stands_behind_one_door() {
    report(sources(&["src"]).iter().filter(|source| !source.path.starts_with("src/sys/")).flat_map(|source| {
        let is_entry = |line: &str| source.path == "src/bin/cantella/main.rs" && line.trim() == "#[unsafe(no_mangle)]";
        let code = source.code();
        let unsafe_line = |line: &&str| words(line).any(|word| word == "unsafe") && !is_entry(line);
        code.lines().filter(unsafe_line).map(|line| format!("{}: {}", source.path, line.trim())).collect::<Vec<_>>()
    }));
}

#[test]
fn a_file_says_what_it_is_for_and_a_reader_can_hold_it() {
    report(sources(&["src", "tests", "benches", "examples", "fuzz"]).iter().flat_map(|source| {
        let mut found = Vec::new();
        if !source.text.starts_with("//! ") {
            found.push(format!("{} does not begin with what it is for", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            found.push(format!("{} has {lines} lines, at most {LONGEST_FILE} are held", source.path));
        }
        let long = functions(&source.text).into_iter().filter(|(_, lines)| *lines > LONGEST_FUNCTION);
        found.extend(long.map(|(head, lines)| format!("{}: {lines} lines in {head}", source.path)));
        found
    }));
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    report(sources(&["src", "tests", "benches", "examples", "fuzz"]).iter().flat_map(|source| {
        let marked = |line: &&str| words(line).any(|word| marks.contains(&word));
        source.text.lines().filter(marked).map(|line| format!("{}: {}", source.path, line.trim())).collect::<Vec<_>>()
    }));
}

#[test]
fn the_reader_of_sources_reads_them_right() {
    let code = "use crate::pool::{Pid, Signal}; // std::fs\nlet a = \"libc::x\"; super::fd::read(); super::super::text::Text\n";
    let expected = ["lib::pool::Pid", "lib::pool::Signal", "lib::sys::fd::read", "lib::text::Text"];
    let code = blank(code);
    assert!(!names(&code, "std") && !names(&code, "libc"), "{code}");
    assert!(names("let x = ::libc::fork();", "libc") && !names("super::libc::fork()", "libc"));
    assert_eq!(inner_paths("src/sys/process.rs", &code), expected);
    assert_eq!(file_of("lib::pool::news::Pid"), "src/pool/news.rs");
    assert_eq!(file_of("lib::pool::Pid"), "src/pool/mod.rs");
    let two = "impl A {\n    fn one(&self) -> u8 { 1 }\n    fn two(\n        a: u8,\n    ) {\n        a;\n    }\n}\n";
    let lengths: Vec<usize> = functions(two).into_iter().map(|(_, lines)| lines).collect();
    assert_eq!(lengths, [1, 5]);
}

/// One source file, its path counted from the crate's root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The code that is shipped: without comments, without what stands between quotes, without the unit tests.
    fn code(&self) -> String {
        let shipped = self.text.split("#[cfg(test)]\nmod tests").next().expect("split gives at least one");
        blank(shipped)
    }
}

/// Every Rust file under the directories, build output left aside.
fn sources(directories: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<PathBuf> = directories.iter().map(|name| root.join(name)).filter(|path| path.exists()).collect();
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() && !path.ends_with("target") {
            let entries = fs::read_dir(&path).expect("a readable directory");
            open.extend(entries.map(|entry| entry.expect("a readable entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a readable source");
            let path = path.strip_prefix(root).expect("a path below the root").display().to_string();
            found.push(Source { path, text });
        }
    }
    assert!(!found.is_empty(), "no sources under {directories:?}");
    found
}

fn room_of(path: &str) -> Option<&'static Room> {
    let holds = |file: &str| path == file || (file.ends_with('/') && path.starts_with(file));
    ROOMS.iter().find(|room| room.files.iter().any(|file| holds(file)))
}

/// The file that a path of this crate leads to: the deepest module of its names, or the crate's root.
fn file_of(path: &str) -> String {
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
fn inner_paths(file: &str, code: &str) -> Vec<String> {
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

/// Whether code names a crate: `name::` where no other path leads to it.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].trim_end_matches("::").chars().next_back().unwrap_or(' ');
        let inner = before.is_alphanumeric() || before == '_';
        !inner && code[at + name.len()..].starts_with("::")
    })
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !character.is_alphanumeric() && character != '_')
}

/// The functions of a formatted file: each head with its number of lines.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let head = line.trim_start();
        if !words(head).any(|word| word == "fn") || head.starts_with("//") || head.starts_with('*') {
            continue;
        }
        let indent = &line[..line.len() - head.len()];
        let is_end = |line: &&str| {
            let rest = line.strip_prefix(indent).unwrap_or_default();
            rest.ends_with(['}', ';']) && !rest.starts_with(' ')
        };
        let length = lines[start..].iter().position(is_end).map_or(1, |last| last + 1);
        found.push((head.to_owned(), length));
    }
    found
}

/// Blanks comments and the contents of literals, line by line the same.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if next == '"' {
            literal(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            rest[2..].find('\'').map_or(1, |end| end + 3)
        } else {
            out.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        out.extend(rest[..length].chars().filter(|&character| character == '\n'));
        rest = &rest[length..];
    }
    out
}

/// The length of a string literal that begins here, quotes included.
fn literal(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Fails with everything that was found, a line each.
#[track_caller]
fn report(found: impl Iterator<Item = String>) {
    let list = found.fold(String::new(), |mut list, line| {
        writeln!(list, "  {line}").expect("a string grows");
        list
    });
    assert!(list.is_empty(), "\n{list}");
}
