//! Reads source files as the checks need them: code with comments and texts blanked out, so that a word in
//! a sentence is never taken for code, and the texts and comments apart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One Rust file.
pub(super) struct Source {
    /// Path below the root, with `/`.
    pub(super) path: String,
    /// The file as it stands.
    pub(super) text: String,
    /// As long as `text`; comments, texts and character literals are blanks, line ends stay.
    pub(super) code: String,
    /// What stands inside text literals, one after the other.
    pub(super) literals: Vec<String>,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let mut scanner = Scanner { text, at: 0, code: text.as_bytes().to_vec(), literals: Vec::new() };
        scanner.run();
        let code = String::from_utf8(scanner.code).expect("only whole characters are blanked");
        Self { path: path.to_owned(), text: text.to_owned(), code, literals: scanner.literals }
    }

    /// The room a file belongs to: `engine` for `src/engine/log.rs` and `src/engine.rs`.
    pub(super) fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        match below.split_once('/') {
            Some((room, _)) => Some(room),
            None => below.strip_suffix(".rs").filter(|name| !matches!(*name, "lib" | "main")),
        }
    }

    /// Whether all of the file is test code.
    pub(super) fn is_test_file(&self) -> bool {
        let path = &self.path;
        path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
    }

    /// Where the test code begins: at the inline module behind `#[cfg(test)]`, which stands last in a file.
    pub(super) fn tests_begin(&self) -> usize {
        if self.is_test_file() {
            return 0;
        }
        let mut from = 0;
        while let Some(found) = self.code[from..].find("#[cfg(test)]") {
            let at = from + found;
            from = at + "#[cfg(test)]".len();
            let rest = self.code[from..].trim_start();
            let is_module = rest.starts_with("mod ") || rest.starts_with("pub(crate) mod ") || rest.starts_with("#[");
            let brace = rest.find('{').unwrap_or(usize::MAX);
            if is_module && brace < rest.find(';').unwrap_or(usize::MAX) {
                return at;
            }
        }
        self.code.len()
    }

    /// The lines before the test code.
    pub(super) fn production_lines(&self) -> usize {
        self.text[..self.tests_begin()].trim_end().lines().count()
    }

    pub(super) fn line_of(&self, at: usize) -> usize {
        self.text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// Every function with a body: its name, where it begins, its lines.
    pub(super) fn functions(&self) -> Vec<Function> {
        let bytes = self.code.as_bytes();
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            if at > 0 && is_word(bytes[at - 1]) {
                continue;
            }
            let name: String = self.code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name.is_empty() {
                continue;
            }
            if let Some(end) = body_end(bytes, at) {
                found.push(Function { name, at, lines: self.line_of(end) - self.line_of(at) + 1 });
            }
        }
        found
    }

    /// The doc and other comments, without their slashes, one line each.
    pub(super) fn comment_lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(|line| {
            let line = line.trim_start();
            let bare = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
            bare.map_or("", |rest| rest.strip_prefix(' ').unwrap_or(rest))
        })
    }
}

/// A function and its size.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) at: usize,
    pub(super) lines: usize,
}

/// The end of the body of the function whose `fn` stands at `at`; none for a declaration.
fn body_end(code: &[u8], at: usize) -> Option<usize> {
    let mut nested = 0_i32;
    let mut open = 0_u32;
    for (offset, byte) in code[at..].iter().enumerate() {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested -= 1,
            b';' if nested == 0 && open == 0 => return None,
            b'{' => open += 1,
            b'}' => {
                open = open.checked_sub(1)?;
                if open == 0 {
                    return Some(at + offset);
                }
            }
            _ => {}
        }
    }
    None
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    code: Vec<u8>,
    literals: Vec<String>,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            if rest.starts_with("//") {
                self.blank(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.blank(block_comment_len(rest));
            } else if let Some((len, inner)) = raw_text(rest).filter(|_| !self.after_word()) {
                self.literals.push(inner.to_owned());
                self.blank(len);
            } else if rest.starts_with('"') {
                let len = plain_text_len(rest);
                self.literals.push(rest[1..(len - 1).max(1)].to_owned());
                self.blank(len);
            } else if let Some(len) = char_literal_len(rest) {
                self.blank(len);
            } else {
                self.at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
    }

    fn after_word(&self) -> bool {
        self.at > 0 && is_word(self.text.as_bytes()[self.at - 1])
    }

    fn blank(&mut self, len: usize) {
        for byte in &mut self.code[self.at..self.at + len] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        self.at += len;
    }
}

fn block_comment_len(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn raw_text(rest: &str) -> Option<(usize, &str)> {
    let after = ["br", "cr", "r"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    let inner = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inner.find(&close).unwrap_or(inner.len());
    let len = rest.len() - inner.len() + (end + close.len()).min(inner.len());
    Some((len, &inner[..end]))
}

fn plain_text_len(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// A lifetime is no character literal.
fn char_literal_len(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    if let Some(escaped) = inner.strip_prefix('\\') {
        return Some(2 + 1 + escaped.get(1..)?.find('\'')? + 1);
    }
    let first = inner.chars().next()?.len_utf8();
    inner[first..].starts_with('\'').then_some(first + 2)
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The folder of the workspace.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file that is part of the project.
pub(super) fn rust_files() -> Vec<Source> {
    let mut files = Vec::new();
    for path in tracked_files() {
        if path.ends_with(".rs") {
            let text = fs::read_to_string(root().join(&path)).expect("a source file is UTF-8");
            files.push(Source::new(&path, &text));
        }
    }
    assert!(files.len() > 20, "the walk must find the sources");
    files
}

/// Every file that is part of the project, sorted: what git tracks or would add; outside a git clone, what
/// stands in the folder without what is made there.
pub(super) fn tracked_files() -> Vec<String> {
    let git = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let mut files: Vec<String> = match git {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split('\0')
            .filter(|path| !path.is_empty() && root().join(path).is_file())
            .map(str::to_owned)
            .collect(),
        _ => {
            let mut found = Vec::new();
            walk(&root(), &root(), &mut found);
            found
        }
    };
    files.sort();
    files.dedup();
    files
}

fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("the project's folders can be read") {
        let path = entry.expect("the project's folders can be read").path();
        let below = path.strip_prefix(root).expect("walked below the root").to_string_lossy().replace('\\', "/");
        if path.is_dir() {
            if !MADE_FOLDERS.iter().any(|made| below == *made || below.ends_with(&format!("/{made}"))) {
                walk(&path, root, found);
            }
        } else {
            found.push(below);
        }
    }
}

const MADE_FOLDERS: &[&str] =
    &[".git", "target", "node_modules", "dist", "data", "test-results", "playwright-report", "coverage"];

#[test]
fn comments_and_texts_are_no_code() {
    let source = Source::new(
        "src/engine/a.rs",
        "// crate::api\nfn a<'x>(c: char) { let _ = \"crate::cli \\\" }\"; r#\"crate::q \" }\"#; '\"'; '\\''; '}'; /* { /* */ crate::z */ }\nfn b() {}\n",
    );
    assert!(!source.code.contains("crate::"), "{}", source.code);
    assert_eq!(source.code.len(), source.text.len());
    assert_eq!(source.literals, ["crate::cli \\\" }", "crate::q \" }"]);
    let functions: Vec<_> = source.functions().into_iter().map(|f| (f.name, f.lines)).collect();
    assert_eq!(functions, [("a".to_owned(), 1), ("b".to_owned(), 1)]);
}

#[test]
fn test_code_begins_at_the_inline_test_module() {
    let source = Source::new(
        "src/engine/a.rs",
        "#[cfg(test)]\nuse x;\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n",
    );
    assert_eq!(source.production_lines(), 3);
    let elsewhere = Source::new("src/engine/a.rs", "#[cfg(test)]\nmod tests;\n\nfn a() {}\n");
    assert_eq!(elsewhere.production_lines(), 4);
}

#[test]
fn a_file_knows_its_room() {
    let room = |path| Source::new(path, "").room().map(str::to_owned);
    assert_eq!(room("src/engine/log/read.rs").as_deref(), Some("engine"));
    assert_eq!(room("src/engine.rs").as_deref(), Some("engine"));
    assert_eq!(room("src/lib.rs"), None);
    assert_eq!(room("sim/src/disk.rs"), None);
}
