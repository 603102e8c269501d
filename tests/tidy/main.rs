//! Reads the sources and holds them to the house: who may name whom, where `unsafe` stands, what a reader can hold.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    unreachable_pub,
    reason = "a test fails loudly, runs on a full std, and has no public face"
)]

mod alone;
mod rooms;
mod sources;

use std::fmt::Write as _;

use rooms::{file_of, inner_paths, room_of};
use sources::{blank, functions, names, sources, words};

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

/// Fails with everything that was found, a line each.
#[track_caller]
fn report(found: impl Iterator<Item = String>) {
    let list = found.fold(String::new(), |mut list, line| {
        writeln!(list, "  {line}").expect("a string grows");
        list
    });
    assert!(list.is_empty(), "\n{list}");
}
