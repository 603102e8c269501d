//! Reads the sources as far as their rules need it: files, code without comments and literals, functions.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file, its path counted from the crate's root.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// The code that is shipped: without comments, without what stands between quotes, without the unit tests.
    pub fn code(&self) -> String {
        let shipped = self.text.split("#[cfg(test)]\nmod tests").next().expect("split gives at least one");
        blank(shipped)
    }
}

/// Every Rust file under the directories, build output left aside.
pub fn sources(directories: &[&str]) -> Vec<Source> {
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

/// Whether code names a crate: `name::` where no other path leads to it.
pub fn names(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].trim_end_matches("::").chars().next_back().unwrap_or(' ');
        let inner = before.is_alphanumeric() || before == '_';
        !inner && code[at + name.len()..].starts_with("::")
    })
}

pub fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !character.is_alphanumeric() && character != '_')
}

/// The functions of a formatted file: each head with its number of lines.
pub fn functions(text: &str) -> Vec<(String, usize)> {
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
pub fn blank(text: &str) -> String {
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
